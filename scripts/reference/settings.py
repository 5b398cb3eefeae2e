"""The page of all settings: environment variables and traits."""

from __future__ import annotations

import ast
import inspect
import itertools

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings
from traitlets import HasTraits

from .walk import NOTE, first_paragraph, own_classes, table

INTRO = """# Settings

Parts that Jupyter loads are configured by traits in a configuration file; the others read
environment variables when they start. On the embedded platform nothing here needs to be set by
hand.
"""


def _attribute_docstrings(cls: type) -> dict[str, str]:
    (definition,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    found = {}
    for node, after in itertools.pairwise(body):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[node.target.id] = first_paragraph(str(after.value.value))
    return found


def _section(cls: type, head: str, rows: list[list[object]]) -> str:
    intro = f"`{cls.__module__}`. {first_paragraph(cls.__doc__)}\n"
    return "\n".join([f"## {cls.__name__}\n", intro, table([head, "Meaning", "Default"], rows)])


def _settings_of(cls: type[BaseSettings]) -> str:
    docs = _attribute_docstrings(cls)
    rows: list[list[object]] = []
    for name, field in cls.model_fields.items():
        alias = field.validation_alias
        variable = str(alias or f"{cls.model_config.get('env_prefix', '')}{name}").upper()
        default = "required" if field.is_required() else ""
        if field.default is not PydanticUndefined and field.default not in (None, "", ()):
            default = f"`{field.default}`"
        rows.append([f"`{variable}`", field.description or docs.get(name, ""), default])
    return _section(cls, "Variable", rows)


def _traits_of(cls: type[HasTraits]) -> str:
    rows: list[list[object]] = []
    for name, trait in sorted(cls.class_own_traits(config=True).items()):
        if not trait.help:
            continue  # inherited, with another default
        default = trait.default_value
        shown = f"`{default!r}`" if isinstance(default, str | int | float | bool) else ""
        rows.append([f"`c.{cls.__name__}.{name}`", first_paragraph(trait.help), shown])
    return _section(cls, "Trait", rows) if rows else ""


def page() -> str:
    """Return the page of all settings."""
    parts = [NOTE, INTRO]
    parts += [_settings_of(cls) for cls in own_classes(BaseSettings)]
    parts += filter(None, [_traits_of(cls) for cls in own_classes(HasTraits)])
    return "\n".join(parts)
