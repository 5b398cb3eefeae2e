"""When a profile ends a server by itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from autonoe.profiles.choice import Choice

_HOUR_S = 3600.0


def limits(choice: Choice, now: float | None = None) -> tuple[float, float]:
    """Return when a server that starts now ends in any case, and its longest time without activity.

    The first in seconds since the epoch, the second in seconds; 0 is never.
    """
    began = time.time() if now is None else now
    total = choice.lifetime.total_hours
    return (began + total * _HOUR_S if total else 0.0), choice.lifetime.idle_hours * _HOUR_S


def over(
    stops_at: float, idle_s: float, last_activity: datetime | None, now: float | None = None
) -> str:
    """Return why a server is to end now; "" if it is not.

    Parameters
    ----------
    stops_at, idle_s : float
        As :func:`limits` returned them.
    last_activity : datetime or None
        As JupyterHub records it, in UTC without a zone.
    now : float, optional
        Seconds since the epoch; default the present.
    """
    present = time.time() if now is None else now
    if stops_at and present >= stops_at:
        return "its profile's longest time is over"
    if idle_s and last_activity is not None:
        idle_since = last_activity.replace(tzinfo=UTC).timestamp()
        if present - idle_since >= idle_s:
            return "it was idle for as long as its profile allows"
    return ""
