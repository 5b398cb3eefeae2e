"""The agent's settings travel through environment variables unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autonoe.credentials.environment import aws_config, git_config, without_proxy
from autonoe.credentials.guard import safe_path
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import InvalidInputError


def _settings(**changes: Any) -> AgentSettings:
    values: dict[str, Any] = {
        "account": 'Ana, María "x"',
        "groups": ('pri"ces', "löhne, 1"),
        "proof_file": Path("/data/proof.json"),
        "openbao_url": "http://127.0.0.1:1",
        "s3_url": "http://127.0.0.1:2",
    }
    return AgentSettings(**{**values, **changes})


def test_there_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(control_socket=Path("/data/run/control.sock"), session_ttl_s=7200)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert AgentSettings() == settings


@pytest.mark.parametrize(
    "changes",
    [{"session_ttl_s": 0}, {"session_ttl_s": 50_000}, {"renew_margin_s": -1},
     {"session_ttl_s": 900, "renew_margin_s": 900}],
)  # fmt: skip
def test_times_that_make_no_sense_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        _settings(**changes)


def test_no_proxy_keeps_what_is_set() -> None:
    assert without_proxy({"no_proxy": "a.example, 127.0.0.1"})["NO_PROXY"] == (
        "a.example,127.0.0.1,localhost,::1"
    )
    assert set(without_proxy({})) == {"NO_PROXY", "no_proxy"}


def test_a_name_cannot_add_lines_to_the_files() -> None:
    evil = 'x"\n[core]\n\tsshCommand = evil'
    text = git_config(_settings(account='x" ; # \\', account_mail=evil))
    assert [line for line in text.splitlines() if line.startswith("[")] == ["[include]", "[user]"]
    assert "[default]" in aws_config(_settings())


@pytest.mark.parametrize(
    "path", ["/a/../b", "/a/%2e%2e/b", "/a/%252e%252e/b", "/a\\b", "//b", "/."]
)
def test_paths_that_are_not_plain(path: str) -> None:
    with pytest.raises(InvalidInputError):
        safe_path(f"/mlflow{path}", "/mlflow")


@pytest.mark.parametrize("path", ["", "/", "/a..b/c", "/a%20b", "/a?x=../y", "/é", "/a%2Fb"])
def test_plain_paths_pass_unchanged(path: str) -> None:
    assert safe_path(f"/mlflow{path}", "/mlflow") == path
