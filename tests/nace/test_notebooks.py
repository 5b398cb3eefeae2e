"""The notebooks: their form, their installation, and each run to the end on the platform."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from autonoe.backends import backend
from autonoe.credentials import session
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded.jupyter_paths import jupyter_paths
from autonoe_nace import notebooks, tracking
from autonoe_nace.logs.place import deployment_uri
from autonoe_nace.monitoring import PredictionStatistics
from support.platform import Platform

NAMES = [
    "01-explore",
    "02-train-and-track",
    "03-register-and-serve",
    "04-monitor",
    "05-data-and-rules",
    "06-tune-and-evaluate",
    "07-calibration-and-explanation",
    "08-promote-and-roll-back",
    "09-monitoring-and-drift",
    "10-annotate-and-retrain",
    "11-new-classification",
    "12-the-api",
    "dashboard",
]
MAX_LINES = 10
_SECRET = re.compile(
    r"AKIA[0-9A-Z]{16}|ank_[\w-]{20,}|hvs\.|(password|secret_key|token)\s*=\s*[\"'][^\"']", re.I
)
_KEY = re.compile(r"ank_[\w-]{20,}")
_ABSOLUTE = re.compile(r"[\"'](/|~|[A-Z]:\\)")


def test_these_are_the_notebooks() -> None:
    assert [script.stem for script in notebooks.scripts()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_cell_is_short_and_says_why(name: str) -> None:
    script = next(script for script in notebooks.scripts() if script.stem == name)
    notebook = jupytext.read(script)
    assert notebook.metadata["kernelspec"]["name"] == "autonoe-python"
    before = None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            code = [line for line in cell.source.splitlines() if line.strip()]
            assert len(code) <= MAX_LINES, f"{name}: a cell of {len(code)} lines: {code[0]}"
            tree = ast.parse(cell.source)
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
            named = [n for n in ast.walk(tree) if isinstance(n, kinds[:3])]
            assert not named, f"{name} defines something; that belongs into the package"
            assert not _SECRET.search(cell.source), f"{name} holds a credential"
            assert not _ABSOLUTE.search(cell.source), f"{name} holds an absolute path: {code}"
            tags = cell.metadata.get("tags", [])
            explained = before is not None and before.cell_type == "markdown"
            assert explained or before.metadata.get("tags") == ["parameters"], (
                f"{name}: nothing says why: {code[0]}"
            )
            assert not cell.outputs
            assert tags in ([], ["parameters"])
        before = cell
    tagged = [c for c in notebook.cells if c.metadata.get("tags") == ["parameters"]]
    assert len(tagged) == 1


def test_install_writes_all_and_leaves_what_people_changed(tmp_path: Path) -> None:
    target = tmp_path / "nace"
    assert [path.stem for path in notebooks.install(target)] == NAMES
    assert notebooks.install(target) == []
    edited, deleted, untouched = (target / f"{name}.ipynb" for name in NAMES[:3])
    edited.write_text(edited.read_text().replace("Look at the data", "Mine"))
    deleted.unlink()
    record = json.loads((target / ".autonoe-notebooks.json").read_text())
    # as if an older version had installed this one
    old = untouched.read_text().replace("Register", "Enter")
    untouched.write_text(old)
    record[untouched.name] = notebooks._digest(old)
    (target / ".autonoe-notebooks.json").write_text(json.dumps(record))
    assert notebooks.install(target) == [untouched]
    assert "Mine" in edited.read_text()
    assert not deleted.exists()
    assert "Register" in untouched.read_text()


def test_install_keeps_a_notebook_that_was_there_before(tmp_path: Path) -> None:
    own = tmp_path / "01-explore.ipynb"
    own.write_text("{}")
    assert own not in notebooks.install(tmp_path)
    assert own.read_text() == "{}"


def test_a_broken_record_overwrites_nothing(tmp_path: Path) -> None:
    notebooks.install(tmp_path)
    (tmp_path / ".autonoe-notebooks.json").write_text("[broken")
    assert notebooks.install(tmp_path) == []


def _run(path: Path, parameters: str) -> nbformat.NotebookNode:
    """Run a notebook to its end, with ``parameters`` after its own, as papermill does."""
    notebook = nbformat.read(path, as_version=4)
    place = next(
        number
        for number, cell in enumerate(notebook.cells)
        if cell.metadata.get("tags") == ["parameters"]
    )
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(parameters))
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="autonoe-python",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return notebook


def _said(notebook: nbformat.NotebookNode) -> str:
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            parts.append(str(output.get("text", "")))
            parts.append(str(output.get("data", {}).get("text/plain", "")))
    return "\n".join(parts)


@pytest.fixture
def lab(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the notebooks as they lie in a person's home, in an environment such as a kernel's."""
    settings = AgentSettings.for_account(platform.layout, platform.owner)
    home = platform.layout.home(platform.owner)
    kernel = {**settings.environment(), **jupyter_paths(), "HOME": str(home)}
    for name, value in kernel.items():
        monkeypatch.setenv(name, value)
    folder = home / "test-notebooks" / "nace"
    notebooks.install(folder)
    with session(settings, home=home):
        yield folder


