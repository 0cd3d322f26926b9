"""Delivery by apprise, which knows some hundred services by the form of an address. It blocks."""

import logging
from typing import TYPE_CHECKING

from bot.daemon.alerts.messages import Severity

if TYPE_CHECKING:
    from apprise import Apprise

_NO_FORM = "the address has no form that apprise knows"
_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}
_WITHIN_S = 10.0


def send(url: str, title: str, body: str, severity: Severity) -> str | None:
    """Deliver by the route at `url`; why it failed, or None if the service took it. Never raises.

    The reason never holds the address: it is a secret.
    """
    try:
        return _send(url, title, body, severity)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; an alert must not end the daemon
        return f"the service failed ({type(error).__name__})"


def problem(url: str) -> str | None:
    """What is wrong with the form of a route's address, which nothing can be sent to; None if nothing is."""
    return None if _route(url) is not None else _NO_FORM


def _send(url: str, title: str, body: str, severity: Severity) -> str | None:
    from apprise import NotifyType  # noqa: PLC0415 - 0.2 s, and only where alerts are sent

    route = _route(url)
    if route is None:
        return _NO_FORM
    kind = NotifyType(_TYPES[severity])
    taken = route.notify(title=title, body=body, notify_type=kind, timeout=_WITHIN_S)
    return None if taken else "the service did not take it, or cannot be reached"


def _route(url: str) -> "Apprise | None":
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - as above

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it would log addresses
    asset = AppriseAsset(app_id="Inband", app_desc="Inband", app_url="", async_mode=False)
    route = Apprise(asset=asset)
    return route if route.add(url) else None
