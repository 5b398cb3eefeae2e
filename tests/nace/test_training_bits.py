"""The same training in two processes whose sets and dictionaries hash differently."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from dataclasses import replace

from autonoe_nace.data import ateco
from autonoe_nace.nomenclature.notes import load_notes
from autonoe_nace.training import TrainingParams, train

data = ateco().subset(range(0, 5_600, 8))
kind = tuple("shop" if code.startswith("47") else "other" for code in data.codes)
size = tuple(str(i % 7) for i in range(len(data)))
data = replace(data, features={"kind": kind, "size": size})
params = TrainingParams(
    preset="full", lookup=True, dim=12, epoch=6, bucket=4_000, calibration_rounds=2
)
notes = load_notes("ateco2025", data.nomenclature)
train(data, params, notes=notes).save(sys.argv[1])
print(hash("which numbers this process draws"))
"""


def _content(folder: Path) -> dict[str, bytes | object]:
    """Return each file's bytes; of the manifest all but the time."""
    found: dict[str, bytes | object] = {path.name: path.read_bytes() for path in folder.iterdir()}
    manifest = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert manifest.pop("created")
    return {**found, "model.json": manifest}


def test_the_bits_do_not_hang_on_the_seed_of_hashes(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    try:
        said = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0]
    assert said[0] != said[1], "the seeds do change hashes"
    first, second = (_content(tmp_path / seed) for seed in ("1", "2"))
    wanted = {"linear-data.npy", "neighbours-data.npy", "lookup.json", "notes.json", "texts.json"}
    assert wanted | {"model.bin", "conformal.json", "README.md"} <= set(first)
    assert set(first) == set(second)
    assert [name for name in first if first[name] != second[name]] == []
