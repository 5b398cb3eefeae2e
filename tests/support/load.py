"""How much slower this machine is now than when it has nothing else to do."""

from __future__ import annotations

import os


def busy_factor() -> float:
    """Return by what a limit in seconds is to be multiplied: 1 on an idle machine.

    The load counts what is running or waits to run; more of that than cores means that each gets
    its share only.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
