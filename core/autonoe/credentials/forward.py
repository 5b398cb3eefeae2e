"""Sending a request on to a server of the platform, with the account's own credentials."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler

import urllib3

from autonoe.errors import InvalidInputError, UnavailableError

_CHUNK = 64 * 1024
_LINGER_BYTES = 8 * 1024 * 1024
_LINGER_S = 2.0
# Names that belong to one connection, to the caller's own pass, or to a browser.
_DROPPED = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "authorization", "cookie", "origin",
    "referer", "forwarded", "set-cookie", "www-authenticate", "x-vault-token", "expect",
}  # fmt: skip
_FORWARDED = ("x-forwarded-", "sec-")
_VAULT_KEPT = {"content-type", "accept", "x-vault-request"}


def new_pool(*, read_s: float) -> urllib3.PoolManager:
    """Return a pool of connections to loopback; it knows no proxy and follows no redirect."""
    return urllib3.PoolManager(
        retries=False, maxsize=16, timeout=urllib3.Timeout(connect=2, read=read_s)
    )


def vault_headers(handler: BaseHTTPRequestHandler) -> dict[str, str]:
    """Return the few headers that OpenBao needs: no wrapping, no namespaces, no policy tests."""
    return {k: v for k, v in handler.headers.items() if k.lower() in _VAULT_KEPT}


def onward_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return ``headers`` without those that must not be passed on, in either direction."""
    return {
        name: value
        for name, value in headers
        if name.lower() not in _DROPPED and not name.lower().startswith(_FORWARDED)
    }


def read_body(handler: BaseHTTPRequestHandler, length: int | None) -> Iterator[bytes]:
    """Yield the request's body piece by piece.

    Raises
    ------
    InvalidInputError
        If it ends early, or its chunks are malformed.
    """
    if length is None:
        yield from _chunks(handler)
        return
    left = length
    while left:
        piece = handler.rfile.read(min(_CHUNK, left))
        if not piece:
            raise InvalidInputError("The body ended early.")
        left -= len(piece)
        yield piece


def _chunks(handler: BaseHTTPRequestHandler) -> Iterator[bytes]:
    while True:
        line = handler.rfile.readline(64)
        size_text = line.partition(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError as error:
            raise InvalidInputError("The body's chunks are malformed.") from error
        if not line.endswith(b"\n") or size < 0:
            raise InvalidInputError("The body's chunks are malformed.")
        if size == 0:
            while handler.rfile.readline(1024).strip():
                continue
            return
        yield from read_body(handler, size)
        handler.rfile.readline(8)


def send(
    pool: urllib3.PoolManager,
    method: str,
    url: str,
    *,
    headers: dict[str, str],
    body: bytes | Iterator[bytes] | None,
    who: str,
) -> urllib3.BaseHTTPResponse:
    """Send a request and return the answer with its body still to be read.

    Raises
    ------
    UnavailableError
        If ``who`` does not answer.
    """
    # A kept connection may be closed by the other side just as it is used, and a POST cannot be
    # repeated; a new one over loopback costs 0.1 ms.
    headers = {**headers, "Connection": "close"}
    try:
        return pool.request(
            method, url, headers=headers, body=body, preload_content=False, redirect=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(
            f"{who} does not answer ({type(error).__name__}).",
            hint="Try again in some seconds: the platform restarts what stops.",
        ) from error


def relay(handler: BaseHTTPRequestHandler, answer: urllib3.BaseHTTPResponse) -> None:
    """Write ``answer`` to the caller as it comes, whatever its size."""
    handler.send_response(answer.status)
    for name, value in onward_headers(answer.headers.items()).items():
        handler.send_header(name, value)
    length = answer.headers.get("Content-Length")
    empty = handler.command == "HEAD" or answer.status in (204, 304)
    chunked = length is None and not empty
    if chunked:
        handler.send_header("Transfer-Encoding", "chunked")
    elif length is not None:
        handler.send_header("Content-Length", length)
    handler.end_headers()
    try:
        if empty:
            return
        for piece in answer.stream(_CHUNK, decode_content=False):
            if not piece:
                continue
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            handler.wfile.flush()
        if chunked:
            handler.wfile.write(b"0\r\n\r\n")
    except urllib3.exceptions.HTTPError:
        # The status is out already: a cut connection is the only honest sign of a cut body.
        handler.close_connection = True
    finally:
        answer.release_conn()


def linger(connection: socket.socket) -> None:
    """Read what a refused caller is still sending, within 8 MiB and 2 s, and forget it.

    Closing with unread bytes resets the connection, and the caller loses the answer that says why.
    """
    deadline = time.monotonic() + _LINGER_S
    left = _LINGER_BYTES
    try:
        connection.shutdown(socket.SHUT_WR)
        while left > 0 and (wait_s := deadline - time.monotonic()) > 0:
            connection.settimeout(wait_s)
            piece = connection.recv(_CHUNK)
            if not piece:
                return
            left -= len(piece)
    except OSError:
        return
