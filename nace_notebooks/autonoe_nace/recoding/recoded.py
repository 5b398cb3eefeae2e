"""A recoded register: its rows, what is left for people, and their decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.recoding.folder import RECIPE, Folder
from autonoe_nace.recoding.register import place, unavailable
from autonoe_nace.tables import read_columns

_FINAL = """
SELECT p.* EXCLUDE (target, status, probability), coalesce(d.code, p.target) AS target,
       CASE WHEN d.code IS NULL THEN p.status ELSE 'person' END AS status,
       CASE WHEN d.code IS NULL THEN p.probability ELSE 1.0 END AS probability
FROM parts p LEFT JOIN (SELECT item, arg_max(code, batch) AS code FROM decisions GROUP BY item) d
USING (item)
"""
_QUEUE = """
CREATE TABLE queue AS
SELECT item, arg_min(source, row) AS source, arg_min(text, row) AS text, count(*) AS rows,
       sum(weight) AS weight, arg_min(reason, row) AS reason, arg_min(target, row) AS proposed,
       arg_min(probability, row) AS probability, arg_min(candidates, row) AS candidates,
       arg_min(probabilities, row) AS probabilities,
       sum(weight) * greatest(0, 1 - arg_min(probability, row) - $human_error) AS saved,
       $minutes + $minutes_per_candidate * len(arg_min(candidates, row)) AS minutes
FROM final WHERE status = 'review' GROUP BY item
"""
_BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Effort:
    """What a decision of a person costs and how often it is wrong.

    Attributes
    ----------
    minutes, minutes_per_candidate : float
        Time for one case, in minutes: a part for reading it and one for each candidate.
    human_error : float
        Share of a person's decisions that are wrong, in [0, 1].
    """

    minutes: float = 1.0
    minutes_per_candidate: float = 0.0
    human_error: float = 0.0

    def __post_init__(self) -> None:
        if self.minutes <= 0 or self.minutes_per_candidate < 0 or not 0 <= self.human_error <= 1:
            raise InvalidInputError(
                "A person's effort is out of range.",
                hint="Minutes are above 0, the share of errors lies between 0 and 1.",
            )


class RecodedRegister:
    """The result of :func:`~autonoe_nace.recoding.recode.recode`, read from its folder.

    Parameters
    ----------
    uri : str
        Folder or ``s3://`` prefix.

    Raises
    ------
    InvalidInputError
        If there is no recoded register.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self.folder = Folder(self.uri)
        self.recipe = self.folder.read_json(RECIPE)
        if not self.recipe.get("complete"):
            raise InvalidInputError(
                f"The recoding in {self.uri} was interrupted.",
                hint="Run the same `autonoe nace recode` again; it goes on where it stopped.",
                code="incomplete",
            )

    @cached_property
    def source(self) -> Nomenclature:
        """The version that the register was coded in."""
        return Nomenclature.from_dict(self.recipe["nomenclatures"]["source"])

    @cached_property
    def target(self) -> Nomenclature:
        """The version that it was recoded to."""
        return Nomenclature.from_dict(self.recipe["nomenclatures"]["target"])

    def database(self) -> duckdb.DuckDBPyConnection:
        """Return a database with the view ``final``: the rows, with the decisions of people."""
        database = self.folder.database()
        database.execute(f"CREATE VIEW final AS {_FINAL}")
        return database

    def summary(self, effort: Effort | None = None) -> dict[str, Any]:
        """Return who decided on how many rows, how many errors to expect, and what is left to do.

        Parameters
        ----------
        effort : Effort, optional
            What a person's decision costs.

        Returns
        -------
        dict
            ``rows``; ``by_status`` and ``by_reason`` (each ``{"rows", "weight", "share"}``);
            ``expected_errors`` of the rows that no person looked at, in units of weight; ``review``
            with ``cases``, ``rows``, ``minutes``, and ``gain``: the share of the expected errors
            that the first 10, 25, 50 and 100 % of the minutes take away.
        """
        with self.database() as database:
            total = _rows(database, "SELECT count(*) AS n, sum(weight) AS w FROM final")[0]
            errors = _rows(
                database,
                "SELECT sum(weight * (1 - probability)) FILTER (status = 'model') AS model, "
                "sum(weight * (1 - probability)) FILTER (status = 'review') AS review FROM final",
            )[0]
            counted = {
                name: _counts(database, name, total["w"] or 0.0) for name in ("status", "reason")
            }
            _make_queue(database, effort or Effort())
            review = _review(database)
        return {
            "rows": total["n"],
            "weight": total["w"] or 0.0,
            "by_status": counted["status"],
            "by_reason": {k: v for k, v in counted["reason"].items() if k},
            "expected_errors": {k: v or 0.0 for k, v in errors.items()},
            "review": review,
        }

    def queue(self, limit: int = 100, effort: Effort | None = None) -> list[dict[str, Any]]:
        """Return the cases that people should look at, the one most worth a minute first.

        A case is all rows with the same old code and the same words: one decision serves them
        all. Its worth is the weight that is expected to be coded wrongly, per minute of work.

        Parameters
        ----------
        limit : int
            Cases at most.
        effort : Effort, optional
            What a person's decision costs.
        """
        with self.database() as database:
            _make_queue(database, effort or Effort())
            found = _rows(
                database,
                "SELECT *, saved / minutes AS gain_per_minute FROM queue "
                "ORDER BY gain_per_minute DESC, weight DESC, item LIMIT $limit",
                limit=limit,
            )
        for case in found:
            case["titles"] = [self.target.title(code) for code in case["candidates"]]
        return found

    def write_queue(self, uri: str, *, limit: int = 10_000, effort: Effort | None = None) -> int:
        """Write the queue as CSV with an empty column ``code`` to fill in; return its cases.

        Parameters
        ----------
        uri : str
            Path or ``s3://`` address.
        limit, effort
            As for :meth:`queue`.
        """
        cases = self.queue(limit, effort)
        columns = ("item", "source", "text", "rows", "weight", "reason", "gain_per_minute")
        table = pa.table(
            {
                **{name: [case[name] for case in cases] for name in columns},
                "source_title": [self.source.title(case["source"]) for case in cases],
                "candidates": [
                    "; ".join(
                        f"{c} {t}" for c, t in zip(case["candidates"], case["titles"], strict=True)
                    )
                    for case in cases
                ],
                "code": [""] * len(cases),
            }
        )
        store, path = place(uri)
        try:
            with store.open_output_stream(path) as stream:
                pacsv.write_csv(table, stream)
        except OSError as error:
            raise unavailable(uri, error) from error
        return len(cases)

    def apply(self, decisions: Mapping[str, str] | str) -> dict[str, int]:
        """Take over decisions of people; a later one on the same case wins.

        Parameters
        ----------
        decisions : mapping of str to str, or str
            Code by ``item``, or the address of a table with the columns ``item`` and ``code``, such
            as the filled-in file of :meth:`write_queue`. Rows without a code are left open.

        Returns
        -------
        dict
            ``applied``; ``outside_table``: applied although the correspondence does not allow it.

        Raises
        ------
        InvalidInputError
            If an item or a code is unknown; then nothing is applied.
        """
        given = _read_decisions(decisions) if isinstance(decisions, str) else dict(decisions)
        codes = {item: self.target.parse(code) for item, code in given.items()}
        with self.database() as database:
            known = {
                row["item"]: set(row["candidates"])
                for row in _rows(
                    database,
                    "SELECT item, any_value(candidates) AS candidates FROM parts "
                    "WHERE list_contains($items, item) GROUP BY item",
                    items=list(given),
                )
            }
        bad = [item for item in given if item not in known or codes[item] is None]
        if bad:
            raise InvalidInputError(
                f"{len(bad)} of {len(given)} decisions cannot be used: unknown case, or a code "
                f"that {self.target.name} does not have. The first is about case {bad[0]!r}.",
                hint="Nothing was applied. The column 'item' must stay as it was written.",
                code="unknown_decision",
            )
        if given:
            table = pa.table({"item": list(codes), "code": list(codes.values())})
            self.folder.add_decisions(table)
        outside = sum(code not in known[item] for item, code in codes.items())
        return {"applied": len(given), "outside_table": outside}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, in the register's order, with the decisions of people."""
        with self.database() as database:
            reader = database.execute("SELECT * FROM final ORDER BY row").to_arrow_reader(
                _BATCH_ROWS
            )
            yield from reader

    def write(self, uri: str) -> int:
        """Write all rows into one Parquet file and return their number.

        Parameters
        ----------
        uri : str
            Path or ``s3://`` address.
        """
        store, path = place(uri)
        writer, rows = None, 0
        try:
            with store.open_output_stream(path) as stream:
                for batch in self.batches():
                    writer = writer or pq.ParquetWriter(stream, batch.schema, compression="zstd")
                    writer.write_batch(batch)
                    rows += batch.num_rows
                if writer:
                    writer.close()
        except OSError as error:
            raise unavailable(uri, error) from error
        return rows


