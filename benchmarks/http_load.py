"""A small load generator: kept connections, closed or open loop, and the servers' processor time.

Wall-clock figures of a machine that is shared say little; the processor seconds that a server's
processes take per request say the same on a busy machine and on an idle one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from benchmarks.processes import family


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
    """

    requests: int
    seconds: float
    cpu_s: float
    latencies_s: tuple[float, ...]

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds of the server per request."""
        return self.cpu_s / self.requests * 1000

    def quantile_ms(self, share: float) -> float:
        """Return a quantile of the latency in milliseconds."""
        place = min(len(self.latencies_s) - 1, int(share * len(self.latencies_s)))
        return self.latencies_s[place] * 1000


def post(path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    """Return a request ready to be sent."""
    lines = [f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
    lines += [*headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and its descendants took so far."""
    total = 0.0
    for one in family(pid):
        with suppress(psutil.NoSuchProcess):
            spent = psutil.Process(one).cpu_times()
            total += spent.user + spent.system
    return total


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
    begun_cpu, begun = cpu_seconds(pid), time.perf_counter()
    numbers = iter(range(count))

    async def work(client: _Client) -> None:
        for number in numbers:
            due = begun + number / rate if rate else time.perf_counter()
            if rate and (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            await client.ask(requests[number % len(requests)])
            latencies.append(time.perf_counter() - due)

    await asyncio.gather(*map(work, clients))
    seconds = time.perf_counter() - begun
    cpu_s = cpu_seconds(pid) - begun_cpu
    for client in clients:
        client.close()
    return Load(count, seconds, cpu_s, tuple(sorted(latencies)))


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