LESSONS = {
    "05-data-and-rules": (
        "rows = 600",
        ["3 of 6 rows", "conflicting label", "texts found", "becomes", "held out", "lookup"],
    ),
    "06-tune-and-evaluate": (
        "rows = 500",
        [
            *("8 of 8 folds are in MLflow", "before: 2 of 6", "searching: 33%", "after: 6 of 6"),
            *("recommended", "evaluation.html", "difference"),
        ],
    ),
    "07-calibration-and-explanation": (
        "rows = 1500\nepochs = 5",
        [
            *("calibration error", "codes, first", "log-odds", "environment"),
            *("40 of 40 answers are identical", "39 of 40 answers", "1 differ in codes"),
        ],
    ),
    "08-promote-and-roll-back": (
        "rows = 2500",
        [
            *("promoted to champion", "is better than", "gate_closed", "rolled back to champion"),
            *("forced to champion", "gate: closed - why: the series of last year"),
        ],
    ),
    "09-monitoring-and-drift": (
        "per_day = 60\nepochs = 4",
        ["Words of the texts", "changed", "alerts", "VBox"],
    ),
    "10-annotate-and-retrain": (
        "size = 320\nepochs = 5",
        ["texts stand for", "agree, kappa", "automatic:", "champion"],
    ),
    "11-new-classification": (
        "rows = 1500\nepochs = 5\nthreshold = 0.3",
        ["target codes without any pair: 3: 46.89", "pairs contradict the table"],
    ),
}
"""By notebook: its parameters here, and what it must have said in the end."""

API = (
    "ready: True",
    "codes hold the right one",
    "from 100% on: 1 codes",
    "the column changes nothing",
    "empty_text",
    "text_too_long",
    "texts judged",
    "autonoe_nace_records_total",
    "/predict-batch",
    "nb_echos_max 1, prob_min 0: 1 codes",
    "nb_echos_max 1000, prob_min 0: 50 codes",
    "nb_echos_max 5, prob_min 1: 1 codes",
    "The column type has 1 rows, text_description has 3.",
    "200 Retry-After: None",
    "quota_exceeded",
    "register team: 2 texts left today",
    "mine: 200",
)
"""What the notebook on the API must have said in the end."""


@pytest.mark.platform
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_to_its_end(lab: Path, name: str) -> None:
    parameters, expected = LESSONS[name]
    said = _said(_run(lab / f"{name}.ipynb", parameters))
    missing = [words for words in expected if words not in said]
    assert not missing, said[-3_000:]


@pytest.mark.platform
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_notebook_runs_to_its_end_and_leaves_its_result(lab: Path) -> None:
    folder = lab
    api = "nb-test"
    try:
        said = _said(_run(folder / "01-explore.ipynb", "rows = 600"))
        assert "rows used" in said
        assert f"s3://{os.environ['AWS_BUCKET_NAME']}/nace/data/texts.parquet" in said

        said = _said(_run(folder / "02-train-and-track.ipynb", "rows = 600\nepochs = 5"))
        run = tracking.last_run()
        assert run.run_id in said
        assert run.model_id in said

        send = f"name = {api!r}\ntexts_to_send = 60\nthreshold = 0.0"
        called = _run(folder / "03-register-and-serve.ipynb", send)
        said = _said(called)
        assert run.model_sha256 in said
        assert "100.0% of 59 texts" in said
        assert _KEY.search(json.dumps(called)) is None, "the key went into the notebook"
        assert backend().get(api).state == "ready"

        said = _said(_run(folder / "04-monitor.ipynb", f"name = {api!r}"))
        statistics = PredictionStatistics(deployment_uri(api))
        day = statistics.per_day()[-1]
        assert int(day["errors"]) >= 1
        assert f"{sum(int(d['predictions']) for d in statistics.per_day()):,} predictions" in said

        shown = _run(folder / "dashboard.ipynb", "threshold = 0.5")
        assert "VBox" in _said(shown)

        called = _run(folder / "12-the-api.ipynb", f"name = {api!r}")
        said = _said(called)
        assert not [words for words in API if words not in said], said
        assert _KEY.search(json.dumps(called)) is None, "a key went into the notebook"
        assert len(backend().keys(api)) == 1, "the colleague's key was not taken back"
    finally:
        backend().undeploy(api)
