"""The folder of a recoded register: numbered Parquet parts, a recipe, decisions of people."""

from __future__ import annotations

import io
import json
import secrets
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from autonoe.errors import ConflictError, InvalidInputError
from autonoe_nace.recoding.register import place, unavailable

RECIPE = "recode.json"
_PART = "part-{:06d}.parquet"
_DECISIONS = "decisions-{:06d}.parquet"


class Folder:
    """A local folder or ``s3://`` prefix; each file in it appears whole or not at all."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._fs, self._root = place(self.uri)

    def start(self, recipe: dict[str, Any], *, fresh: bool) -> None:
        """Begin, or go on with what the same recipe began.

        Parameters
        ----------
        recipe : dict
            What decides on the result: register, table, model, threshold.
        fresh : bool
            True removes what another recipe left here.

        Raises
        ------
        ConflictError
            If the folder holds the result of another recipe, or anything else.
        """
        found = self.names()
        if not found:
            self.write_json(RECIPE, recipe)
            return
        if RECIPE not in found:
            raise ConflictError(
                f"{self.uri} holds something other than a recoded register.",
                hint="Choose an empty or new folder.",
            )
        before = self.read_json(RECIPE)
        if all(before.get(key) == value for key, value in recipe.items()):
            return
        if not fresh:
            changed = sorted(key for key, value in recipe.items() if before.get(key) != value)
            raise ConflictError(
                f"{self.uri} was begun with another {', '.join(changed)}.",
                hint="Choose another folder, or give --fresh to begin again.",
            )
        for name in found:
            if name.startswith(("part-", "decisions-")):
                self._fs.delete_file(f"{self._root}/{name}")
        self.write_json(RECIPE, recipe)

    def names(self) -> set[str]:
        """Return the names of the files."""
        try:
            selector = fs.FileSelector(self._root, allow_not_found=True)
            found = self._fs.get_file_info(selector)
        except OSError as error:
            raise unavailable(self.uri, error) from error
        return {info.base_name for info in found if not info.base_name.startswith(".")}

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the document ``name``.

        Raises
        ------
        InvalidInputError
            If there is none: the folder is no recoded register.
        """
        try:
            with self._fs.open_input_file(f"{self._root}/{name}") as stream:
                document: dict[str, Any] = json.loads(stream.read())
        except (OSError, ValueError) as error:
            raise InvalidInputError(
                f"{self.uri} holds no recoded register ({name} cannot be read).",
                hint="Give the folder that `autonoe nace recode --output` wrote.",
            ) from error
        return document

    def write_json(self, name: str, document: dict[str, Any]) -> None:
        """Write the document ``name``."""
        self._write(name, json.dumps(document, indent=1, ensure_ascii=False).encode())

    def has_part(self, number: int) -> bool:
        """Tell whether part ``number`` was written already."""
        info = self._fs.get_file_info(f"{self._root}/{_PART.format(number)}")
        return bool(info.type == fs.FileType.File)

    def write_part(self, number: int, rows: pa.Table) -> None:
        """Write part ``number``."""
        self._write_table(_PART.format(number), rows)

    def add_decisions(self, rows: pa.Table) -> None:
        """Keep decisions of people beside the parts; later ones win."""
        number = sum(name.startswith("decisions-") for name in self.names())
        numbered = rows.append_column("batch", [[number] * len(rows)])
        self._write_table(_DECISIONS.format(number), numbered)

    def database(self) -> duckdb.DuckDBPyConnection:
        """Return a database with the views ``parts`` and ``decisions`` (perhaps empty)."""
        connection = duckdb.connect()
        connection.execute("SET threads = 1")
        names = sorted(self.names())
        parts = [name for name in names if name.startswith("part-")]
        if not parts:
            raise InvalidInputError(
                f"{self.uri} holds no recoded rows yet.", hint="Run `autonoe nace recode` first."
            )
        connection.register("parts", self._dataset(parts))
        decided = [name for name in names if name.startswith("decisions-")]
        if decided:
            connection.register("decisions", self._dataset(decided))
        else:
            connection.execute(
                "CREATE VIEW decisions AS SELECT '' AS item, '' AS code, 0 AS batch WHERE false"
            )
        return connection

    def _dataset(self, names: list[str]) -> ds.Dataset:
        paths = [f"{self._root}/{name}" for name in names]
        return ds.dataset(paths, filesystem=self._fs, format="parquet")

    def _write_table(self, name: str, rows: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        self._write(name, buffer.getvalue())

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        try:
            if isinstance(self._fs, fs.LocalFileSystem):
                target = Path(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{name}.{secrets.token_hex(4)}")
                partial.write_bytes(content)
                partial.replace(target)
                return
            with self._fs.open_output_stream(path) as stream:
                stream.write(content)
        except OSError as error:
            raise unavailable(self.uri, error) from error
