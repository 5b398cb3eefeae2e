"""The way that other tests take into the cluster: one connection's end is no other's."""

from __future__ import annotations

import contextlib
import socket

import pytest

from support.forwarding import Forward
from support.stack import Stack
from support.stack_hub import PROXY_PORT

ASKED = b"GET /hub/api HTTP/1.1\r\nHost: hub\r\n\r\n"
NO_HTTP = b"\x00" * 4_000_000


def test_a_connection_that_a_pod_resets_ends_alone(stack: Stack) -> None:
    forward = Forward(stack.cluster, stack.instance, "proxy-public", PROXY_PORT)
    try:
        with _connected(forward) as kept:
            assert _answer(kept).startswith(b"HTTP/1.1 200")
            for _ in range(3):
                _reset(forward)
                # The same connection, not a new one.
                assert _answer(kept).startswith(b"HTTP/1.1 200")
    finally:
        forward.close()
    with pytest.raises(ConnectionRefusedError):
        _connected(forward)


def _connected(forward: Forward) -> socket.socket:
    return socket.create_connection(("127.0.0.1", forward.port), timeout=20)


def _answer(connection: socket.socket) -> bytes:
    connection.sendall(ASKED)
    return connection.recv(65_536)


def _reset(forward: Forward) -> None:
    """Have the proxy close a connection of which it has not read all, which resets it."""
    with _connected(forward) as connection, contextlib.suppress(OSError):
        connection.sendall(NO_HTTP)
        while connection.recv(65_536):
            pass
