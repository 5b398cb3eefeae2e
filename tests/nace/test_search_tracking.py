"""A search in MLflow: a run a fold below its candidate's, below the search's, each once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from autonoe.credentials import session
from autonoe.credentials.settings import AgentSettings
from autonoe_nace import tracking
from autonoe_nace.search import Store, Workers, search
from autonoe_nace.search.runs import CANDIDATE_TAG, FOLD_TAG, SearchRuns
from nace.search_material import OPTIONS, make_plan, write_table
from support.places import REPOSITORY
from support.platform import Platform

pytestmark = pytest.mark.platform

COMMAND = [sys.executable, "-m", "autonoe", "nace", "search"]


@pytest.fixture
def name(platform: Platform) -> Iterator[str]:
    """Return an unused name, with the account's credentials in the environment."""
    with session(AgentSettings.for_account(platform.layout, platform.owner)):
        yield f"test-{uuid.uuid4().hex[:12]}"


def tree(experiment: str) -> tuple[Run, dict[tuple[int, int | None], Run]]:
    """Return the search's run and those below it, after looking at who is whose child."""
    client = MlflowClient()
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs = client.search_runs([found.experiment_id], max_results=1_000)
    by_id = {run.info.run_id: run for run in runs}
    below: dict[tuple[int, int | None], Run] = {}
    tops = []
    for run in runs:
        tags = run.data.tags
        parent = tags.get("mlflow.parentRunId")
        if parent is None:
            tops.append(run)
            continue
        fold = int(tags[FOLD_TAG]) if FOLD_TAG in tags else None
        key = (int(tags[CANDIDATE_TAG]), fold)
        assert key not in below, "a run is doubled"
        below[key] = run
        if fold is None:
            assert parent in {top.info.run_id for top in runs if CANDIDATE_TAG not in top.data.tags}
        else:
            assert by_id[parent].data.tags[CANDIDATE_TAG] == tags[CANDIDATE_TAG]
            assert FOLD_TAG not in by_id[parent].data.tags
    (top,) = tops
    return top, below


def expected(candidates: int, folds: int) -> set[tuple[int, int | None]]:
    return {(c, f) for c in range(candidates) for f in (None, *range(folds))}


def test_every_fold_is_a_run_once_whatever_happened_meanwhile(name: str, tmp_path: Path) -> None:
    plan = make_plan(write_table(tmp_path), [{"lr": 0.3}, {"lr": 0.8}], experiment=name)
    store = Store.create(tmp_path / "s", plan)
    # A kill between the beginning and the end of a run leaves it open.
    early = SearchRuns(plan)
    early._run((0, None), early.run_id, "candidate 000")
    early._run((0, 1), early._runs[0, None].info.run_id, "fold 1")
    found = search(store, Workers(), track=True)
    top, below = tree(name)
    assert found["run"] == top.info.run_id == early.run_id
    assert set(below) == expected(2, 3)
    assert Counter(run.info.status for run in (top, *below.values())) == {"FINISHED": 9}
    kept = {(r["candidate"], r["fold"]): r for r in store.results()}
    for (candidate, fold), run in below.items():
        assert float(run.data.params["lr"]) == plan.candidates[candidate]["lr"]
        if fold is None:
            row = next(r for r in found["candidates"] if r["candidate"] == candidate)
            assert run.data.metrics["top1"] == pytest.approx(row["top1"])
            continue
        level = kept[candidate, fold]["levels"]["4"]
        assert run.data.metrics["levels.4.top1.value"] == pytest.approx(level["top1"]["value"])
        assert run.data.metrics["train_s"] > 0
    assert top.data.tags["autonoe.search_best"] == str(found["best"])
    assert top.data.metrics["best.top1"] == pytest.approx(found["candidates"][0]["top1"])
    # Another time writes nothing, and a fold's throw-away model is none that can be registered.
    search(store, Workers(scheduler="tcp://127.0.0.1:9"), track=True)
    assert set(tree(name)[1]) == expected(2, 3)
    with pytest.raises(tracking.NotFoundError):
        tracking.last_run(name)


def test_containers_of_a_workflow_share_one_search(name: str, tmp_path: Path) -> None:
    plan = make_plan(write_table(tmp_path), [{"lr": 0.3}, {"lr": 0.8}], experiment=name)
    plan_file = tmp_path / "plan.json"
    plan_file.write_text(plan.text(), encoding="utf-8")

    def container(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [*COMMAND, "run-one", "--plan", str(plan_file), "--track", "--json", *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        document: dict[str, object] = json.loads(done.stdout)
        return document

    begun = container()
    row = container("--candidate", "1")
    again = container("--candidate", "1")
    assert again["train_s"] == pytest.approx(row["train_s"]), "its folds were not run again"
    container("--candidate", "0")
    ended = container("--close")
    assert ended["run"] == begun["run"]
    assert ended["done"] == 6
    top, below = tree(name)
    assert set(below) == expected(2, 3)
    assert top.info.run_id == begun["run"]
    assert top.info.status == "FINISHED"
    assert ended["best"] is not None


def test_mlflow_run_runs_the_project(name: str, tmp_path: Path) -> None:
    table = write_table(tmp_path)
    values = {
        "data": table,
        "nomenclature": "nace-rev2",
        "vary": "lr=0.4,0.8",
        "fixed": OPTIONS[1],
        "folds": 2,
        "output": tmp_path / "s",
    }
    parameters = [p for key, value in values.items() for p in ("-P", f"{key}={value}")]
    scripts = str(Path(sys.executable).parent)
    subprocess.run(
        [
            *(str(Path(scripts, "mlflow")), "run", str(REPOSITORY / "nace_notebooks")),
            *("--env-manager", "local", "--experiment-name", name, *parameters),
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": os.pathsep.join([scripts, os.environ["PATH"]])},
        capture_output=True,
        text=True,
        timeout=540,
        check=True,
    )
    top, below = tree(name)
    assert top.info.status == "FINISHED"
    assert top.data.tags["mlflow.project.entryPoint"] == "main"
    assert set(below) == expected(2, 2)
    assert (tmp_path / "s-model" / "model.json").is_file()
