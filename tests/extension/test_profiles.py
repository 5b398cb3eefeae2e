"""The profiles panel and its route: what this server is, how it started, what else there is."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError

from autonoe import panels
from autonoe.credentials.settings import AgentSettings
from autonoe_extension import profile_view
from autonoe_extension.manager import PlatformManager

OFFERED = {
    "profiles": [{"name": "r"}],
    "free": {"en": {}},
    "limited": True,
    "spawn_url": "/hub/spawn",
}


class _Hub(http.server.BaseHTTPRequestHandler):
    answer: Any = OFFERED
    seen: list[tuple[str, str]] = []  # noqa: RUF012  emptied by the fixture

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization", "")))
        body = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    """Run a hub that answers one route, and give this process a server's environment."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    _Hub.seen.clear()
    monkeypatch.setattr(_Hub, "answer", OFFERED)
    port = server.server_address[1]
    monkeypatch.setenv("JUPYTERHUB_API_URL", f"http://127.0.0.1:{port}/hub/api")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "the-servers-own")
    yield _Hub
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def on_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give this process what a spawner sets; return the start's report."""
    report = tmp_path / "start.json"
    step = {"step": "script", "state": "failed", "message": "It failed.", "next": "Mend it."}
    report.write_text(json.dumps({"steps": [step]}))
    for name, value in {
        "AUTONOE_PROFILE_NAME": "python",
        "AUTONOE_PROFILE_TITLE": "Python",
        "AUTONOE_PROFILE_CHOICE": '{"cpu": 2}',
        "AUTONOE_PROFILE_REPOSITORY": "https://git.example/stat/nace.git",
        "AUTONOE_START_REPORT": str(report),
        "MEM_LIMIT": "4294967296",
        "CPU_LIMIT": "2.0",
    }.items():
        monkeypatch.setenv(name, value)
    return report


def test_the_panel_is_found_and_works_outside_a_platform() -> None:
    assert "profiles" in dir(panels)
    panel = panels.profiles()
    assert panel.running["profile"] == ""
    assert repr(panel) == "Profile: none"
    with pytest.raises(ValueError, match="en, fr"):
        panels.profiles("tlh")


def test_the_panel_tells_what_runs_and_what_went_wrong(on_profile: Path) -> None:
    panel = panels.profiles("fr")
    assert panel.running["choice"] == {"cpu": 2}
    assert panel.running["limits"] == {"cpu": 2.0, "memory_bytes": 4 * 2**30}
    assert repr(panel) == "Profile: python; It failed."


def test_what_a_notebook_saves_holds_no_token(on_profile: Path, hub_api: type[_Hub]) -> None:
    saved = json.dumps(panels.profiles().get_state(), default=str)
    assert "nace.git" in saved
    assert "the-servers-own" not in saved


def test_a_broken_report_or_choice_is_no_report(
    on_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_profile.write_text("{")
    monkeypatch.setenv("AUTONOE_PROFILE_CHOICE", "[1]")
    running = profile_view.running_view()
    assert running["start"] == {"steps": []}
    assert running["choice"] == {}


async def test_the_route_asks_the_hub_with_the_servers_token(
    jp_fetch: Any, on_platform: None, on_profile: Path, hub_api: type[_Hub]
) -> None:
    answer = await jp_fetch("autonoe", "profile")
    view = json.loads(answer.body)
    assert view["offered"] == OFFERED
    assert view["running"]["profile"] == "python"
    assert view["start"]["steps"][0]["message"] == "It failed."
    assert view["usage"]["memory_bytes"] > 10 * 2**20
    assert hub_api.seen == [("/hub/api/profiles", "token the-servers-own")]
    assert b"the-servers-own" not in answer.body


@pytest.mark.parametrize("answer", [[], {}, {"spawn_url": "javascript:alert(1)"}, "x"])
async def test_an_odd_answer_of_the_hub_is_no_answer(
    jp_fetch: Any,
    on_platform: None,
    hub_api: type[_Hub],
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
) -> None:
    monkeypatch.setattr(_Hub, "answer", answer)
    view = json.loads((await jp_fetch("autonoe", "profile")).body)
    assert view["offered"] == {}


async def test_the_route_is_for_the_person_and_takes_no_arguments(
    jp_fetch: Any, on_platform: None, http_server_client: Any, jp_base_url: str
) -> None:
    from tornado.httpclient import HTTPClientError

    with pytest.raises(HTTPClientError) as malformed:
        await jp_fetch("autonoe", "profile", params={"x": "1"})
    assert malformed.value.code == 400
    denied = await http_server_client.fetch(
        f"{jp_base_url}autonoe/profile", raise_error=False, follow_redirects=False
    )
    assert denied.code in (302, 403)


def test_without_s3_the_agent_gives_no_keys_and_says_why(
    agent_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # the session that boto3 keeps may hold keys that it found for an earlier test
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AUTONOE_PROFILE_S3", "off")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name, value in agent_variables.items():
        monkeypatch.setenv(name, value)
    assert AgentSettings().s3_keys  # type: ignore[call-arg]
    manager = PlatformManager()
    manager.start()
    try:
        for name, value in manager.environment().items():
            monkeypatch.setenv(name, value)
        with pytest.raises(CredentialRetrievalError, match="off in this server"):
            boto3.client("s3").list_buckets()
    finally:
        manager.stop()
