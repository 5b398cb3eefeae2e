"""From JSON lines to one staged Parquet file; lines that are no prediction are set aside.

DuckDB reads a batch at full speed; it leaves an empty row where a line is no prediction. Only when
there is such a row are that batch's files read line by line, to find the lines themselves. Where
DuckDB is not installed (a server's image), every file is read line by line.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from autonoe_nace.logs.record import DEFAULTS, REQUIRED, SCHEMA, LogRecord, table

QUARANTINE = "quarantine"
"""Folder beside the log for lines that are no prediction, under their segment's name."""
_DECODER = msgspec.json.Decoder(LogRecord, strict=False)
_ROWS = 20_000
_WORTH_IT = 1 << 20
"""Bytes from which on loading DuckDB pays."""
_MEMORY = "384MiB"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What came of one batch."""

    corrupt: int
    """Lines that were set aside."""
    unique: bool
    """True when no prediction is twice in the staged file; False when nobody looked."""


def stage(files: Sequence[Path], staged: Path, folder: Path) -> Outcome:
    """Write the predictions in ``files`` to the Parquet file ``staged``.

    Parameters
    ----------
    files : sequence of Path
        Segments of JSON lines.
    staged : Path
        The file to write; its columns are those of :data:`~autonoe_nace.logs.record.SCHEMA`.
    folder : Path
        Where ``quarantine/`` is.

    Returns
    -------
    Outcome
    """
    if _fast_can(files):
        import duckdb

        try:
            unique = _fast(files, staged)
            if not _has_empty_rows(staged):
                return Outcome(0, unique)
        except duckdb.Error as error:
            _LOGGER.warning("Logs are read line by line (%s).", type(error).__name__)
    return Outcome(_exact(files, staged, folder), unique=False)


def _fast_can(files: Sequence[Path]) -> bool:
    if importlib.util.find_spec("duckdb") is None:
        return False
    named = not any(letter in str(file) for file in files for letter in "*?[]{}")
    return named and sum(file.stat().st_size for file in files) >= _WORTH_IT


def _fast(files: Sequence[Path], staged: Path) -> bool:
    """Write ``staged`` with DuckDB; return whether no prediction is twice in it."""
    import duckdb

    with duckdb.connect(":memory:") as db:
        db.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{_MEMORY}'")
        # one: it is fast enough, and a server's machine has other work
        db.execute("SET threads = 1")
        db.execute(f"SET temp_directory = {_quoted(staged.with_suffix('.spill'))}")
        # lines come from strangers: nothing but these folders, whatever they hold
        folders = sorted({str(path.parent) for path in [*files, staged]})
        db.execute(f"SET allowed_directories = [{', '.join(map(_quoted, folders))}]")
        db.execute("SET enable_external_access = false; SET lock_configuration = true")
        listed = ", ".join(_quoted(file) for file in files)
        db.execute(
            f"COPY (SELECT {_SELECT} FROM read_json([{listed}], format = 'newline_delimited', "  # noqa: S608
            f"ignore_errors = true, columns = {{{_COLUMNS}}})) TO {_quoted(staged)} "
            "(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2)"
        )
        different = db.execute(
            "SELECT count(*) = count(DISTINCT hash(request_id, position)) "  # noqa: S608
            f"FROM read_parquet({_quoted(staged)})"
        ).fetchone()
    return bool(different and different[0])


def _has_empty_rows(staged: Path) -> bool:
    metadata = pq.ParquetFile(staged).metadata
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for place in range(rows.num_columns):
            column = rows.column(place)
            # an empty list counts as a null of its elements: lists are checked in SQL
            if column.path_in_schema not in REQUIRED:
                continue
            if not column.is_stats_set or column.statistics.null_count:
                return True
    return False


def _exact(files: Sequence[Path], staged: Path, folder: Path) -> int:
    corrupt = 0
    with pq.ParquetWriter(staged, SCHEMA, compression="zstd") as writer:
        for file in files:
            with _Rejects(folder, file.name) as rejects:
                for records in _records(file, rejects):
                    writer.write_table(table(records))
                corrupt += rejects.count
    return corrupt


def _records(file: Path, rejects: _Rejects) -> Iterator[list[LogRecord]]:
    records: list[LogRecord] = []
    with file.open("rb") as stream:
        for line in stream:
            if line == b"\n":
                continue
            try:
                record = _DECODER.decode(line)
                usable = math.isfinite(record.confidence) and record.time.tzinfo is not None
            except (ValueError, OverflowError):
                usable = False
            if not usable:
                rejects.add(line)
                continue
            records.append(record)
            if len(records) == _ROWS:
                yield records
                records = []
    if records:
        yield records


class _Rejects:
    """Bad lines of one segment: a repeated run writes the same file again, in one step."""

    def __init__(self, folder: Path, name: str) -> None:
        self.count = 0
        self._target = folder / QUARANTINE / name
        self._partial = self._target.with_name(f".{name}.{secrets.token_hex(4)}")
        self._stack = ExitStack()
        self._stream: IO[bytes] | None = None

    def add(self, line: bytes) -> None:
        """Keep one line as it is."""
        if self._stream is None:
            self._target.parent.mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._stream = self._stack.enter_context(os.fdopen(descriptor, "wb"))
        self._stream.write(line if line.endswith(b"\n") else line + b"\n")
        self.count += 1

    def __enter__(self) -> _Rejects:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._stack.close()
        if self._stream is None:
            return
        if failed is None:
            self._partial.replace(self._target)
        else:
            self._partial.unlink(missing_ok=True)


def _quoted(value: Path | str) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_map(kind):
        return "MAP(VARCHAR, VARCHAR)"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    known = {"string": "VARCHAR", "int32": "INTEGER", "double": "DOUBLE", "bool": "BOOLEAN"}
    return known[str(kind)]


def _default(name: str) -> str:
    value = DEFAULTS[name]
    if value == {}:
        return "MAP()::MAP(VARCHAR, VARCHAR)"
    return _quoted(value) if isinstance(value, str) else str(value)


def _expression(name: str) -> str:
    special = {
        "code": "coalesce(codes[1], '')",
        "probability": "coalesce(probabilities[1], 0)",
        "characters": "coalesce(characters, length(text))",
        # a line that lacks one of the lists is as bad as one that lacks its request
        "request_id": "CASE WHEN codes IS NOT NULL AND probabilities IS NOT NULL "
        "THEN request_id END",
        "confidence": "CASE WHEN isfinite(confidence) THEN confidence END",
    }
    if name in special:
        return f"{special[name]} AS {name}"
    if name in DEFAULTS:
        return f"coalesce({name}, {_default(name)}) AS {name}"
    return name


_COLUMNS = ", ".join(
    f"{name}: '{_sql_type(SCHEMA.field(name).type)}'" for name in LogRecord.__struct_fields__
)
_SELECT = ", ".join(_expression(entry.name) for entry in SCHEMA)
