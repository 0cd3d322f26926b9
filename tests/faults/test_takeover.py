"""Two hosts on one PostgreSQL journal: one sends, the other takes over within seconds, and never both."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM
from typing import NamedTuple, Self
from urllib.request import urlopen

import psycopg
import pytest

from bot.core.book import fold
from bot.core.records import IncidentClosed
from bot.core.recovery_records import TakenOver
from tests.faults.test_storage_faults import trading, unready
from tests.support.audit import differences
from tests.support.cut_wire import CutWire, Severed
from tests.support.hosts import FUNDS, Hosts, at_rest, intents
from tests.support.inband import REPOSITORY, Inband, Process, cpu_s, cpu_wait_s
from tests.support.market_leash import Leash
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.needs("postgresql")

WITHIN_S = 10.0
STOOD_STILL_S = 5.0
"""For so long a machine that has too much to do may do nothing for anybody."""


def judge(site: Hosts, host: Inband) -> None:
    """Each order reached the exchange once, each has its intent, and the ledgers are the exchange's own."""
    sent = site.orders()
    assert len(sent) > 6
    assert set(sent.values()) == {1}
    assert set(sent) <= intents(host)
    assert differences(host, at_rest(host), store=site.folder / "elsewhere") == []


@contextmanager
def two(site: Hosts) -> Iterator[tuple[Process, Process]]:
    """The owner, which trades, and a process that stands by."""
    with site.start("a") as owner, ExitStack() as held:
        trading(owner)
        held.enter_context(Leash(site.venue))  # on a slow machine the rebalances would be over by then
        with site.start("b") as standby:
            standby.until_said("standing_by")
            held.close()
            yield owner, standby


class Since(NamedTuple):
    """A moment after which a process has something to do."""

    at: datetime
    waited_s: float

    @classmethod
    def now(cls, process: Process) -> Self:
        """This one."""
        return cls(datetime.now(UTC), cpu_wait_s(process.pid))

    def in_time(self, process: Process, said: str, times: int = 1) -> bool:
        """Whether it was done in time, by the stamp of a line; that it was given no CPU is not its fault."""
        waited_s = cpu_wait_s(process.pid) - self.waited_s
        took_s = (stamp(process.lines(said)[times - 1]) - self.at).total_seconds()
        return took_s < WITHIN_S + STOOD_STILL_S + waited_s


def stamp(line: dict[str, str]) -> datetime:
    """When a line was said."""
    return datetime.fromisoformat(line["at"])


def taken_over(host: Inband) -> set[str]:
    """From whom accounts were taken, as the journal has it."""
    return {r.taken_from for fund in FUNDS for r in host.records(fund) if isinstance(r, TakenOver)}


def minutes_of_nav(process: Process) -> set[int]:
    """Of which minutes everybody sees the NAV of BTCUP there."""
    url = process.lines("serving")[0]["url"]
    with urlopen(f"{url}/api/v1/funds/BTCUP/nav?interval=1m") as answer:  # noqa: S310 - our own daemon
        return {row[0] for row in json.load(answer)}


def test_a_standby_waits_and_says_for_whom(tmp_path: Path, postgres: PostgresServer) -> None:
    """It is not ready, sends nothing, and `status` there shows the funds and who sends for them."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        (reason,) = unready(standby)
        assert reason.startswith("standby: ")
        assert f":{owner.pid}:" in reason
        assert standby.lines("order_sent") == []
        shown = site.host("b").run("status", "--json")
        assert shown.returncode == 0
        assert f":{owner.pid}:" in shown.stdout
        assert owner.signal(SIGTERM) == 0
        standby.until_said("running")
        assert standby.lines("takeover") == []  # the owner left by itself
        trading(standby)
        site.stop(standby)
        judge(site, site.host("a"))


def test_a_standby_outlives_a_reload(tmp_path: Path, postgres: PostgresServer) -> None:
    """`systemctl reload` on every host: the one that waits says why it does not, and waits on."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        os.kill(standby.pid, SIGHUP)
        refused = standby.until_said("reload_refused")
        assert refused["reason"].startswith("standby: ")
        assert owner.signal(SIGTERM) == 0
        standby.until_said("running")
        assert standby.signal(SIGTERM) == 0


