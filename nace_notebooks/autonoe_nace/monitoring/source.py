"""The logs' Parquet as narrow facts in DuckDB: what every number of the dashboard is made from.

Texts stay where they are. What is counted (day, code, index, latency ...) is read once into a
temporary database that compresses it, so that 10 million predictions need little memory, a question
takes a fraction of a second wherever the Parquet lies, and no query can reach for files.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from autonoe.errors import NotFoundError, UnavailableError
from autonoe_nace.logs.record import conform
from autonoe_nace.monitoring.selection import ALL, Selection, Window

MEMORY_MIB = 128
"""What DuckDB may use; the rest of a process (Python, pyarrow) takes about as much again."""
_FACTS = """
CREATE TABLE facts (
    date DATE, deployment VARCHAR, version VARCHAR, stage VARCHAR, code VARCHAR,
    thousandth SMALLINT, probability SMALLINT, latency_ms FLOAT, error VARCHAR, auto BOOLEAN,
    first BOOLEAN, fallback BOOLEAN, characters SMALLINT
)
"""
_LOAD = """
INSERT INTO facts
SELECT date, deployment, model_version, stage, code,
       CAST(least(1000, greatest(0, floor(confidence * 1000 + 1e-6))) AS SMALLINT),
       CAST(least(1000, greatest(0, floor(probability * 1000 + 1e-6))) AS SMALLINT),
       latency_ms, error, auto, position = 0, fallback_code <> '',
       CAST(least(32767, characters) AS SMALLINT)
FROM {source}
"""
BINS_PER_E = 50
"""Classes of the latency per factor e: each is 2 % wide, so that a quantile is within 1 %."""
_CUBES = {
    "counts": """
