"""The parent of a server's processes: it loads the model once, and its children share the memory.

It has one thread and waits for events only: a worker that died is replaced at once. What takes
time and can fail (the registry, the log store, credentials) happens in processes of their own.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

from autonoe.errors import AutonoeError, UnavailableError
from autonoe_nace.logs.writer import SEGMENT_SUFFIX
from autonoe_nace.model_uri import PREFIX
from autonoe_nace.serving import source
from autonoe_nace.serving.app import Common
from autonoe_nace.serving.dual import open_second
from autonoe_nace.serving.errands import Errands
from autonoe_nace.serving.following import News
from autonoe_nace.serving.processes import Lifeline, describe_exit, fork, settle
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.shared import Note
from autonoe_nace.serving.source import ServedModel
from autonoe_nace.serving.worker import DRAIN_S, GRACEFUL_S, work

_LOGGER = logging.getLogger(__name__)

GENERATIONS = 3
"""Sets of workers that can live at once: one that answers, one that starts, one that leaves."""
_BIND_S = 10.0
_TICK_S = 1.0
_SAVE_USAGE_S = 10.0
_BORN_DEAD_S = 1.0
_LONGEST_PAUSE_S = 2.0
_WARM_UP = "bakery and sale of bread"


@dataclass
class Generation:
    """Workers of one model."""

    served: ServedModel | None
    workers: dict[int, int] = field(default_factory=dict)
    """Process id to row in the shared numbers."""
    drained_at: float = 0.0
    """When its workers were told to leave; 0 before."""


class Master:
    """Runs the processes of one server.

    Parameters
    ----------
    settings : ServingSettings
        Frozen settings.
    keeper : int
        A child that renews the credentials; without it the server would outlive its rights.
    """

    def __init__(self, settings: ServingSettings, *, keeper: int = 0) -> None:
        self.settings = settings
        self._keeper = keeper
        self._keeper_ended = False
        self._rows = settings.workers * GENERATIONS
        self._common = Common(settings, rows=self._rows)
        self._problem = Note()
        self._lifeline = Lifeline()
        self._generations: list[Generation] = []
        self._waiting: ServedModel | None = None
        self._born: dict[int, float] = {}
        self._deaths = 0
        self._respawn_at = 0.0
        self._stopping = False
        self._saved_at = time.monotonic()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; requests in progress are answered first.

        Raises
        ------
        AutonoeError
            If the model is a folder and cannot be served, or the address is taken.
        """
        settings = self.settings
        self._remove_leftovers()
        self._listening = _listen(settings)
        if settings.second_model:
            open_second(settings.second_model)  # before any fork: all processes share it
        first = None
        if not settings.model.startswith(PREFIX):
            first = source.open_model(source.find(settings), settings)
        self._wakeup = _wakeup_pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._errands = Errands(settings, self._common, self._lifeline)
        self._start(Generation(first))
        self._errands.start()
        _LOGGER.info("Listening on %s:%d", *self._listening.getsockname()[:2])
        try:
            while not self._stopping:
                self._wait()
                self._look_after()
        finally:
            self._end()
        if self._keeper_ended:
            raise UnavailableError(
                "The process that renews the credentials ended.",
                hint="Start the server again; its log says more.",
            )

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _wait(self) -> None:
        """Sleep until something happens, or is due."""
        starting = len(self._generations) > 1 or self._respawn_at
        timeout = 0.05 if starting else _TICK_S
        readable, _, _ = select.select([self._wakeup, *self._errands.listening], [], [], timeout)
        if self._wakeup in readable:
            os.read(self._wakeup, 4096)

    def _look_after(self) -> None:
        self._reap()
        for news in self._errands.news():
            self._take(news)
        self._respawn()
        self._replace()
        now = time.monotonic()
        if now - self._saved_at > _SAVE_USAGE_S:
            self._saved_at = now
            self._common.usage.save()

    def _take(self, news: News) -> None:
        if news.problem is not None:
            self._problem.write(f"{news.problem.message}\n{news.problem.hint}")
        stale = news.stale
        if news.source is not None:
            try:
                self._waiting = source.open_model(news.source, self.settings)
            except AutonoeError as error:
                _LOGGER.error("The model cannot be loaded: %s", error.message)
                self._problem.write(f"{error.message}\n{error.hint}")
                stale = True
        self._common.metrics.stale = stale

    def _start(self, generation: Generation) -> None:
        self._generations.append(generation)
        if generation.served is not None:
            # what every worker would load and remember at its first request, they now share
            generation.served.model.predict([_WARM_UP], fallback_at=1.0)
            if generation.served.dual is not None:
                generation.served.dual.predict([_WARM_UP])
        settle()
        for _ in range(self.settings.workers):
            self._spawn(generation)

    def _spawn(self, generation: Generation) -> None:
        taken = {row for g in self._generations for row in g.workers.values()}
        row = next(row for row in range(self._rows) if row not in taken)
        arguments = (
            *(self.settings, generation.served, self._common, self._problem),
            *(self._listening, self._lifeline, row),
        )
        pid = fork(lambda: work(*arguments), lifeline=self._lifeline, name="worker")
        generation.workers[pid] = row
        self._born[pid] = time.monotonic()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for generation in self._generations:
                row = generation.workers.pop(pid, None)
                if row is not None:
                    self._bury(generation, pid, row, status)
            self._errands.reap(pid)
            if pid == self._keeper:
                self._keeper_ended = self._stopping = True

    def _bury(self, generation: Generation, pid: int, row: int, status: int) -> None:
        self._common.metrics.bury(row)
        age = time.monotonic() - self._born.pop(pid)
        if generation.drained_at or self._stopping:
            return
        _LOGGER.error("Worker %d ended %s; another takes its place", pid, describe_exit(status))
        # one that dies at birth would die again: a little later each time
        self._deaths = self._deaths + 1 if age < _BORN_DEAD_S else 0
        pause = min(_LONGEST_PAUSE_S, 0.1 * 2**self._deaths) if self._deaths else 0.0
        self._respawn_at = time.monotonic() + pause

    def _respawn(self) -> None:
        if not self._respawn_at or time.monotonic() < self._respawn_at:
            return
        self._respawn_at = 0.0
        newest = self._generations[-1]
        while len(newest.workers) < self.settings.workers:
            self._spawn(newest)

    def _replace(self) -> None:
        """Start workers of a new model, and let the old ones go once the new ones answer."""
        newest, now = self._generations[-1], time.monotonic()
        metrics = self._common.metrics
        ready = newest.workers and all(metrics.is_ready(row) for row in newest.workers.values())
        if ready:
            for old in self._generations[:-1]:
                _drain(old)
        for old in self._generations[:-1]:
            if old.drained_at and now - old.drained_at > DRAIN_S + GRACEFUL_S + 5:
                _signal(old, signal.SIGKILL)
        self._generations = [
            g for g in self._generations if g is newest or g.workers or not g.drained_at
        ]
        # a model that comes while two sets of workers live waits: memory is bounded
        if self._waiting is not None and ready and len(self._generations) < GENERATIONS:
            fresh, self._waiting = self._waiting, None
            if newest.served is None:
                # it can only say that there is no model, also to those whom a new worker told that
                # the server is ready: they wait the moment until the new workers take them
                _drain(newest)
            self._start(Generation(fresh))

    def _end(self) -> None:
        """Let the workers finish, then send what they logged."""
        self._listening.close()
        for generation in self._generations:
            _signal(generation, signal.SIGTERM)
        until = time.monotonic() + GRACEFUL_S + 3
        while any(g.workers for g in self._generations):
            if time.monotonic() > until:
                for generation in self._generations:
                    _signal(generation, signal.SIGKILL)
            select.select([self._wakeup], [], [], 0.05)
            with suppress(BlockingIOError):
                os.read(self._wakeup, 4096)
            self._reap()
        self._common.usage.save()
        self._errands.stop()

    def _remove_leftovers(self) -> None:
        """Remove log segments that a crash left half-written, before anybody writes new ones."""
        for leftover in (self.settings.state_dir / "logs").glob(f".*{SEGMENT_SUFFIX}.part"):
            leftover.unlink(missing_ok=True)


def _drain(generation: Generation) -> None:
    """Let the workers take no new connection, and go when nobody is left; asked once."""
    if not generation.drained_at:
        generation.drained_at = time.monotonic()
        _signal(generation, signal.SIGUSR1)


def _signal(generation: Generation, number: signal.Signals) -> None:
    for pid in generation.workers:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _listen(settings: ServingSettings) -> socket.socket:
    """Return the listening socket; a predecessor that is just ending is waited for."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    until = time.monotonic() + _BIND_S
    while True:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            listening.close()
            if time.monotonic() > until:
                raise UnavailableError(
                    f"The address {settings.host}:{settings.port} cannot be listened on "
                    f"({error.strerror}).",
                    hint="Choose another --port, or end what listens there.",
                ) from error
            time.sleep(0.1)
        else:
            listening.listen(2048)
            listening.setblocking(False)
            return listening


def _wakeup_pipe() -> int:
    """Return what becomes readable with each signal, so that none is slept through."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading
