"""Reading labelled texts from a table."""

from __future__ import annotations

from collections.abc import Sequence

from autonoe.errors import InvalidInputError
from autonoe_nace.data.conditions import Condition
from autonoe_nace.data.dataset import Dataset, examine
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.tables import Table, read_columns

_SHOWN = 5


def read_table(
    uri: str,
    *,
    nomenclature: Nomenclature,
    text_column: str = "text",
    code_column: str = "code",
    where: Sequence[Condition] = (),
    language: str = "",
    feature_columns: Sequence[str] = (),
) -> Dataset:
    """Return the labelled texts of the CSV or Parquet file at ``uri``, with the report on it.

    Parameters
    ----------
    uri : str
        Path or ``s3://`` address.
    nomenclature : Nomenclature
        What the codes belong to.
    text_column, code_column : str
        Names of the columns.
    where : sequence of Condition
        Rows to keep; the report counts these, by their numbers in the file.
    language : str, optional
        Language of the texts; that of the nomenclature by default.
    feature_columns : sequence of str
        Names of the columns that hold side variables.

    Raises
    ------
    InvalidInputError
        If the file or a column does not exist, or no row can be used.
    """
    conditions = [c.column for c in where]
    table = read_columns(uri, [text_column, code_column, *feature_columns, *conditions])
    chosen = _chosen(table, where, uri)
    codes = table.columns[code_column]
    data = examine(
        [table.columns[text_column][i] for i in chosen],
        [codes[i] for i in chosen],
        nomenclature,
        numbers=[i + 1 for i in chosen],
        numeric_codes=code_column in table.numeric,
        ragged=sorted(set(table.ragged) & {i + 1 for i in chosen}),
        notes=_notes(table, code_column, len(chosen), where),
        source=uri,
        language=language,
        features={
            name: [table.columns[name][i] for i in chosen]
            for name in dict.fromkeys(feature_columns)
        },
    )
    if not len(data):
        shown = ", ".join(repr(code) for code in list(dict.fromkeys(codes))[:_SHOWN])
        raise InvalidInputError(
            f"No row of {uri} can be used with the nomenclature {nomenclature.name}. "
            + " ".join(data.report.lines()),
            hint=f"The column {code_column!r} holds codes such as {shown}: check --nomenclature "
            "and --code-column.",
            code="no_usable_row",
        )
    return data


def read_texts(uri: str, *, text_column: str = "text") -> list[str]:
    """Return the texts of one column of a file, empty ones included, in the file's order.

    Raises
    ------
    InvalidInputError
        If the file or the column does not exist.
    """
    return read_columns(uri, [text_column]).columns[text_column]


def _chosen(table: Table, where: Sequence[Condition], uri: str) -> list[int]:
    size = len(next(iter(table.columns.values())))
    chosen = [i for i in range(size) if all(c.holds(table.columns[c.column][i]) for c in where)]
    if not chosen:
        wanted = f" with {' and '.join(map(str, where))}" if where else ""
        raise InvalidInputError(
            f"The file {uri} has no row{wanted}.", hint="Check the file and the conditions."
        )
    return chosen


def _notes(table: Table, code_column: str, used: int, where: Sequence[Condition]) -> list[str]:
    notes = []
    if table.encoding not in ("utf-8", "utf-16", "parquet"):
        notes.append(
            f"The file is not UTF-8; it was read as {table.encoding}. Check accented letters."
        )
    if code_column in table.numeric:
        notes.append(
            f"The column {code_column!r} holds numbers; keep codes as text, "
            "or their leading zeros are lost."
        )
    if where:
        notes.append(f"{used:,} rows meet {' and '.join(map(str, where))}.")
    return notes
