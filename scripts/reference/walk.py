"""What the reference pages share: the packages' modules and classes, and a markdown table."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

PACKAGES = ("autonoe", "autonoe_nace", "autonoe_hub", "autonoe_extension", "autonoe_kernels")
NOTE = "<!-- Written by scripts/reference from docstrings and help texts: change those. -->\n"


def modules() -> Iterator[ModuleType]:
    """Import and yield every module of the five packages, in name order."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        yield root
        names = [found.name for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
        for name in sorted(names):
            if not name.endswith(("__main__", "jupyterhub_config")):
                yield importlib.import_module(name)


def own_classes(base: type) -> list[type]:
    """Return the subclasses of ``base`` that the packages define, in order of package and name."""
    found = {
        member
        for module in modules()
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member.__module__ == module.__name__
    }
    return sorted(found, key=lambda c: (PACKAGES.index(c.__module__.split(".")[0]), c.__name__))


def first_paragraph(text: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    return inspect.cleandoc(text or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")


def table(head: list[str], rows: list[list[object]]) -> str:
    """Return a markdown table."""
    lines: list[list[object]] = [[*head], ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").strip() or " "