def _read_decisions(uri: str) -> dict[str, str]:
    columns = read_columns(uri, ["item", "code"]).columns
    pairs = zip(columns["item"], columns["code"], strict=True)
    return {item: code for item, code in pairs if item and code.strip()}


def _make_queue(database: duckdb.DuckDBPyConnection, effort: Effort) -> None:
    database.execute(
        _QUEUE,
        {
            "minutes": effort.minutes,
            "minutes_per_candidate": effort.minutes_per_candidate,
            "human_error": effort.human_error,
        },
    )


def _review(database: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return the size of the queue and what parts of it are worth."""
    total = _rows(
        database,
        "SELECT count(*) AS cases, coalesce(sum(rows), 0) AS rows, coalesce(sum(minutes), 0) AS "
        "minutes, coalesce(sum(saved), 0) AS saved FROM queue",
    )[0]
    curve = _rows(
        database,
        "WITH ranked AS (SELECT saved, sum(minutes) OVER best AS spent, row_number() OVER best AS "
        "cases FROM queue WINDOW best AS (ORDER BY saved / minutes DESC, weight DESC, item)) "
        "SELECT part / 100.0 AS minutes_share, coalesce(max(cases), 0) AS cases, "
        "coalesce(sum(saved), 0) AS saved FROM (VALUES (10), (25), (50), (100)) AS parts_(part) "
        "LEFT JOIN ranked ON spent <= part / 100.0 * $minutes + 1e-9 GROUP BY part ORDER BY part",
        minutes=total["minutes"],
    )
    return {**total, "gain": curve}


def _counts(
    database: duckdb.DuckDBPyConnection, column: str, weight: float
) -> dict[str, dict[str, float]]:
    found = _rows(
        database,
        f"SELECT {column} AS name, count(*) AS rows, sum(weight) AS weight FROM final "  # noqa: S608
        "GROUP BY 1 ORDER BY 1",
    )
    return {
        row["name"]: {
            "rows": row["rows"],
            "weight": row["weight"],
            "share": row["weight"] / weight if weight else 0.0,
        }
        for row in found
    }


def _rows(database: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    cursor = database.execute(sql, parameters) if parameters else database.execute(sql)
    names: Sequence[str] = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
