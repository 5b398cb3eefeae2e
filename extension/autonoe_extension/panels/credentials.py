"""The credentials card: ``from autonoe import panels; panels.credentials()``."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from threading import Thread
from typing import Any

import traitlets

from autonoe.errors import AutonoeError
from autonoe_extension.credentials_view import credentials_view, problem_view
from autonoe_extension.panels.access_test import AccessTest
from autonoe_extension.panels.agent_client import agent_status
from autonoe_extension.panels.card import Card, script, style
from autonoe_extension.panels.written_forms import written_forms


class CredentialsPanel(Card):
    """One card: who am I, what may I reach, for how long, and does it work.

    The traits hold names and times, never a key or a token: a notebook may save them.
    """

    _esm = script("credentials")
    _css = style()

    view = traitlets.Dict().tag(sync=True)
    test = traitlets.Dict({"state": "idle"}).tag(sync=True)
    equivalents: traitlets.List[Any] = traitlets.List().tag(sync=True)

    _running: AccessTest | None = None

    def __init__(self, language: str = "") -> None:
        view = _read_view()
        super().__init__(language, view=view, equivalents=written_forms(view))
        self.on_msg(self._on_message)

    def refresh(self) -> None:
        """Read the state again from the agent."""
        self.view = _read_view()

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        """Start what the browser asked for in a thread: the kernel stays free meanwhile."""
        kind, run_id = content.get("type"), str(content.get("id", ""))
        if kind == "refresh":
            set_view = _in_kernel(lambda view: setattr(self, "view", view))
            Thread(target=lambda: set_view(_read_view()), daemon=True).start()
        elif kind == "test":
            set_test = _in_kernel(lambda state: setattr(self, "test", state))
            self._running = AccessTest(run_id, str(content.get("bucket", "")), set_test)
            Thread(target=self._running.run, daemon=True).start()
        elif kind == "cancel" and self._running is not None and self._running.run_id == run_id:
            self._running.cancelled.set()

    def __repr__(self) -> str:
        view = self.view
        names = ", ".join(item["name"] for item in view["buckets"]) or "none"
        return f"Credentials of {view['account'] or 'nobody'}: {view['state']}; buckets: {names}"


def credentials(language: str = "") -> CredentialsPanel:
    """Show who you are on the platform, what you reach, and whether it works.

    Parameters
    ----------
    language : {"", "en", "fr"}
        Language of the card; by default the page's.

    Raises
    ------
    ValueError
        If there are no texts in ``language``.
    """
    return CredentialsPanel(language)


def _read_view() -> dict[str, Any]:
    try:
        return credentials_view(agent_status())
    except AutonoeError as error:
        return problem_view(error)


def _in_kernel(change: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return ``change`` for use from another thread: it runs in the kernel's own loop.

    Widgets are not made for several threads; without a running loop (a plain script) the change
    is made at once.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return change
    context = contextvars.copy_context()  # holds the parent header that the kernel's messages need

    def later(value: Any) -> None:
        loop.call_soon_threadsafe(lambda: change(value), context=context)

    return later
