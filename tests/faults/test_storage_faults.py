"""The storage faults of the catalogue, on real processes: what is expected, and what the exchange saw."""

import json
import resource
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from bot.core.records import Control, ControlChanged, IncidentOpened, OrderDead
from bot.core.recovery import LOST_RECORDS
from bot.core.recovery_records import Reincarnated
from bot.journal.high_water import MARK_FILE
from bot.journal.sqlite import JOURNAL_FILE
from tests.support.audit import differences
from tests.support.cut_wire import Cut, CutWire
from tests.support.hosts import FUNDS, Hosts, at_rest, intents
from tests.support.inband import Inband, Process
from tests.support.market_leash import Leash
from tests.support.postgres import PostgresServer

WAL = JOURNAL_FILE + "-wal"


@pytest.fixture
def site(tmp_path: Path) -> Hosts:
    """An exchange, and journals in files."""
    return Hosts(tmp_path, None)


def trading(process: Process, *, orders: int = 4) -> None:
    """Wait until it has sent some orders."""
    process.until_said("order_sent", times=orders)


def unready(process: Process) -> list[str]:
    """What `/readyz` has against it."""
    url = process.lines("serving")[0]["url"]
    try:
        with urlopen(f"{url}/readyz") as answer:  # noqa: S310 - our own daemon
            return list(json.load(answer)["reasons"])
    except HTTPError as error:
        return list(json.load(error)["reasons"])


def test_row_25_two_instances(site: Hosts) -> None:
    """On one data directory the second process refuses to start, and the first trades on."""
    with site, site.start("a") as first:
        trading(first)
        second = site.host("a").run("run")
        assert second.returncode == 1
        assert f"process {first.pid} already runs" in second.stderr
        trading(first, orders=6)
        assert first.signal(SIGTERM) == 0
        sent = site.orders()
    assert set(sent.values()) == {1}
    assert set(sent) <= intents(site.host("a"))


def test_row_27_disk_full(site: Hosts) -> None:
    """The file system takes no more: nothing is sent whose intent is not durable, and the daemon says so."""
    with site, site.start("a") as daemon:
        trading(daemon)
        grown = (site.host("a").data_dir / WAL).stat().st_size
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (grown, grown))
        daemon.until_said("fund_stopped", times=2)
        assert "cannot be used" in daemon.lines("fund_stopped")[0]["reason"]
        daemon.until(
            lambda: sorted(unready(daemon)) == ["BTCDOWN: stopped", "BTCUP: stopped"], what="it is not ready"
        )
        daemon.signal(SIGKILL)
        sent = site.orders()
    assert set(sent.values()) == {1}
    assert set(sent) <= intents(site.host("a"))


