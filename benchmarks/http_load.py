"""A small load generator: kept connections, closed or open loop, and the servers' processor time.

Wall-clock figures of a machine that is shared say little; the processor seconds that a server's
processes take per request say the same on a busy machine and on an idle one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.processes import processor_ns, spent_s


@dataclass(frozen=True)
class Load:
    """What a run of requests took.

    Attributes
    ----------
    requests : int
        Requests answered with status 200.
    seconds : float
        Wall-clock time.
    cpu_s : float
        Processor time of the server's processes.
    latencies_s : tuple of float
        Sorted; in an open loop from when a request was due, not from when it could be sent.
    lags_s : tuple of float
        Sorted; by how much the client itself was late with the requests for which a connection
        was free in time. What is in it is in the latencies too, and is not the server's doing.
    """

    requests: int
    seconds: float
    cpu_s: float
    latencies_s: tuple[float, ...]
    lags_s: tuple[float, ...] = ()

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds of the server per request."""
        return self.cpu_s / self.requests * 1000

    def quantile_ms(self, share: float) -> float:
        """Return a quantile of the latency in milliseconds."""
        return _quantile(self.latencies_s, share) * 1000

    def lag_ms(self, share: float) -> float:
        """Return a quantile of the client's own lag in milliseconds; 0 where none was measured."""
        return _quantile(self.lags_s, share) * 1000


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def post(path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    """Return a request ready to be sent."""
    lines = [f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
    lines += [*headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def closed_loop(
    port: int, pid: int, requests: Sequence[bytes], *, connections: int, count: int
) -> Load:
    """Send ``count`` requests, ``connections`` at a time, each as soon as the last is answered."""
    return asyncio.run(_measured(port, pid, requests, connections=connections, count=count))


def open_loop(
    port: int, pid: int, requests: Sequence[bytes], *, rate: float, count: int, connections: int
) -> Load:
    """Send ``count`` requests at a steady ``rate`` a second, whatever the answers take."""
    return asyncio.run(
        _measured(port, pid, requests, connections=connections, count=count, rate=rate)
    )


async def _measured(
    port: int,
    pid: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    count: int,
    rate: float = 0.0,
) -> Load:
    clients = [await _Client.connect(port) for _ in range(connections)]
    latencies: list[float] = []
    lags: list[float] = []
    begun_cpu, begun = processor_ns(pid), time.perf_counter()
    numbers = iter(range(count))

    async def work(client: _Client) -> None:
        for number in numbers:
            due = begun + number / rate if rate else time.perf_counter()
            if rate and (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
                lags.append(time.perf_counter() - due)
            await client.ask(requests[number % len(requests)])
            latencies.append(time.perf_counter() - due)

    await asyncio.gather(*map(work, clients))
    seconds = time.perf_counter() - begun
    cpu_s = spent_s(begun_cpu, processor_ns(pid))
    for client in clients:
        client.close()
    return Load(count, seconds, cpu_s, tuple(sorted(latencies)), tuple(sorted(lags)))


class _Client:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> _Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 24))

    async def ask(self, request: bytes) -> bytes:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"content-length:"))
        body = await self._reader.readexactly(int(length.split(b":")[1]))
        if b" 200 " not in lines[0]:
            raise RuntimeError(f"The server answered {lines[0]!r}: {body[:200]!r}")
        return body

    def close(self) -> None:
        self._writer.close()
