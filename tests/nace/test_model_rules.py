"""Rules and synonyms that a model was trained with travel with it: later ones change nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import autonoe_nace
from autonoe.errors import AutonoeError
from autonoe_nace.data import ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.text import load_rules
from autonoe_nace.training import TrainingParams, train

LEARNED, NEW = ateco().texts[0:600:60], ateco().texts[3:4_000:100]
TEXTS = [*LEARNED, *NEW, "Coltivazione di RISO", "produzione di pane e pasta", "..."]
PARAMS = TrainingParams(dim=12, epoch=8, bucket=4_000, lookup=True, titles=False)

ANSWER = """
import json, sys
from pathlib import Path
import autonoe_nace
from autonoe_nace.model import NaceModel
from autonoe_nace.text import Preparation, load_rules

model, texts = NaceModel.load(sys.argv[1]), json.loads(sys.argv[2])
print(json.dumps({
    "from": str(Path(autonoe_nace.__file__).parent),
    "installed": load_rules("it").sha256,
    "newly_prepared": Preparation(load_rules("it")).all(texts),
    "prepared": model.prepare.all(texts),
    "rules": model.prepare.rules.sha256,
    "version": model.prepare.rules.version,
    "answers": [
        [[c.code, c.probability] for c in found.candidates] + [found.stage]
        for found in model.predict(texts, 5)
    ],
}))
"""


def answers(model: Path, *, package: Path | None = None) -> dict[str, Any]:
    """Return what a process says of :data:`TEXTS`, with the package in the folder ``package``."""
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, str(model), json.dumps(TEXTS)],
        env={**os.environ, **({"PYTHONPATH": str(package)} if package else {})},
        capture_output=True,
        timeout=300,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with a rules engine, which has rules and synonyms of its own."""
    data = ateco().subset(range(0, 6_000, 6))
    return train(data, PARAMS).save(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package as of a later day: no text is prepared as it was."""
    folder = tmp_path_factory.mktemp("later")
    source = Path(autonoe_nace.__file__).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder / source.name / "text" / "rules").glob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["version"] += 1
        document["rules"] = [rule for rule in document["rules"] if rule["kind"] != "stem"]
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    for path in (folder / source.name / "lookup" / "synonyms").glob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        changed = {key: [] if isinstance(value, list) else value for key, value in document.items()}
        path.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    return folder


def test_answers_of_a_model_do_not_change_with_the_installed_rules(
    model: Path, later: Path
) -> None:
    today, then = answers(model), answers(model, package=later)
    assert then["from"] == str(later / "autonoe_nace"), "the changed package was used"
    assert then["installed"] != today["installed"] == load_rules("it").sha256
    changed = sum(a != b for a, b in zip(then["newly_prepared"], then["prepared"], strict=True))
    assert changed > len(TEXTS) / 2, "a model trained then would see other words"
    for kept in ("rules", "version", "prepared", "answers"):
        assert then[kept] == today[kept], kept
    stages = [found[-1] for found in today["answers"]]
    assert {"lookup", "model"} <= set(stages), "both stages answered"


def test_a_model_of_today_tells_which_rules_it_has(model: Path, later: Path) -> None:
    arguments = [sys.executable, "-m", "autonoe", "nace", "rules", "show", "--json"]

    def shown(*options: str, package: Path | None = None) -> dict[str, Any]:
        done = subprocess.run(
            [*arguments, *options],
            env={**os.environ, **({"PYTHONPATH": str(package)} if package else {})},
            capture_output=True,
            timeout=120,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    own = shown("--model", str(model), package=later)
    assert own == shown("--model", str(model))
    assert own["version"] == load_rules("it").version
    assert shown("--language", "it", package=later)["version"] == own["version"] + 1


def test_rules_changed_within_a_model_are_refused(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    path = copy / "preparation.json"
    document = json.loads(path.read_text())
    document["version"] += 1
    path.write_text(json.dumps(document))
    with pytest.raises(AutonoeError, match=r"preparation\.json") as caught:
        NaceModel.load(copy)
    assert caught.value.code == "model_damaged"
