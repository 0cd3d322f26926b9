"""Delivery by apprise, which knows some hundred services by the form of an address. It blocks."""

import logging

from bot.daemon.alerts.messages import Severity

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


def _send(url: str, title: str, body: str, severity: Severity) -> str | None:
    from apprise import Apprise, AppriseAsset, NotifyType  # noqa: PLC0415 - 0.2 s, and only where alerts are sent

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it would log addresses
    asset = AppriseAsset(app_id="Inband", app_desc="Inband", app_url="", async_mode=False)
    route = Apprise(asset=asset)
    if not route.add(url):
        return "the address has no form that apprise knows"
    kind = NotifyType(_TYPES[severity])
    taken = route.notify(title=title, body=body, notify_type=kind, timeout=_WITHIN_S)
    return None if taken else "the service did not take it, or cannot be reached"
