"""Parquet files by day, on disk or in the object store; each appears in one step."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from autonoe.errors import UnavailableError

PART = "predictions.parquet"
"""File of a day where one place writes; each pod of a cluster has one of its own."""
_CHUNK = 4 << 20


class PartitionStore:
    """Files ``date=YYYY-MM-DD/predictions[.N].parquet`` below one folder or ``s3://`` prefix.

    A day's newest file is rebuilt as long as it is small, then the next number is begun: a file
    is rewritten a few times at most, and a day of any size fits.

    Parameters
    ----------
    uri : str
        ``s3://bucket/prefix`` or a local folder. S3 credentials come from the environment.
    part : str
        Name of this writer's file in each day: two writers of one would lose each other's rows.

    Raises
    ------
    UnavailableError
        If the address is none of a store.
    """

    def __init__(self, uri: str, *, part: str = PART) -> None:
        self.uri = uri.rstrip("/")
        self._stem = part.removesuffix(".parquet")
        with self._reached():
            if "://" in uri:
                self._fs, self._root = fs.FileSystem.from_uri(self.uri)
            else:
                folder = Path(uri).absolute()
                folder.mkdir(parents=True, exist_ok=True)
                self._fs, self._root = fs.LocalFileSystem(), str(folder)

    def files(self, day: str) -> list[str]:
        """Return the paths of all files of one day, other writers' too."""
        place = fs.FileSelector(f"{self._root}/date={day}", allow_not_found=True)
        with self._reached():
            found = self._fs.get_file_info(place)
        names = [info.path for info in found if info.base_name.endswith(".parquet")]
        return sorted(name for name in names if not name.rsplit("/", 1)[-1].startswith("."))

    def newest(self, day: str) -> tuple[int, int]:
        """Return number and rows of this writer's newest file of the day; (0, 0) without one."""
        own = re.compile(rf"{re.escape(self._stem)}(?:\.([0-9]+))?\.parquet")
        numbers = [
            int(match[1] or 0)
            for path in self.files(day)
            if (match := own.fullmatch(path.rsplit("/", 1)[-1]))
        ]
        if not numbers:
            return 0, 0
        with self.opened(self.path(day, max(numbers))) as file:
            return max(numbers), file.metadata.num_rows

    def path(self, day: str, number: int) -> str:
        """Return the path of this writer's file ``number`` of the day."""
        name = f"{self._stem}.{number}.parquet" if number else f"{self._stem}.parquet"
        return f"{self._root}/date={day}/{name}"

    @contextmanager
    def opened(self, path: str) -> Iterator[pq.ParquetFile]:
        """Open one file for reading."""
        with self._reached(), self._fs.open_input_file(path) as stream:
            yield pq.ParquetFile(stream)

    def publish(self, local: Path, day: str, number: int) -> None:
        """Make the local file ``local`` this writer's file of the day: all of it or nothing."""
        path = self.path(day, number)
        with self._reached(), local.open("rb") as source:
            if isinstance(self._fs, fs.LocalFileSystem):
                target = Path(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
                with partial.open("wb") as stream:
                    shutil.copyfileobj(source, stream, _CHUNK)
                    stream.flush()
                    os.fsync(stream.fileno())
                partial.replace(target)
                return
            # an object appears when its upload is complete, never half
            with self._fs.open_output_stream(path) as stream:
                shutil.copyfileobj(source, stream, _CHUNK)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise UnavailableError(
                f"The log store {self.uri} cannot be used ({type(error).__name__}).",
                hint="autonoe credentials status shows which buckets this account reaches.",
            ) from error
