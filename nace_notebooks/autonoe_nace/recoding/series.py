"""Counts in both versions over time, and what each old code became: shares with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.recoding.recoded import RecodedRegister
from autonoe_nace.recoding.register import place, unavailable
from autonoe_nace.recoding.spread import SINGLE, Count

_Z95 = 1.959963984540054
UNKNOWN = ""
"""Code of what could not be recoded or has no code at the level."""
_OPEN = ("variance", "mixed", "uncertain", "largest")

_CANDIDATES = """
CREATE VIEW candidates AS
SELECT row, period, weight, source, unnest(codes) AS target, unnest(shares) AS p FROM (
  SELECT row, period, weight, source,
    CASE WHEN status = 'person' OR len(candidates) = 0 THEN [target] ELSE candidates END AS codes,
    CASE WHEN status = 'person' OR len(candidates) = 0 THEN [1.0] ELSE probabilities END AS shares
  FROM final)
"""
_COUNTS = """
SELECT period, code, sum(weight * p) AS n, sum(weight * weight * p * (1 - p)) AS variance,
       sum(weight * p * (1 - p)) AS mixed, coalesce(sum(weight * p) FILTER (p < 1), 0) AS uncertain,
       coalesce(
         arg_max([weight, p], weight * weight * p * (1 - p), {single}) FILTER (p < 1), []
       ) AS largest
FROM (SELECT row, any_value(period) AS period, any_value(weight) AS weight,
             coalesce(above.code, '') AS code, least(1, sum(p)) AS p
      FROM candidates LEFT JOIN {side}_above AS above ON candidates.{side} = above.below
      GROUP BY row, coalesce(above.code, ''))
GROUP BY ALL ORDER BY ALL
"""
_MATRIX = """
SELECT source, target, sum(weight * p) AS n, sum(weight * weight) AS squares
FROM (SELECT row, any_value(weight) AS weight, coalesce(s.code, '') AS source,
             coalesce(t.code, '') AS target, least(1, sum(p)) AS p
      FROM candidates LEFT JOIN source_above s ON candidates.source = s.below
      LEFT JOIN target_above t ON candidates.target = t.below
      GROUP BY row, coalesce(s.code, ''), coalesce(t.code, ''))