def lose_the_tail(host: Inband) -> None:
    """What a disk does that said "written" and had not: the newest part of the log is gone."""
    log = host.data_dir / WAL
    content = log.read_bytes()
    assert len(content) > 200_000, "the log is too short to lose half of it"
    log.write_bytes(content[: len(content) // 2])


def test_row_28_power_loss_that_lost_what_was_committed(site: Hosts) -> None:
    """The data directory remembers how far the journal had come: the start is refused, nothing is sent."""
    with site:
        with site.start("a") as daemon:
            trading(daemon, orders=12)
            daemon.signal(SIGKILL)
        before = len(intents(site.host("a")))
        lose_the_tail(site.host("a"))
        assert len(intents(site.host("a"))) < before
        again = site.host("a").run("run")
        assert again.returncode == 1
        assert "lacks records" in again.stderr
        assert "db restore" in again.stderr
        assert again.stderr.count("\n") == 1
        assert len(site.orders()) <= before


def test_row_28_power_loss_that_took_the_memory_of_it_too(site: Hosts) -> None:
    """With the mark gone as well, the venue's own list tells: the funds halt, and send nothing."""
    with site:
        with site.start("a") as daemon:
            trading(daemon, orders=12)
            daemon.signal(SIGKILL)
        before = len(intents(site.host("a")))
        lose_the_tail(site.host("a"))
        (site.host("a").data_dir / MARK_FILE).unlink()
        with site.start("a") as daemon:
            daemon.until(lambda: LOST_RECORDS in incidents(site.host("a")), what="the loss was noticed")
            daemon.until_said("running")
            daemon.signal(SIGTERM)
        assert halted(site.host("a"))
        sent = site.orders()
    assert set(sent.values()) == {1}
    assert len(sent) <= before


def incidents(host: Inband) -> list[str]:
    """The codes of all incidents that are on record."""
    return [r.code for fund in FUNDS for r in host.records(fund) if isinstance(r, IncidentOpened)]


def halted(host: Inband) -> bool:
    """Whether some fund was halted by the daemon itself."""
    said = [r for fund in FUNDS for r in host.records(fund) if isinstance(r, ControlChanged)]
    return any(r.control is Control.HALTED and r.author == "inband" for r in said)


def test_row_29_corrupt_database(site: Hosts) -> None:
    """A damaged file is refused with the way to restore it; the copy comes back, and the fund goes on."""
    with site:
        host = site.host("a")
        with site.start("a") as daemon:
            trading(daemon)
            daemon.signal(SIGTERM)
        assert host.run("db", "backup", str(site.folder / "good")).returncode == 0
        file = host.data_dir / JOURNAL_FILE
        content = bytearray(file.read_bytes())
        content[len(content) // 2 :: 997] = b"\0" * len(content[len(content) // 2 :: 997])
        file.write_bytes(content)
        refused = host.run("run")
        assert refused.returncode == 1
        assert "is corrupt" in refused.stderr
        assert "db restore" in refused.stderr
        assert host.run("db", "restore", str(site.folder / "good")).returncode == 0
        with site.start("a") as daemon:
            trading(daemon)
            site.stop(daemon)
        sent = site.orders()
    assert set(sent.values()) == {1}
    assert not halted(host)
    assert {type(r) for fund in FUNDS for r in host.records(fund)} >= {Reincarnated}
    assert differences(host, at_rest(host), store=site.folder / "elsewhere") == []


def test_row_30_database_deleted(site: Hosts) -> None:
    """A journal that is gone is not begun anew in silence."""
    with site:
        with site.start("a") as daemon:
            trading(daemon)
            daemon.signal(SIGTERM)
        for file in site.host("a").data_dir.glob(JOURNAL_FILE + "*"):
            file.unlink()
        again = site.host("a").run("run")
        assert again.returncode == 1
        assert "is gone" in again.stderr
        assert set(site.orders().values()) == {1}


def test_row_30_old_backup(site: Hosts) -> None:
    """A copy made in the middle of a rebalance, put back later: a new identity, a halt, and no id twice."""
    with site:
        host = site.host("a")
        with site.start("a") as daemon:
            trading(daemon)
            with Leash(site.venue):  # on a slow machine the rebalances would be over before the copy is
                assert host.run("db", "backup", str(site.folder / "old")).returncode == 0
                sent_before = len(daemon.lines("order_sent"))
            trading(daemon, orders=sent_before + 4)
            daemon.signal(SIGTERM)
        assert host.run("db", "restore", str(site.folder / "old")).returncode == 0
        with site.start("a") as daemon:
            daemon.until(lambda: LOST_RECORDS in incidents(host), what="the loss was noticed")
            daemon.until_said("reconciled", times=2)
            daemon.signal(SIGTERM)
        assert halted(host)
        with site.start("a") as daemon:
            daemon.until_said("running")
            port = daemon.lines("serving")[0]["url"].rpartition(":")[2]
            told = site.host("a", WEB__PORT=port).run("resume", "--reason", "compared by hand")
            assert told.returncode == 0, told.stderr
            trading(daemon)
            site.stop(daemon)
        sent = site.orders()
    assert set(sent.values()) == {1}
    assert differences(host, at_rest(host), store=site.folder / "elsewhere") == []


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("how", ["before", "after"])
def test_row_31_postgresql_disconnect_at_commit(tmp_path: Path, postgres: PostgresServer, how: Cut) -> None:
    """Whether the intent was committed is known only once it is read back: until then nothing is sent."""
    with CutWire(postgres.port) as wire, Hosts(tmp_path, postgres.url(port=wire.port)) as site:
        host = site.host("a", DATABASE_URL=postgres.url())
        with site.start("a") as daemon:
            trading(daemon)
            before = intents(host)
            wire.cut(b"OrderIntended", how)
            daemon.until_said("ownership_lost")
            daemon.until_said("running", times=2)
            daemon.until(lambda: len(intents(host)) > len(before) + 2, what="it traded on")
            site.stop(daemon)
        assert wire.cuts == 1
        sent = site.orders()
    assert set(sent.values()) == {1}
    assert set(sent) <= intents(host)
    dead = {r.cid for fund in FUNDS for r in host.records(fund) if isinstance(r, OrderDead)}
    assert len(dead) == (1 if how == "after" else 0)
    assert not dead & set(sent)
    assert differences(host, at_rest(host), store=site.folder / "elsewhere") == []
