"""Two hosts on one PostgreSQL journal: one sends, the other takes over within seconds, and never both."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM
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
from tests.support.inband import REPOSITORY, Inband, Process
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.needs("postgresql")

WITHIN_S = 10.0


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
    with site.start("a") as owner:
        trading(owner)
        with site.start("b") as standby:
            standby.until_said("standing_by")
            yield owner, standby


def taken_over(host: Inband) -> set[str]:
    """From whom accounts were taken, as the journal has it."""
    return {r.taken_from for fund in FUNDS for r in host.records(fund) if isinstance(r, TakenOver)}


def pause_ms(process: Process, first: str, then: str) -> float:
    """Between two things that it said once."""
    begin, end = (datetime.fromisoformat(process.lines(each)[0]["at"]) for each in (first, then))
    return (end - begin).total_seconds() * 1000


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
        assert standby.signal(SIGTERM) == 0
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
            assert band_shown(daemon) == ["1.4", "3.1"]
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
            told = daemon.until_said("database_unreachable")
            assert "lock timeout" in told["reason"]
            daemon.until_said("starting", times=2)
            assert daemon.lines("order_sent") + daemon.lines("fund_stopped") == []
            other.rollback()
            daemon.until_said("running")
            trading(daemon)
            assert daemon.signal(SIGTERM) == 0


def test_a_standby_takes_over_from_an_owner_that_was_killed(tmp_path: Path, postgres: PostgresServer) -> None:
    """`kill -9` of the owner: within seconds the other trades on, in the same rebalance and NAV history."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        history = minutes_of_nav(owner)
        assert history
        owner.signal(SIGKILL)
        killed_s = time.monotonic()
        standby.until_said("running")
        assert time.monotonic() - killed_s < WITHIN_S
        assert standby.lines("takeover")[0]["accounts"] == ["DOWN", "UP"]
        # What takes long to import was there before it stood by.
        assert pause_ms(standby, "takeover", "starting") < pause_ms(standby, "serving", "standing_by")
        trading(standby)
        standby.until(lambda: history < minutes_of_nav(standby), what="the history went on")
        assert standby.signal(SIGTERM) == 0
        judge(site, site.host("b"))
        assert any(f":{owner.pid}:" in holder for holder in taken_over(site.host("b")))


def test_an_owner_that_stalls_is_taken_over_and_never_sends_again(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Stopped with its session standing, it is ended from outside; awake again, it stands by."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        os.kill(owner.pid, SIGSTOP)
        stopped_s = time.monotonic()
        standby.until_said("running")
        assert time.monotonic() - stopped_s < WITHIN_S
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
        assert owner.signal(SIGTERM) == 0
        assert known < intents(site.host("a"))
        judge(site, site.host("a"))


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
                cut_s = time.monotonic()
                standby.until_said("running")
                assert time.monotonic() - cut_s < WITHIN_S
                owner.until_said("ownership_lost")
                sent = len(owner.lines("order_sent"))
                trading(standby, orders=6)
                assert len(owner.lines("order_sent")) == sent
                while (said := unready(owner)) != ["the database is not reached"]:
                    assert "venue" not in said[0]
                assert standby.signal(SIGTERM) == 0
        judge(site, site.host("b"))


def test_an_owner_that_loses_its_database_stops_and_begins_again(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """The server is restarted: the owner sends nothing meanwhile, and one of the two goes on."""
    with Hosts(tmp_path, postgres.url()) as site, two(site) as (owner, standby):
        postgres.kill()
        owner.until_said("ownership_lost")
        sent = len(owner.lines("order_sent"))
        time.sleep(1)
        assert len(owner.lines("order_sent")) == sent
        assert unready(owner) == ["the database is not reached"]
        port = owner.lines("serving")[0]["url"].rpartition(":")[2]
        looked = site.host("a", WEB__PORT=port).run("check", "--json")
        (daemon,) = [each for each in json.loads(looked.stdout)["findings"] if each["what"] == "daemon"]
        assert daemon["verdict"] == "failed"
        assert daemon["found"].endswith("the database is not reached")
        postgres.start()
        back_s = time.monotonic()
        owner.until(
            lambda: len(owner.lines("running")) == 2 or standby.lines("running"), what="one of them went on"
        )
        assert time.monotonic() - back_s < WITHIN_S
        going, waiting = (owner, standby) if len(owner.lines("running")) == 2 else (standby, owner)
        trading(going, orders=len(going.lines("order_sent")) + 3)
        assert waiting.signal(SIGTERM) == 0
        assert going.signal(SIGTERM) == 0
        judge(site, site.host("a"))
