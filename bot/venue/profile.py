"""What a venue must tell us about itself: one frozen profile per exchange implements `Profile`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from bot.core.units import ZERO, Contracts, Price, Usd

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from bot.core.events import Income, Trade
    from bot.core.fund import Contract
    from bot.core.limits import PlaceStop, SubmitOrder
    from bot.core.recovery_events import ListedOrder
    from bot.core.stop_events import StopStatus
    from bot.venue.requests import Requests

CcxtClient: TypeAlias = Any
"""A ccxt.pro exchange: ccxt is not typed, so its answers get their types where they come in."""


class Environment(StrEnum):
    """Which of a venue's worlds to talk to."""

    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of one account; never shown."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Door:
    """How to come to an exchange: its environment, the shared session, the paper exchange's address."""

    environment: Environment
    session: "ClientSession"
    paper_url: str | None = None


class MarkFrame(NamedTuple):
    """One mark price frame; `time_ms` is the exchange's event time."""

    time_ms: int
    price: Price
    next_funding_ms: int | None
    funding_rate: Decimal | None
    index_price: Price | None = None


class OrderAnswer(NamedTuple):
    """The venue's word on an order; `filled` is cumulative and unsigned."""

    cid: str
    venue_id: str
    filled: Contracts
    closed: bool


class Permissions(NamedTuple):
    """What a key may do, as the venue tells it."""

    withdraw: bool
    trade_futures: bool
    bound_to_addresses: bool


class Modes(NamedTuple):
    """How an account is set."""

    hedge: bool
    multi_assets: bool
    isolated: bool
    leverage: int


class Holding(NamedTuple):
    """Wallet balance, signed position, and margin that is still available, of one answer."""

    wallet: Usd
    position: Contracts
    available: Usd | None = None


class Volume(NamedTuple):
    """What the market traded in the last `span_ms`; None where the venue does not say."""

    quantity: Contracts | None
    span_ms: int


class OrderNews(NamedTuple):
    """A frame of the user stream about an order, with the trade that it tells of, if any."""

    state: OrderAnswer
    trade: "Trade | None"


class Bracket(NamedTuple):
    """Largest leverage that may be set while the position's notional is at most `notional_cap`.

    The margin to keep is then notional x `maintenance_rate` - `deduction`; None where the venue does not say.
    """

    max_leverage: int
    notional_cap: Usd
    maintenance_rate: Decimal | None = None
    deduction: Usd = ZERO


class StopAnswer(NamedTuple):
    """Where a protective stop is; `order_id` is set once it has become an order."""

    cid: str
    venue_id: str
    status: "StopStatus"
    order_id: str | None


