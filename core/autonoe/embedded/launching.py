"""Starting the guard, which starts the supervisor, in a session of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from autonoe.embedded import process_table
from autonoe.embedded.layout import Layout


def start_guard(layout: Layout) -> subprocess.Popen[bytes]:
    """Start the guard and the supervisor for ``layout``; returns at once, with the guard."""
    guard = Path(__file__).with_name("guard.sh")
    descriptor = os.open(
        layout.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    with os.fdopen(descriptor, "ab") as output:
        return subprocess.Popen(
            [
                "/bin/sh",
                str(guard),
                sys.executable,
                "-P",
                "-m",
                "autonoe.embedded.supervisor",
                str(layout.root),
            ],
            env={**_environment(), process_table.MARK: str(layout.root)},
            cwd=layout.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """Return the person's environment without another platform's marks.

    Started from a terminal of another platform, this one must not count as a part of it.
    """
    settings = ("AUTONOE_HUB_", "AUTONOE_OIDC_")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AUTONOE_") or name.startswith(settings)
    }
