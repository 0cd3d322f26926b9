"""What the venue demands of orders is looked up when it may have changed; the next orders keep to it.

Venues change tick, lot, minimum and brackets while funds run, and close contracts. It is looked at when the
venue refuses an order by its rules, when it tells of a change, and every hour. If looking does not help,
refusals go on and are a breach, as any others.
"""

from bot.core.commands import FetchContract
from bot.core.process_records import ContractChanged
from bot.core.turn import Turn
from bot.core.watch_events import ContractDue, ContractSeen

CLOSED = "contract closed"


def look(turn: Turn) -> None:
    """Ask for the contract, unless it is on its way already."""
    if not turn.live.contract_asked:
        turn.live = turn.live._replace(contract_asked=True)
        turn.commands.append(FetchContract())


def resumed(turn: Turn) -> None:
    """A contract that was closed when the process before us ended may be traded again."""
    if CLOSED in turn.book.incidents:
        look(turn)


def due(turn: Turn, _: ContractDue) -> None:
    """It may have changed."""
    look(turn)


def seen(turn: Turn, event: ContractSeen) -> None:
    """Trade by what was found; nothing is bought of a contract that is closed."""
    turn.live = turn.live._replace(contract_asked=False)
    found = event.contract
    if found is None:
        turn.open_incident(
            CLOSED,
            f"the venue does not trade {turn.contract.symbol} at present",
            "read the venue's announcement; if it settles the contract, `flatten` before, or move the fund; "
            "increases resume by themselves once it is traded again",
            stops_increases=True,
        )
        return
    turn.close_incident(CLOSED, "the venue trades it again")
    if found == turn.contract:
        return
    turn.contract = found
    turn.record(
        ContractChanged(
            turn.now_ms, found.tick, found.lot, found.min_quantity, found.max_quantity, found.min_notional
        )
    )


def unread(turn: Turn) -> None:
    """It could not be read: orders go on by what is known, and the next refusal has it read again."""
    turn.live = turn.live._replace(contract_asked=False)
