"""Read logged answers: JSON lines as servers write them, or the Parquet files of the ETL."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import dataset, fs

from autonoe.errors import InvalidInputError, UnavailableError
from autonoe_nace.logs.record import LogRecord

_DECODER = msgspec.json.Decoder(LogRecord)
_COLUMNS = msgspec.structs.fields(LogRecord)
_BATCH = 16_384


def read_rows(
    uri: str, *, request_id: str = "", day: str = "", limit: int | None = None
) -> Iterator[LogRecord]:
    """Yield logged answers.

    Parameters
    ----------
    uri : str
        A file of JSON lines, a folder of such files, a Parquet file, or a folder or ``s3://``
        prefix of Parquet files by day.
    request_id : str
        Only this request.
    day : str
        Only this UTC day, ``YYYY-MM-DD``; for Parquet files by day.
    limit : int, optional
        At most so many.

    Raises
    ------
    InvalidInputError
        If there is no such file, or a line is none of a log.
    UnavailableError
        If the store cannot be read.
    """
    path = Path(uri)
    if "://" not in uri and not path.exists():
        raise InvalidInputError(f"There is no log at {uri}.", hint="Give a file or a folder.")
    lines = _line_files(path) if "://" not in uri else []
    rows = _from_lines(lines) if lines else _from_parquet(uri, day, request_id)
    wanted = (row for row in rows if request_id in {"", row.request_id})
    yield from islice(wanted, limit)


def _line_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix != ".parquet" else []
    return sorted(path.glob("*.jsonl"))


def _from_lines(files: list[Path]) -> Iterator[LogRecord]:
    for file in files:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    yield _DECODER.decode(line)
                except msgspec.DecodeError as error:
                    raise InvalidInputError(
                        f"Line {number} of {file.name} is none of a prediction log.",
                        hint="Let `autonoe nace etl` sort it out, and replay its Parquet files.",
                    ) from error


def _from_parquet(uri: str, day: str, request_id: str) -> Iterator[LogRecord]:
    try:
        if "://" in uri:
            store, root = fs.FileSystem.from_uri(uri.rstrip("/"))
        else:
            store, root = fs.LocalFileSystem(), str(Path(uri).absolute())
        place = f"{root}/date={day}" if day else root
        found = dataset.dataset(
            place, filesystem=store, format="parquet", exclude_invalid_files=False
        )
        known = {column.name for column in _COLUMNS}
        names = [name for name in found.schema.names if name in known]
        chosen = dataset.field("request_id") == request_id if request_id else None
        for batch in found.to_batches(columns=names, filter=chosen, batch_size=_BATCH):
            for row in batch.to_pylist(maps_as_pydicts="lossy"):
                yield record_of(row)
    except FileNotFoundError as error:
        raise InvalidInputError("There is no log for that day.", hint="Check --day.") from error
    except (OSError, pa.ArrowException) as error:
        raise UnavailableError(
            f"The logs at {uri} cannot be read ({type(error).__name__}).",
            hint="autonoe credentials status shows which buckets this account reaches.",
        ) from error


def record_of(row: dict[str, Any] | LogRecord) -> LogRecord:
    """Return a row of a table as a record; missing values take their defaults.

    Raises
    ------
    InvalidInputError
        If it is no logged answer.
    """
    if isinstance(row, LogRecord):
        return row
    given = {key: value for key, value in row.items() if value is not None}
    try:
        return msgspec.convert(given, LogRecord)
    except msgspec.ValidationError as error:
        raise InvalidInputError(
            "A row is none of a prediction log.",
            hint="Give rows as `autonoe nace etl` writes them.",
        ) from error
