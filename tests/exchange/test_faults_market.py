"""What the market does to a client when it is told to; each fault is counted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.exchange.faults import When, make_fault
from tests.exchange.builders import START_MS, UP, Marks, Pacer, Start, StepPath, walk
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

    from bot.exchange.faults import Fault

BTC: dict[str, Any] = {"symbol": "BTCUSDT"}
RAMP = {"BTCUSDT": StepPath([60_000 + 10 * second for second in range(60)])}


def later(kind: str, **given: Any) -> Fault:
    """Return a fault of BTCUSDT that happens two seconds after the start."""
    return make_fault(kind, when=When(from_ms=START_MS + 2_000), symbol="BTCUSDT", **given)


async def to(pacer: Pacer, marks: Marks, until_ms: int) -> dict[int, Decimal]:
    """Walk on, and return the marks by seconds since the start."""
    return {time_ms - START_MS: price for time_ms, price in await walk(pacer, marks, START_MS + until_ms)}


async def test_row_38_the_price_jumps(start: Start) -> None:
    """By two per cent between one millisecond and the next, and back after its time."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        bench.exchange.faults.inject(later("price_gap", bps=-200, for_ms=1_500))
        seen = await to(pacer, marks, 5_000)
        assert seen[2_000] == 60_000
        assert seen[2_001] == seen[3_000] == 58_800
        assert seen[3_501] == seen[5_000] == 60_000
        assert bench.exchange.faults.fired("price_gap") == 1


async def test_row_38_a_gap_through_the_margin_liquidates(start: Start) -> None:
    """Nothing trades on the way: the account is liquidated where the price comes down."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await bench.order(quantity="15")
        bench.exchange.faults.inject(later("price_gap", bps=-1_500))
        await to(pacer, marks, 3_000)
        _, rows = await bench.call("GET", "/fapi/v3/positionRisk", BTC, UP)
        assert rows == []


async def test_row_37_the_price_stands_still(start: Start) -> None:
    """On a path that rises the mark does not, for its time."""
    async with start(faults=True, paths=RAMP) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        bench.exchange.faults.inject(later("price_frozen", for_ms=2_500))
        seen = await to(pacer, marks, 6_000)
        assert seen[1_000] == 60_010
        assert seen[2_000] == seen[3_000] == seen[4_000] == 60_020
        assert seen[5_000] == 60_050


async def test_row_36_the_book_leaves_the_mark(start: Start) -> None:
    """Orders trade far from a mark that does not move; afterwards all is as before."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        bench.exchange.faults.inject(later("last_spike", bps=-300, for_ms=1_500))
        seen = await to(pacer, marks, 3_000)
        assert set(seen.values()) == {60_000}
        sold = await bench.order(side="SELL", price="57500", quantity="0.1")
        assert 58_000 < Decimal(sold["avgPrice"]) < 58_210
        await pacer.idle(START_MS + 3_000)
        await marks.at(START_MS + 3_501)
        bought = await bench.order(quantity="0.1")
        assert 59_990 < Decimal(bought["avgPrice"]) < 60_010


async def test_row_36_the_index_leaves_the_mark(start: Start) -> None:
    """PremiumIndex and the stream show it; the mark stays."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        bench.exchange.faults.inject(later("index_apart", bps=100, for_ms=1_500))
        found = {}
        for until_ms in (1_000, 3_000, 5_000):
            await to(pacer, marks, until_ms)
            _, body = await bench.call("GET", "/fapi/v1/premiumIndex", BTC)
            assert Decimal(body["markPrice"]) == 60_000
            found[until_ms] = round(Decimal(body["indexPrice"]), -1)
        assert found == {1_000: 60_000, 3_000: 60_600, 5_000: 60_000}


async def test_row_40_a_funding_shock(start: Start) -> None:
    """The rate is announced at once, and paid when it is due."""
    path = StepPath([60_000] * 60, start_ms=START_MS - 5_000)
    async with start(faults=True, paths={"BTCUSDT": path}) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await bench.order()
        bench.exchange.faults.inject(make_fault("funding_shock", **BTC, rate=0.02, for_ms=60_000))
        _, body = await bench.call("GET", "/fapi/v1/premiumIndex", BTC)
        assert Decimal(body["lastFundingRate"]) == Decimal("0.02")
        await to(pacer, marks, 1_000)
        _, rows = await bench.call("GET", "/fapi/v1/income", {"incomeType": "FUNDING_FEE"}, UP)
        assert [Decimal(row["income"]) for row in rows] == [-1_200]


async def test_row_10_and_40_a_thin_book_fills_a_part(start: Start) -> None:
    """With a hundred thousandth of its size, the book fills an order only in part."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        bench.exchange.faults.inject(later("book_thin", share=0.00001, for_ms=60_000))
        await to(pacer, marks, 3_000)
        thin = await bench.order(quantity="1")
        assert (thin["status"], 0 < Decimal(thin["executedQty"]) < Decimal("0.2")) == ("EXPIRED", True)
        assert bench.exchange.faults.fired("book_thin") == 1


