"""A person's server: what it starts with, who may use it, and what its address lets through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
import requests

from hub.conftest import running
from support.hub_stack import OWNER, HubStack, xsrf


@dataclass
class Open:
    """A hub, a browser in which the owner is signed in, and the address of their server."""

    hub: HubStack
    session: requests.Session
    server: str

    @property
    def token(self) -> str:
        return xsrf(self.session, f"/user/{OWNER}/")


@pytest.fixture(scope="module")
def opened() -> Iterator[Open]:
    with running() as hub:
        home = hub.layout.home(OWNER)
        home.mkdir(mode=0o700)
        # Were the home on the module path, these would be imported for the library's.
        for name in ("json", "random", "autonoe_hub", "tornado"):
            (home / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
        session = hub.login()
        yield Open(hub, session, hub.open_server(session))


def test_it_starts_although_storage_and_secrets_are_down(opened: Open) -> None:
    assert "is not ready yet" in opened.hub.log("hub")
    assert opened.session.get(f"{opened.server}api/status", timeout=30).status_code == 200


def test_it_opens_lab(opened: Open) -> None:
    page = opened.session.get(opened.server, timeout=60)
    assert page.url == f"{opened.server}lab"
    assert "JupyterLab" in page.text


def test_lab_asks_about_no_news(opened: Open) -> None:
    name = "@jupyterlab/apputils-extension:notification"
    answer = opened.session.get(f"{opened.server}lab/api/settings/{name}", timeout=30)
    defaults = answer.json()["schema"]["properties"]
    assert defaults["fetchNews"]["default"] == "false"
    assert defaults["checkForUpdates"]["default"] is False


def test_its_environment_says_where_things_are_and_holds_no_secret(opened: Open) -> None:
    process = opened.hub.server_process()
    environment = process.environ()
    layout = opened.hub.layout
    assert environment["AUTONOE_ACCOUNT"] == OWNER
    assert environment["AUTONOE_PROOF_FILE"] == str(layout.proof(OWNER))
    assert environment["AUTONOE_OPENBAO_URL"] == opened.hub.platform.openbao_url
    assert environment["AUTONOE_CONTROL_SOCKET"] == str(layout.control_socket)
    assert environment["HOME"] == str(layout.home(OWNER)) == process.cwd()
    shown = json.dumps(environment) + " ".join(process.cmdline())
    for secret in layout.secrets.iterdir():
        if secret.is_file():
            assert secret.read_text(errors="replace").strip() not in shown, secret.name
    assert "AWS_ACCESS_KEY_ID" not in environment


def test_its_log_is_its_own(opened: Open) -> None:
    log = opened.hub.layout.log(f"server-{OWNER}")
    assert log.stat().st_mode & 0o077 == 0
    assert "Jupyter Server" in log.read_text()
    assert "Jupyter Server" not in opened.hub.log("hub")


@pytest.mark.parametrize("path", ["api/contents", "api/kernels", "api/terminals", "files/x"])
def test_a_route_without_a_session_is_refused(opened: Open, path: str) -> None:
    answer = requests.get(f"{opened.server}{path}", allow_redirects=False, timeout=30)
    assert answer.status_code in (302, 403)
    if answer.status_code == 302:
        assert "/hub/api/oauth2/authorize" in answer.headers["Location"]


@pytest.mark.parametrize("header", ["token forged", "Bearer forged", "token ", "Basic eDp5", "é"])
def test_a_forged_token_is_refused(opened: Open, header: str) -> None:
    answer = requests.get(
        f"{opened.server}api/contents",
        headers={"Authorization": header.encode()},
        allow_redirects=False,
        timeout=30,
    )
    assert answer.status_code == 403


def _api_token(opened: Open) -> str:
    answer = opened.session.post(
        f"{opened.hub.url}/hub/api/users/{OWNER}/tokens",
        json={"note": "test"},
        headers={"X-XSRFToken": xsrf(opened.session, "/hub/"), "Sec-Fetch-Mode": "cors"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def test_a_token_works_in_a_header_and_not_in_the_address(opened: Open) -> None:
    token = _api_token(opened)
    contents = f"{opened.server}api/contents"
    in_header = requests.get(contents, headers={"Authorization": f"token {token}"}, timeout=30)
    assert in_header.status_code == 200
    in_address = requests.get(contents, params={"token": token}, timeout=30, allow_redirects=False)
    assert in_address.status_code in (302, 403)
    page = requests.get(
        f"{opened.server}lab", params={"token": token}, allow_redirects=False, timeout=30
    )
    assert page.status_code == 302
    assert "/hub/api/oauth2/authorize" in page.headers["Location"]
    for name in ("hub", f"server-{OWNER}"):
        assert token not in opened.hub.log(name)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "api/contents", {"type": "file"}),
        ("PUT", "api/contents/planted.py", {"type": "file", "format": "text", "content": "x"}),
        ("POST", "api/kernels", {}),
        ("POST", "api/terminals", {}),
        ("DELETE", "api/contents/json.py", None),
        ("POST", "api/shutdown", {}),
    ],
)
def test_a_change_without_the_pages_token_is_refused(
    opened: Open, method: str, path: str, body: object
) -> None:
    before = sorted(p.name for p in opened.hub.layout.home(OWNER).iterdir())
    for headers in ({}, {"X-XSRFToken": "forged"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = opened.session.request(
            method, f"{opened.server}{path}", json=body, headers=headers, timeout=30
        )
        assert answer.status_code == 403, (headers, answer.text)
    assert sorted(p.name for p in opened.hub.layout.home(OWNER).iterdir()) == before
    assert opened.session.get(f"{opened.server}api/kernels", timeout=30).json() == []


@pytest.mark.parametrize("path", ["users/owner/tokens", "users/owner/server", "users/eve"])
def test_a_change_of_the_hub_without_the_pages_token_is_refused(opened: Open, path: str) -> None:
    answer = opened.session.post(
        f"{opened.hub.url}/hub/api/{path}",
        json={},
        headers={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"},
        timeout=30,
    )
    assert answer.status_code == 403


def test_a_form_of_the_hub_without_the_pages_token_is_refused(opened: Open) -> None:
    answer = opened.session.post(f"{opened.hub.url}/hub/spawn", data={}, timeout=30)
    assert answer.status_code == 403


@pytest.mark.parametrize("body", ["", "[]", "{", '{"type": 7}', "\x00", '{"type": "file"' * 500])
def test_a_malformed_request_is_answered_as_such(opened: Open, body: str) -> None:
    answer = opened.session.post(
        f"{opened.server}api/contents/none/such",
        data=body.encode(),
        headers={"X-XSRFToken": opened.token},
        timeout=30,
    )
    assert 400 <= answer.status_code < 600
    assert "Traceback" not in answer.text or answer.status_code == 500
    assert opened.session.get(f"{opened.server}api/status", timeout=30).status_code == 200


def test_sharing_is_off(opened: Open) -> None:
    answer = opened.session.post(
        f"{opened.hub.url}/hub/api/shares/{OWNER}/",
        json={"user": OWNER},
        headers={"X-XSRFToken": xsrf(opened.session, "/hub/"), "Sec-Fetch-Mode": "cors"},
        timeout=30,
    )
    assert answer.status_code in (403, 404)


@pytest.mark.parametrize(
    "name", ["a b.txt", "50%.txt", "a#b.txt", "a?b.txt", "a;b.txt", "é%20.txt"]
)
def test_names_of_files_pass_the_proxy(opened: Open, name: str) -> None:
    (opened.hub.layout.home(OWNER) / name).write_text(name)
    answer = opened.session.get(f"{opened.server}files/{quote(name)}", timeout=30)
    assert answer.status_code == 200
    assert answer.text == name


def test_a_large_file_passes_the_proxy(opened: Open) -> None:
    size = 60_000_000
    answer = opened.session.put(
        f"{opened.server}api/contents/large.txt",
        json={"type": "file", "format": "text", "content": "x" * size},
        headers={"X-XSRFToken": opened.token},
        timeout=120,
    )
    assert answer.status_code == 201
    back = opened.session.get(f"{opened.server}files/large.txt", timeout=120)
    assert len(back.content) == size


def test_the_hub_stays_out_of_frames_of_others(opened: Open) -> None:
    page = opened.session.get(f"{opened.hub.url}/hub/home", timeout=30)
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    lab = opened.session.get(f"{opened.server}lab", timeout=30)
    assert "frame-ancestors 'none'" in lab.headers["Content-Security-Policy"]
    assert lab.headers["X-Content-Type-Options"] == "nosniff"


def test_the_person_is_no_administrator(opened: Open) -> None:
    for method, path in (("GET", "users"), ("POST", "users/eve"), ("GET", "proxy")):
        answer = opened.session.request(
            method,
            f"{opened.hub.url}/hub/api/{path}",
            headers={"X-XSRFToken": xsrf(opened.session, "/hub/"), "Sec-Fetch-Mode": "cors"},
            timeout=30,
        )
        seen = answer.json() if answer.status_code == 200 else []
        assert answer.status_code == 403 or [user["name"] for user in seen] == [OWNER]
