"""Talking to the running supervisor: one JSON line each way over a Unix socket."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from autonoe.embedded import unix_sockets
from autonoe.errors import AutonoeError, ForbiddenError, InvalidInputError, UnavailableError

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any], int], Awaitable[Any]]
"""Takes the request's arguments and the user ID of the caller; returns what goes under "result"."""

_MAX_LINE = 1 << 20
_REQUEST_TIMEOUT_S = 10.0
_FINISH_S = 2.0


def call(path: Path, op: str, *, timeout_s: float = 30.0, **args: Any) -> Any:
    """Ask the supervisor that listens at ``path`` to do ``op``, and return its answer.

    Parameters
    ----------
    path : Path
        ``layout.control_socket``.
    op : str
        Name of the operation, such as ``"status"``.
    timeout_s : float
        Seconds to wait for the answer.
    **args
        JSON-serialisable arguments of the operation.

    Raises
    ------
    UnavailableError
        If no supervisor answers there (``not_running`` when nothing listens).
    AutonoeError
        What the supervisor refused, with its code, message and hint.
    """
    try:
        with unix_sockets.connect(path, timeout_s=timeout_s) as connection:
            connection.sendall(json.dumps({"op": op, "args": args}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
    except TimeoutError as error:
        raise UnavailableError(
            f"The platform did not answer {op!r} within {timeout_s:g} s.",
            hint="See the log of the supervisor; `autonoe doctor` explains more.",
        ) from error
    except OSError as error:
        raise UnavailableError(
            "The platform is not running.", hint="Start it with `autonoe up`.", code="not_running"
        ) from error
    if not line.endswith(b"\n"):
        raise UnavailableError(
            f"The platform ended while it worked on {op!r}.", hint="Try again in a few seconds."
        )
    answer = json.loads(line)
    if "error" in answer:
        raise AutonoeError(**{k: str(v) for k, v in answer["error"].items()})
    return answer["result"]


class ControlServer:
    """Answers requests at ``path`` with ``handlers``; everyone may connect, each handler decides.

    Parameters
    ----------
    path : Path
        Where to listen.
    public : dict of str to handler
        Operations for every account.
    private : dict of str to handler
        Operations for the platform's own user (and root) alone.
    """

    def __init__(
        self, path: Path, *, public: dict[str, Handler], private: dict[str, Handler]
    ) -> None:
        self.path = path
        self.public = public
        self.private = private
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen; a socket that a dead supervisor left is replaced."""
        listening = unix_sockets.listen(self.path, mode=0o666)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=_MAX_LINE)

    async def stop(self) -> None:
        """Stop listening, remove the socket and finish the answers under way (at most 2 s)."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)
        if self._open:
            await asyncio.wait(self._open, timeout=_FINISH_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            uid = unix_sockets.peer_uid(writer.get_extra_info("socket"))
            try:
                async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                    line = await reader.readline()
            except (TimeoutError, ValueError):
                return
            writer.write(json.dumps(await self._answer(line, uid)).encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            log.debug("a caller went away before its answer")
        finally:
            writer.close()

    async def _answer(self, line: bytes, uid: int) -> dict[str, Any]:
        try:
            request = json.loads(line)
            op, args = request["op"], request.get("args") or {}
            if not isinstance(op, str) or not isinstance(args, dict):
                raise TypeError
        except (ValueError, TypeError, KeyError):
            return InvalidInputError('A request is {"op": ..., "args": {...}}.').as_dict()
        try:
            return {"result": await self._handler(op, uid)(args, uid)}
        except AutonoeError as error:
            return error.as_dict()
        except Exception:
            log.exception("%s failed", op)
            return AutonoeError(
                f"{op!r} failed inside the supervisor.", hint="Its log says why."
            ).as_dict()

    def _handler(self, op: str, uid: int) -> Handler:
        if op in self.public:
            return self.public[op]
        if op not in self.private:
            raise InvalidInputError(f"The platform knows no operation {op!r}.")
        if uid not in {os.geteuid(), 0}:
            raise ForbiddenError(
                f"{op!r} is for the person who runs the platform.",
                hint="Ask the administrator of this server.",
            )
        return self.private[op]