class Profile(Protocol):
    """The dialect of one exchange.

    Reads take a `Requests`, raise `RequestFailed`, and raise `AnswerMalformed` rather than guess.
    """

    @property
    def name(self) -> str:
        """The exchange's name in the settings, which is ccxt's."""
        ...

    @property
    def definite_rejects(self) -> frozenset[str]:
        """Codes that prove that an order was not accepted. Everything else proves nothing."""
        ...

    @property
    def would_take(self) -> frozenset[str]:
        """Those of them by which the venue says that a post-only order would have crossed."""
        ...

    @property
    def by_rules(self) -> frozenset[str]:
        """Those by which it says that an order is not as the contract demands, or that it is not traded."""
        ...

    @property
    def missing_order(self) -> frozenset[str]:
        """Codes by which the venue says that it knows no such order."""
        ...

    @property
    def nothing_to_cancel(self) -> frozenset[str]:
        """Codes by which the venue says that its book has no such order to cancel."""
        ...

    @property
    def bad_key(self) -> frozenset[str]:
        """Codes by which the venue refuses key, signature or permissions."""
        ...

    @property
    def clock_skew(self) -> frozenset[str]:
        """Codes by which the venue says that our timestamp is off."""
        ...

    @property
    def weight_per_s(self) -> float:
        """Request weight that a host grants per second."""
        ...

    def client(self, door: Door, credentials: Credentials | None) -> CcxtClient:
        """Make a ccxt client; imports ccxt."""
        ...

    def hosts(self, client: CcxtClient) -> tuple[str, ...]:
        """The hosts that the client will talk to."""
        ...

    def contract(self, market: Mapping[str, Any], venue_leverage: int) -> "Contract":
        """Translate a ccxt market; `AnswerMalformed` if it lacks what an order needs."""
        ...

    def mark_updates(self, frame: Any) -> Sequence[Mapping[str, Any]]:
        """The mark price updates in a frame of the market stream, each with its symbol in "s"."""
        ...

    def contract_news(self, frame: Any) -> str | None:
        """The symbol whose contract has changed, as a frame of the market stream says; else None."""
        ...

    async def hear_of_contracts(self, client: CcxtClient) -> None:
        """Have the market stream, which is open, tell of changes of contracts too, where the venue does."""
        ...

    def mark_frame(self, frame: Mapping[str, Any]) -> MarkFrame:
        """Decode one mark price update; ValueError if there is no usable price in it."""
        ...

    def order_news(self, frame: Any, symbol: str) -> OrderNews | None:
        """Decode a frame of the user stream; None if it is about something else; `AnswerMalformed`."""
        ...

    def account_moved(self, frame: Any, symbol: str) -> bool:
        """Whether a frame of the user stream tells of money or trades that are not the symbol's own."""
        ...

    def settings_moved(self, frame: Any, symbol: str) -> bool:
        """Whether a frame of the user stream tells that account or symbol are set differently now."""
        ...

    def told_ms(self, frame: Any) -> int | None:
        """The venue's time at which it sent a frame of the user stream; None where it does not say."""
        ...

    def stream_ended(self, frame: Any) -> bool:
        """Whether this frame of the user stream says that no more will come on it."""
        ...

    async def keep_stream_alive(self, requests: "Requests") -> None:
        """Renew the user stream's key."""
        ...

    def forget_stream_key(self, client: CcxtClient) -> None:
        """Make ccxt fetch a new user stream key at the next watch."""
        ...

    def submit(self, requests: "Requests", order: "SubmitOrder") -> "Callable[[], Awaitable[OrderAnswer]]":
        """Sign an order; the result sends it, once."""
        ...

    async def cancel(self, requests: "Requests", symbol: str, cid: str) -> OrderAnswer:
        """Cancel an order by client id; raises also where it is over already."""
        ...

    def place_stop(self, requests: "Requests", stop: "PlaceStop") -> "Callable[[], Awaitable[StopAnswer]]":
        """Sign a protective stop; the result sends it, once."""
        ...

    async def query_stop(self, requests: "Requests", cid: str) -> StopAnswer:
        """Look up a protective stop by client id."""
        ...

    async def cancel_stop(self, requests: "Requests", cid: str) -> StopAnswer:
        """Take a protective stop back, and say what became of it; raises also where it is over already."""
        ...

    async def resting_stops(self, requests: "Requests", symbol: str) -> tuple[str, ...]:
        """The client ids of the stops that rest on the account."""
        ...

    def stop_news(self, frame: Any, symbol: str) -> StopAnswer | None:
        """What a frame of the user's stream says of a stop on the symbol; None for other frames."""
        ...

    async def query(self, requests: "Requests", symbol: str, cid: str) -> OrderAnswer:
        """Look up an order by client id."""
        ...

    async def trades(
        self, requests: "Requests", symbol: str, venue_order_id: str | None, since_ms: int, now_ms: int
    ) -> "tuple[Trade, ...]":
        """All trades of one order, or all since a market time, inclusive."""
        ...

    async def orders(self, requests: "Requests", symbol: str) -> "tuple[ListedOrder, ...]":
        """The account's latest orders, up to a thousand, closed ones included."""
        ...

    async def income(self, requests: "Requests", since_ms: int, now_ms: int) -> "tuple[Income, ...]":
        """All changes of the USDT wallet since a market time, inclusive, that no trade explains."""
        ...

    async def holding(self, requests: "Requests", symbol: str) -> Holding:
        """Wallet balance and position."""
        ...

    async def mark(self, requests: "Requests", symbol: str) -> MarkFrame:
        """The present mark price, asked for, not streamed; one that contradicts the index is malformed."""
        ...

    async def mark_at(self, requests: "Requests", symbol: str, time_ms: int) -> Price | None:
        """The mark at a whole minute that is past; None where the venue keeps none of it."""
        ...

    async def transfer(self, requests: "Requests", amount: Usd) -> str:
        """Move USDT from the spot wallet to the futures wallet, or back (< 0), once: its income's id."""
        ...

    async def pays_fees_in_usdt(self, requests: "Requests") -> bool:
        """Whether the account pays its trading fees in USDT, as the ledger demands."""
        ...

    async def touch(self, requests: "Requests", symbol: str) -> tuple[Price, Price]:
        """Best bid and ask."""
        ...

    async def volume(self, requests: "Requests", symbol: str) -> Volume:
        """What the market traded lately; a venue that does not say has no volume, and that is no failure."""
        ...

    async def guard(self, requests: "Requests", symbol: str, after_ms: int) -> None:
        """Have our open orders of the symbol cancelled after that time unless asked anew; 0: not at all.

        A venue without such a switch does nothing.
        """
        ...

    async def brackets(self, requests: "Requests", symbol: str) -> tuple[Bracket, ...]:
        """The symbol's leverage brackets."""
        ...

    async def set_modes(self, requests: "Requests", symbol: str) -> None:
        """Set one-way positions, single-asset margin and cross margin, and read them back."""
        ...

    async def modes(self, requests: "Requests", symbol: str) -> Modes:
        """How the account is set, and change nothing."""
        ...

    async def permissions(self, requests: "Requests") -> Permissions | None:
        """What the key may do; None where the venue does not tell."""
        ...

    async def set_leverage(self, requests: "Requests", symbol: str, leverage: int) -> None:
        """Set the venue's leverage, and read it back."""
        ...