GROUP BY ALL ORDER BY ALL
"""
_UNITS = """
SELECT coalesce(s.code, '') AS source, sum(weight) AS n, sum(weight * weight) AS squares
FROM final LEFT JOIN source_above s ON final.source = s.below GROUP BY 1
"""


def counts(registers: Sequence[RecodedRegister], *, level: int = 4) -> list[dict[str, Any]]:
    """Return how many units each code had in each period, in both versions.

    One register recoded from the old version to the new, another recoded back: together they give
    two series that are each in one version over the change.

    Parameters
    ----------
    registers : sequence of RecodedRegister
        Each unit and period in one of them only.
    level : int
        1 section to 6.

    Returns
    -------
    list of dict
        ``version``, ``period``, ``code``, ``title``, ``n`` (sum of weights), ``low``, ``high``,
        ``basis`` (``labelled`` or ``recoded``). A recoded ``n`` is an expectation over the model's
        probabilities; the 95 % interval says what the model leaves open about these units (see
        :mod:`~autonoe_nace.recoding.spread`), so that it has no width where the table or people
        decided.

    Raises
    ------
    InvalidInputError
        If no register is given or a version has no such level.
    """
    if not registers:
        raise InvalidInputError("There is no register.", hint="Recode one first.")
    found: dict[tuple[str, str, str, str], Count] = {}
    trees: dict[str, Nomenclature] = {}
    for register in registers:
        sides = {"source": register.source, "target": register.target}
        with _prepared(register, level) as database:
            for side, tree in sides.items():
                trees[tree.name] = tree
                basis = "labelled" if side == "source" else "recoded"
                for row in _fetch(database, _COUNTS.format(side=side, single=SINGLE)):
                    key = (tree.name, str(row["period"]), str(row["code"]), basis)
                    count = found.setdefault(key, Count())
                    # of the labelled version every code is certain
                    left_open = _OPEN if side == "target" else ()
                    count.add(row["n"], *(row[name] for name in left_open))
    out = []
    for (version, period, code, basis), count in sorted(found.items()):
        low, high = count.interval()
        out.append(
            {
                "version": version,
                "period": period,
                "code": code,
                "title": trees[version].title(code),
                "n": count.n,
                "low": low,
                "high": high,
                "basis": basis,
            }
        )
    return out


def conversion(register: RecodedRegister, *, level: int = 4) -> list[dict[str, Any]]:
    """Return the conversion matrix: how much of each old code went to each new one.

    Parameters
    ----------
    register : RecodedRegister
        Its units are taken for a sample of those that the shares will be used for.
    level : int
        1 section to 6.

    Returns
    -------
    list of dict
        ``source``, ``target``, ``n`` (expected weight), ``share`` (of the source code, with ``low``
        and ``high``: 95 % after Wilson with the effective number of units) and ``share_of_target``
        (the other way round).
    """
    with _prepared(register, level) as database:
        cells = _fetch(database, _MATRIX)
        units = {row["source"]: row for row in _fetch(database, _UNITS)}
    totals: dict[str, float] = {}
    for cell in cells:
        totals[cell["target"]] = totals.get(cell["target"], 0.0) + cell["n"]
    out = []
    for cell in cells:
        of = units[cell["source"]]
        if not of["n"]:
            continue
        effective = of["n"] ** 2 / of["squares"]
        share = min(1.0, cell["n"] / of["n"])
        low, high = _wilson(share, effective)
        back = cell["n"] / totals[cell["target"]] if totals[cell["target"]] else 0.0
        out.append(
            {
                "source": cell["source"],
                "target": cell["target"],
                "n": cell["n"],
                "share": share,
                "low": low,
                "high": high,
                "share_of_target": back,
                "effective_units": effective,
            }
        )
    return out


def shares(matrix: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """Return the shares of a conversion matrix in the form that ``recode`` and ``dual`` take."""
    return {
        (row["source"], row["target"]): row["share"]
        for row in matrix
        if row["source"] and row["target"]
    }


def convert(
    totals: Mapping[str, float], matrix: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Bring published totals by old code to the new version: bridging for periods without units.

    Parameters
    ----------
    totals : mapping of str to float
        Total by old code, of any variable for which the shares hold.
    matrix : sequence of dict
        Of :func:`conversion`, at the same level.

    Returns
    -------
    list of dict
        ``code``, ``n``, ``low``, ``high``: 95 %, from the uncertainty of the shares. What no row
        of the matrix converts is under the code ``""``.
    """
    sums: dict[str, float] = {}
    variances: dict[str, float] = {}
    known = {row["source"] for row in matrix}
    for row in matrix:
        total = totals.get(row["source"], 0.0)
        code, p = row["target"], row["share"]
        sums[code] = sums.get(code, 0.0) + total * p
        spread = total**2 * p * (1 - p) / row["effective_units"]
        variances[code] = variances.get(code, 0.0) + spread
    lost = sum(total for code, total in totals.items() if code not in known)
    if lost:
        sums[UNKNOWN] = sums.get(UNKNOWN, 0.0) + lost
    return [
        {
            "code": code,
            "n": n,
            "low": max(0.0, n - _Z95 * math.sqrt(variances.get(code, 0.0))),
            "high": n + _Z95 * math.sqrt(variances.get(code, 0.0)),
        }
        for code, n in sorted(sums.items())
    ]


def write_csv(uri: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of this module as CSV to a path or ``s3://`` address.

    Raises
    ------
    UnavailableError
        If the place cannot be written.
    """
    store, path = place(uri)
    try:
        with store.open_output_stream(path) as stream:
            pacsv.write_csv(pa.Table.from_pylist([dict(row) for row in rows]), stream)
    except OSError as error:
        raise unavailable(uri, error) from error


def _prepared(register: RecodedRegister, level: int) -> duckdb.DuckDBPyConnection:
    database = register.database()
    for side, tree in (("source", register.source), ("target", register.target)):
        if level not in tree.levels:
            raise InvalidInputError(
                f"{tree.name} has no level {level}; it has {', '.join(map(str, tree.levels))}.",
                hint="1 section, 2 division, 3 group, 4 class, 5 national subclass.",
            )
        pairs = [(c, a) for c in tree.nodes if (a := tree.ancestor(c, level))]
        table = pa.table({"below": [p[0] for p in pairs], "code": [p[1] for p in pairs]})
        database.register(f"{side}_above", table)
    database.execute(_CANDIDATES)
    return database


def _fetch(database: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = database.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _wilson(p: float, n: float) -> tuple[float, float]:
    centre = (p + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 / (1 + _Z95**2 / n) * math.sqrt(p * (1 - p) / n + _Z95**2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
