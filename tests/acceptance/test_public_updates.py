"""What is public comes when the market comes with it: how often tells nothing of what a fund does."""

import json
from collections.abc import Callable

from bot.journal.nav_store import NAV_FILE, NavStore, Part
from tests.acceptance.conftest import NARROW_BAND
from tests.support.inband import Inband

EVER = 10**14


def updates(run: Inband, fund: str) -> dict[int, int]:
    """How often NAV was told in each minute, as everybody may read it."""
    store = NavStore(run.data_dir / NAV_FILE)
    try:
        rows = json.loads(store.read(fund, Part("1m", "nav"), 60_000, 0, EVER, None))
    finally:
        store.close()
    return {row[0]: row[5] for row in rows}


def test_the_number_of_updates_does_not_tell_when_slices_were_sent(
    wide: Inband, inband: Callable[..., Inband]
) -> None:
    """On the same prices, funds that trade at other times and more often are told of as often, each minute.

    In paper mode a fund that wants to be woken makes the market stop there: were such marks told to
    everybody, counting them would give away each slice while its rebalance is hidden.
    """
    busy = inband(**NARROW_BAND)
    with busy.start() as process:
        assert process.wait() == 0, process.stderr
    for fund in ("BTCUP", "BTCDOWN"):
        traded = [
            [(entry["started_at"], entry["slices"]) for entry in run.history() if entry["fund"] == fund]
            for run in (wide, busy)
        ]
        assert len(traded[1]) > len(traded[0]) > 2
        told = [updates(run, fund) for run in (wide, busy)]
        assert len(told[0]) > 100
        assert told[0] == told[1]
