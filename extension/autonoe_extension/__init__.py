"""Jupyter server extension: credentials, platform state and panels.

Nothing is imported here: a kernel that shows a panel must not load the Jupyter server, and the
server must not load widgets.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from autonoe_extension.app import AutonoeExtension

    return [{"module": "autonoe_extension.app", "app": AutonoeExtension}]
