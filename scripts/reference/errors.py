"""The page of error codes."""

from __future__ import annotations

import ast
import inspect

from autonoe.errors import AutonoeError

from .walk import NOTE, first_paragraph, modules, own_classes, table

INTRO = """# Errors

Every error has the same form on the command line, over HTTP and in a panel:
`{"error": {"code", "message", "hint"}}`. The message says what was wanted and what was
found; the hint is the next step. Scripts rely on the code.
"""


def codes_given_where_raised() -> dict[str, set[str]]:
    """Return code to error classes, for errors that are raised with ``code="..."``."""
    found: dict[str, set[str]] = {}
    for module in modules():
        for node in ast.walk(ast.parse(inspect.getsource(module) or "")):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            for keyword in node.keywords:
                literal = isinstance(keyword.value, ast.Constant)
                if keyword.arg == "code" and literal and node.func.id.endswith("Error"):
                    found.setdefault(str(keyword.value.value), set()).add(node.func.id)
    return found


def page() -> str:
    """Return the page of error codes."""
    classes: dict[str, list[type[AutonoeError]]] = {}
    for cls in own_classes(AutonoeError):
        if issubclass(cls, AutonoeError):
            classes.setdefault(cls.code, []).append(cls)
    rows: list[list[object]] = []
    for code, sharing in classes.items():
        names = ", ".join(f"`{cls.__module__}.{cls.__name__}`" for cls in sharing)
        rows.append([f"`{code}`", first_paragraph(sharing[0].__doc__), names])
    for code, names_of in codes_given_where_raised().items():
        if code not in classes:
            names = ", ".join(f"`{name}`" for name in sorted(names_of))
            rows.append([f"`{code}`", f"A special case of {names}.", ""])
    rows.sort(key=lambda row: str(row[0]))
    return "\n".join([NOTE, INTRO, table(["Code", "Meaning", "Python class"], rows)])
