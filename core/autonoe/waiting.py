"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from autonoe.errors import UnavailableError

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T | None],
    *,
    timeout_s: float,
    what: str,
    interval_s: float = 0.05,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Call ``condition`` until it returns something true, and return that.

    Parameters
    ----------
    condition : callable
        Called at once, then after growing pauses; it should itself return within a second or so.
    timeout_s : float
        Seconds after which waiting ends. The condition is called at least once.
    what : str
        What is waited for, as it should appear after "Waited 5 s for ".
    interval_s : float
        Seconds of the first pause; later pauses grow to ten times that.
    ignoring : tuple of exception types
        Raised by ``condition``, these mean "not yet".

    Raises
    ------
    UnavailableError
        If the deadline passes; the last ignored exception is its cause.
    """
    deadline = time.monotonic() + timeout_s
    pause = interval_s
    while True:
        cause: Exception | None = None
        try:
            if value := condition():
                return value
        except ignoring as error:
            cause = error
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnavailableError(
                f"Waited {timeout_s:g} s for {what}, in vain."
                + (f" Last answer: {cause}" if cause else ""),
                hint="`autonoe status` and the component's log say more.",
            ) from cause
        time.sleep(min(pause, left))
        pause = min(pause * 1.3, interval_s * 10)
