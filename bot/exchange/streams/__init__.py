"""Websocket streams: market data and user data.

`topics` names the streams, `address` where they are found, `commands` what a client may say; `hub` knows who
listens; the other files make the frames of one kind of stream each, and `connection` sends them.
"""

from bot.exchange.streams.address import Address, address_of
from bot.exchange.streams.connection import SocketRules
from bot.exchange.streams.hub import Streams

__all__ = ["Address", "SocketRules", "Streams", "address_of"]
