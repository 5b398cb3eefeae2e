"""A server before MLflow that lets everything pass, until it is told which part is to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import urllib3

Fault = Literal["registry dead", "registry hangs", "store hangs", "store fails"]
_STORE = "/mlflow-artifacts/"
"""The part of the address of all that MLflow reads from, or writes to, its object store."""
_PASSED_ON = {"authorization", "content-type", "accept", "range"}


class Front:
    """Where a client of the registry is to go, and what shall not answer.

    Attributes
    ----------
    fault : str, optional
        ``registry dead`` hangs up on everybody, ``registry hangs`` keeps everybody waiting;
        ``store hangs`` never answers what asks for artefacts, ``store fails`` answers it with 500.
    hit : int
        Requests that met the fault.
    let_go : int
        Requests that were kept waiting, and are no more.
    """

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.fault: Fault | None = None
        self.hit = 0
        self.let_go = 0
        self.released = threading.Event()

    def says_nothing(self, path: str) -> bool:
        """Tell whether a request is to be met with silence; return once it is over."""
        if self.fault == "registry dead":
            self.hit += 1
            return True
        if self.fault == "registry hangs" or (self.fault == "store hangs" and _STORE in path):
            self.hit += 1
            self.released.wait(120)
            self.let_go += 1
            return True
        return False


@contextmanager
def front(behind: str) -> Iterator[tuple[Front, str]]:
    """Run one before the registry at ``behind``; yield it and its address."""
    state = Front(behind)
    pool = urllib3.PoolManager(retries=False)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            if state.says_nothing(self.path):
                self.close_connection = True
                return
            if state.fault == "store fails" and _STORE in self.path:
                state.hit += 1
                self.send_error(500)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() in _PASSED_ON}
            answer = pool.request(
                self.command, state.behind + self.path, body=body, headers=headers, timeout=60
            )
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state, f"http://127.0.0.1:{server.server_port}"
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
