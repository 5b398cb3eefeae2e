"""Asking a component whether it is ready, without a client library and without proxies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

Probe = Callable[[], Awaitable[bool]]
"""Answers within a few seconds; False and OSError both mean "not yet"."""

_TIMEOUT_S = 2.0


def http(
    port: int,
    path: str = "/",
    *,
    statuses: frozenset[int] = frozenset({200}),
    host: str = "127.0.0.1",
) -> Probe:
    """Return a probe that is content when ``GET path`` answers with one of ``statuses``."""

    async def probe() -> bool:
        return await http_status(port, path, host=host) in statuses

    return probe


async def http_status(port: int, path: str, *, host: str = "127.0.0.1") -> int:
    """Return the status of ``GET path``; 0 when something else than HTTP answers.

    Raises
    ------
    OSError
        If nothing listens, or no answer comes within 2 s (``TimeoutError``).
    """
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            await writer.drain()
            parts = (await reader.readline()).split(b" ")
        finally:
            writer.transport.abort()
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
