"""TCP ports: choosing free ones that stay free, and naming who holds one."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

import psutil

# Below the range from which Linux takes the ports of outgoing connections (32768 and up): a port
# kept for years would otherwise one day be somebody's outgoing connection when the platform starts.
_LOWEST, _HIGHEST = 15_000, 31_999


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on ``port`` of ``host`` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(count: int) -> list[int]:
    """Return ``count`` different ports of loopback that are free now."""
    chosen: set[int] = set()
    while len(chosen) < count:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if port not in chosen and is_free(port):
            chosen.add(port)
    return sorted(chosen)


def choose_pair(distance: int) -> tuple[int, int]:
    """Return two ports of loopback that are free now, the second ``distance`` above the first."""
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - distance - _LOWEST)
        if is_free(port) and is_free(port + distance):
            return port, port + distance


def first_free(preferred: int, host: str, *, tries: int = 100) -> int:
    """Return ``preferred`` or the next port above it that is free on ``host``, as Jupyter does."""
    for port in range(preferred, preferred + tries):
        if is_free(port, host):
            return port
    return choose(1)[0]


@dataclass(frozen=True)
class Holder:
    """The process that listens on a port."""

    pid: int
    name: str
    user: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid} of {self.user})"


def holder(port: int) -> Holder | None:
    """Return who listens on ``port``; None if nobody, or if the system does not tell this user."""
    for connection in psutil.net_connections(kind="tcp"):
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            try:
                process = psutil.Process(connection.pid)
                return Holder(connection.pid, process.name(), process.username())
            except psutil.Error:
                return None
    return None
