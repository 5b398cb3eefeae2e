"""``autonoe nace``: its document on stdout, its words on stderr, its exit codes."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autonoe.cli import main

ROWS = [
    ("growing of rice", "01.12"),
    ("rice farm", "01.12"),
    ("growing of wheat", "01.11"),
    ("wheat farm", "01.11"),
    ("brewing of beer", "11.05"),
    ("beer brewery", "11.05"),
    ("bread bakery", "10.71"),
    ("bakery of cakes", "10.71"),
]
COMMAND = [sys.executable, "-m", "autonoe", "nace"]
QUICK = ["--dim", "10", "--epoch", "30", "--bucket", "2000", "--lr", "1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "activities.csv"
    lines = ["label;nace", *(f"{text};{code}" for text, code in ROWS * 3), ";01.12", "x y;99.99"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["nace", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return int(left.value.code or 0), said.out, said.err


def test_train_predict_and_evaluate_by_column_names(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tmp_path / "model")
    columns = ["--text-column", "label", "--code-column", "nace"]
    arguments = ["--data", str(data), "--output", model, *columns]
    arguments += ["--nomenclature", "nace-rev2", "--no-titles", "--json", *QUICK]
    code, out, err = _run("train", *arguments, capsys=capsys)
    assert code == 0
    document = json.loads(out)
    assert document["path"] == model
    assert document["level"] == 4
    assert "empty text: 1 rows" in err
    assert "unknown code: 1 rows" in err
    assert "learning" in err

    code, out, _ = _run("predict", "--model", model, "-k", "2", "--json", "rice", "", capsys=capsys)
    found = json.loads(out)
    assert code == 0
    assert found["model"] == document["id"]
    first, empty = found["predictions"]
    assert first["candidates"][0]["code"] == "01.12"
    assert len(first["candidates"]) == 2
    assert (empty["row"], empty["candidates"], empty["confidence"]) == (2, [], 0)

    arguments = ["--model", model, "--data", str(data), *columns]
    code, out, err = _run("evaluate", *arguments, "--json", capsys=capsys)
    result = json.loads(out)
    assert code == 0
    assert result["n"] == len(ROWS) * 3
    assert set(result["levels"]["4"]["top1"]) == {"value", "low", "high"}
    assert result["levels"]["4"]["top1"]["value"] > 0.9
    assert result["report"]["findings"]["unknown_code"]["rows"] == [26]
    assert "unknown code" in err

    code, out, _ = _run("evaluate", *arguments, capsys=capsys)
    assert code == 0
    assert "top-1" in out
    code, out, _ = _run("predict", "--model", model, "--level", "2", "beer", capsys=capsys)
    assert "11" in out


def test_predict_reads_a_file_and_keeps_its_order(
    small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "texts.csv"
    path.write_text('text\nriso\n""\npanificio\n', encoding="utf-8")
    code, out, _ = _run(
        "predict", "--model", str(small_model), "--data", str(path), "--json", capsys=capsys
    )
    assert code == 0
    assert [p["text"] for p in json.loads(out)["predictions"]] == ["riso", "", "panificio"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["train", "--data", "missing.csv", "--output", "m"], "invalid_input"),
        (["train", "--data", "{data}", "--output", "m"], "unknown_column"),
        (["train", "--data", "{data}", "--output", "m", "--nomenclature", "x"], "invalid_input"),
        (["train", "--output", "m", "--nomenclature", "nace-rev2"], "invalid_input"),
        (["train", "--output", "m", "--lr", "-1"], "invalid_input"),
        (["train", "--output", "m", "--language", "xx"], "invalid_input"),
        (["train", "--output", "m", "--no-such-option"], "invalid_input"),
        (["predict", "--model", "{model}"], "invalid_input"),
        (["predict", "--model", "{model}", "--level", "9", "x"], "invalid_input"),
        (["evaluate", "--model", "{model}", "--data", "{data}", "--where", "x"], "invalid_input"),
    ],
)
def test_bad_input_is_explained_and_leaves_with_2(
    arguments: list[str],
    code: str,
    data: Path,
    small_model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [a.format(data=data, model=small_model) for a in arguments]
    left, out, _ = _run(*filled, "--json", capsys=capsys)
    assert left == 2
    error = json.loads(out)["error"]
    assert error["code"] == code
    assert error["hint"]
    assert not (tmp_path / "m").exists()


def test_a_missing_or_damaged_model_leaves_with_1(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, out, _ = _run("predict", "--model", str(tmp_path), "--json", "x", capsys=capsys)
    assert (left, json.loads(out)["error"]["code"]) == (1, "model_missing")


def test_an_output_folder_that_holds_something_else_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    left, out, err = _run("train", "--output", str(tmp_path), "--json", capsys=capsys)
    assert (left, json.loads(out)["error"]["code"]) == (1, "conflict")
    assert "learning" not in err


def test_extra_material_and_conditions_reach_the_model(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data / "data" / "labelled"
    code, out, err = _run(
        "train",
        *("--data", str(folder / "uksic2007_en_train.parquet"), "--code-column", "nace_class"),
        *("--where", "fold=1", "--nomenclature", "uksic2007", "--no-titles"),
        *("--extra", str(folder / "nace_rev2_notes_en_fr_de_train.parquet")),
        *("--extra-where", "lang=en", "--output", str(tmp_path / "m"), "--json", *QUICK),
        capsys=capsys,
    )
    assert code == 0
    assert json.loads(out)["report"]["used"] == 2_553
    card = (tmp_path / "m" / "README.md").read_text()
    assert "uksic2007_en_train.parquet" in card
    assert "nace_rev2_notes_en_fr_de_train.parquet" in card
    assert str(folder) not in card, "a card tells no path of this machine"
    assert "3,393 rows" in err


def test_an_interrupted_training_leaves_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    output = tmp_path / "model"
    process = subprocess.Popen(
        [*COMMAND, "train", "--output", str(output), "--epoch", "2000"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert process.stderr is not None
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    try:
        for line in process.stderr:
            if line.startswith("learning"):
                break
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(30) == 1
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stderr.close()
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == [], "neither a model nor scratch files"


def test_help_names_the_commands_without_importing_the_model_library() -> None:
    script = (
        "import sys; from autonoe_nace.cli import nace; import click;"
        "print(nace.list_commands(click.Context(nace)));"
        "print([m for m in ('fasttext', 'sklearn', 'pyarrow', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    commands, loaded = done.stdout.strip().splitlines()
    assert {"demo", "evaluate", "predict", "serve", "train"} <= set(ast.literal_eval(commands))
    assert loaded == "[]"
