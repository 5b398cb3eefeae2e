"""The profiles card: ``from autonoe import panels; panels.profiles()``."""

from __future__ import annotations

from typing import Any

import traitlets

from autonoe_extension.panels.card import Card, script, style
from autonoe_extension.profile_view import running_view


class ProfilesPanel(Card):
    """One card: what am I running, how did it start, and what else could I start.

    The kernel knows what its own server was started with. What else there is, and what is free
    now, the browser asks of the server, which asks the hub.
    """

    _esm = script("profiles")
    _css = style("profiles")

    running = traitlets.Dict().tag(sync=True)

    def __init__(self, language: str = "") -> None:
        super().__init__(language, running=running_view())

    def __repr__(self) -> str:
        running: dict[str, Any] = self.running
        steps = running["start"]["steps"]
        failed = [step["message"] for step in steps if step["state"] == "failed"]
        told = f"; {' '.join(failed)}" if failed else ""
        return f"Profile: {running['profile'] or 'none'}{told}"


def profiles(language: str = "") -> ProfilesPanel:
    """Show what this server runs on, how its start went, and what else can be started.

    Parameters
    ----------
    language : {"", "en", "fr"}
        Language of the card; by default the page's.

    Raises
    ------
    ValueError
        If there are no texts in ``language``.
    """
    return ProfilesPanel(language)
