"""Put and get small sets of Parquet files, on disk or in the object store, each in one step."""

from __future__ import annotations

import io
import secrets
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from autonoe.errors import UnavailableError

PART = "predictions.parquet"
"""File of a day where one place writes; each pod of a cluster has one of its own."""


class PartitionStore:
    """Partitions ``date=YYYY-MM-DD/predictions.parquet`` below one folder or ``s3://`` prefix.

    Parameters
    ----------
    uri : str
        ``s3://bucket/prefix`` or a local folder. S3 credentials come from the environment.
    part : str
        Name of this writer's file in each day: two writers of one would lose each other's rows.
    """

    def __init__(self, uri: str, *, part: str = PART) -> None:
        self.uri = uri.rstrip("/")
        self._part = part
        if "://" in uri:
            self._fs, self._root = fs.FileSystem.from_uri(self.uri)
        else:
            folder = Path(uri).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            self._fs, self._root = fs.LocalFileSystem(), str(folder)

    def read(self, date: str) -> pa.Table | None:
        """Return the rows of one day, or None when there are none yet."""
        path = self._path(date)
        try:
            if self._fs.get_file_info(path).type == fs.FileType.NotFound:
                return None
            with self._fs.open_input_file(path) as stream:
                return pq.ParquetFile(stream).read()
        except OSError as error:
            raise _unavailable(self.uri, error) from error

    def replace(self, date: str, rows: pa.Table) -> None:
        """Make ``rows`` the content of one day: all of it or, on failure, nothing."""
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        path = self._path(date)
        try:
            if isinstance(self._fs, fs.LocalFileSystem):
                target = Path(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
                partial.write_bytes(buffer.getvalue())
                partial.replace(target)
                return
            # an object appears when its upload is complete, never half
            with self._fs.open_output_stream(path) as stream:
                stream.write(buffer.getvalue())
        except OSError as error:
            raise _unavailable(self.uri, error) from error

    def _path(self, date: str) -> str:
        return f"{self._root}/date={date}/{self._part}"


def _unavailable(uri: str, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"The log store {uri} cannot be used ({type(error).__name__}).",
        hint="autonoe credentials status shows which buckets this account reaches.",
    )
