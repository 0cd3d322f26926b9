"""Checks a finished paper run from outside: its journal against its price path, and against its exchange."""

from decimal import Decimal
from pathlib import Path

from bot.core.book import Book, fold
from bot.core.ledger import real_leverage
from bot.core.units import Leverage
from bot.exchange.account import Account
from bot.exchange.prices import open_path
from bot.exchange.store import Store
from tests.support.inband import Inband


def unexplained_excursions(
    inband: Inband, fund: str, replay: Path, band: tuple[Leverage, Leverage]
) -> list[str]:
    """The marks at which the fund was outside its band while it neither traded nor awaited a confirmation."""
    path = open_path(replay=str(replay))
    records = inband.records(fund)
    book, place, found, marks = Book(), 0, [], 0
    time_ms: int | None = path.start_ms
    while time_ms is not None:
        while place < len(records) and records[place].time_ms <= time_ms:
            book.apply(records[place])
            place += 1
        if book.opened and book.rebalance is None and book.confirmation is None:
            marks += 1
            leverage = real_leverage(book.ledger, path.price_at(time_ms))
            if leverage is None or not band[0] <= leverage <= band[1]:
                found.append(f"{time_ms}: {leverage}")
        time_ms = path.next_knot_after(time_ms)
    assert marks > 100, "the walk saw next to nothing"
    return found


def differences(inband: Inband, funds: dict[str, str], store: Path | None = None) -> list[str]:
    """Where a fund's ledger and the exchange's own books differ; `funds` maps a fund to its account.

    `store`: the exchange's folder, where it is not the embedded one's.
    """
    accounts, found = _accounts(store or inband.data_dir / "exchange"), []
    for fund, name in funds.items():
        book, account = fold(inband.records(fund)), accounts[name]
        wallet = book.wallet
        if abs(wallet - account.wallet) >= Decimal("0.01"):
            found.append(f"{fund}: wallet {wallet}, exchange {account.wallet}")
        held = sum(position.quantity for _, _, position in account.held())
        if held != book.position:
            found.append(f"{fund}: position {book.position}, exchange {held}")
    return found


def _accounts(folder: Path) -> dict[str, Account]:
    store = Store(folder)
    try:
        return {account.name: account for account in store.load_accounts()}
    finally:
        store.close()
