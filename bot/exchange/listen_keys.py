"""Listen keys of user data streams: one per account, valid for 60 minutes of wall time."""

from __future__ import annotations

import secrets

import orjson

from bot.exchange.errors import RequestError

VALIDITY_MS = 3_600_000


class ListenKeys:
    """Which account a listen key belongs to, and until when."""

    def __init__(self, stored: str | None = None) -> None:
        self._by_account: dict[str, tuple[str, int]] = {}
        if stored:
            self._by_account = {name: (key, until) for name, key, until in orjson.loads(stored)}

    def stored(self) -> str:
        """Return all keys as text, for the store."""
        return orjson.dumps([(name, *item) for name, item in self._by_account.items()]).decode()

    def start(self, account: str, wall_ms: int) -> str:
        """Return the account's key, new or prolonged."""
        key, until = self._by_account.get(account, ("", 0))
        if until <= wall_ms:
            key = secrets.token_hex(32)
        self._by_account[account] = (key, wall_ms + VALIDITY_MS)
        return key

    def prolong(self, account: str, wall_ms: int) -> str:
        """Keep the account's key alive; raises RequestError -1125 if there is none."""
        if self._by_account.get(account, ("", 0))[1] <= wall_ms:
            raise RequestError(-1125, "This listenKey does not exist.")
        return self.start(account, wall_ms)

    def end(self, account: str) -> None:
        """Drop the account's key."""
        self._by_account.pop(account, None)

    def run_out(self, account: str) -> None:
        """Let the account's key be over now instead of in time; `expire` finds it."""
        key, _ = self._by_account.get(account, ("", 0))
        if key:
            self._by_account[account] = (key, 0)

    def owner(self, key: str, wall_ms: int) -> str | None:
        """Return the account a valid key belongs to."""
        for account, (known, until) in self._by_account.items():
            if known == key and until > wall_ms:
                return account
        return None

    def key_of(self, account: str, wall_ms: int) -> str | None:
        """Return the valid key of an account, if it has one."""
        key, until = self._by_account.get(account, ("", 0))
        return key if until > wall_ms else None

    def expire(self, wall_ms: int) -> list[tuple[str, str]]:
        """Drop the keys that have run out, and return them as (account, key)."""
        over = [(name, key) for name, (key, until) in self._by_account.items() if until <= wall_ms]
        for account, _ in over:
            del self._by_account[account]
        return over
