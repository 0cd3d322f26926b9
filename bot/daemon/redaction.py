"""Taking secrets out of whatever is said: by the name of a field, and by value, however it is written.

Registered are the keys and tokens of the settings, and what is unpublished at the moment: draws, salts,
sealed keys, targets. A value is recognised in plain text, in hexadecimal, in base64 at any offset, in the
form for addresses; a number with its point anywhere and with zeros around it.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import NoneType
from typing import Any, NamedTuple
from urllib.parse import quote

from bot.core.book import Book
from bot.core.records import SEALED

MASK = "***"

TELLING = frozenset(
    {
        "api_key", "apikey", "authorization", "content", "cookie", "csrf", "deadline_ms", "due_ms",
        "high", "incarnation", "journal_key", "leverage", "limit_price", "low", "next_slice_ms",
        "passphrase", "password", "position", "private_key", "quantity", "remaining", "salt",
        "secret", "share", "signature", "slices_left", "target", "token", "trigger_price", "u",
    }
)  # fmt: skip
"""Names of fields whose values are masked whatever they are."""

_PLAIN = (str, int, float, bool, NoneType)
_SHORTEST = 6
"""A shorter text would mask ordinary words, and a number of fewer digits ordinary numbers."""


class _Number(NamedTuple):
    """A number by its digits, and what finds it wherever its point is."""

    digits: str
    pattern: re.Pattern[str]


class Redactor:
    """Knows what must not be said."""

    def __init__(self, fixed: Iterable[str] = ()) -> None:
        """`fixed`: secrets of the settings."""
        self._fixed = tuple(fixed)
        self._changing: list[Callable[[], Iterable[str]]] = []

    def watch(self, read: Callable[[], Iterable[str]]) -> None:
        """Ask `read` each time for what is secret at that moment."""
        self._changing.append(read)

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a line without what must not be in it, at any depth.

        Most lines are clean, which one look at all their texts together shows.
        """
        secrets = self._secrets()
        plain = all(type(value) in _PLAIN for value in fields.values())
        if plain and not _holds(" ".join(map(str, fields.values())), secrets):
            return {name: MASK if name in TELLING else value for name, value in fields.items()}
        return {name: MASK if name in TELLING else _clean(value, secrets) for name, value in fields.items()}

    def text(self, text: str) -> str:
        """A text without what must not be in it."""
        return _clean_text(text, self._secrets())

    def _secrets(self) -> list[str]:
        return [*self._fixed, *(value for read in self._changing for value in read())]


def unpublished(book: Book) -> Iterable[str]:
    """What nobody must hear of a fund yet: its key, its draws, and what is sealed of hidden rebalances.

    A time that has come is no secret any more: lines that are told at that very time carry it.
    """
    yield book.key
    for draw in book.draws:
        yield draw.u
        yield draw.salt
    if book.confirmation is not None:
        yield str(book.confirmation.deadline_ms)
    if book.rebalance is not None:
        yield str(book.rebalance.target)
    for pending in book.public.pending:
        for record in pending.facts:
            for name in SEALED.get(type(record), ()):
                value = getattr(record, name)
                if value is not None and not (name.endswith("_ms") and value <= book.last_time_ms):
                    yield str(value)


def _holds(text: str, secrets: list[str]) -> bool:
    """Whether a text certainly needs cleaning, or may."""
    bare = text.replace(".", "")
    for secret in secrets:
        for form in _forms(secret):
            if form in text:
                return True
        number = _number(secret)
        if number is not None and number.digits in bare:
            return True
    return False


def _clean(value: Any, secrets: list[str]) -> Any:
    """A value of any kind; a number is masked as a whole if its text would be."""
    match value:
        case str():
            return _clean_text(value, secrets)
        case bool() | None:
            return value
        case Mapping():
            return {name: MASK if name in TELLING else _clean(item, secrets) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(item, secrets) for item in value]
        case _:
            text = str(value)
            cleaned = _clean_text(text, secrets)
            return value if cleaned == text and isinstance(value, int | float) else cleaned


def _clean_text(text: str, secrets: list[str]) -> str:
    bare: str | None = None
    for secret in secrets:
        for form in _forms(secret):
            if form in text:
                text = text.replace(form, MASK)
        number = _number(secret)
        if number is not None:
            bare = text.replace(".", "") if bare is None else bare
            if number.digits in bare:
                text = number.pattern.sub(MASK, text)
    return text


@lru_cache(maxsize=4096)
def _forms(secret: str) -> tuple[str, ...]:
    """How a text may be written: as it is, in hexadecimal, in base64 wherever it begins, in an address."""
    if len(secret) < _SHORTEST:
        return ()
    raws = [secret.encode()]
    if re.fullmatch(r"(?:[0-9a-f]{2}){8,}", secret):
        raws.append(bytes.fromhex(secret))
    forms = {secret, quote(secret, safe=""), secret.upper(), secret.lower()}
    for raw in raws:
        forms |= {raw.hex(), raw.hex().upper()}
        for offset, skipped in ((0, 0), (1, 2), (2, 3)):
            encoded = b64encode(bytes(offset) + raw).decode()
            whole = encoded[skipped : (offset + len(raw)) * 8 // 6]
            forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return tuple(sorted(forms, key=len, reverse=True))


@lru_cache(maxsize=4096)
def _number(secret: str) -> _Number | None:
    """The secret as a number, if it is one with enough digits to be told from others."""
    try:
        digits = "".join(map(str, Decimal(secret).as_tuple().digits)).strip("0")
    except InvalidOperation:
        return None
    if len(digits) < _SHORTEST:
        return None
    anywhere = r"\.?".join(digits)
    return _Number(digits, re.compile(rf"(?<![\d])[-+]?[0.]*{anywhere}0*(?:[eE][-+]?\d+)?(?!\d)"))