async def test_random_faults_of_the_market_come_at_the_same_times(start: Start, tmp_path: Path) -> None:
    """A seed gives the same gaps in every run."""
    runs = []
    for number in range(2):
        async with start(faults=True, directory=tmp_path / str(number)) as bench:
            pacer, marks = await bench.pacer(), await bench.marks()
            when = When(from_ms=START_MS, every_ms=3_000, seed="5", times=None)
            fault = make_fault("price_gap", when=when, **BTC, bps=10, for_ms=500)
            bench.exchange.faults.inject(fault)
            runs.append(await to(pacer, marks, 20_000))
            assert bench.exchange.faults.fired("price_gap") > 2
    assert runs[0] == runs[1]


async def test_row_39_contract_info_tells_of_a_symbol_that_closes(start: Start) -> None:
    """And when it is open again; without brackets, which have not changed."""
    async with start(faults=True) as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws/!contractInfo")
        closed = bench.exchange.faults.inject(make_fault("delisted", symbol="BTCUSDT"))
        first = await socket.receive_json(timeout=PATIENCE_S)
        bench.exchange.faults.clear(closed.id)
        second = await socket.receive_json(timeout=PATIENCE_S)
    assert first == {
        "e": "contractInfo",
        "E": START_MS,
        "s": "BTCUSDT",
        "ct": "PERPETUAL",
        "dt": 4133404800000,
        "ot": 1569398400000,
        "cs": "SETTLING",
        "st": 1,
    }
    assert second == first | {"cs": "TRADING"}


async def test_row_39_brackets_shrink(start: Start) -> None:
    """Positions need more margin at once, leverages admit less, and both REST and the stream say so."""
    async with start(faults=True) as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws/!contractInfo")
        await bench.order(quantity="15")  # 900,000 USDT
        _, (before,) = await bench.call("GET", "/fapi/v3/positionRisk", BTC, UP)
        bench.exchange.faults.inject(make_fault("brackets_changed", symbol="BTCUSDT", share=0.1))
        frame = await socket.receive_json(timeout=PATIENCE_S)
        _, (after,) = await bench.call("GET", "/fapi/v3/positionRisk", BTC, UP)
        _, (listed,) = await bench.call("GET", "/fapi/v1/leverageBracket", BTC, UP)
        assert await bench.refusal("POST", "/fapi/v1/leverage", BTC | {"leverage": 75}) == -2027
    told = [(row["bs"], row["bnf"], row["bnc"], row["mmr"], row["cf"], row["ma"]) for row in frame["bks"]]
    assert all(isinstance(row["cf"], int) for row in frame["bks"])
    names = ("bracket", "notionalFloor", "notionalCap", "maintMarginRatio", "cum", "initialLeverage")
    assert told == [tuple(row[name] for name in names) for row in listed["brackets"]]
    assert (listed["brackets"][0]["notionalCap"], frame["bks"][0]["mi"]) == (30_000, 101)
    assert Decimal(after["maintMargin"]) > Decimal(before["maintMargin"])
    assert Decimal(after["liquidationPrice"]) > Decimal(before["liquidationPrice"])
