"""A nomenclature from a table of the user's."""

from __future__ import annotations

from pathlib import PurePosixPath

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature.build import Row, build_nodes
from autonoe_nace.nomenclature.tree import Nomenclature
from autonoe_nace.tables import Table, read_columns


def read_file(uri: str, *, language: str = "") -> Nomenclature:
    """Return the nomenclature of the CSV or Parquet file at ``uri``.

    Parameters
    ----------
    uri : str
        Path or ``s3://`` address. Columns: ``code``, and if present ``title``, ``level``,
        ``parent``, ``lang``.
    language : str, optional
        Keeps the rows of this language when there is a column ``lang``; the file's first
        language otherwise.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, has no column ``code`` or a code of no known form.
    """
    table = read_columns(uri)
    if "code" not in table.columns:
        raise InvalidInputError(
            f"The nomenclature file has no column 'code'; it has {', '.join(table.columns)}.",
            hint="Rename the column that holds the codes to 'code'.",
        )
    chosen = _language(table, language)
    size = len(table.columns["code"])
    empty = [""] * size
    column = {
        name: table.columns.get(name) or empty for name in ("title", "level", "parent", "lang")
    }
    rows = [
        Row(code.strip(), column["title"][i], column["level"][i], column["parent"][i])
        for i, code in enumerate(table.columns["code"])
        if code.strip() and (not chosen or column["lang"][i] in ("", chosen))
    ]
    return Nomenclature(
        PurePosixPath(uri).stem,
        language=chosen or language or "und",
        nodes=build_nodes(rows),
        attribution="As stated by the provider of the nomenclature file.",
    )


def _language(table: Table, wanted: str) -> str:
    present = list(dict.fromkeys(table.columns.get("lang", [])))
    if not present:
        return ""
    if wanted and wanted not in present:
        raise InvalidInputError(
            f"The nomenclature file has no titles in {wanted!r}; it has {', '.join(present)}.",
            hint="Choose one of these with --language.",
        )
    return wanted or present[0]
