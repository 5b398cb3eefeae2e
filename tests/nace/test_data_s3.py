"""Labelled texts from the object store, with the credentials that a kernel has and no key."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import pytest

from autonoe.names import user_bucket
from support.platform import AUTONOE, Platform

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]

UPLOAD = """
import sys, boto3
boto3.client("s3").upload_file(sys.argv[1], sys.argv[2], sys.argv[3])
"""


def _as_owner(platform: Platform, *command: str, check: bool = True) -> tuple[int, str]:
    done = platform.cli(
        "credentials", "exec", "--account", platform.owner, "--", *command, check=check
    )
    return done.returncode, done.stdout


def test_csv_and_parquet_on_s3_train_like_local_files(platform: Platform, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ["rice farm", "wheat farm", "beer brewery", "bread bakery"] * 3
    codes = ["01.12", "01.11", "11.05", "10.71"] * 3
    rows = "".join(f"{text},{code}\n" for text, code in zip(texts, codes, strict=True))
    (tmp_path / "data.csv").write_text(f"text,code\n{rows}", encoding="utf-8")
    pq.write_table(pa.table({"text": texts, "code": codes}), tmp_path / "data.parquet")
    bucket, prefix = user_bucket(platform.owner), f"tests/{uuid.uuid4().hex}"
    hashes = set()
    for name in ("data.csv", "data.parquet"):
        key = f"{prefix}/{name}"
        _as_owner(platform, sys.executable, "-c", UPLOAD, str(tmp_path / name), bucket, key)
        output = str(tmp_path / f"model-{name}")
        options = ["--nomenclature", "nace-rev2", "--no-titles", "--dim", "10", "--epoch", "5"]
        train = [AUTONOE, "nace", "train", "--data", f"s3://{bucket}/{key}", "--output", output]
        _, said = _as_owner(platform, *train, *options, "--bucket", "1000", "--json")
        document = json.loads(said)
        assert document["report"]["used"] == 12
        hashes.add((document["hashes"]["data"], document["hashes"]["model"]))
    assert len(hashes) == 1, "the same rows from either form give the same model"


@pytest.mark.parametrize(
    ("bucket", "codes"),
    [("own", {"not_found"}), ("user-somebody-else", {"not_found", "forbidden"})],
)
def test_objects_that_are_not_there_or_not_mine_are_refused_in_words(
    platform: Platform, tmp_path: Path, bucket: str, codes: set[str]
) -> None:
    bucket = user_bucket(platform.owner) if bucket == "own" else bucket
    train = [AUTONOE, "nace", "train", "--data", f"s3://{bucket}/none.csv", "--json"]
    code, said = _as_owner(platform, *train, "--output", str(tmp_path / "m"), check=False)
    assert code == 1
    assert json.loads(said)["error"]["code"] in codes


def test_a_split_is_written_to_s3_and_read_from_there(platform: Platform, tmp_path: Path) -> None:
    local = tmp_path / "data.csv"
    rows = "".join(f"trade in article {word},46.90\n" for word in "abcdefghijklmnop")
    local.write_text(f"text,code\n{rows}beer brewery,11.05\nbread bakery,10.71\n", encoding="utf-8")
    folder = f"s3://{user_bucket(platform.owner)}/tests/{uuid.uuid4().hex}"
    common = ["--nomenclature", "nace-rev2", "--json"]
    split = [AUTONOE, "nace", "split", "--data", str(local), "--folds", "2", *common]
    _, said = _as_owner(platform, *split, "--output", f"{folder}/folded.parquet")
    assert json.loads(said)["rows"] == 18
    report = [AUTONOE, "nace", "duplicates", "--data", f"{folder}/folded.parquet", *common]
    _, said = _as_owner(platform, *report, "--where", "fold=0")
    first = json.loads(said)["texts"]
    _, said = _as_owner(platform, *report, "--where", "fold=1")
    assert first + json.loads(said)["texts"] == 18
    code, said = _as_owner(
        platform, *split, "--output", "s3://user-somebody-else/x.csv", check=False
    )
    assert code == 1
    assert json.loads(said)["error"]["code"] in {"forbidden", "not_found"}