SELECT date, deployment, version, stage, error <> '' AS failed,
       CAST(thousandth // 10 AS TINYINT) AS hundredth,
       count(*) AS n, count(*) FILTER (first) AS requests, count(*) FILTER (auto) AS auto
FROM facts WHERE {days} GROUP BY ALL
""",
    "latencies": """
SELECT date, deployment, version,
       CAST(round(ln(greatest(latency_ms, 0.001)) * 50) AS SMALLINT) AS bin,
       count(*) AS n
FROM facts WHERE first AND {days} GROUP BY ALL
""",
}
"""Small tables by day, for questions that a slider asks again and again."""
_COLUMNS = (
    *("date", "deployment", "model_version", "stage", "code", "confidence", "probability"),
    *("latency_ms", "error", "auto", "position", "fallback_code", "characters"),
)
_FILES = 32


class Logs:
    """Predictions below one address, ready for questions.

    Parameters
    ----------
    uri : str
        Where :func:`autonoe_nace.logs.etl.run` wrote to: ``s3://bucket/prefix`` or a folder.
    window : Window, optional
        Only these days; all by default.

    Raises
    ------
    NotFoundError
        If there is no log yet.
    UnavailableError
        If the store cannot be read.
    """

    def __init__(self, uri: str, *, window: Window | None = None) -> None:
        self.uri = uri.rstrip("/")
        self.window = window
        self._lock = threading.Lock()
        self._seen: dict[str, frozenset[tuple[str, int, int]]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="autonoe-monitoring-")
        self._db = duckdb.connect(str(Path(self._folder.name) / "facts.duckdb"))
        self._db.execute(f"SET memory_limit = '{MEMORY_MIB}MiB'")
        self._db.execute(f"SET temp_directory = '{self._folder.name}'")
        self._db.execute("SET preserve_insertion_order = false")
        self._db.execute("SET threads = 2")
        # labels of strangers are in the logs: no query may reach for other files, or settings
        if "://" not in uri:
            allowed = str(Path(uri).absolute()).replace("'", "''")
            self._db.execute(f"SET allowed_directories = ['{allowed}']")
        self._db.execute("SET enable_external_access = false")
        self._db.execute("SET lock_configuration = true")
        self._db.execute(_FACTS)
        for name, query in _CUBES.items():
            self._db.execute(f"CREATE TABLE {name} AS {query.format(days='false')}")
        self.refresh()

    def refresh(self) -> list[date]:
        """Read what is new or changed since the last time; return its days."""
        try:
            store, files = self._files()
            changed = [day for day, seen in files.items() if self._seen.get(day) != seen]
            if not files:
                raise NotFoundError(
                    f"There are no prediction logs at {self.uri} yet.",
                    hint="Send requests to the API, then run the ETL (autonoe nace etl).",
                )
            if changed:
                self._load(store, changed, [path for day in changed for path, *_ in files[day]])
                self._seen |= {day: files[day] for day in changed}
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            raise _unavailable(self.uri, error) from error
        return [date.fromisoformat(day) for day in sorted(changed)]

    def rows(self, sql: str, selection: Selection = ALL, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over ``facts``.

        Parameters
        ----------
        sql : str
            May hold ``{where}``, which becomes the condition of ``selection``.
        selection : Selection
            Which predictions.
        **values
            Of the named parameters (``$name``).
        """
        sql = sql.replace("{where}", selection.where)
        known: Mapping[str, Any] = {**selection.parameters, **values}
        used = {name: value for name, value in known.items() if f"${name}" in sql}
        with self._lock:
            cursor = self._db.execute(sql, used) if used else self._db.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            found = cursor.fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    def table(self, sql: str, selection: Selection = ALL, **values: Any) -> dict[str, Any]:
        """Return the same as arrays by column name, for many rows."""
        sql = sql.replace("{where}", selection.where)
        known: Mapping[str, Any] = {**selection.parameters, **values}
        used = {name: value for name, value in known.items() if f"${name}" in sql}
        with self._lock:
            cursor = self._db.execute(sql, used) if used else self._db.execute(sql)
            found: dict[str, Any] = cursor.fetchnumpy()
        return found

    def span(self, selection: Selection = ALL) -> Window | None:
        """Return the first and last day with a prediction, or None."""
        row = self.rows("SELECT min(date) AS a, max(date) AS b FROM facts WHERE {where}", selection)
        return Window(row[0]["a"], row[0]["b"]) if row and row[0]["a"] else None

    def deployments(self) -> list[str]:
        """Return the names of the deployments that logged something."""
        rows = self.rows("SELECT DISTINCT deployment AS name FROM facts ORDER BY 1")
        return [str(row["name"]) for row in rows]

    def details(self, window: Window, columns: Sequence[str]) -> Iterator[tuple[date, pa.Table]]:
        """Yield columns that are no facts, such as texts: each file's day and rows.

        Raises
        ------
        UnavailableError
            If the store cannot be read.
        """
        try:
            store, files = self._files()
            for day, found in files.items():
                if not window.first.isoformat() <= day <= window.last.isoformat():
                    continue
                for path, *_ in sorted(found):
                    with store.open_input_file(path) as stream:
                        file = pq.ParquetFile(stream)
                        known = set(columns) <= set(file.schema_arrow.names)
                        rows = file.read(columns=list(columns)) if known else conform(file.read())
                    yield date.fromisoformat(day), rows.select(list(columns))
        except (OSError, pa.ArrowException) as error:
            raise _unavailable(self.uri, error) from error

    def close(self) -> None:
        """Give the temporary database back."""
        self._db.close()
        self._folder.cleanup()

    def _files(self) -> tuple[fs.FileSystem, dict[str, frozenset[tuple[str, int, int]]]]:
        if "://" in self.uri:
            store, self._root = fs.FileSystem.from_uri(self.uri)
        else:
            store, self._root = fs.LocalFileSystem(), str(Path(self.uri).absolute())
        place = fs.FileSelector(self._root, recursive=True, allow_not_found=True)
        days: dict[str, set[tuple[str, int, int]]] = defaultdict(set)
        for info in store.get_file_info(place):
            day = _day(info.path)
            if day is None or not _wanted(info, day, self.window):
                continue
            days[day].add((info.path, info.size, info.mtime_ns or 0))
        return store, {day: frozenset(found) for day, found in sorted(days.items())}

    def _load(self, store: fs.FileSystem, names: Sequence[str], paths: Sequence[str]) -> None:
        days = [date.fromisoformat(name) for name in names]
        with self._lock:
            for table in ("facts", *_CUBES) if self._seen else ():
                self._db.execute(
                    f"DELETE FROM {table} WHERE date IN (SELECT unnest($days))",  # noqa: S608
                    {"days": days},
                )
            # a few files at a time: one statement over all would hold half a year in memory
            for start in range(0, len(paths), _FILES):
                self._load_files(store, paths[start : start + _FILES])
            changed = "date IN (SELECT unnest($days))"
            for table, query in _CUBES.items():
                self._db.execute(
                    f"INSERT INTO {table} {query.format(days=changed)}", {"days": days}
                )
            self._db.execute("CHECKPOINT")

    def _load_files(self, store: fs.FileSystem, paths: Sequence[str]) -> None:
        if isinstance(store, fs.LocalFileSystem):
            with contextlib.suppress(duckdb.BinderException):  # a file of an older version
                self._db.execute(
                    _LOAD.format(source="read_parquet($paths, hive_partitioning = true)"),
                    {"paths": list(paths)},
                )
                return
        for path in paths:
            with store.open_input_file(path) as stream:
                rows = _narrow(pq.ParquetFile(stream, pre_buffer=True), _day(path) or "")
            self._db.register("loading", rows)
            self._db.execute(_LOAD.format(source="loading"))
            self._db.unregister("loading")


def _narrow(file: pq.ParquetFile, day: str) -> pa.Table:
    """Return the columns of the facts, of a file of this or an older version."""
    wanted = [name for name in _COLUMNS if name != "date"]
    if set(wanted) <= set(file.schema_arrow.names):
        rows = file.read(columns=wanted, use_threads=False)
    else:
        rows = conform(file.read(use_threads=False)).select(wanted)
    return rows.append_column("date", pa.repeat(pa.scalar(day).cast(pa.date32()), len(rows)))


def _unavailable(uri: str, error: Exception) -> UnavailableError:
    return UnavailableError(
        f"The logs at {uri} cannot be read ({type(error).__name__}).",
        hint="`autonoe credentials status` shows which buckets this account reaches.",
    )


def _day(path: str) -> str | None:
    for part in reversed(path.split("/")[:-1]):
        if part.startswith("date="):
            return part.removeprefix("date=")
    return None


def _wanted(info: fs.FileInfo, day: str, window: Window | None) -> bool:
    if not info.path.endswith(".parquet") or info.base_name.startswith("."):
        return False
    return window is None or window.first.isoformat() <= day <= window.last.isoformat()
