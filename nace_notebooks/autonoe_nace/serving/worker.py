"""One worker: an event loop over the listening socket that all workers share."""

from __future__ import annotations

import asyncio
import signal
import socket

import uvicorn

# uvicorn imports these when it starts: too late for workers to share them
import uvicorn.lifespan.on
import uvloop  # noqa: F401  see above

from autonoe.errors import AutonoeError
from autonoe_nace.serving.app import Common, ServingApp
from autonoe_nace.serving.holder import ModelHolder
from autonoe_nace.serving.processes import Lifeline
from autonoe_nace.serving.protocol import ShortProtocol
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.shared import Note
from autonoe_nace.serving.source import ServedModel

KEEP_ALIVE_S = 30
DRAIN_S = 45.0
"""Longest time for clients to leave a worker that is replaced; then it goes as at a stop."""
GRACEFUL_S = 10
_POLL_S = 0.05


class WorkerHolder(ModelHolder):
    """The model that the worker was born with, and the mark that its parent gives it."""

    def __init__(
        self, settings: ServingSettings, served: ServedModel | None, common: Common, problem: Note
    ) -> None:
        super().__init__(settings, served)
        self._metrics = common.metrics
        self._note = problem

    def current(self) -> ServedModel:
        """Return the model, marked as the parent says now."""
        self.mark(stale=self._metrics.stale)
        if self._served is None:
            message, _, hint = self._note.read().partition("\n")
            if message:
                self.fail(AutonoeError(message, hint=hint))
        return super().current()


class DrainingServer(uvicorn.Server):
    """A server that can be replaced without losing a request.

    On SIGUSR1 it takes no new connection, answers what comes on the others with ``Connection:
    close``, and ends when all clients have gone to its successor.
    """

    def __init__(self, config: uvicorn.Config, app: ServingApp, lifeline: Lifeline) -> None:
        super().__init__(config)
        self._app = app
        self._lifeline = lifeline
        self._drained: asyncio.Task[None] | None = None
        self._early: set[int] = set()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            # until it runs, and when uvicorn raises once more what stopped it
            signal.signal(number, lambda got, _: self._early.add(got))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and hear of the parent's end and of a successor."""
        await super().startup(sockets=sockets)
        loop = asyncio.get_running_loop()
        self._lifeline.watch(self._stop)
        loop.add_signal_handler(signal.SIGUSR1, self._drain)
        if signal.SIGUSR1 in self._early:
            self._drain()
        if self._early & {signal.SIGTERM, signal.SIGINT}:
            self._stop()
        self._app.metrics.set_ready()

    def _stop(self) -> None:
        self.should_exit = True

    def _drain(self) -> None:
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_task(self._drain_all())

    async def _drain_all(self) -> None:
        self._app.gate.draining = True
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_S
        # uvicorn tells nobody when a connection ends
        while self.server_state.connections and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        self.should_exit = True


def work(
    settings: ServingSettings,
    served: ServedModel | None,
    common: Common,
    problem: Note,
    listening: socket.socket,
    lifeline: Lifeline,
    row: int,
) -> None:
    """Answer requests until told to stop; runs in a child process."""
    common.metrics.take_row(row)
    app = ServingApp(settings, WorkerHolder(settings, served, common, problem), common)
    config = uvicorn.Config(
        app.asgi(),
        http=ShortProtocol,
        log_config=None,
        access_log=False,  # each prediction is logged by the app, and paths hold nothing else
        server_header=False,
        proxy_headers=False,  # no route asks who or by what scheme
        ws="none",
        backlog=2048,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
    )
    DrainingServer(config, app, lifeline).run(sockets=[listening])
