"""Addresses of deployments, and how little the platform's own token may do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from autonoe.embedded import hub_api, routes
from autonoe.errors import ConflictError, InvalidInputError, UnavailableError
from autonoe.waiting import wait_until
from support.hub_stack import OWNER, HubStack


class Echo(BaseHTTPRequestHandler):
    """Says which path it was asked for, and on which port."""

    def do_GET(self) -> None:
        body = f"{self.server.server_port} {self.path}".encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def deployments() -> Iterator[list[str]]:
    """Return the addresses of two deployments."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Echo) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_port}" for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


def says(address: str, expected: str) -> None:
    wait_until(
        lambda: requests.get(f"{address}predict?k=5", timeout=5).text == expected,
        timeout_s=15,
        what=f"{address} to lead to {expected}",
    )


def gone(address: str) -> None:
    wait_until(
        lambda: requests.get(f"{address}predict", timeout=5).status_code == 404,
        timeout_s=15,
        what=f"{address} to end",
    )


def test_a_route_is_made_moved_and_removed(hub: HubStack, deployments: list[str]) -> None:
    first, second = deployments
    name = "ana.nace"
    address = routes.add_route(hub.layout, name, first)
    assert address == f"{hub.url}/services/ana.nace/"
    says(address, f"{first.rpartition(':')[2]} /services/ana.nace/predict?k=5")
    assert routes.add_route(hub.layout, name, first) == address
    assert routes.list_routes(hub.layout) == {name: first}
    routes.add_route(hub.layout, name, second)
    says(address, f"{second.rpartition(':')[2]} /services/ana.nace/predict?k=5")
    assert routes.remove_route(hub.layout, name) is True
    assert routes.remove_route(hub.layout, name) is False
    gone(address)
    assert routes.list_routes(hub.layout) == {}


def test_a_deployments_pages_are_in_a_sandbox(hub: HubStack, deployments: list[str]) -> None:
    address = routes.add_route(hub.layout, "boxed", deployments[0])
    says(address, f"{deployments[0].rpartition(':')[2]} /services/boxed/predict?k=5")
    policy = requests.get(address, timeout=5).headers["Content-Security-Policy"]
    assert policy.startswith("sandbox")
    assert "allow-same-origin" not in policy
    routes.remove_route(hub.layout, "boxed")


def test_routes_outlive_the_hub(own_hub: HubStack, deployments: list[str]) -> None:
    address = routes.add_route(own_hub.layout, "lasting", deployments[0])
    expected = f"{deployments[0].rpartition(':')[2]} /services/lasting/predict?k=5"
    says(address, expected)
    own_hub.kill_hub()
    assert requests.get(f"{address}predict?k=5", timeout=5).text == expected
    with pytest.raises(UnavailableError):
        routes.add_route(own_hub.layout, "other", deployments[1])
    own_hub.start_hub()
    assert requests.get(f"{address}predict?k=5", timeout=5).text == expected
    assert routes.list_routes(own_hub.layout) == {"lasting": deployments[0]}


@pytest.mark.parametrize(
    "name",
    ["", "A", "a/b", "../x", "a..b", "a b", "-a", "a-", "autonoe-platform", "x" * 121, "a?b", "é"],
)
def test_a_name_that_is_no_path_is_refused(hub: HubStack, name: str) -> None:
    with pytest.raises(InvalidInputError):
        routes.add_route(hub.layout, name, "http://127.0.0.1:9")


@pytest.mark.parametrize(
    "url",
    ["", "http://localhost:80", "http://127.0.0.1", "http://10.0.0.1:80", "https://127.0.0.1:1",
     "http://127.0.0.1:80@evil.example", "http://127.0.0.1:80/x", "file:///etc/passwd"],
)  # fmt: skip
def test_a_target_elsewhere_is_refused(hub: HubStack, url: str) -> None:
    with pytest.raises(InvalidInputError):
        routes.add_route(hub.layout, "elsewhere", url)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "users/eve", {}),
        ("POST", f"users/{OWNER}/tokens", {}),
        ("POST", f"users/{OWNER}/server", {}),
        ("PATCH", f"users/{OWNER}", {"admin": True}),
        ("POST", "groups/g", {}),
        ("POST", "shutdown", {}),
        ("POST", f"shares/{OWNER}/", {"user": "eve"}),
        ("POST", "services/root", {"url": "http://127.0.0.1:9", "admin": True}),
        ("POST", "services/shell", {"command": ["/bin/sh"]}),
    ],
)
def test_the_platforms_token_cannot(
    hub: HubStack, method: str, path: str, body: dict[str, object]
) -> None:
    hub.login()
    answer = hub.api(method, path, json=body)
    assert answer.status_code in (400, 403, 404), (answer.status_code, answer.text)
    with pytest.raises(ConflictError) if answer.status_code != 404 else pytest.raises(TypeError):
        if hub_api.call(hub.layout, method, path, body) is None:
            raise TypeError(path)


def test_the_platforms_own_services_cannot_be_removed(hub: HubStack) -> None:
    for name in ("autonoe-platform", "autonoe-culler"):
        assert hub.api("DELETE", f"services/{name}").status_code == 405
