"""Counters, and a small page for Prometheus and for the kubelet's probes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_HELP = {
    "objects_made": "Objects of tenants that were made.",
    "objects_repaired": "Objects of tenants that were not as they should be.",
    "visits": "Visits to tenants.",
    "visits_failed": "Visits to tenants that ended in an error.",
    "enrolments_failed": "Accounts that could not be made.",
    "tenants_removed": "Tenants that were removed.",
    "watches_broken": "Watches that broke off and began anew.",
}


class Metrics:
    """What the controller did, and whether it still does."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._beat = 0.0
        self.tenants = 0
        """Tenants that are looked after now."""

    def count(self, name: str) -> None:
        """Add one to a counter."""
        with self._lock:
            self._counts[name] += 1

    def beat(self) -> None:
        """Say that the main loop is alive."""
        self._beat = time.monotonic()

    def alive(self, within_s: float = 30) -> bool:
        """Tell whether the main loop said so within the last seconds."""
        return self._beat > 0 and time.monotonic() - self._beat < within_s

    def page(self) -> str:
        """Return everything in Prometheus' text format."""
        lines = [
            "# HELP autonoe_tenants Tenants that are looked after.",
            "# TYPE autonoe_tenants gauge",
            f"autonoe_tenants {self.tenants}",
        ]
        for name, text in _HELP.items():
            full = f"autonoe_tenants_{name}_total"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} counter"]
            lines.append(f"{full} {self._counts[name]}")
        return "\n".join(lines) + "\n"


def serve(metrics: Metrics, *, host: str, port: int) -> ThreadingHTTPServer:
    """Answer ``/healthz`` and ``/metrics`` in a thread; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._answer(200 if metrics.alive() else 503, "ok\n" if metrics.alive() else "no\n")
            elif self.path == "/metrics":
                self._answer(200, metrics.page())
            else:
                self._answer(404, "")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            # A probe that no longer waits is its own affair.
            with contextlib.suppress(ConnectionError):
                self._write(status, body)

        def _write(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Leave the probes out of the log."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
