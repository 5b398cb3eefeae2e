"""`autonoe nace models` as it is typed: figures on stdout, exit codes, and what is recorded."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from autonoe.cli import main
from nace.registry_parts import champion, gold, mlflow, registered, train_model

__all__ = ["mlflow"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two models, the second better."""
    folder = tmp_path_factory.mktemp("models")
    return [
        train_model(folder / "poor", rows=range(0, 4_000, 10), epoch=5),
        train_model(folder / "good", rows=range(0, 8_000, 4), epoch=15),
    ]


@pytest.fixture(scope="module")
def gold_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the gold texts as a file, of whose weights only section A's are above one."""
    path = tmp_path_factory.mktemp("gold") / "gold.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["activity", "ateco", "weight", "word"])
        for text, code in zip(gold().texts, gold().codes, strict=True):
            writer.writerow([text, code, 40 if code.startswith("01") else 1, "many"])
    return path


@pytest.fixture
def name(mlflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"typed-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def columns(gold_file: Path) -> list[str]:
    return ["--gold", str(gold_file), "--text-column", "activity", "--code-column", "ateco"]


def run(
    *arguments: str, capsys: pytest.CaptureFixture[str], as_json: bool = True
) -> tuple[int, Any]:
    """Return the exit code of ``autonoe nace models`` and what it wrote to stdout."""
    with pytest.raises(SystemExit) as left:
        main(["nace", "models", *arguments, *(["--json"] if as_json else [])])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return int(left.value.code or 0), json.loads(said.out) if as_json else said.out


def test_check_passes_or_leaves_with_1(
    models: list[Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (version,) = registered(models[:1], name)
    uri = f"models:/{name}/{version}"
    code, report = run("check", uri, capsys=capsys)
    assert (code, report["passed"], report["name"], report["version"]) == (0, True, name, version)
    code, words = run("check", uri, "--max-size-mib", "0.001", capsys=capsys, as_json=False)
    assert code == 1
    assert [line.split()[:2] for line in words.splitlines()] == [
        ["passed", "artefact"],
        ["FAILED", "size"],
        ["passed", "answers"],
        ["passed", "latency"],
        ["passed", "memory"],
    ]
    code, error = run("check", f"models:/{name}/99", capsys=capsys)
    assert (code, error["error"]["code"]) == (1, "not_found")


def test_gate_compares_and_moves_nothing(
    models: list[Path],
    name: str,
    columns: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    poor, good = (f"models:/{name}/{version}" for version in registered(models, name))
    code, report = run("gate", good, poor, *columns, capsys=capsys)
    assert (code, report["passed"]) == (0, True)
    assert (report["n"], report["left_out"]) == (len(gold()) - 15, 15), "ATECO repeats some texts"
    assert report["against"] == json.loads((models[0] / "model.json").read_text())["id"]
    code, words = run("gate", poor, str(models[1]), *columns, capsys=capsys, as_json=False)
    assert code == 1
    assert "is not shown to be better" in words
    # weights change the estimate, and what is no number is said
    code, weighed = run("gate", good, poor, *columns, "--weight-column", "weight", capsys=capsys)
    assert weighed["difference"]["value"] != report["difference"]["value"]
    assert weighed["n"] == report["n"]
    code, error = run("gate", good, poor, *columns, "--weight-column", "word", capsys=capsys)
    assert (code, error["error"]["code"]) == (2, "invalid_input")
    assert "word" in error["error"]["message"]
    code, error = run("gate", good, capsys=capsys)
    assert (code, error["error"]["code"]) == (2, "invalid_input")
    registered_model = MlflowClient().get_registered_model(name)
    assert (registered_model.aliases, registered_model.tags) == ({}, {})


def test_the_life_of_a_champion_as_it_is_typed(
    models: list[Path],
    name: str,
    columns: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    poor, good = registered(models, name)
    code, error = run("promote", name, poor, capsys=capsys)
    assert (code, error["error"]["code"]) == (2, "invalid_input")
    assert "--force-reason" in error["error"]["hint"]
    with pytest.raises(MlflowException):
        champion(name)
    code, words = run(
        "promote", name, poor, "--force-reason", "a first model", capsys=capsys, as_json=False
    )
    assert code == 0
    assert f"Version {poor} forced to champion by ana" in words
    assert champion(name) == poor

    weighed = [*columns, "--weight-column", "weight"]
    code, outcome = run("promote", name, good, *weighed, capsys=capsys)
    assert (code, outcome["moved"], outcome["gate"]["passed"]) == (0, True, True)
    assert champion(name) == good
    code, error = run("promote", name, poor, *weighed, capsys=capsys)
    assert (code, error["error"]["code"]) == (1, "gate_closed")
    code, error = run(
        "promote", name, poor, *columns, "--max-memory-mib", "1", "--force-reason", "x",
        capsys=capsys,
    )  # fmt: skip
    assert (code, error["error"]["code"]) == (1, "check_failed")
    assert champion(name) == good
    code, words = run("promote", name, good, *columns, capsys=capsys, as_json=False)
    assert (code, words.splitlines()[-1]) == (0, "It is the champion already.")

    code, outcome = run("rollback", name, "--reason", "complaints", capsys=capsys)
    assert (code, outcome["moved"], champion(name)) == (0, True, poor)
    code, words = run("rollback", name, "--to", good, capsys=capsys, as_json=False)
    assert code == 0
    assert f"Version {good} rolled back to champion in place of {poor}" in words

    code, told = run("history", name, capsys=capsys)
    assert (code, told["name"]) == (0, name)
    assert [(d["kind"], d["version"], d["previous"]) for d in told["decisions"]] == [
        ("force", poor, ""),
        ("promote", good, poor),
        ("refuse", poor, good),
        ("refuse", poor, good),
        ("rollback", poor, good),
        ("rollback", good, poor),
    ]
    assert told["decisions"][0]["reason"] == "a first model"
    assert told["decisions"][4]["reason"] == "complaints"
    figures = told["decisions"][1]["figures"]
    assert float(figures["n"]) + float(figures["left_out"]) == len(gold())
    assert run("history", name, "--alias", "other", capsys=capsys)[1]["decisions"] == []
    _, words = run("history", name, capsys=capsys, as_json=False)
    assert len(words.splitlines()) == 6


def test_another_alias_has_a_life_of_its_own(
    models: list[Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (version,) = registered(models[:1], name)
    arguments = ["--alias", "trial", "--force-reason", "to try it"]
    assert run("promote", name, version, *arguments, capsys=capsys)[0] == 0
    assert MlflowClient().get_registered_model(name).aliases == {"trial": version}
    assert run("rollback", name, capsys=capsys)[1]["error"]["code"] == "conflict"
    assert run("rollback", name, "--alias", "trial", capsys=capsys)[0] == 1


def test_a_folder_becomes_a_version_with_its_metrics_and_no_alias(
    models: list[Path], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_id = json.loads((models[0] / "model.json").read_text())["id"]
    scores = tmp_path / "evaluation.json"
    level = {"top1": {"value": 0.25, "low": 0.2, "high": 0.3}}
    scores.write_text(json.dumps({"model": model_id, "n": 412, "levels": {"5": level}}))
    arguments = ["register", str(models[0]), "--name", name, "--evaluation", str(scores)]
    code, first = run(*arguments, capsys=capsys)
    assert code == 0
    assert (first["name"], first["version"], first["model_id"]) == (name, "1", model_id)
    assert first["uri"] == f"models:/{name}/1"
    client = MlflowClient()
    tracked = client.get_run(first["run_id"])
    assert tracked.data.metrics["levels.5.top1.value"] == 0.25
    assert tracked.data.params["epoch"] == "5"
    assert client.get_registered_model(name).aliases == {}
    # typed once more it is the same version, and says that the run keeps what it has
    assert run(*arguments, capsys=capsys)[1] == {**first, "reused": True}
    code, words = run(
        "register", str(models[1]), "--name", name, capsys=capsys, as_json=False
    )  # fmt: skip
    assert words.splitlines()[-1] == f"Next: autonoe nace models promote {name} 2 --gold FILE"
    assert run("promote", name, "2", "--force-reason", "first", capsys=capsys)[0] == 0
    assert champion(name) == "2"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no evaluation"),
        ('{"top1": 1}', "holds no evaluation"),
        ('{"model": "another", "levels": {}}', "is about another"),
    ],
)
def test_another_models_figures_and_damaged_files_are_not_registered(
    models: list[Path],
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    said: str,
) -> None:
    scores = tmp_path / "evaluation.json"
    scores.write_text(content)
    arguments = ["--name", name, "--evaluation", str(scores)]
    code, error = run("register", str(models[0]), *arguments, capsys=capsys)
    assert (code, error["error"]["code"]) == (2, "invalid_input")
    assert said in error["error"]["message"]
    cut = Path(shutil.copytree(models[0], tmp_path / "cut"))
    (cut / "model.bin").write_bytes((cut / "model.bin").read_bytes()[:-9])
    code, error = run("register", str(cut), "--name", name, capsys=capsys)
    assert (code, error["error"]["code"]) == (1, "model_damaged")
    code, error = run("register", str(tmp_path), "--name", name, capsys=capsys)
    assert (code, error["error"]["code"]) == (1, "model_missing")
    with pytest.raises(MlflowException):
        MlflowClient().get_registered_model(name)
