"""The one catalogue of what people read, in English and French."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "fr")


@cache
def catalogues() -> dict[str, dict[str, str]]:
    """Return all texts by language and key; ``{name}`` in a text is filled in by the front end."""
    folder = files(__package__)
    return {
        language: json.loads(folder.joinpath(f"{language}.json").read_text(encoding="utf-8"))
        for language in LANGUAGES
    }
