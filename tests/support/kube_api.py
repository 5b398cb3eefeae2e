"""A Kubernetes API server in memory, as far as two who write one object at once can tell.

It speaks the real protocol over HTTP: objects with ``uid`` and ``resourceVersion``, lists, POST,
server-side apply, merge patches and DELETE. A write that names another ``resourceVersion`` than the
object's is answered 409, as is the POST of an object that exists. It checks nothing else.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import yaml

Object = dict[str, Any]


class KubeApi:
    """The server, on a free port of loopback, from ``with`` to its end.

    Attributes
    ----------
    objects : dict of str to dict
        By path.
    refused : list of str
        Paths of writes that were answered 409.
    before_write : callable or None
        Called with the path before a write is looked at, outside of the lock: it may ask the
        server itself.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.refused: list[str] = []
        self.before_write: Callable[[str], None] | None = None
        self._lock = threading.Lock()
        self._version = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> KubeApi:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig that leads here into ``folder``, and return it."""
        name = "memory"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {"token": "none"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(document))
        return path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, path: str, body: Object) -> tuple[int, Object]:
        """Return status and document for one request."""
        if method == "GET":
            with self._lock:
                return self._read(path)
        if self.before_write is not None:
            self.before_write(path)
        with self._lock:
            status, document = self._write(method, path, body)
        if status == 409:
            self.refused.append(path)
        return status, document

    def _read(self, path: str) -> tuple[int, Object]:
        if path in self.objects:
            return 200, self.objects[path]
        inside = path.rpartition("/namespaces/")[2].split("/")
        if len(inside) > 2:  # NAMESPACE/PLURAL/NAME
            return 404, _status("not found")
        items = [found for at, found in self.objects.items() if at.startswith(f"{path}/")]
        return 200, {"items": items}

    def _write(self, method: str, path: str, body: Object) -> tuple[int, Object]:
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return 409, _status("already exists")
        found = self.objects.get(path)
        if method == "DELETE":
            self.objects.pop(path, None)
            return (200, {}) if found else (404, _status("not found"))
        if found is None:
            found = {"metadata": {"uid": str(uuid.uuid4()), "resourceVersion": "0"}}
        wanted = body["metadata"].get("resourceVersion")
        if wanted is not None and wanted != found["metadata"]["resourceVersion"]:
            return 409, _status("the object has been modified; please apply your changes to it")
        changed = _merged(found, body)
        if changed != found:
            self._version += 1
            changed["metadata"]["resourceVersion"] = str(self._version)
            self.objects[path] = changed
        return 200, changed


def _merged(old: Object, change: Object) -> Object:
    out = dict(old)
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = _merged(out[key], value)
        else:
            out[key] = value
    return out


def _status(message: str) -> Object:
    return {"kind": "Status", "status": "Failure", "message": message}


def _handler(api: KubeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            document = json.loads(body) if body else {}
            status, found = api.answer(self.command, urlsplit(self.path).path, document)
            answer = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  the names of http.server

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
