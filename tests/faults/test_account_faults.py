"""Rows 19 and 32 to 35, 39 of the fault catalogue: what others do to the account, and to the contract.

Each runs the whole daemon against the exchange; `Ordeal.end` compares the books with the exchange's own.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core import records as rec
from bot.core.breaches import KEY_REFUSED, REJECTED
from bot.core.contract_rules import CLOSED
from bot.core.engine import SETTINGS
from bot.core.events import Controlled
from bot.core.process_records import ContractChanged
from bot.core.reconcile import DIFFERENCE
from bot.core.records import Control
from bot.core.settlement import EXTERNAL
from bot.daemon import settings_watch
from bot.errors import UserError
from bot.exchange.faults import When
from bot.journal.sqlite import JOURNAL_FILE
from tests.support.ordeal import Ordeal

UP: dict[str, Any] = {"account": "UP"}
BTC: dict[str, Any] = {**UP, "symbol": "BTCUSDT"}
LASTING = When(times=None)


async def trading(ordeal: Ordeal) -> None:
    """Start it, and wait until the fund holds something."""
    ordeal.start()
    await ordeal.until_recorded(rec.SliceSettled, 4)
    await ordeal.until_recorded(rec.Filled)


async def until_stopped(ordeal: Ordeal, code: str) -> None:
    """Wait for an incident, which stops increases; no order that is not there already is sent after it."""
    await ordeal.until(lambda: code in ordeal.incidents(), f"incident {code}")
    (opened,) = [one for one in ordeal.records(rec.IncidentOpened) if one.code == code]
    assert opened.stops_increases
    sent = len(ordeal.records(rec.OrderIntended))
    await ordeal.until(lambda: ordeal.exchange.now_ms > opened.time_ms + 600_000, "ten minutes went by")
    assert len(ordeal.records(rec.OrderIntended)) == sent
    assert ordeal.records(rec.OrderIntended)[-1].time_ms <= opened.time_ms


async def goes_on(ordeal: Ordeal) -> None:
    """Adopted by the operator, it trades on."""
    ordeal.exchange.faults.clear()
    await ordeal.stop()
    sent = len(ordeal.records(rec.OrderIntended))
    ordeal.start(adopt=True)
    await ordeal.until_recorded(rec.OrderIntended, sent + 2)
    await ordeal.end()


async def test_row_19_positions_missing_from_the_answer(tmp_path: Path) -> None:
    """An account without its position is not flat: the books stand, and an incident stops increases."""
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script("positions_missing", LASTING)
        await ordeal.until(lambda: DIFFERENCE in ordeal.incidents(), "the difference was noticed")
        assert ordeal.records(rec.ExternalChange) == []
        ordeal.exchange.faults.clear()
        assert ordeal.operations is not None
        ordeal.operations.reconcile()
        await ordeal.until(lambda: ordeal.records(rec.IncidentClosed), "both agree again")
        await ordeal.end()
        (opened,) = ordeal.records(rec.IncidentOpened)
        assert opened.stops_increases
        assert "difference: position" in opened.detail


async def test_row_32_a_trade_by_hand(tmp_path: Path) -> None:
    """It is booked as what it is, and stops increases until the operator adopts the account."""
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script("manual_trade", side="SELL", quantity="0.005", **BTC)
        await until_stopped(ordeal, EXTERNAL)
        (change,) = ordeal.records(rec.ExternalChange)
        assert change.kind is rec.Kind.EXTERNAL
        assert [fill.cid for fill in ordeal.records(rec.Filled)].count(None) == 1
        await goes_on(ordeal)


async def test_row_32_orders_cancelled_by_hand(tmp_path: Path) -> None:
    """What rested is gone: it is settled with what it filled, and the rebalance goes on."""
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script("manual_cancel", When(after=1), {"method": "POST", "path": "/fapi/v1/order"}, **BTC)
        await ordeal.until_recorded(rec.RebalanceFinished)
        await ordeal.end()
        assert ordeal.incidents() == []


@pytest.mark.parametrize("amount", ["500", "-500"])
async def test_row_33_a_deposit_or_a_withdrawal(tmp_path: Path, amount: str) -> None:
    """It is nobody's profit: booked as a transfer, beside the fund."""
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script("transfer", amount=amount, **UP)
        await ordeal.until_recorded(rec.IncomeBooked)
        await ordeal.until_recorded(rec.RebalanceFinished)
        await ordeal.end()
        (booked,) = ordeal.records(rec.IncomeBooked)
        assert (booked.kind, booked.amount) == ("TRANSFER", Decimal(amount))


