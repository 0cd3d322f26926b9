"""What a route is: who may call it, what it weighs, and the function that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bot.exchange.account import Account
from bot.exchange.desk import Desk
from bot.exchange.errors import RequestError
from bot.exchange.params import Params

PublicAnswer = Callable[[Desk, Params], Any]
PrivateAnswer = Callable[[Desk, Params, Account], Any]
Weight = int | Callable[[Params], int]
Key = tuple[str, str]  # method, path


class Security(Enum):
    """What a private request must carry: an API key, or a signature as well."""

    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class PublicRoute:
    """A route open to everybody. Its weight may depend on the parameters.

    Those of funding share a limit of their own (`RateLimits.funding_5m`).
    """

    weight: Weight
    answer: PublicAnswer
    is_funding: bool = False


@dataclass(frozen=True, slots=True)
class PrivateRoute:
    """A route of an account. `orders` is what a call counts against the limits of 10 s and of a minute."""

    weight: Weight
    answer: PrivateAnswer
    security: Security = Security.SIGNED
    orders: tuple[int, int] = (0, 0)


def weight_of(route: PublicRoute | PrivateRoute, params: Params) -> int:
    """Return what a request weighs; one with unreadable parameters weighs as if they were left out."""
    if isinstance(route.weight, int):
        return route.weight
    try:
        return route.weight(params)
    except RequestError:
        return route.weight(Params("", ""))


def by_symbol(one: int, every: int) -> Weight:
    """Return the weight of an endpoint that costs more without a symbol."""
    return lambda params: one if "symbol" in params else every


def by_limit(default: int, *steps: tuple[int, int]) -> Weight:
    """Return a weight that grows with `limit`: of each step the largest limit and its weight, rising."""

    def weight(params: Params) -> int:
        limit = params.integer("limit", default)
        return next((cost for largest, cost in steps if limit <= largest), steps[-1][1])

    return weight
