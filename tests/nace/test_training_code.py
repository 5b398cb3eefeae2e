"""The hash of the code names what decides a model: one byte of any of these files changes it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import autonoe_nace
from autonoe_nace.training.assemble import code_files, code_hash, hash_sources

PACKAGE = Path(autonoe_nace.__file__).parent

JUDGES_OR_READS = ("autonoe_nace.data.", "autonoe_nace.evaluation.", "autonoe_nace.tables")
"""What a training run loads besides: files are read before, and their content has its own hash."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("code") / "autonoe_nace"
    leave = shutil.ignore_patterns("__pycache__", "label_studio_side")
    return Path(shutil.copytree(PACKAGE, target, ignore=leave))


def test_a_byte_of_any_file_that_decides_changes_the_hash(copy: Path) -> None:
    names = list(code_files(copy))
    before = hash_sources(code_files(copy))
    assert before == code_hash()
    assert {"splitting.py", "fasttext_process.py", "training/train.py", "data/dataset.py"} <= set(
        names
    )
    assert any(name.endswith(".yaml") for name in names)
    seen = {before}
    for name in names:
        path = copy / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if whole else b"#")
        seen.add(hash_sources(code_files(copy)))
        path.write_bytes(whole)
    assert len(seen) == len(names) + 1
    assert hash_sources(code_files(copy)) == before


def test_a_file_that_shows_models_does_not_change_the_hash(copy: Path) -> None:
    path = copy / "dashboard.py"
    path.write_bytes(path.read_bytes() + b"\n")
    (copy / "model" / "notes.txt").write_text("no source")
    assert hash_sources(code_files(copy)) == code_hash()


def test_every_module_that_training_loads_is_counted() -> None:
    script = (
        "import json, sys, autonoe_nace.training.train, autonoe_nace.fasttext_process;"
        "print(json.dumps({n: m.__file__ for n, m in sys.modules.items()"
        " if n.startswith('autonoe_nace.')}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = {
        name: Path(file).relative_to(PACKAGE).as_posix()
        for name, file in json.loads(done.stdout).items()
    }
    counted = set(code_files(PACKAGE))
    missing = {name for name, file in loaded.items() if file not in counted}
    packages = {"autonoe_nace.data", "autonoe_nace.evaluation"}
    assert {n for n in missing - packages if not n.startswith(JUDGES_OR_READS)} == set()
    assert "autonoe_nace.splitting" in loaded
