"""What a server does beside answering, in processes of their own: follow the alias, send logs."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from autonoe.errors import AutonoeError
from autonoe_nace.model_uri import PREFIX
from autonoe_nace.serving.app import Common
from autonoe_nace.serving.following import Follower, News
from autonoe_nace.serving.processes import Lifeline, fork
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.shipping import LogShipper, WrittenLogs
from autonoe_nace.serving.source import Source

_LOGGER = logging.getLogger(__name__)
_SHIP_AT_END_S = 30.0
_AGAIN_S = 1.0


class _Line(msgspec.Struct):
    """News on its way through a pipe."""

    stale: bool
    source: Source | None = None
    message: str = ""
    hint: str = ""
    code: str = ""


_DECODER = msgspec.json.Decoder(_Line)


class Errands:
    """The processes beside the workers; one that dies is started again.

    Parameters
    ----------
    settings : ServingSettings
        Frozen settings.
    common : Common
        Shared with the workers.
    lifeline : Lifeline
        Ends the processes with their parent.
    """

    def __init__(self, settings: ServingSettings, common: Common, lifeline: Lifeline) -> None:
        self._settings = settings
        self._common = common
        self._lifeline = lifeline
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._rest = b""
        self._pids: dict[str, int] = {}
        self._due: dict[str, float] = {}

    @property
    def listening(self) -> list[int]:
        """What becomes readable with news."""
        return [self._reading]

    def start(self) -> None:
        """Start what this server needs."""
        if self._settings.model.startswith(PREFIX):
            self._run("follower")
        if self._settings.logs_to:
            self._run("shipper")

    def reap(self, pid: int) -> None:
        """Take note that ``pid`` ended; it starts again in a second if it was one of these."""
        for name, running in list(self._pids.items()):
            if running == pid:
                del self._pids[name]
                self._due[name] = time.monotonic() + _AGAIN_S

    def news(self) -> Iterator[News]:
        """Yield what the follower found since the last call."""
        for name, due in list(self._due.items()):
            if time.monotonic() >= due:
                del self._due[name]
                self._run(name)
        with suppress(BlockingIOError):
            self._rest += os.read(self._reading, 65_536)
        *lines, self._rest = self._rest.split(b"\n")
        for raw in lines:
            line = _DECODER.decode(raw)
            problem = (
                AutonoeError(line.message, hint=line.hint, code=line.code) if line.message else None
            )
            yield News(line.source, stale=line.stale, problem=problem)

    def stop(self) -> None:
        """End the processes, the shipper once it has sent what the workers wrote."""
        for pid in self._pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _SHIP_AT_END_S
        for pid in self._pids.values():
            _wait_for(pid, until)

    def _run(self, name: str) -> None:
        work = {"follower": self._follow, "shipper": self._ship}[name]
        self._pids[name] = fork(work, lifeline=self._lifeline, name=name)

    def _follow(self) -> None:
        self._lifeline.watch_by_signal()
        follower = Follower(self._settings)
        while True:
            news = follower.look()
            line = _Line(news.stale, news.source)
            if news.problem is not None:
                line.message, line.hint = news.problem.message, news.problem.hint
                line.code = news.problem.code
            # shorter than PIPE_BUF: it arrives whole
            os.write(self._writing, msgspec.json.encode(line) + b"\n")
            time.sleep(follower.pause_s())

    def _ship(self) -> None:
        self._lifeline.watch_by_signal()
        metrics, settings = self._common.metrics, self._settings
        logs = WrittenLogs(settings.state_dir / "logs", lambda: metrics.logs()[2])
        shipper = LogShipper(logs, settings.logs_to, part=settings.logs_part)
        ended = []
        for number in (signal.SIGTERM, signal.SIGINT):
            # after a Ctrl-C the parent says when the workers have written all
            signal.signal(number, lambda got, _: ended.append(got))
        shipper.start()
        while signal.SIGTERM not in ended:
            metrics.stored = shipper.stored
            time.sleep(0.2)
        shipper.stop()
        metrics.stored = shipper.stored


def _wait_for(pid: int, until: float) -> None:
    """Wait until the process ended; one that takes too long is killed."""
    while True:
        try:
            done, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return
        if done:
            return
        if time.monotonic() > until:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