@pytest.mark.parametrize(
    ("kind", "given", "problem", "look_every_s"),
    [
        ("leverage_changed", {**BTC, "leverage": 4}, "leverage 4 instead of 6", 3600.0),
        ("margin_type_changed", {**BTC, "type": "ISOLATED"}, "isolated margin", 3600.0),
        ("position_mode_changed", {**UP, "hedge": True}, "hedge mode", 0.1),  # no stream tells of it
    ],
)
async def test_row_33_settings_changed_by_hand(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    given: dict[str, Any],
    problem: str,
    look_every_s: float,
) -> None:
    """Another leverage, margin or mode is noticed, stops increases, and a restart sets it up anew.

    At once where the venue tells of it.
    """
    monkeypatch.setattr(settings_watch, "LOOK_EVERY_S", look_every_s)
    async with Ordeal(tmp_path) as ordeal:
        flat = kind != "leverage_changed"
        if flat:
            ordeal.script("error", LASTING, {"method": "POST", "path": "/fapi/v1/order"}, name="throttled")
            ordeal.start()
            await ordeal.until_recorded(rec.OrderRejected)
        else:
            await trading(ordeal)
        assert ordeal.script(kind, **given).problem == ""
        await ordeal.until(lambda: SETTINGS in ordeal.incidents(), "it was noticed")
        (opened,) = [one for one in ordeal.records(rec.IncidentOpened) if one.code == SETTINGS]
        assert opened.stops_increases
        assert problem in opened.detail
        await goes_on(ordeal)


async def test_row_33_a_word_alone_puts_no_setting_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator resumes with the leverage still changed: it is looked at at once, and an incident again."""
    monkeypatch.setattr(settings_watch, "LOOK_EVERY_S", 3_600.0)
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script("leverage_changed", **BTC, leverage=4)
        await ordeal.until(lambda: SETTINGS in ordeal.incidents(), "it was noticed")
        assert ordeal.operations is not None
        (runner,) = ordeal.operations.runners
        runner.handle(Controlled(*runner.now(), Control.RUNNING, "ann", "it is fine"))
        assert SETTINGS not in runner.state.book.incidents
        await ordeal.until(lambda: SETTINGS in runner.state.book.incidents, "it was noticed again")


async def test_row_34_the_key_is_revoked(tmp_path: Path) -> None:
    """Nothing can be sent or read: an incident, for which people are told, and a restart with a good key."""
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script("key_revoked", LASTING)
        await ordeal.until(lambda: {KEY_REFUSED, REJECTED} & set(ordeal.incidents()), "it was noticed")
        (opened,) = ordeal.records(rec.IncidentOpened)
        assert opened.stops_increases
        assert "-2015" in opened.detail
        await goes_on(ordeal)


TAKEN: dict[str, dict[str, Any]] = {"liquidated": UP, "deleveraged": {**BTC, "quantity": "0.005"}}
TRADED = {**TAKEN, "manual_trade": {**BTC, "side": "SELL", "quantity": "0.005"}}


@pytest.mark.parametrize("kind", TAKEN)
async def test_row_35_liquidation_and_deleveraging(tmp_path: Path, kind: str) -> None:
    """What the venue takes is an external change on record; nothing is bought back before a person looked."""
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script(kind, **TAKEN[kind])
        await until_stopped(ordeal, EXTERNAL)
        (change,) = ordeal.records(rec.ExternalChange)
        assert abs(change.position) < abs(change.position_before)
        await ordeal.end()


@pytest.mark.parametrize("told", [True, False], ids=["told", "news lost"])
@pytest.mark.parametrize("kind", TRADED)
async def test_row_35_a_fund_that_holds(tmp_path: Path, kind: str, told: bool) -> None:  # noqa: FBT001 - by name
    """With nothing under way it is noticed at once; where the news were lost, by the periodic comparison."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.start()
        await ordeal.until_recorded(rec.RebalanceFinished)
        (finished,) = ordeal.records(rec.RebalanceFinished)
        await ordeal.until(lambda: ordeal.exchange.now_ms > finished.time_ms + 60_000, "it was compared")
        if not told:
            ordeal.script("event_lost", LASTING, {"event": "ORDER_TRADE_UPDATE"})
            ordeal.script("event_lost", LASTING, {"event": "ACCOUNT_UPDATE"})
        happened_ms = ordeal.exchange.now_ms
        ordeal.script(kind, **TRADED[kind])
        if not told:
            await ordeal.until(lambda: ordeal.exchange.now_ms > happened_ms + 60_000, "a minute went by")
            assert ordeal.incidents() == []
            assert ordeal.operations is not None
            ordeal.operations.reconcile()
        await ordeal.until_recorded(rec.ExternalChange)
        await ordeal.until(lambda: EXTERNAL in ordeal.incidents(), "it is an incident")
        (opened,) = [one for one in ordeal.records(rec.IncidentOpened) if one.code == EXTERNAL]
        assert opened.stops_increases
        (change,) = ordeal.records(rec.ExternalChange)
        assert abs(change.position) < abs(change.position_before)
        await ordeal.until(lambda: ordeal.records(rec.Reconciled)[-1].time_ms >= change.time_ms, "compared")
        await ordeal.end()


