"""Reads and writes through every client at once, with nothing set by hand; run as a script.

``python client_loops.py SECONDS`` prints one JSON document: for each client the number of rounds,
and the failures as text. It is a process of its own, as a kernel is.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

BUCKET = os.environ.get("AWS_BUCKET_NAME", "")
_PAUSE_S = float(os.environ.get("LOOP_PAUSE_S", "0.2"))

Round = Callable[[int], None]


def boto3_round() -> Round:
    import boto3

    s3 = boto3.client("s3")

    def one(number: int) -> None:
        content = f"boto3 {number}".encode()
        s3.put_object(Bucket=BUCKET, Key="boto3.txt", Body=content)
        assert s3.get_object(Bucket=BUCKET, Key="boto3.txt")["Body"].read() == content

    return one


def s3fs_round() -> Round:
    import s3fs

    files = s3fs.S3FileSystem()

    def one(number: int) -> None:
        content = f"s3fs {number}".encode()
        files.pipe_file(f"{BUCKET}/s3fs.txt", content)
        files.invalidate_cache()
        assert files.cat_file(f"{BUCKET}/s3fs.txt") == content

    return one


def pyarrow_round() -> Round:
    from pyarrow import fs

    files, path = fs.FileSystem.from_uri(f"s3://{BUCKET}/pyarrow.txt")

    def one(number: int) -> None:
        content = f"pyarrow {number}".encode()
        with files.open_output_stream(path) as stream:
            stream.write(content)
        with files.open_input_file(path) as stream:
            assert stream.read() == content

    return one


def polars_round() -> Round:
    import polars as pl

    def one(number: int) -> None:
        address = f"s3://{BUCKET}/polars.parquet"
        pl.DataFrame({"number": [number]}).write_parquet(address)
        assert pl.scan_parquet(address).collect()["number"].to_list() == [number]

    return one


def duckdb_round() -> Round:
    import duckdb

    connection = duckdb.connect()

    def one(number: int) -> None:
        address = f"s3://{BUCKET}/duckdb.parquet"
        connection.sql(f"COPY (SELECT {number} AS n) TO '{address}'")
        assert connection.read_parquet(address).fetchall() == [(number,)]

    return one


def mlflow_round() -> Round:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    store = get_artifact_repository(f"s3://{BUCKET}/mlflow")
    folder = Path(tempfile.mkdtemp())

    def one(number: int) -> None:
        local = folder / "value.txt"
        local.write_text(f"mlflow {number}")
        store.log_artifact(str(local))
        target = tempfile.mkdtemp(dir=folder)
        assert Path(store.download_artifacts("value.txt", target)).read_text() == f"mlflow {number}"

    return one


def hvac_round() -> Round:
    import hvac

    kv = hvac.Client().secrets.kv.v2
    place = {
        "path": f"{os.environ['VAULT_TOP_DIR']}/loop",
        "mount_point": os.environ["VAULT_MOUNT"],
    }

    def one(number: int) -> None:
        kv.create_or_update_secret(secret={"number": number}, **place)
        read = kv.read_secret_version(raise_on_deleted_version=True, **place)
        assert read["data"]["data"] == {"number": number}

    return one


CLIENTS = {
    "boto3": boto3_round,
    "s3fs": s3fs_round,
    "pyarrow": pyarrow_round,
    "polars": polars_round,
    "duckdb": duckdb_round,
    "mlflow": mlflow_round,
    "hvac": hvac_round,
}


def _loop(make: Callable[[], Round], seconds: float, result: dict[str, object]) -> None:
    failures: list[str] = []
    result |= {"rounds": 0, "failures": failures}
    try:
        one = make()
    except Exception:
        failures.append(traceback.format_exc()[-1500:])
        return
    ends, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        number += 1
        try:
            one(number)
        except Exception:
            failures.append(traceback.format_exc()[-1500:])
        time.sleep(_PAUSE_S)
    result["rounds"] = number


def main() -> None:
    """Run all loops for the given time, and print the results."""
    results: dict[str, dict[str, object]] = {name: {} for name in CLIENTS}
    threads = [
        threading.Thread(target=_loop, args=(make, float(sys.argv[1]), results[name]))
        for name, make in CLIENTS.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
