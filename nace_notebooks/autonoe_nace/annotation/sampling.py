"""Draw texts from the last months of logs, each with the probability that it had."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from autonoe.errors import InvalidInputError, UnavailableError
from autonoe_nace.annotation.design import Design, Stratum, strata
from autonoe_nace.annotation.store import open_logs
from autonoe_nace.nomenclature import Nomenclature

PSEUDONYM = "hmac-sha256:"
"""How a text begins that the deployment logged as a pseudonym."""

# A text's place in the draw is a hash of the seed and its name: the same texts come out whatever
# the order of files, rows and threads.
_FRAME = """
CREATE TABLE frame AS
SELECT request_id, position, confidence, coalesce(codes[1], '') AS code,
       coalesce(probabilities[1], 0) * (1 - coalesce(probabilities[1], 0)) AS variance,
       ({band}) AS band,
       md5(concat_ws('|', CAST($seed AS VARCHAR), request_id, CAST(position AS VARCHAR))) AS place
FROM logs
WHERE error = '' AND date BETWEEN $first AND $last
      AND (CAST($deployment AS VARCHAR) IS NULL OR deployment = $deployment)
"""
_COUNTS = """
SELECT band, coalesce(section, '') AS section, count(*) AS n, avg(variance) AS variance
FROM frame LEFT JOIN sections USING (code) GROUP BY ALL
"""
_DRAW = """
CREATE TABLE drawn AS
SELECT request_id, position, place, stratum, n, population
FROM (SELECT request_id, position, place, stratum, sample AS n, population,
             row_number() OVER (PARTITION BY stratum ORDER BY place, request_id, position) AS rank
      FROM frame LEFT JOIN sections USING (code)
           JOIN strata ON strata.band = frame.band
                AND strata.section = coalesce(sections.section, ''))
