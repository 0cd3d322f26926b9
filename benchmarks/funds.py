"""What many funds cost: the CPU time of one daemon, with a mark a second for each of their symbols.

The exchange is a process of its own at 60 times real time, in a calm market that has one price a minute; so
every symbol has one mark a second, and funding, samples and rebalances come 60 times as often as in life.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import main, report
from benchmarks.processes import Daemon, settings, stand_alone_exchange
from bot.exchange.catalog import CATALOG

CORE_LIMIT_PERCENT = 15.0
_CAPITAL = 100_000
_LEAST_MARKS_PER_S = 0.5


def measure(*, tiny: bool = False) -> None:
    """Run a daemon with many funds, and see what it uses once all of them are open."""
    funds, symbols, seconds, samples = (4, 2, 0.5, 1) if tiny else (200, 20, 10.0, 6)
    names = [f"F{number}" for number in range(funds)]
    chosen = list(CATALOG)[:symbols]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ["--scenario", "calm", "--speed", "60", "--balance", str(_CAPITAL)]
        options += [word for symbol in chosen for word in ("--symbol", symbol)]
        options += [word for fund in names for word in ("--account", fund)]
        with stand_alone_exchange(folder / "exchange", *options) as url:
            config = _write_config(folder / "funds.toml", names, chosen, url)
            with Daemon(["run"], settings(folder / "daemon", config=config)) as daemon:
                daemon.event("running")
                # Steady is what comes after the funds have opened; a tiny run does not wait for that.
                daemon.event("rebalance_finished" if not tiny else "rebalance_started", times=funds)
                begun, market_ms = time.perf_counter(), daemon.market_ms()
                found = [daemon.share_of_a_core(seconds) for _ in range(samples)]
                minutes = (daemon.market_ms() - market_ms) / 60_000
                marks_per_s = round(minutes / (time.perf_counter() - begun), 2)
                memory = daemon.resident_mb()
    assert tiny or marks_per_s > _LEAST_MARKS_PER_S, f"the market stood still: {marks_per_s} marks a second"
    figure = f"{funds} funds on {symbols} symbols, one mark a second each"
    report("funds", figure, found, "% of a core", limit=CORE_LIMIT_PERCENT, marks_per_s=marks_per_s)
    report("funds", f"memory of {figure}", [memory], "MB")


def _write_config(path: Path, names: list[str], symbols: list[str], url: str) -> Path:
    """A fund for each name, the symbols dealt out in turn, UP and DOWN in turn."""
    lines = ['mode = "paper"', "[paper]", f'url = "{url}"']
    for number, name in enumerate(names):
        symbol = symbols[number % len(symbols)]
        side = "long" if number // len(symbols) % 2 == 0 else "short"
        lines += [f"[accounts.{name}]", f"[funds.{name}]", f'underlying = "{symbol}"', f'side = "{side}"']
        lines += [f'account = "{name}"', f"capital = {_CAPITAL}"]
    path.write_text("\n".join(lines) + "\n")
    return path


if __name__ == "__main__":
    main(measure)
