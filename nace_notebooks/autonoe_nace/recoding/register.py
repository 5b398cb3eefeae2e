"""A register read in pieces of equal size, whatever its length: texts, codes, weights, periods."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from pyarrow import fs

from autonoe.errors import InvalidInputError, UnavailableError

FEATURE = "feature:"
"""Before the name of a side variable's column in a chunk."""

_MAGIC = b"PAR1"
_SNIFFED = 1 << 20
"""Bytes from which delimiter and encoding of a CSV file are judged."""


@dataclass(frozen=True)
class Columns:
    """Names of a register's columns; an empty name means that it has no such column.

    ``features`` are the columns of side variables that the model knows.
    """

    text: str = "text"
    code: str = "code"
    id: str = ""
    weight: str = ""
    period: str = ""
    features: tuple[str, ...] = ()

    def present(self) -> dict[str, str]:
        """Return the columns to read: what they are called here, and in the file."""
        names = ("text", "code", "id", "weight", "period")
        found = {name: given for name in names if (given := str(getattr(self, name)))}
        return {**found, **{f"{FEATURE}{name}": name for name in self.features}}


class Register:
    """A CSV or Parquet file, local or ``s3://``, that is read once from its beginning to its end.

    Parameters
    ----------
    uri : str
        Its address. The content decides between Parquet and CSV.
    columns : Columns
        What its columns are called.

    Raises
    ------
    InvalidInputError
        If there is no such file or column, or codes are kept as numbers.
    UnavailableError
        If the object store does not answer.
    """

    def __init__(self, uri: str, columns: Columns) -> None:
        self.uri, self.columns = uri, columns
        self._fs, self._path = place(uri)
        try:
            info = self._fs.get_file_info(self._path)
            if info.type != fs.FileType.File:
                raise InvalidInputError(f"There is no file {uri}.", hint="Check the address.")
            with self._fs.open_input_file(self._path) as stream:
                head = stream.read(_SNIFFED)
        except OSError as error:
            raise unavailable(uri, error) from error
        self._size = int(info.size)
        self._parquet = head[:4] == _MAGIC
        self._head = head
        # a file that changed between two runs must not be continued
        self.fingerprint = f"{uri} {info.size} {info.mtime_ns}"

    def chunks(self, size: int) -> Iterator[tuple[pa.Table, float]]:
        """Yield tables of ``size`` rows, the last one shorter, and the share read so far.

        Every value is a text, a missing one empty; columns have the names of :class:`Columns`.
        """
        batches = self._parquet_batches(size) if self._parquet else self._csv_batches()
        waiting: list[pa.Table] = []
        rows = 0
        share = 0.0
        for batch, share in batches:
            waiting.append(self._texts(batch))
            rows += batch.num_rows
            while rows >= size:
                joined = pa.concat_tables(waiting).combine_chunks()
                yield joined.slice(0, size), share
                waiting, rows = [joined.slice(size)], rows - size
        if rows:
            yield pa.concat_tables(waiting).combine_chunks(), max(share, 1.0)

    def _parquet_batches(self, size: int) -> Iterator[tuple[pa.RecordBatch, float]]:
        try:
            with self._fs.open_input_file(self._path) as stream, pq.ParquetFile(stream) as file:
                names = self._chosen(file.schema_arrow.names)
                kind = file.schema_arrow.field(self.columns.code).type
                if pa.types.is_integer(kind) or pa.types.is_floating(kind):
                    raise InvalidInputError(
                        f"The column {self.columns.code!r} holds numbers: leading zeros are lost, "
                        "and 111 could be 01.11 or 11.1.",
                        hint="Write the codes as text.",
                    )
                done, total = 0, max(1, file.metadata.num_rows)
                for batch in file.iter_batches(batch_size=size, columns=names):
                    done += batch.num_rows
                    yield batch, done / total
        except pa.ArrowInvalid as error:
            raise InvalidInputError(
                f"The file {self.uri} begins like Parquet and cannot be read.",
                hint="Write or fetch it again.",
            ) from error
        except OSError as error:
            raise unavailable(self.uri, error) from error

    def _csv_batches(self) -> Iterator[tuple[pa.RecordBatch, float]]:
        header = self._head.split(b"\n", 1)[0]
        delimiter = max(",;\t|", key=lambda sign: header.count(sign.encode()))
        reading = pacsv.ReadOptions(encoding=_encoding(self._head))
        parsing = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        try:
            with self._fs.open_input_file(self._path) as stream:
                names = self._chosen(_header(self._head, reading, parsing))
                converting = pacsv.ConvertOptions(
                    include_columns=names, column_types=dict.fromkeys(names, pa.string())
                )
                for batch in pacsv.open_csv(stream, reading, parsing, converting):
                    yield batch, min(1.0, stream.tell() / max(1, self._size))
        except pa.ArrowInvalid as error:
            raise InvalidInputError(
                f"The file {self.uri} cannot be read as CSV: {str(error)[:200]}",
                hint="Save it as UTF-8 with the same number of fields in each row, or as Parquet.",
            ) from error
        except OSError as error:
            raise unavailable(self.uri, error) from error

    def _chosen(self, names: list[str]) -> list[str]:
        wanted = list(dict.fromkeys(self.columns.present().values()))
        missing = [name for name in wanted if name not in names]
        if missing:
            raise InvalidInputError(
                f"The file {self.uri} has no column {', '.join(map(repr, missing))}; "
                f"it has {', '.join(map(repr, names))}.",
                hint="Name the columns with --text-column, --code-column and so on.",
                code="unknown_column",
            )
        return wanted

    def _texts(self, batch: pa.RecordBatch) -> pa.Table:
        table = pa.Table.from_batches([batch])
        kept = {
            name: table.column(given).cast(pa.string()).fill_null("")
            for name, given in self.columns.present().items()
        }
        return pa.table(kept)


def _header(head: bytes, reading: pacsv.ReadOptions, parsing: pacsv.ParseOptions) -> list[str]:
    text = head.decode(reading.encoding, "ignore").lstrip("\ufeff")
    first = text.split("\n", 1)[0].rstrip("\r")
    return [name.strip().strip('"') for name in first.split(parsing.delimiter)]


def _encoding(head: bytes) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def place(uri: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of ``uri`` and the path on it.

    Raises
    ------
    UnavailableError
        If the address names no store that can be reached.
    """
    if "://" not in uri:
        return fs.LocalFileSystem(), str(Path(uri).absolute())
    try:
        store, path = fs.FileSystem.from_uri(uri.rstrip("/"))
    except (OSError, pa.ArrowInvalid) as error:
        raise unavailable(uri, error) from error
    return store, path


def unavailable(uri: str, error: Exception) -> UnavailableError:
    """Return the error for a file or store that does not answer."""
    return UnavailableError(
        f"{uri} cannot be used ({type(error).__name__}).",
        hint="Check the path; `autonoe credentials status` shows which buckets are yours.",
    )