WHERE rank <= n
"""
_ROWS = """
SELECT logs.*, drawn.place, drawn.stratum, drawn.n / drawn.population AS inclusion_probability
FROM drawn JOIN logs USING (request_id, position)
WHERE date BETWEEN $first AND $last
ORDER BY place
"""


@dataclass(frozen=True)
class Sample:
    """Texts to code, in random order, with what is needed to weigh what people say about them.

    Attributes
    ----------
    rows : pyarrow.Table
        Columns of the logs, ``stratum``, ``inclusion_probability`` and ``weight``.
    strata : tuple of Stratum
        Every stratum of the population.
    design : Design
        As it was asked for.
    first, last : date
        The days (UTC), both included.
    """

    rows: pa.Table
    strata: tuple[Stratum, ...]
    design: Design
    first: date
    last: date

    @property
    def population(self) -> int:
        """Predictions that the sample stands for."""
        return sum(stratum.population for stratum in self.strata)

    def summary(self) -> dict[str, Any]:
        """Return how many of what were drawn with which probability."""
        return {
            "size": self.rows.num_rows,
            "population": self.population,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "design": self.design.to_dict(),
            "strata": [
                {
                    "stratum": s.name(self.design),
                    "population": s.population,
                    "sample": s.sample,
                    "inclusion_probability": s.probability,
                }
                for s in self.strata
            ],
        }


def months_before(last: date, months: int) -> date:
    """Return the first day of the ``months`` that end with ``last``, which is included.

    Examples
    --------
    >>> months_before(date(2026, 3, 31), 1)
    datetime.date(2026, 3, 1)
    """
    if not 1 <= months <= 1_200:
        raise InvalidInputError(f"{months} months are no window.", hint="Take 1 month at least.")
    day = last.toordinal() + 1
    after = date.fromordinal(day)
    number = after.year * 12 + after.month - 1 - months
    year, month = divmod(number, 12)
    for wanted in (after.day, 30, 29, 28):
        try:
            return date(year, month + 1, wanted)
        except ValueError:
            continue  # the 31st of a shorter month
    raise AssertionError


def draw(
    logs: str,
    nomenclature: Nomenclature,
    design: Design,
    *,
    months: int = 3,
    until: date | None = None,
    deployment: str | None = None,
) -> Sample:
    """Draw a stratified sample of predictions from the logs.

    Parameters
    ----------
    logs : str
        Where the ETL wrote to: ``s3://bucket/prefix`` or a folder.
    nomenclature : Nomenclature
        Gives each code its section.
    design : Design
        Size, bands, allocation, seed.
    months : int
        Length of the window.
    until : date, optional
        Its last day (UTC); today by default.
    deployment : str, optional
        Of one deployment only.

    Raises
    ------
    NotFoundError
        If there are no logs there.
    InvalidInputError
        If the window holds no prediction, or texts were logged as pseudonyms.
    UnavailableError
        If the store cannot be read.
    """
    last = until or datetime.now(UTC).date()
    first = months_before(last, months)
    window = {"first": first.isoformat(), "last": last.isoformat()}
    edges = [float(edge) for edge in design.edges[1:]]
    band = " + ".join(f"CAST(confidence >= {edge!r} AS INTEGER)" for edge in edges) or "0"
    with duckdb.connect(":memory:") as db:
        db.execute("SET enable_external_access = false")  # texts of strangers are in the logs
        try:
            db.register("logs", open_logs(logs))
            db.execute(
                _FRAME.format(band=band), {**window, "seed": design.seed, "deployment": deployment}
            )
            db.register("sections", _sections(db, nomenclature))
            counts = {
                (int(row[0]), str(row[1])): (int(row[2]), float(row[3]))
                for row in db.execute(_COUNTS).fetchall()
            }
            found = strata(counts, design)
            db.register("strata", _table(found, design))
            db.execute(_DRAW)
            rows = db.execute(_ROWS, window).to_arrow_table()
        except (OSError, duckdb.Error) as error:
            raise UnavailableError(
                f"The logs at {logs} cannot be read ({type(error).__name__}).",
                hint="`autonoe credentials status` shows which buckets this account reaches.",
            ) from error
    _refuse_pseudonyms(rows)
    probability = rows["inclusion_probability"].to_numpy()
    rows = rows.append_column("weight", pa.array(1 / probability, pa.float64()))
    return Sample(rows.drop_columns(["place"]), found, design, first, last)


def order(seed: int, *names: object) -> str:
    """Return a hash by which things can be put into an order that only the seed decides."""
    text = "|".join(map(str, (seed, *names)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _sections(db: duckdb.DuckDBPyConnection, nomenclature: Nomenclature) -> pa.Table:
    codes = [str(row[0]) for row in db.execute("SELECT DISTINCT code FROM frame").fetchall()]
    sections = [nomenclature.ancestor(code, 1) or "" for code in codes]
    return pa.table(
        {"code": pa.array(codes, pa.string()), "section": pa.array(sections, pa.string())}
    )


def _table(found: tuple[Stratum, ...], design: Design) -> pa.Table:
    rows = [(s, section) for s in found for section in sorted(s.sections)]
    return pa.table(
        {
            "band": pa.array([s.band for s, _ in rows], pa.int32()),
            "section": pa.array([section for _, section in rows], pa.string()),
            "stratum": pa.array([s.name(design) for s, _ in rows], pa.string()),
            "sample": pa.array([s.sample for s, _ in rows], pa.int64()),
            "population": pa.array([s.population for s, _ in rows], pa.int64()),
        }
    )


def _refuse_pseudonyms(rows: pa.Table) -> None:
    hidden = sum(text.startswith(PSEUDONYM) for text in rows["text"].to_pylist())
    if hidden:
        raise InvalidInputError(
            f"{hidden:,} of {rows.num_rows:,} texts are pseudonyms: nobody can code them.",
            hint="Give a deployment that logs texts, with --deployment.",
        )
