"""Who sends a request, and whether it is fresh and signed: API key, HMAC-SHA256, timestamp, recvWindow.

The signature covers the raw query string followed by the raw form body, without the signature itself, as
they were sent. Times are wall time: a replay may run in another year, a signature may not.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from bot.exchange.errors import RequestError, missing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from bot.exchange.params import Params

DEFAULT_RECV_WINDOW_MS = 5_000
MAX_RECV_WINDOW_MS = 60_000
MAX_AHEAD_MS = 1_000
_BAD_KEY = "API-key format invalid."


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """An account of the exchange: how it signs, the USDT it is opened with, what its key may do."""

    name: str
    api_key: str
    secret: str
    balance: Decimal
    may_withdraw: bool = False

    def __repr__(self) -> str:
        return f"AccountConfig({self.name!r}, balance={self.balance})"


class Signer:
    """One account's key, as requests are checked against it."""

    def __init__(self, config: AccountConfig) -> None:
        self.account = config.name
        self._hmac = hmac.new(config.secret.encode(), digestmod=sha256)

    def check(self, query: str, body: str, params: Params, wall_ms: int) -> None:
        """Raise RequestError -1102, -1022, -1131 or -1021 unless a request is signed, and fresh."""
        given = params.text("signature")
        if not self.has_signed(_without_signature(query) + _without_signature(body), given):
            raise RequestError(-1022, "Signature for this request is not valid.")
        check_time(params, wall_ms)

    def has_signed(self, text: str, signature: str) -> bool:
        """Whether a signature is the account's own, of this text."""
        expected = self._hmac.copy()
        expected.update(text.encode())
        return signature.isascii() and hmac.compare_digest(expected.hexdigest(), signature.lower())


class Keyring:
    """The accounts by API key."""

    def __init__(self, accounts: Iterable[AccountConfig]) -> None:
        self._signers = {account.api_key: Signer(account) for account in accounts}

    def signer(self, api_key: str | None) -> Signer:
        """Return whose key it is; raises RequestError -2014 or -2015."""
        signer = self._signers.get(api_key or "")
        if signer is not None:
            return signer
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise RequestError(-2014, _BAD_KEY, 401)
        raise RequestError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def _without_signature(text: str) -> str:
    """Return the text that was signed; clients put the signature last, as a rule."""
    if not text:
        return text
    head, found, tail = text.rpartition("&signature=")
    if found and "&" not in tail and "signature=" not in head:
        return head
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def check_time(params: Params, wall_ms: int) -> None:
    """Raise RequestError -1102, -1131 or -1021 unless the timestamp lies within its window."""
    if "timestamp" not in params:
        raise missing("timestamp")
    timestamp = params.integer("timestamp")
    window = params.integer("recvWindow", DEFAULT_RECV_WINDOW_MS)
    if window > MAX_RECV_WINDOW_MS:
        raise RequestError(-1131, "recvWindow must be less than 60000")
    if timestamp > wall_ms + MAX_AHEAD_MS:
        raise RequestError(
            -1021, f"Timestamp for this request was {MAX_AHEAD_MS}ms ahead of the server's time."
        )
    if wall_ms - timestamp > window:
        raise RequestError(-1021, "Timestamp for this request is outside of the recvWindow.")
