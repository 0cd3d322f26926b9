"""Requests over a websocket (`/ws-fapi/v1`): orders, account and market, as REST answers them.

A request is translated to the REST call it stands for, so both have one set of handlers, limits and faults.
"""

from bot.exchange.ws_api.api import PATH, WsApi

__all__ = ["PATH", "WsApi"]
