"""The widget in a kernel: what it knows, what it saves, and what it says when nothing answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from autonoe import panels
from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.settings import AgentSettings
from autonoe.waiting import wait_until


@pytest.fixture
def agent(
    agent_variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CredentialAgent]:
    """Run the agent of a platform that is down, and give this process a kernel's environment."""
    for name, value in agent_variables.items():
        monkeypatch.setenv(name, value)
    with CredentialAgent(AgentSettings(), tmp_path / "agent") as running:  # type: ignore[call-arg]
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


def test_it_is_found_by_name() -> None:
    assert "credentials" in dir(panels)
    with pytest.raises(AttributeError, match="credentials"):
        panels.nothing()


def test_outside_a_platform_it_says_so() -> None:
    panel = panels.credentials()
    assert panel.view["state"] == "none"
    assert panel.view["problem"]["code"] == "none"
    assert panel.equivalents == []
    assert repr(panel) == "Credentials of nobody: none; buckets: none"


def test_with_the_platform_down_it_still_says_who_and_what(agent: CredentialAgent) -> None:
    panel = panels.credentials()
    wait_until(
        lambda: panel.refresh() or panel.view["state"] == "down", timeout_s=10, what="the failure"
    )
    assert panel.view["account"] == "alice"
    assert [b["name"] for b in panel.view["buckets"]] == [
        "user-alice",
        "project-nace-team",
        "public",
    ]
    assert panel.view["problem"]["code"] == "renewal"


def test_with_the_agent_gone_it_says_what_to_do(agent: CredentialAgent) -> None:
    agent.stop()
    view = panels.credentials().view
    assert (view["state"], view["problem"]["code"]) == ("down", "unreachable")
    assert view["problem"]["hint"]


def test_what_a_notebook_saves_holds_no_secret(agent: CredentialAgent) -> None:
    saved = json.dumps(panels.credentials().get_state(), default=str)
    assert "alice" in saved
    assert agent.token_file.read_text().strip() not in saved


def test_the_browsers_request_runs_the_test_and_its_answer_is_recognised(
    agent: CredentialAgent,
) -> None:
    panel = panels.credentials()
    panel._on_message(panel, {"type": "test", "id": "7", "bucket": "user-alice"}, [])
    wait_until(lambda: panel.test["state"] == "failed", timeout_s=60, what="the test's end")
    assert panel.test["id"] == "7"
    assert panel.test["problem"]["code"] in {"test.credentials", "test.unreachable"}


@pytest.mark.parametrize("content", [{}, {"type": "harm"}, {"type": "cancel", "id": "other"}])
def test_other_messages_do_nothing(agent: CredentialAgent, content: dict[str, str]) -> None:
    panel = panels.credentials()
    panel._on_message(panel, content, [])
    assert panel.test == {"state": "idle"}


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="en, fr"):
        panels.credentials("tlh")
