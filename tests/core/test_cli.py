"""The command line: only the subcommand that is called is imported, and errors have one form."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import click
import pytest

from autonoe import cli
from autonoe.errors import ConflictError, InvalidInputError


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--number", type=int, default=0)
@click.option("--fail", default="")
def probe(as_json: bool, number: int, fail: str) -> int | None:
    """Answer or fail, as asked."""
    if fail == "conflict":
        raise ConflictError("It is taken.", hint="Take another.")
    if fail == "input":
        raise InvalidInputError("That is no input.", hint="Give some.")
    if fail == "interrupt":
        raise KeyboardInterrupt
    if as_json:
        cli.print_json({"number": number, "text": "é"})
    return None


@pytest.fixture(autouse=True)
def _only_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("probe", f"{__name__}:probe", cli.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: probe)
    monkeypatch.setattr(cli, "_commands", lambda: {"probe": entry})


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    out, err = capsys.readouterr()
    return int(left.value.code or 0), out, err


def test_a_command_answers_with_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "probe", "--json", "--number", "3")
    assert (code, json.loads(out), err) == (0, {"number": 3, "text": "é"}, "")


@pytest.mark.parametrize(
    ("fail", "exit_code", "name"), [("conflict", 1, "conflict"), ("input", 2, "invalid_input")]
)
def test_errors_for_programs(
    capsys: pytest.CaptureFixture[str], fail: str, exit_code: int, name: str
) -> None:
    code, out, _ = _run(capsys, "probe", "--json", "--fail", fail)
    assert code == exit_code
    assert json.loads(out)["error"]["code"] == name


def test_errors_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "probe", "--fail", "conflict")
    assert (code, out) == (1, "")
    assert "It is taken." in err
    assert "Take another." in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "words", [("probe", "--number", "x"), ("probe", "--unknown"), ("nothing",)]
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    code, out, err = _run(capsys, *words)
    assert code == 2
    assert out == ""
    assert "Error" in err
    code, out, _ = _run(capsys, *words, "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "invalid_input"


def test_an_interrupted_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "probe", "--fail", "interrupt")
    assert (code, out) == (1, "")
    assert "Interrupted" in err


def test_every_subcommand_of_the_distribution_can_be_loaded() -> None:
    """In a process of its own: here the loading is replaced."""
    script = (
        "from autonoe import cli\n"
        "group = cli.LazyGroup('x')\n"
        "names = group.list_commands(None)\n"
        "assert all(group.get_command(None, name) for name in names)\n"
        "print(*names)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(entry.name for entry in entry_points(group=cli.GROUP))


def test_listing_the_subcommands_imports_none_of_them() -> None:
    script = (
        "import sys\n"
        "from autonoe import cli\n"
        "assert cli.LazyGroup('x').list_commands(None)\n"
        "heavy = {'boto3', 'mlflow', 'fasttext', 'autonoe_nace', 'jupyterhub', 'pandas'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
