"""Names of models: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``, and their cache folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from autonoe.errors import InvalidInputError
from autonoe.names import slug

PREFIX = "models:/"
_FORM = re.compile(
    r"models:/(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,99})"
    r"(?:@(?P<alias>[A-Za-z0-9][A-Za-z0-9._-]{0,99})|/(?P<version>[0-9]{1,9}))"
)


@dataclass(frozen=True)
class ModelUri:
    """A registered model by alias or by version; the other one is empty."""

    name: str
    alias: str = ""
    version: str = ""

    @classmethod
    def parse(cls, uri: str) -> ModelUri:
        """Return the parts of ``uri``.

        Raises
        ------
        InvalidInputError
            If it has neither form.
        """
        found = _FORM.fullmatch(uri)
        if found is None:
            raise InvalidInputError(
                "A registered model is written models:/NAME@ALIAS or models:/NAME/VERSION.",
                hint="For example models:/nace@champion",
            )
        return cls(found["name"], found["alias"] or "", found["version"] or "")


def cached_folder(cache: Path, name: str, version: str, model_id: str) -> Path:
    """Return where a fetched version lies; another content never lands in the same folder."""
    return cache / slug(name) / f"{version}-{slug(model_id)}"
