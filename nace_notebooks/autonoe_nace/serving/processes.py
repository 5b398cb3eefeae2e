"""Child processes by fork: each ends with its parent, and never runs its parent's code on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1)
"""What a parent handles itself, and a child begins without."""


class Lifeline:
    """A pipe whose writing end only the parent holds: when that is gone, reading it ends."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()

    def in_child(self) -> None:
        """Let go of the writing end: the first thing that a child does."""
        os.close(self._writing)

    def watch(self, ended: Callable[[], None]) -> None:
        """Call ``ended`` in the running event loop when the parent is gone."""
        loop = asyncio.get_running_loop()

        def noticed() -> None:
            loop.remove_reader(self.reading)
            ended()

        loop.add_reader(self.reading, noticed)

    def watch_by_signal(self) -> None:
        """Let the kernel end this process when its parent is gone (Linux; elsewhere: no-op)."""
        with contextlib.suppress(OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def settle() -> None:
    """Prepare the memory of this process for being shared with children that are forked later.

    The garbage collector writes to each object that it looks at, and a page that is written to is
    shared no more. What lives now is therefore looked through once, and never again. To be called
    when a model was loaded, not before each fork: that would take the pages from older children.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def fork(work: Callable[[], None], *, lifeline: Lifeline, name: str) -> int:
    """Run ``work`` in a child and return its process id; the child ends with ``work``.

    The parent must have one thread: a lock that another thread holds would never be released in
    the child.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        lifeline.in_child()
        work()
        status = 0
    except BaseException as error:  # the edge of a process
        _LOGGER.exception("The %s process failed: %s", name, type(error).__name__)
    finally:
        logging.shutdown()
        # not sys.exit: the stack above belongs to the parent
        os._exit(status)


def describe_exit(status: int) -> str:
    """Return in words how a process ended, from :func:`os.waitpid`'s status."""
    code = os.waitstatus_to_exitcode(status)
    return f"by signal {-code}" if code < 0 else f"with {code}"