CHANGES: dict[str, dict[str, Any]] = {"-1111": {"step": "0.01"}, "-4014": {"tick": "7"}}


@pytest.mark.parametrize("code", CHANGES)
async def test_row_39_the_contract_changes(tmp_path: Path, code: str) -> None:
    """One order is refused by the new rules; they are read anew, and every later order keeps to them."""
    given = CHANGES[code]
    async with Ordeal(tmp_path, FUNDS__BTCUP__CAPITAL="50000") as ordeal:
        await trading(ordeal)
        ordeal.script("filters_changed", LASTING, symbol="BTCUSDT", **given)
        await ordeal.until_recorded(ContractChanged)
        await ordeal.until_recorded(rec.RebalanceFinished)
        await ordeal.end()
        assert [one.code for one in ordeal.records(rec.OrderRejected)] == [code]
        assert ordeal.incidents() == []
        (changed,) = ordeal.records(ContractChanged)
        later = [one for one in ordeal.records(rec.OrderIntended) if one.time_ms > changed.time_ms]
        assert later
        assert all(one.quantity % changed.lot == 0 == one.limit_price % changed.tick for one in later)
        assert Decimal(given.get("step", "0.001")) == changed.lot
        assert Decimal(given.get("tick", "0.1")) == changed.tick


async def test_row_39_a_larger_minimum(tmp_path: Path) -> None:
    """Orders get larger, or there are none: the opening ends where the rest is too small to be bought."""
    async with Ordeal(tmp_path, FUNDS__BTCUP__CAPITAL="50000") as ordeal:
        await trading(ordeal)
        ordeal.script("filters_changed", LASTING, symbol="BTCUSDT", min_notional="9000")
        await ordeal.until_recorded(rec.RebalanceFinished)
        await ordeal.end()
        (changed,) = ordeal.records(ContractChanged)
        assert changed.min_notional == 9000
        assert {one.code for one in ordeal.records(rec.OrderRejected)} == {"-4164"}
        assert ordeal.incidents() == []
        later = [one for one in ordeal.records(rec.OrderIntended) if one.time_ms > changed.time_ms]
        assert all(one.quantity * one.mark >= 9000 for one in later)


async def test_row_39_delisted(tmp_path: Path) -> None:
    """The venue tells of it by its stream, or by the first refusal: no increase while it is closed."""
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.script("delisted", LASTING, symbol="BTCUSDT")
        await until_stopped(ordeal, CLOSED)
        assert len(ordeal.records(rec.OrderRejected)) <= 1
        ordeal.exchange.faults.clear()
        sent = len(ordeal.records(rec.OrderIntended))
        await ordeal.until_recorded(rec.OrderIntended, sent + 2)
        await ordeal.end()
        assert ordeal.incidents() == [CLOSED]
        assert CLOSED in [one.code for one in ordeal.records(rec.IncidentClosed)]


async def test_a_key_that_may_withdraw_opens_no_fund(tmp_path: Path) -> None:
    """One line with the setting and what to do; nothing is written, and nothing sent."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.let_key_withdraw(may=True)
        ordeal.start()
        with pytest.raises(UserError, match=r"^INBAND_ACCOUNTS__UP__API_KEY: the key may withdraw; make one"):
            await ordeal.task
        assert not (ordeal.inband.data_dir / JOURNAL_FILE).exists()


async def test_a_fund_whose_key_comes_to_be_allowed_to_withdraw_is_not_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is driven on, restarts included, without increases until the permission is gone again."""
    monkeypatch.setattr(settings_watch, "LOOK_EVERY_S", 0.1)
    async with Ordeal(tmp_path) as ordeal:
        await trading(ordeal)
        ordeal.let_key_withdraw(may=True)
        await until_stopped(ordeal, SETTINGS)
        (opened,) = ordeal.records(rec.IncidentOpened)
        assert opened.detail.startswith("INBAND_ACCOUNTS__UP__API_KEY: the key may withdraw")
        await ordeal.stop()
        monkeypatch.setattr(settings_watch, "LOOK_EVERY_S", 3600)
        ordeal.start()
        await ordeal.until(lambda: ordeal.operations and ordeal.operations.runners, "it was taken up")
        assert ordeal.operations is not None
        (runner,) = ordeal.operations.runners
        assert SETTINGS in runner.state.book.incidents
        await ordeal.stop()
        ordeal.let_key_withdraw(may=False)
        monkeypatch.setattr(settings_watch, "LOOK_EVERY_S", 0.1)
        sent = len(ordeal.records(rec.OrderIntended))
        ordeal.start()
        await ordeal.until_recorded(rec.IncidentClosed)
        await ordeal.until_recorded(rec.OrderIntended, sent + 2)
        await ordeal.end()
