"""Columns of text from and to CSV or Parquet files, local or on S3, with what was odd."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from autonoe.errors import AutonoeError, InvalidInputError, NotFoundError, UnavailableError

TIMEOUT_S = 30
"""Limit of each connection and each read from the object store, in seconds."""

_T = TypeVar("_T")

_PARQUET_MAGIC = b"PAR1"
_MAX_FIELD = 10_000_000
"""Characters of one CSV field; the standard library's 131,072 refuses long notes."""


@dataclass(frozen=True)
class Table:
    """Columns of equal length, every value as text, a missing one as the empty string.

    Attributes
    ----------
    columns : dict of str to list of str
        The columns that were asked for, or all.
    numeric : frozenset of str
        Columns that the file keeps as numbers: leading zeros are lost there.
    encoding : str
        How the bytes of a CSV file were read; ``parquet`` for a Parquet file.
    ragged : list of int
        Row numbers (the first row after the header is 1) with more or fewer fields than the header.
    """

    columns: dict[str, list[str]]
    numeric: frozenset[str] = frozenset()
    encoding: str = "utf-8"
    ragged: list[int] = field(default_factory=list)


def read_columns(uri: str, wanted: Sequence[str] | None = None) -> Table:
    """Return the columns ``wanted`` (all by default) of the file at ``uri``.

    Parameters
    ----------
    uri : str
        Path, or ``s3://bucket/key`` read with the credentials of the environment. The content
        decides between Parquet and CSV, not the name.
    wanted : sequence of str, optional
        Names of the columns to keep.

    Raises
    ------
    InvalidInputError
        If the file is neither, is empty, or lacks a column; the message lists those it has.
    NotFoundError, UnavailableError
        If there is no such file, or the store does not answer or refuses.
    """
    content = _read_bytes(uri)
    if not content:
        raise InvalidInputError(f"The file {uri} is empty.", hint="Check the address.")
    if content[:4] == _PARQUET_MAGIC:
        return _parquet(content, uri, wanted)
    if content[:2] in (b"PK", b"\x1f\x8b"):
        raise InvalidInputError(
            f"The file {uri} is a spreadsheet or an archive.",
            hint="Save it as CSV or Parquet.",
        )
    return _csv(content, uri, wanted)


def _read_bytes(uri: str) -> bytes:
    if uri.startswith("s3://"):
        return _read_s3(uri)
    if "://" in uri:
        raise InvalidInputError(
            f"The address {uri} is neither a path nor s3://.", hint="Download the file first."
        )
    try:
        return Path(uri).read_bytes()
    except FileNotFoundError as error:
        raise InvalidInputError(f"There is no file {uri}.", hint="Check the path.") from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"The file {uri} cannot be read: {error}", hint="Check the path and its permissions."
        ) from error


def _read_s3(uri: str) -> bytes:
    return _on_s3(uri, "read", lambda store: bytes(store.cat_file(uri)))


def _write_s3(uri: str, content: bytes) -> None:
    _on_s3(uri, "write", lambda store: store.pipe_file(uri, content))


def _on_s3(uri: str, verb: str, action: Callable[[Any], _T]) -> _T:
    import s3fs
    from botocore.exceptions import BotoCoreError, ClientError

    limits = {
        "connect_timeout": TIMEOUT_S,
        "read_timeout": TIMEOUT_S,
        "retries": {"mode": "standard", "max_attempts": 2},
    }
    try:
        return action(s3fs.S3FileSystem(config_kwargs=limits, skip_instance_cache=True))
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no object {uri}, or it is not yours to see.", hint="Check the address."
        ) from error
    except PermissionError as error:
        raise AutonoeError(
            f"The object store refuses to {verb} {uri}.",
            hint="Check whose bucket it is; `autonoe credentials status` shows who you are.",
            code="forbidden",
        ) from error
    except (BotoCoreError, ClientError, OSError, TimeoutError) as error:
        raise UnavailableError(
            f"The object store did not {verb} {uri} ({type(error).__name__}).",
            hint="Check with `autonoe status` that it runs, and that credentials are set.",
        ) from error


