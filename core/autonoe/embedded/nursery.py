"""A process that has imported a slow application and forks ready children of it on request.

MLflow takes five to ten seconds to import and less than one to start once it is imported. Here one
process imports it, and nothing else; each request on a Unix socket forks a child that serves. The
death of the child costs a fork, the death of the nursery costs nothing at all: the child serves on
while a new nursery imports (ADR 0012).

Run as ``python -m autonoe.embedded.nursery CONFIG.json``; see :class:`NurseryConfig`.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from autonoe.embedded import unix_sockets

_REQUEST = b"fork\n"
_REQUEST_TIMEOUT_S = 2.0


class NurseryConfig(BaseModel):
    """What a nursery imports and how its children serve. It holds no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    socket: Path
    """Where requests for a child arrive."""
    app: str
    """``module:name`` of an ASGI or WSGI application factory, as uvicorn takes it."""
    host: str = "127.0.0.1"
    port: int
    before: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Functions, ``module:name`` with keyword arguments, that a child calls before it serves."""
    absent: tuple[str, ...] = ()
    """Optional libraries that the application shall not find: they cost memory and are not used."""
    secret_env: dict[str, Path] = {}
    """Variables that hold a secret, and their files: what is set later is not in ``/proc``."""
    log: Path
    """Log file of the children."""


def main() -> None:
    """Import the application named in the configuration file, then fork children until ended."""
    config = NurseryConfig.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for name in config.absent:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's mark for "absent"
    for variable, file in config.secret_env.items():
        os.environ[variable] = file.read_text(encoding="utf-8").strip()
    warnings.simplefilter("ignore")
    # Importing makes many objects and no garbage: collecting during it costs a fifth of the time.
    gc.disable()
    importlib.import_module(config.app.partition(":")[0])
    importlib.import_module("uvicorn")
    gc.collect()
    # Objects of the nursery live for ever; left alone by the collector, their pages stay shared.
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = unix_sockets.listen(config.socket)
    while True:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(_REQUEST_TIMEOUT_S)
            if not _asks_for_child(connection):
                continue
            pid = os.fork()
            if pid == 0:
                server.close()
                connection.close()
                _serve(config)
            connection.sendall(f"{pid}\n".encode())


def _asks_for_child(connection: socket.socket) -> bool:
    try:
        return connection.recv(64) == _REQUEST
    except OSError:
        return False


def _serve(config: NurseryConfig) -> None:
    """Serve in the forked child; never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        descriptor = os.open(config.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        gc.enable()
        for name, arguments in config.before:
            _find(name)(**arguments)
        import uvicorn

        uvicorn.run(
            _find(config.app)(),
            host=config.host,
            port=config.port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=3,
        )
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _find(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def request_child(path: Path, *, timeout_s: float = 5.0) -> int:
    """Ask the nursery at ``path`` for a child and return its process number.

    Raises
    ------
    OSError
        If the nursery is not there, still imports, or does not answer in time.
    """
    with unix_sockets.connect(path, timeout_s=timeout_s) as connection:
        connection.sendall(_REQUEST)
        answer = connection.makefile("rb").readline()
    if not answer.strip().isdigit():
        raise ConnectionResetError("the nursery ended before it could fork")
    return int(answer)


async def probe(path: Path) -> bool:
    """Return whether a nursery listens at ``path``; it forks only for a request, not for this."""
    unix_sockets.connect(path, timeout_s=1.0).close()
    return True


if __name__ == "__main__":
    main()
