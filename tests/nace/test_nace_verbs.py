"""Verbs of `autonoe nace` as they are typed, whose work is tested elsewhere through Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autonoe import apikeys
from autonoe.cli import main


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Return the exit code of ``autonoe nace`` and the document that it wrote."""
    with pytest.raises(SystemExit) as left:
        main(["nace", *arguments, "--json"])
    return int(left.value.code or 0), json.loads(capsys.readouterr().out)


def test_keys_are_created_listed_and_revoked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.json"
    place = ["--key-file", str(file)]
    limits = ["--label", "the survey", "--rate", "5", "--daily-quota", "1000"]
    code, made = run("keys", "create", *place, *limits, capsys=capsys)
    assert code == 0
    assert (made["label"], made["requests_per_second"], made["records_per_day"]) == (
        *("the survey", 5.0),
        1_000,
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert made["key"] not in file.read_text(encoding="utf-8"), "only its hash is kept"
    _, other = run("keys", "create", *place, capsys=capsys)
    assert (other["requests_per_second"], other["records_per_day"]) == (None, None)

    code, listed = run("keys", "list", *place, capsys=capsys)
    shown = [{name: k[name] for name in k if name != "key"} for k in (made, other)]
    assert (code, listed) == (0, {"keys": shown})
    assert run("keys", "revoke", made["id"], *place, capsys=capsys) == (0, {"revoked": made["id"]})
    assert [entry.id for entry in apikeys.read(file)] == [other["id"]]
    code, error = run("keys", "revoke", made["id"], *place, capsys=capsys)
    assert (code, error["error"]["code"]) == (1, "not_found")
    assert "keys list" in error["error"]["hint"]


def test_nothing_is_there_to_be_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "studio"
    for verb in ("stop", "status"):
        code, said = run("annotate", verb, "--folder", str(folder), capsys=capsys)
        assert (code, said["state"], said["people"]) == (0, "stopped", [])
    assert not folder.exists()


def test_a_name_that_can_be_no_coders_is_refused_before_anything_is_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "studio"
    arguments = ["annotate", "start", "--coder", "../anna", "--folder", str(folder)]
    code, error = run(*arguments, capsys=capsys)
    assert (code, error["error"]["code"]) == (2, "invalid_input")
    assert not list(folder.glob("*/bin"))
