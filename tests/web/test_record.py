from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from bot.daemon.runner import Runner
from tests.support.desk import Desk
from tests.support.site import Figures, Site, a_site, at_work

FUND_KEYS = [
    "fund", "underlying", "side", "mode", "state", "mark", "nav", "units", "fund_value", "position",
    "notional", "real_leverage", "band", "trigger_prices", "target_range", "commitments", "chain_head",
    "funding_rate", "basket_as_of", "updated_at",
]  # fmt: skip
REBALANCE_KEYS = {
    "id", "fund", "kind", "reason", "urgency", "sequence", "commitment", "started_at", "finished_at",
    "revealed_at", "state", "position_before", "position_after", "position_change", "leverage_before",
    "leverage_after", "tolerance", "mark_at_decision", "average_price", "shortfall_bps", "fees", "slices",
    "target", "u", "salt", "previous_hash", "hash",
}  # fmt: skip


@dataclass
class Open:
    """A fund at work, and the site that shows it."""

    desk: Desk
    runner: Runner
    site: Site

    async def revealed(self) -> None:
        """Let its opening end, and be revealed."""
        await self.desk.until_flat_out(self.runner)
        self.desk.mark(self.runner, self.desk.clock.market_ms() + 3_600_000)
        await self.runner.wait_quiet()


@pytest.fixture
async def shown() -> AsyncIterator[Open]:
    """BTCUP, just begun: it is secretly opening."""
    desk, runner, side = await at_work()
    async with a_site(Figures(public=side)) as site:
        yield Open(desk, runner, site)
    runner.cancel()


async def test_a_fund_is_contracts_object_and_nothing_true(shown: Open) -> None:
    """While it opens in secret the public sees a flat fund at NAV 1, whatever it holds already."""
    status, (fund,), _ = await shown.site.ask("/api/v1/funds")
    assert status == 200
    assert list(fund)[: len(FUND_KEYS)] == FUND_KEYS
    assert fund["state"] == "active"
    assert (fund["nav"], fund["units"], fund["fund_value"]) == ("1", "100000", "100000")
    assert (fund["position"], fund["real_leverage"], fund["trigger_prices"]) == ("0", "0", [None, None])
    assert [c["sequence"] for c in fund["commitments"]] == [1, 2, 3]
    assert {len(c["commitment"]) for c in fund["commitments"]} == {64}
    assert fund["basket_as_of"] is not None
    assert (await shown.site.ask("/api/v1/funds/btcup"))[1] == fund
    assert (await shown.site.ask("/api/v1/funds/BTCUP/rebalances"))[1] == []


async def test_after_the_reveal_the_public_sees_what_the_fund_holds(shown: Open) -> None:
    """Figures follow from the basket and the mark; the record is the API's object."""
    await shown.revealed()
    (fund,) = (await shown.site.ask("/api/v1/funds"))[1]
    ledger = shown.runner.state.book.ledger
    assert Decimal(fund["position"]) == ledger.position > 0
    assert abs(Decimal(fund["fund_value"]) - ledger.value(shown.desk.price)) < Decimal("0.0001")
    assert abs(Decimal(fund["nav"]) - ledger.value(shown.desk.price) / 100_000) < Decimal("1e-10")
    low, high = map(Decimal, fund["trigger_prices"])
    assert low < shown.desk.price < high
    for price, leverage in ((low, 3), (high, Decimal("1.5"))):
        assert abs(abs(ledger.position) * price / ledger.value(price) - leverage) < Decimal("1e-6")
    (record,) = (await shown.site.ask("/api/v1/funds/BTCUP/rebalances"))[1]
    assert set(record) >= REBALANCE_KEYS
    assert record["hash"] == fund["chain_head"]
    assert record["revealed_at"] is not None


async def test_a_page_of_the_record_can_be_asked_for(shown: Open) -> None:
    """`after` leaves out what one has; `limit` bounds the answer."""
    await shown.revealed()
    assert (await shown.site.ask("/api/v1/funds/BTCUP/rebalances?after=1"))[1] == []
    assert len((await shown.site.ask("/api/v1/funds/BTCUP/rebalances?after=0&limit=1"))[1]) == 1


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=x", "limit=1e3", "after=²", "aftr=1"])
async def test_a_query_that_makes_no_sense_is_refused_by_name(shown: Open, query: str) -> None:
    """422, and the field that is wrong."""
    status, body, _ = await shown.site.ask(f"/api/v1/funds/BTCUP/rebalances?{query}")
    assert (status, body["error"]["field"]) == (422, query.partition("=")[0])


@pytest.mark.parametrize("path", ["", "/rebalances"])
async def test_an_unknown_fund_is_not_found(shown: Open, path: str) -> None:
    """404 in the API's shape."""
    status, body, _ = await shown.site.ask(f"/api/v1/funds/NONE{path}")
    assert (status, body["error"]["code"]) == (404, "not_found")


async def test_who_has_the_answer_already_is_told_so(shown: Open) -> None:
    """The entity tag stays while the figures do: also while the fund trades in secret."""
    _, _, headers = await shown.site.ask("/api/v1/funds")
    tag = headers["ETag"]
    async with shown.site.session.get(shown.site.url + "/api/v1/funds", headers={"If-None-Match": tag}) as a:
        assert (a.status, await a.read(), a.headers["ETag"]) == (304, b"", tag)
    shown.desk.mark(shown.runner, 61_000, "60100")
    await shown.runner.wait_quiet()
    _, _, headers = await shown.site.ask("/api/v1/funds", **{"If-None-Match": tag})
    assert headers["ETag"] != tag
