"""What all cards share: their script's and style's first part, their texts and language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from autonoe_extension.messages import LANGUAGES, catalogues

_STATIC = Path(__file__).parent / "static"


def script(name: str) -> str:
    """Return the module of the card ``name``: the shared functions, then its own."""
    return _read("card.js") + _read(f"{name}.js")


def style(*names: str) -> str:
    """Return the house style of all cards, then the few lines of the cards ``names``."""
    return "".join(_read(f"{name}.css") for name in ("card", *names))


def _read(file: str) -> str:
    return (_STATIC / file).read_text(encoding="utf-8")


class Card(anywidget.AnyWidget):
    """A widget that speaks the languages of the platform.

    Parameters
    ----------
    language : {"", "en", "fr"}
        Language of the card; by default the page's.
    **values : Any
        The card's own traits.

    Raises
    ------
    ValueError
        If there are no texts in ``language``.
    """

    messages = traitlets.Dict().tag(sync=True)
    language = traitlets.Unicode("").tag(sync=True)

    def __init__(self, language: str = "", **values: Any) -> None:
        if language and language not in LANGUAGES:
            raise ValueError(f"The panel speaks {', '.join(LANGUAGES)}; not {language!r}.")
        super().__init__(messages=catalogues(), language=language, **values)
