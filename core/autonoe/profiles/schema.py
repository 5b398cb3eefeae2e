"""The JSON Schemas, for editors and for those who generate catalogues."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from autonoe.profiles import model, site, sources
from autonoe.profiles.options import Wanted

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def catalogue_schema() -> dict[str, Any]:
    """Return the schema of a catalogue file."""
    return _schema(model.CatalogueFile, "A catalogue file of Autonoe")


def site_schema() -> dict[str, Any]:
    """Return the schema of the site's settings file."""
    return _schema(site.Site, "The site's settings of Autonoe")


def options_schema() -> dict[str, Any]:
    """Return the schema of ``user_options`` in a request that starts a server."""
    return _schema(Wanted, "What a server is started with")


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "catalogue": catalogue_schema,
    "options": options_schema,
    "site": site_schema,
}
"""Name to the function that makes it."""


def _schema(root: type[BaseModel], title: str) -> dict[str, Any]:
    document = root.model_json_schema(mode="validation")
    texts = _texts()
    for name, part in [(root.__name__, document), *document.get("$defs", {}).items()]:
        for field, text in texts.get(name, {}).items():
            if field in part.get("properties", {}):
                part["properties"][field]["description"] = text
    _shorthands(document)
    return {"$schema": _DRAFT, **document, "title": title}


def _shorthands(document: dict[str, Any]) -> None:
    """Allow what the models take in a shorter form: a plain text, a plain number."""
    definitions = document.get("$defs", {})
    for name, short in (
        ("Words", {"type": "string"}),
        ("Amount", {"type": "number", "minimum": 0}),
    ):
        if name in definitions:
            definitions[name] = {"anyOf": [definitions[name], short]}


def _texts() -> dict[str, dict[str, str]]:
    """Return class and field to the docstring that stands below the field."""
    found: dict[str, dict[str, str]] = {}
    for module in (model, site, sources, inspect.getmodule(Wanted)):
        assert module is not None  # noqa: S101  the class was imported from it
        for node in ast.parse(inspect.getsource(module)).body:
            if not isinstance(node, ast.ClassDef):
                continue
            for field, text in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    plain = inspect.cleandoc(str(text.value.value)).replace("``", "`")
                    found.setdefault(node.name, {})[field.target.id] = " ".join(plain.split())
    return found
