"""Which language a page is in, and the words of the start form and of the hub's own pages."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "fr")


@cache
def words() -> dict[str, dict[str, str]]:
    """Return all texts by language and key; ``{name}`` in a text is filled in."""
    folder = files("autonoe_hub") / "words"
    return {
        language: json.loads(folder.joinpath(f"{language}.json").read_text(encoding="utf-8"))
        for language in LANGUAGES
    }


def choose_language(setting: str, accept_language: str) -> str:
    """Return the language of a page.

    Parameters
    ----------
    setting : {"auto", "en", "fr"}
        What the site says; ``auto`` follows the browser.
    accept_language : str
        The request's header.

    Examples
    --------
    >>> choose_language("auto", "fr-CH, fr;q=0.9, en;q=0.8")
    'fr'
    >>> choose_language("en", "fr")
    'en'
    """
    if setting in LANGUAGES:
        return setting
    weighted = []
    for part in accept_language.split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        weight = parameters.strip().removeprefix("q=") if parameters else "1"
        try:
            weighted.append((-float(weight), tag.strip().lower().split("-")[0]))
        except ValueError:
            continue
    for _, language in sorted(weighted, key=lambda pair: pair[0]):
        if language in LANGUAGES:
            return language
    return "en"


class Speaker:
    """Says a text of the catalogue in one language: ``t("form.start")``."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._texts = words()[self.language]

    def __call__(self, key: str, **values: Any) -> str:
        """Return the text ``key`` with ``values`` filled in; the key itself if there is none."""
        text = self._texts.get(key, key)
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text

    def has(self, key: str) -> bool:
        """Return whether there is a text of that key."""
        return key in self._texts

    def number(self, value: float, digits: int = 1) -> str:
        """Return ``value`` with at most ``digits`` decimals, as the language writes it."""
        shown = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
        return shown.replace(".", ",") if self.language == "fr" else shown
