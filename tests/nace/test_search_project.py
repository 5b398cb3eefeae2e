"""The entry points of the MLproject: each parses as it stands, and does what it says."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from mlflow import MlflowClient

from autonoe.cli import main
from autonoe_nace.cli import nace
from nace.registry_parts import mlflow
from nace.search_material import OPTIONS, write_table

__all__ = ["mlflow"]

PROJECT = Path(__file__).parents[2] / "nace_notebooks" / "MLproject"
ENTRIES: dict[str, Any] = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))["entry_points"]


def words(entry: str, **given: object) -> list[str]:
    """Return the command of an entry point, filled as MLflow does: each value quoted."""
    parameters = ENTRIES[entry]["parameters"]
    values = {name: what["default"] for name, what in parameters.items() if "default" in what}
    filled = {name: shlex.quote(str(value)) for name, value in {**values, **given}.items()}
    assert set(filled) == set(parameters)
    return shlex.split(ENTRIES[entry]["command"].format(**filled))


def parsed(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the path of the command that click finds and the values that it gets."""
    assert arguments[:2] == ["autonoe", "nace"]
    group: click.Command = nace
    context = click.Context(nace, info_name="nace")
    left = arguments[2:]
    while isinstance(group, click.Group):
        name, found, left = group.resolve_command(context, left)
        assert name is not None
        assert found is not None
        group, context = found, click.Context(found, info_name=name, parent=context)
    assert isinstance(context.parent, click.Context)
    made = group.make_context(group.name, left, parent=context.parent)
    return made.command_path, made.params


def test_every_entry_point_parses_as_it_stands() -> None:
    assert set(ENTRIES) == {"main", "random", "evaluate"}
    needed = {"data": "texts.csv", "model": "my model"}
    paths = {}
    for entry, what in ENTRIES.items():
        given = {name: needed[name] for name in needed if name in what["parameters"]}
        paths[entry], values = parsed(words(entry, **given))
        assert values["data"] == needed["data"], entry
    assert paths == {
        "main": "nace search grid",
        "random": "nace search random",
        "evaluate": "nace evaluate",
    }
    wrong = [*words("evaluate", **needed), "--no-such-option"]
    with pytest.raises(click.exceptions.NoSuchOption):
        parsed(wrong)


@pytest.mark.slow
def test_a_random_search_and_the_evaluation_of_its_model_run(
    mlflow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = write_table(tmp_path), tmp_path / "a search"
    more = {"nomenclature": "nace-rev2", "folds": 2, "candidates": 1, "fixed": OPTIONS[1]}
    assert run(words("random", data=data, output=output, **more)) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["done"], found["total"], found["failed"]) == (2, 2, 0)
    assert MlflowClient().get_run(found["run"]).info.status == "FINISHED"
    (candidate,) = found["candidates"]
    assert 0.2 <= candidate["params"]["lr"] <= 1.2
    model, report = Path(f"{output}-model"), tmp_path / "report.html"
    assert found["refit"]["path"] == str(model)

    assert run(words("evaluate", model=model, data=data, report=report)) == 0
    said = capsys.readouterr().out
    assert f"{found['refit']['id']}, 48 texts" in said
    assert "<html" in report.read_text(encoding="utf-8")


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments[1:])
    return int(left.value.code or 0)
