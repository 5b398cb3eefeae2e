"""What counts as work: a server at work is not idle, whoever is looking.

Jupyter counts messages: a model that trains for an hour without printing looks idle, and the hub's
culler would end it. Here a busy kernel counts, and so does a command in a terminal. An open page
does not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psutil

log = logging.getLogger(__name__)

SETTING = "autonoe_last_activity"
"""Jupyter takes the latest of all settings with this ending as the server's last activity."""

EVERY_S = 10.0
"""Between two looks. The hub is told every five minutes, unless it says otherwise."""


class ActivityKeeper:
    """Marks the server as active while something computes in it.

    Parameters
    ----------
    serverapp : ServerApp
        Its kernels and terminals are looked at.
    """

    def __init__(self, serverapp: Any) -> None:
        self.serverapp = serverapp
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on, until `stop`."""
        self._task = asyncio.create_task(self._keep())

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _keep(self) -> None:
        while True:
            try:
                if self.is_at_work():
                    self.serverapp.web_app.settings[SETTING] = datetime.now(UTC)
            except (OSError, psutil.Error, RuntimeError) as error:
                # A process or kernel that left while it was looked at; the next look is soon.
                log.debug("Activity could not be read: %s", error)
            await asyncio.sleep(EVERY_S)

    def is_at_work(self) -> bool:
        """Return whether a kernel is busy, or a terminal runs a command."""
        return self._busy_kernel() or _busy_shell(self._terminals())

    def _busy_kernel(self) -> bool:
        manager = self.serverapp.kernel_manager
        kernels = [manager.get_kernel(name) for name in list(manager.list_kernel_ids())]
        return any(getattr(kernel, "execution_state", "") == "busy" for kernel in kernels)

    def _terminals(self) -> list[int]:
        manager = self.serverapp.web_app.settings.get("terminal_manager")
        terminals = getattr(manager, "terminals", {}) or {}
        return [int(one.ptyproc.pid) for one in list(terminals.values())]


def _busy_shell(shells: Iterable[int]) -> bool:
    """Return whether a shell has a child; one that waits at its prompt has none."""
    for pid in shells:
        try:
            if psutil.Process(pid).children():
                return True
        except psutil.NoSuchProcess:
            continue
    return False
