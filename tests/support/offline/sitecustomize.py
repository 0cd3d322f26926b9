"""On PYTHONPATH this takes the name server away from a process: every host but this machine is unknown."""

import socket
from typing import Any

from aiohttp.resolver import ThreadedResolver

_resolve = ThreadedResolver.resolve


async def _resolve_here_only(self: ThreadedResolver, host: str, *arguments: Any, **options: Any) -> Any:
    if host not in {"127.0.0.1", "localhost", "::1"}:
        raise OSError(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return await _resolve(self, host, *arguments, **options)


ThreadedResolver.resolve = _resolve_here_only  # type: ignore[method-assign]
