"""A reverse proxy before the S3 server that ends sessions early, as if their time were over.

SeaweedFS grants no session under 900 s. The gate notes when each session was made, and refuses
keys that are older than it allows, with the answer that SeaweedFS gives for an ended session.
"""

from __future__ import annotations

import http.client
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from autonoe.credentials.forward import read_body

_KEY_IN_ANSWER = re.compile(rb"<AccessKeyId>([^<]+)</AccessKeyId>")
_KEY_IN_REQUEST = re.compile(r"Credential=([^/]+)/")
_REFUSAL = (
    b'<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code>'
    b"<Message>The access key is too old for the gate.</Message></Error>"
)


class Gate(ThreadingHTTPServer):
    """Stands before ``target`` and refuses session keys that are older than ``limit_s``."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, target: str, limit_s: float, *, address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        super().__init__(address, _Handler)
        self.target = urlsplit(target).netloc
        self.limit_s = limit_s
        self.made: dict[str, float] = {}
        self.used: set[str] = set()
        self.refused: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def url(self) -> str:
        """Address of the gate."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()

    def admits(self, key: str, client: str) -> bool:
        """Tell whether ``key`` is young enough, and remember the answer."""
        with self._lock:
            made = self.made.get(key)
            if made is None or time.monotonic() - made <= self.limit_s:
                self.used.add(key)
                return True
            self.refused.append((key, client))
            return False

    def note(self, answer: bytes) -> None:
        """Remember when the session in ``answer`` was made."""
        if found := _KEY_IN_ANSWER.search(answer):
            with self._lock:
                self.made.setdefault(found[1].decode(), time.monotonic())


class _Handler(BaseHTTPRequestHandler):
    server: Gate
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        length = None if chunked else int(self.headers.get("Content-Length") or 0)
        body = b"".join(read_body(self, length))
        signed = _KEY_IN_REQUEST.search(self.headers.get("Authorization", ""))
        client = self.headers.get("User-Agent", "")
        if signed and not self.server.admits(signed[1], client):
            self._answer(403, {"Content-Type": "application/xml"}, _REFUSAL)
            return
        upstream = http.client.HTTPConnection(self.server.target, timeout=30)
        try:
            # Host stays as the client signed it.
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    upstream.putheader(name, value)
            pieces = iter([body]) if chunked else body or None
            upstream.endheaders(pieces, encode_chunked=chunked)
            answer = upstream.getresponse()
            content = answer.read()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _OWN}
            if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
                kept["Content-Length"] = length
        finally:
            upstream.close()
        if self.command == "POST" and self.path == "/":
            self.server.note(content)
        self._answer(answer.status, kept, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


_OWN = {"content-length", "connection", "transfer-encoding"}


if __name__ == "__main__":
    # In a pod of its own: python gate.py TARGET LIMIT_S PORT
    _target, _limit_s, _port = sys.argv[1:]
    with Gate(_target, float(_limit_s), address=("0.0.0.0", int(_port))):
        threading.Event().wait()