def band_shown(process: Process) -> list[str]:
    """The band that BTCUP has by now."""
    url = process.lines("serving")[0]["url"]
    with urlopen(f"{url}/api/v1/funds/BTCUP") as answer:  # noqa: S310 - our own daemon
        return list(json.load(answer)["band"])


def test_what_an_operator_said_is_good_for_a_life_that_begins_again(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """The database is lost and back: the fund is by the reloaded settings, and `--adopt` is used up."""
    file = tmp_path / "settings.toml"
    shipped = (REPOSITORY / "config" / "paper.toml").read_text()
    file.write_text(shipped)
    with Hosts(tmp_path, postgres.url()) as site:
        host = site.host("a", CONFIG=str(file), FUNDS__BTCDOWN__LIMITS__DAILY_COSTS="0.000001")
        with host.start("run", "--adopt") as daemon:
            daemon.until(lambda: stopped_increases(host), what="a limit was broken")
            file.write_text(shipped.replace("band = [1.5, 3] ", "band = [1.4, 3.1] "))
            os.kill(daemon.pid, SIGHUP)
            assert daemon.until_said("reloaded")["changed"] == ["INBAND_FUNDS__BTCUP__BAND"]
            sessions = "FROM pg_stat_activity WHERE application_name LIKE 'inband %'"
            postgres.execute(f"SELECT pg_terminate_backend(pid) {sessions}")
            daemon.until_said("running", times=2)
            daemon.until(lambda: band_shown(daemon) == ["1.4", "3.1"], what="the new band is shown")
            assert daemon.signal(SIGTERM) == 0
            assert {r.how for r in host.records("BTCDOWN") if isinstance(r, IncidentClosed)} <= {""}


def stopped_increases(host: Inband) -> set[str]:
    """What is open of BTCDOWN and stops its increases."""
    return set(fold(host.records("BTCDOWN")).breaches)


def test_no_fund_takes_a_step_before_everybody_listens(tmp_path: Path, postgres: PostgresServer) -> None:
    """The history of NAV is not to be had: nothing is traded that it would miss, and the log says why."""
    with Hosts(tmp_path, postgres.url()) as site:
        with site.start("a") as daemon:
            daemon.until_said("running")
            assert daemon.signal(SIGTERM) == 0
        with psycopg.connect(postgres.url()) as other, site.start("a") as daemon:
            other.execute("LOCK TABLE bar IN ACCESS EXCLUSIVE MODE")
            # On a slow machine it may give up first, and say that the server does not answer.
            daemon.until(
                lambda: any(
                    "lock timeout" in told["reason"] for told in daemon.lines("database_unreachable")
                ),
                what="it was said why",
            )
            daemon.until_said("starting", times=2)
            assert daemon.lines("order_sent") + daemon.lines("fund_stopped") == []
            other.rollback()
            daemon.until_said("running")
            trading(daemon)
            assert daemon.signal(SIGTERM) == 0


def test_a_standby_takes_over_from_an_owner_that_was_killed(tmp_path: Path, postgres: PostgresServer) -> None:
    """`kill -9` of the owner: within seconds the other trades on, in the same rebalance and NAV history."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        owner.until(lambda: minutes_of_nav(owner), what="it has a history")
        history, started_s = minutes_of_nav(owner), cpu_s(standby.pid)
        owner.signal(SIGKILL)
        killed = Since.now(standby)
        standby.until_said("running")
        assert killed.in_time(standby, "running")
        # What takes long to import was there before it stood by: most of the work was done.
        assert cpu_s(standby.pid) - started_s < started_s / 3
        assert standby.lines("takeover")[0]["accounts"] == ["DOWN", "UP"]
        trading(standby)
        standby.until(lambda: history < minutes_of_nav(standby), what="the history went on")
        site.stop(standby)
        judge(site, site.host("b"))
        assert any(f":{owner.pid}:" in holder for holder in taken_over(site.host("b")))


def test_an_owner_that_stalls_is_taken_over_and_never_sends_again(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Stopped with its session standing, it is ended from outside; awake again, it stands by."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        os.kill(owner.pid, SIGSTOP)
        stopped = Since.now(standby)
        standby.until_said("running")
        assert stopped.in_time(standby, "running")
        known = intents(site.host("b"))
        os.kill(
            owner.pid, SIGCONT
        )  # the exchange holds the market for as long as one that it paces is stopped
        owner.until_said("standing_by")
        trading(standby, orders=6)
        # A line that was said before the stop may be written after it.
        assert {line["cid"] for line in owner.lines("order_sent")} <= known
        sent_before = len(owner.lines("order_sent"))
        standby.signal(SIGKILL)
        owner.until_said("running", times=2)
        trading(owner, orders=sent_before + 2)
        site.stop(owner)
        assert known < intents(site.host("a"))
        judge(site, site.host("a"))


def waits_for_database(process: Process) -> bool:
    """Whether that is all that it says; of the venue, which is well, it says nothing."""
    said = unready(process)
    assert not [reason for reason in said if "venue" in reason]
    return said == ["the database is not reached"]


@pytest.mark.parametrize("how", ["reset", "silent"])
def test_an_owner_that_is_cut_off_from_the_database_is_taken_over(
    tmp_path: Path, postgres: PostgresServer, how: Severed
) -> None:
    """The database and the standby are well: within seconds the other trades on, and never both."""
    with CutWire(postgres.port) as wire, Hosts(tmp_path, postgres.url()) as site:
        with site.start("a", DATABASE_URL=postgres.url(port=wire.port)) as owner:
            trading(owner)
            with site.start("b") as standby:
                standby.until_said("standing_by")
                wire.sever(how)
                cut = Since.now(standby)
                standby.until_said("running")
                assert cut.in_time(standby, "running")
                owner.until_said("ownership_lost")
                known = intents(site.host("b"))
                trading(standby, orders=6)
                # A line that was said before the cut may be written after it.
                assert {line["cid"] for line in owner.lines("order_sent")} <= known
                owner.until(lambda: waits_for_database(owner), what="it said what it waits for")
                site.stop(standby)
                sent = [{line["cid"] for line in each.lines("order_sent")} for each in (owner, standby)]
                assert sent[0].isdisjoint(sent[1])
        judge(site, site.host("b"))


def test_an_owner_that_loses_its_database_stops_and_begins_again(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """The server is restarted: the owner sends nothing meanwhile, and one of the two goes on."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        postgres.kill()
        owner.until_said("ownership_lost")
        owner.until(lambda: waits_for_database(owner), what="it said what it waits for")
        sent = len(owner.lines("order_sent"))
        with Leash(site.venue) as leash:
            leash.let(240)
            standby.until(leash.arrived, what="the market went on")
        assert len(owner.lines("order_sent")) == sent
        port = owner.lines("serving")[0]["url"].rpartition(":")[2]
        looked = site.host("a", WEB__PORT=port).run("check", "--json")
        (daemon,) = [each for each in json.loads(looked.stdout)["findings"] if each["what"] == "daemon"]
        assert daemon["verdict"] == "failed"
        assert daemon["found"].endswith("the database is not reached")
        postgres.start()
        back = {process.pid: Since.now(process) for process in (owner, standby)}
        owner.until(
            lambda: len(owner.lines("running")) == 2 or standby.lines("running"), what="one of them went on"
        )
        going, waiting = (owner, standby) if len(owner.lines("running")) == 2 else (standby, owner)
        assert back[going.pid].in_time(going, "running", times=len(going.lines("running")))
        trading(going, orders=len(going.lines("order_sent")) + 3)
        assert waiting.signal(SIGTERM) == 0
        site.stop(going)
        judge(site, site.host("a"))
