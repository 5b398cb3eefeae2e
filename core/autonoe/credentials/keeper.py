"""Keeps an S3 session ready, in the background, so that no kernel ever waits for one."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from autonoe.errors import AutonoeError, UnavailableError
from autonoe.identity.sts import S3Session

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.25
_LONGEST_RETRY_S = 3.0
# A laptop that slept finds the wall clock moved: no wait is longer than this.
_LONGEST_WAIT_S = 30.0


class SessionKeeper:
    """Renews one S3 session before it ends.

    Parameters
    ----------
    make : callable
        Returns a new session, or raises an AutonoeError.
    margin_s : float
        A session with less time left than this is replaced, in seconds.
    on_change : callable, optional
        Called from the keeper's thread after each new session.
    """

    def __init__(
        self,
        make: Callable[[], S3Session],
        *,
        margin_s: float,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._make = make
        self._margin_s = margin_s
        self._on_change = on_change
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._stopped = False
        self._session: S3Session | None = None
        self._renewed: datetime | None = None
        self._renewals = 0
        self._failure: tuple[datetime, AutonoeError] | None = None
        self._thread = threading.Thread(target=self._run, name="autonoe-sessions", daemon=True)

    def start(self) -> None:
        """Begin in the background; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the thread up to a call's own timeout."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def session(self, *, wait_s: float) -> S3Session:
        """Return a session that is valid now, waiting up to ``wait_s`` seconds for the first.

        Raises
        ------
        AutonoeError
            The last failure, if there is no valid session.
        """
        deadline = time.monotonic() + wait_s
        with self._changed:
            if not self._valid():
                # Once: a crowd of requests must not turn the growing pauses into a busy loop.
                self._wake.set()
            while True:
                session = self._session
                if session is not None and self._valid():
                    return session
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            failure = self._failure
        if failure is not None:
            raise failure[1]
        raise UnavailableError(
            "There is no S3 session yet.", hint="It is being made; try again in some seconds."
        )

    def status(self) -> dict[str, Any]:
        """Return the state for people and panels; it holds no secret."""
        with self._changed:
            session, failure = self._session, self._failure
            return {
                "ready": self._valid(),
                "expires": session.expires.isoformat() if session else None,
                "seconds_left": max(0, round(session.seconds_left())) if session else 0,
                "last_renewal": self._renewed.isoformat() if self._renewed else None,
                "next_renewal": (session.expires - timedelta(seconds=self._margin_s)).isoformat()
                if session
                else None,
                "renewals": self._renewals,
                "failing_since": failure[0].isoformat() if failure else None,
                "error": failure[1].as_dict()["error"] if failure else None,
            }

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._stopped:
            wait_s = self._seconds_to_renewal()
            if wait_s <= 0:
                if self._renew():
                    retry_s = _FIRST_RETRY_S
                    wait_s = self._seconds_to_renewal()
                else:
                    # Jitter: all servers of a classroom lost the same component at once.
                    wait_s = retry_s * random.uniform(0.5, 1.0)  # noqa: S311
                    retry_s = min(_LONGEST_RETRY_S, retry_s * 2)
            self._wake.wait(min(max(wait_s, 0.05), _LONGEST_WAIT_S))
            self._wake.clear()

    def _valid(self) -> bool:
        return self._session is not None and self._session.seconds_left() > 0

    def _seconds_to_renewal(self) -> float:
        session = self._session
        return 0 if session is None else session.seconds_left() - self._margin_s

    def _renew(self) -> bool:
        now = datetime.now(UTC)
        try:
            session = self._make()
        except AutonoeError as error:
            self._failed(now, error)
            return False
        except Exception:  # the thread must outlive whatever went wrong
            log.exception("making an S3 session failed")
            self._failed(now, AutonoeError("Making an S3 session failed: see the server's log."))
            return False
        with self._changed:
            if self._failure is not None:
                log.info("S3 sessions are back")
            self._session, self._renewed, self._failure = session, now, None
            self._renewals += 1
            self._changed.notify_all()
        self._on_change()
        return True

    def _failed(self, now: datetime, error: AutonoeError) -> None:
        with self._changed:
            if self._failure is None:
                log.warning("no new S3 session: %s", error.message)
            self._failure = (self._failure[0] if self._failure else now, error)
            self._changed.notify_all()