def _parquet(content: bytes, uri: str, wanted: Sequence[str] | None) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            schema = file.schema_arrow
            names = _choose(schema.names, wanted, uri)
            table = file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(
            f"The file {uri} begins like Parquet and cannot be read: it is cut or damaged.",
            hint="Write or fetch it again.",
        ) from error
    columns, numeric = {}, set()
    for name in names:
        kind = table.schema.field(name).type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            numeric.add(name)
        columns[name] = [_text(value) for value in table.column(name).to_pylist()]
    return Table(columns, frozenset(numeric), "parquet")


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _csv(content: bytes, uri: str, wanted: Sequence[str] | None) -> Table:
    text, encoding = _decode(content, uri)
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t|", key=header.count)
    csv.field_size_limit(_MAX_FIELD)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(rows)]
        if not any(names):
            raise InvalidInputError(
                f"The first line of {uri} names no column.", hint="The first line is the header."
            )
        kept = _choose(names, wanted, uri)
        where = [names.index(name) for name in kept]
        values: list[list[str]] = [[] for _ in kept]
        ragged: list[int] = []
        number = 0
        for row in rows:
            if not row:
                continue  # an empty line is no row: editors leave them at the end
            number += 1
            if len(row) != len(names):
                ragged.append(number)
                row += [""] * (len(names) - len(row))
            for column, position in zip(values, where, strict=True):
                column.append(row[position])
    except (csv.Error, StopIteration) as error:
        raise InvalidInputError(
            f"The file {uri} cannot be read as CSV near line {rows.line_num}: {error}",
            hint="A quote that is opened and never closed is the usual cause.",
        ) from error
    return Table(dict(zip(kept, values, strict=True)), frozenset(), encoding, ragged)


def _decode(content: bytes, uri: str) -> tuple[str, str]:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        candidates = ["utf-16"]
    else:
        candidates = ["utf-8-sig", "cp1252", "latin-1"]
    if b"\x00" in content[:4096] and candidates[0] != "utf-16":
        raise InvalidInputError(
            f"The file {uri} holds binary data.", hint="Give a CSV or Parquet file."
        )
    for encoding in candidates:
        try:
            return content.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
    raise InvalidInputError(f"The file {uri} is damaged UTF-16.", hint="Save it as UTF-8 text.")


def _choose(names: Sequence[str], wanted: Sequence[str] | None, uri: str) -> list[str]:
    chosen = list(dict.fromkeys(names if wanted is None else wanted))
    missing = [name for name in chosen if name not in names]
    if missing:
        raise InvalidInputError(
            f"The file {uri} has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(map(repr, names))}.",
            hint="Name the columns with --text-column and --code-column.",
            code="unknown_column",
        )
    return chosen


def write_columns(uri: str, columns: Mapping[str, Sequence[str]]) -> None:
    """Write ``columns`` as text to ``uri``: Parquet when it ends in ``.parquet``, CSV otherwise.

    Parameters
    ----------
    uri : str
        Path, or ``s3://bucket/key`` written with the credentials of the environment. A local file
        is written beside and renamed, so that nobody reads half of it.
    columns : mapping of str to sequence of str
        Of equal length.

    Raises
    ------
    InvalidInputError, AutonoeError
        If the folder does not exist, or the store refuses or does not answer.
    """
    content = _as_parquet(columns) if uri.endswith(".parquet") else _as_csv(columns)
    if uri.startswith("s3://"):
        _write_s3(uri, content)
        return
    target = Path(uri)
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(target)
    except OSError as error:
        raise InvalidInputError(
            f"The file {uri} cannot be written: {error.strerror}.", hint="Check the folder."
        ) from error


def _as_parquet(columns: Mapping[str, Sequence[str]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), sink)
    return sink.getvalue()


def _as_csv(columns: Mapping[str, Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode("utf-8", "replace")
