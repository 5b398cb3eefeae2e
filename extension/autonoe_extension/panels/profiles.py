"""The profiles card: ``from autonoe import panels; panels.profiles()``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from autonoe_extension.messages import LANGUAGES, catalogues
from autonoe_extension.profile_view import running_view

_STATIC = Path(__file__).parent / "static"


class ProfilesPanel(anywidget.AnyWidget):
    """One card: what am I running, how did it start, and what else could I start.

    The kernel knows what its own server was started with. What else there is, and what is free
    now, the browser asks of the server, which asks the hub.
    """

    _esm = _STATIC / "profiles.js"
    # The house style of all cards is the first card's; this one adds its own few lines.
    _css = (_STATIC / "credentials.css").read_text(encoding="utf-8") + (
        _STATIC / "profiles.css"
    ).read_text(encoding="utf-8")

    running = traitlets.Dict().tag(sync=True)
    messages = traitlets.Dict().tag(sync=True)
    language = traitlets.Unicode("").tag(sync=True)

    def __init__(self, language: str = "") -> None:
        super().__init__(running=running_view(), messages=catalogues(), language=language)

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
    if language and language not in LANGUAGES:
        raise ValueError(f"The panel speaks {', '.join(LANGUAGES)}; not {language!r}.")
    return ProfilesPanel(language)
