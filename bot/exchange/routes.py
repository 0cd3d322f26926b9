"""What a route is: who may call it, what it weighs, and the function that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bot.exchange.account import Account
from bot.exchange.desk import Desk
from bot.exchange.params import Params

PublicAnswer = Callable[[Desk, Params], Any]
PrivateAnswer = Callable[[Desk, Params, Account], Any]
Key = tuple[str, str]  # method, path


class Security(Enum):
    """What a private request must carry: an API key, or a signature as well."""

    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class PublicRoute:
    """A route open to everybody."""

    weight: int
    answer: PublicAnswer


@dataclass(frozen=True, slots=True)
class PrivateRoute:
    """A route of an account. `is_order`: it counts against the order limits."""

    weight: int
    answer: PrivateAnswer
    security: Security = Security.SIGNED
    is_order: bool = False
