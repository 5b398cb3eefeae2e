"""The page of the built-in profiles, and the published schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from autonoe.profiles.compile import docs_page
from autonoe.profiles.schema import SCHEMAS
from autonoe.profiles.sources import load

from .walk import NOTE


def page() -> str:
    """Return the page of the built-in profiles."""
    return f"{NOTE}\n{docs_page(load())}"


def _schema(name: str) -> str:
    return json.dumps(SCHEMAS[name](), indent=1, ensure_ascii=False)


SCHEMA_FILES: dict[str, Callable[[], str]] = {
    f"schemas/{name}.json": partial(_schema, name) for name in SCHEMAS
}
"""Below the reference pages; editors read them from there."""
