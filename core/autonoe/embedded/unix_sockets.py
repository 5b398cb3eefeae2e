"""Unix sockets at paths of any length, and who is at the other end of one."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name of ``path`` within the 107 bytes that a socket's address may have."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path, *, mode: int = 0o600) -> socket.socket:
    """Return a listening socket at ``path``; one that a dead process left there is replaced."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            server.bind(name)
        path.chmod(mode)
        server.listen(16)
    except BaseException:
        server.close()
        raise
    return server


def connect(path: Path, *, timeout_s: float) -> socket.socket:
    """Return a connection to the server at ``path``; its calls wait ``timeout_s`` seconds each.

    Raises
    ------
    OSError
        If nobody listens there.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout_s)
    try:
        with _short(path) as name:
            client.connect(name)
    except BaseException:
        client.close()
        raise
    return client


def peer_uid(connection: socket.socket) -> int:
    """Return the user ID of the process at the other end, as the kernel knows it."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return int(uid)
