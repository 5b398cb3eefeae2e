"""Run one server until it is told to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from threadpoolctl import threadpool_limits

from autonoe.credentials import session
from autonoe.errors import UnavailableError
from autonoe_nace.serving.master import Master
from autonoe_nace.serving.settings import ServingSettings


def serve(settings: ServingSettings, *, keeper: int = 0) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are answered first.

    Parameters
    ----------
    settings : ServingSettings
        Frozen settings.
    keeper : int
        The process that renews the credentials, from :func:`credentials_beside`; 0 for none.

    Raises
    ------
    AutonoeError
        If the keeper ended, or if the model is a folder and cannot be served. A model of the
        registry is awaited instead.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # the products are small: with a second thread each waits for the other, five times slower
    with threadpool_limits(limits=1):
        Master(settings, keeper=keeper).run()


@contextmanager
def credentials_beside() -> Iterator[int]:
    """Have the account's credentials renewed by a process of its own, until the block ends.

    A deployment is told whose it is. The agent has threads, and a process with threads must not
    fork workers; so it lives in a child, and this process takes its variables over.
    Yields the child's process id.
    """
    reading, writing = os.pipe()
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        os.close(theirs)
        _keep_credentials(writing, ours)
    os.close(writing)
    os.close(ours)
    with os.fdopen(reading, "rb") as stream:
        raw = stream.read()
    try:
        if not raw:
            raise UnavailableError(
                "The credentials of this deployment cannot be kept fresh.",
                hint="The log above says why; autonoe status shows what runs.",
            )
        os.environ.clear()
        os.environ.update(json.loads(raw))
        yield pid
    finally:
        os.close(theirs)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _keep_credentials(told: int, parent: int) -> None:
    """Run the agent until the parent is gone; the end of a child process."""
    status = 1
    try:
        # the parent still needs the credentials while it ends
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        with session():
            with os.fdopen(told, "w") as stream:
                json.dump(dict(os.environ), stream)
            os.read(parent, 1)
        status = 0
    except Exception:  # the edge of a process
        logging.getLogger(__name__).exception("The credential agent failed")
    finally:
        os._exit(status)
