"""Where samples, single codings and the gold standard lie: Parquet files, replaced whole.

samples/<round>.parquet     what was drawn, with probabilities and the model's answers
codings/<round>.parquet     what each person said about each text
gold/<round>.parquet        one final label for each text that has one; the dashboard reads it
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from autonoe.errors import AutonoeError, InvalidInputError, NotFoundError, UnavailableError
from autonoe.names import user_bucket
from autonoe_nace.logs.record import SCHEMA

ROUND = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""Names of rounds: small letters, digits and hyphens, 40 characters at most."""

GOLD = pa.schema(
    [
        ("request_id", pa.string()),
        ("position", pa.int32()),
        ("text", pa.string()),
        ("code", pa.string()),
        ("coder", pa.string()),
        ("arbiter", pa.string()),
        ("round", pa.string()),
        ("weight", pa.float64()),
        ("inclusion_probability", pa.float64()),
        ("stratum", pa.string()),
        ("model_code", pa.string()),
        ("model_version", pa.string()),
        ("model_confidence", pa.float64()),
        ("auto", pa.bool_()),
        ("status", pa.string()),
        ("annotated_at", pa.timestamp("us", tz="UTC")),
        ("features", pa.map_(pa.string(), pa.string())),
        ("deployment", pa.string()),
        ("time", pa.timestamp("us", tz="UTC")),
    ]
)
"""Columns of the gold standard, one row for each text; ``time`` is the prediction's."""

CODINGS = pa.schema(
    [
        ("request_id", pa.string()),
        ("position", pa.int32()),
        ("coder", pa.string()),
        ("role", pa.string()),
        ("status", pa.string()),
        ("code", pa.string()),
        ("note", pa.string()),
        ("lead_time_s", pa.float64()),
        ("annotated_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""Columns of single codings: one row for each text and person; ``role`` coder or arbiter."""


def gold_uri(*, account: str | None = None) -> str:
    """Return ``s3://user-<slug>/nace/annotation``, the account's own place for all of this.

    Raises
    ------
    InvalidInputError
        If no account is given and the environment names none.
    """
    known = account or os.environ.get("AUTONOE_ACCOUNT") or os.environ.get("JUPYTERHUB_USER")
    if not known:
        raise InvalidInputError(
            "Whose gold standard? No account is known here.", hint="Give an address with --to."
        )
    return f"s3://{user_bucket(known)}/nace/annotation"


def check_round(name: str) -> str:
    """Return ``name`` when it can be the name of a round.

    Raises
    ------
    InvalidInputError
        If it cannot.
    """
    if not ROUND.fullmatch(name):
        raise InvalidInputError(
            f"{name!r} is no name of a round.",
            hint="Small letters, digits and hyphens, for example 2026-q4.",
        )
    return name


class AnnotationStore:
    """The files of one place.

    Parameters
    ----------
    uri : str
        ``s3://bucket/prefix`` or a folder; S3 credentials come from the environment.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._fs, self._root = _filesystem(self.uri)

    def write(self, kind: str, name: str, rows: pa.Table) -> str:
        """Replace ``kind/name.parquet`` by ``rows``, whole or not at all; return its address."""
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        path = f"{self._root}/{kind}/{check_round(name)}.parquet"
        try:
            if isinstance(self._fs, fs.LocalFileSystem):
                target = Path(path)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
                partial.write_bytes(buffer.getvalue())
                partial.replace(target)
            else:
                with self._fs.open_output_stream(path) as stream:
                    stream.write(buffer.getvalue())
        except OSError as error:
            raise _unavailable(self.uri, error) from error
        return f"{self.uri}/{kind}/{name}.parquet"

    def read(self, kind: str, name: str) -> pa.Table:
        """Return the rows of ``kind/name.parquet``.

        Raises
        ------
        NotFoundError
            If there is no such round.
        """
        found = self._read(f"{self._root}/{kind}/{check_round(name)}.parquet")
        if found is None:
            raise NotFoundError(
                f"There is no round {name} in {self.uri}/{kind}.",
                hint="`autonoe nace annotate status` lists the rounds.",
            )
        return found

    def rounds(self, kind: str) -> list[str]:
        """Return the names of the rounds that have ``kind``."""
        try:
            found = self._fs.get_file_info(
                fs.FileSelector(f"{self._root}/{kind}", allow_not_found=True)
            )
        except OSError as error:
            raise _unavailable(self.uri, error) from error
        names = (info.base_name.removesuffix(".parquet") for info in found)
        return sorted(name for name in names if ROUND.fullmatch(name))

    def _read(self, path: str) -> pa.Table | None:
        try:
            if self._fs.get_file_info(path).type == fs.FileType.NotFound:
                return None
            with self._fs.open_input_file(path) as stream:
                return pq.ParquetFile(stream).read()
        except (OSError, pa.ArrowException) as error:
            raise _unavailable(self.uri, error) from error


def describe(rows: pa.Table, document: dict[str, Any]) -> pa.Table:
    """Return ``rows`` with a document beside them, which Parquet keeps in the file's schema."""
    return rows.replace_schema_metadata({"autonoe": json.dumps(document)})


def description(rows: pa.Table | pa.Schema) -> dict[str, Any]:
    """Return the document that :func:`describe` put beside the rows; empty without one."""
    schema = rows if isinstance(rows, pa.Schema) else rows.schema
    found = (schema.metadata or {}).get(b"autonoe")
    return dict(json.loads(found)) if found else {}


def open_logs(uri: str) -> ds.Dataset:
    """Return the Parquet files of the prediction logs below ``uri`` as one data set.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    store, root = _filesystem(uri.rstrip("/"))
    found = store.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    files = [
        info.path
        for info in found
        if info.path.endswith(".parquet") and not info.base_name.startswith(".")
    ]
    if not files:
        raise NotFoundError(
            f"There are no prediction logs at {uri}.",
            hint="Send requests to the API, then run the ETL (autonoe nace etl).",
        )
    kind = ds.partitioning(pa.schema([("date", pa.string())]), flavor="hive")
    return ds.dataset(
        files,
        filesystem=store,
        format="parquet",
        # files of older servers lack columns: they read as missing
        schema=pa.schema([*SCHEMA, ("date", pa.string())]),
        partitioning=kind,
        partition_base_dir=root,
    )


def _filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    if "://" not in uri:
        return fs.LocalFileSystem(), str(Path(uri).absolute())
    try:
        store, root = fs.FileSystem.from_uri(uri)
    except (OSError, pa.ArrowException) as error:
        raise AutonoeError(
            f"{uri} is no address of a store ({type(error).__name__}).",
            hint="Give s3://bucket/prefix or a folder.",
        ) from error
    return store, str(root)


def _unavailable(uri: str, error: Exception) -> UnavailableError:
    return UnavailableError(
        f"The store {uri} cannot be used ({type(error).__name__}).",
        hint="`autonoe credentials status` shows which buckets this account reaches.",
    )
