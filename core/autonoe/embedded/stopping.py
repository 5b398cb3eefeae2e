"""What ``autonoe down`` does: asks the supervisor, then looks for whatever is left."""

from __future__ import annotations

from autonoe.embedded import process_table
from autonoe.embedded.control import call
from autonoe.embedded.layout import Layout
from autonoe.errors import AutonoeError, UnavailableError
from autonoe.waiting import wait_until

STOP_TIMEOUT_S = 60.0


def stop(layout: Layout) -> bool:
    """Stop everything that was started for ``layout``; returns whether anything ran.

    Raises
    ------
    AutonoeError
        If a process cannot be ended (``left_running``), for instance another user's.
    """
    before = process_table.of_platform(layout)
    try:
        call(layout.control_socket, "stop", timeout_s=10.0)
        wait_until(
            lambda: not process_table.of_platform(layout),
            timeout_s=STOP_TIMEOUT_S,
            what="the processes of the platform to end",
            interval_s=0.1,
        )
    except UnavailableError:
        pass  # no supervisor, or one that hangs: the rest is ended from here
    # A guard starts a new supervisor when it sees one die, so it goes first, in one sweep.
    for _ in range(3):
        left = process_table.of_platform(layout)
        if not left:
            break
        process_table.end_all(left)
    if left := process_table.of_platform(layout):
        raise AutonoeError(
            f"{len(left)} processes could not be ended: {', '.join(map(str, left))}.",
            hint="End them as the user who started them.",
            code="left_running",
        )
    for record in layout.run.glob("*.json"):
        record.unlink(missing_ok=True)
    for socket in layout.run.glob("*.sock"):
        socket.unlink(missing_ok=True)
    return bool(before)
