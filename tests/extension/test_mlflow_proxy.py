"""The way to MLflow's pages: who may go it, and what is left behind on it.

The platform is down in these tests, so the agent's 503 says that a request came through with the
right pass; a request with a browser's headers, or without the pass, would get its 403.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError, HTTPResponse
from traitlets.config import Config

pytestmark = pytest.mark.usefixtures("on_platform")


async def answer(fetch: Any, *path: str, **options: Any) -> HTTPResponse:
    """Return the answer, whatever its status."""
    try:
        return await fetch(*path, follow_redirects=False, request_timeout=30, **options)
    except HTTPClientError as error:
        if error.response is None:
            raise
        return error.response


def came_through(response: HTTPResponse) -> bool:
    return response.code == 503 and json.loads(response.body)["error_code"] == "UNAVAILABLE"


async def test_the_owner_gets_through_with_a_browsers_headers(jp_fetch: Any) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Cookie": "a=b"}
    assert came_through(await answer(jp_fetch, "mlflow", "index.html", headers=headers))


async def test_nobody_else_does(jp_fetch: Any) -> None:
    response = await answer(jp_fetch, "mlflow", "", headers={"Authorization": "token wrong"})
    assert response.code in {302, 403}
    assert not response.body or b"UNAVAILABLE" not in response.body


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_another_sites_page_changes_nothing(
    jp_fetch: Any, headers: dict[str, str], method: str
) -> None:
    body = None if method == "DELETE" else "{}"
    path = ("mlflow", "api", "2.0", "mlflow", "runs", "create")
    response = await answer(jp_fetch, *path, method=method, body=body, headers=headers)
    assert response.code == 403
    assert b"UNAVAILABLE" not in response.body


async def test_mlflows_own_page_may_change_things(jp_fetch: Any, jp_http_port: int) -> None:
    path = ("mlflow", "api", "2.0", "mlflow", "runs", "create")
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{jp_http_port}"},
        {"Origin": f"http://127.0.0.1:{jp_http_port}"},
        {},  # a program with a token
    ):
        response = await answer(jp_fetch, *path, method="POST", body="{}", headers=headers)
        assert came_through(response), (headers, response.body)


class DenyChanges(Authorizer):  # type: ignore[misc]
    """Lets everybody look, and nobody change."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "autonoe" or action == "read"


@pytest.mark.parametrize(
    "jp_server_config",
    [
        Config(
            {
                "ServerApp": {
                    "jpserver_extensions": {
                        "autonoe_extension": True,
                        "jupyter_server_proxy": True,
                    },
                    "authorizer_class": DenyChanges,
                }
            }
        )
    ],
)
async def test_an_authorizer_decides_about_looking_and_changing(jp_fetch: Any) -> None:
    path = ("mlflow", "api", "2.0", "mlflow", "runs", "create")
    assert came_through(await answer(jp_fetch, *path))
    refused = await answer(jp_fetch, *path, method="POST", body="{}")
    assert refused.code == 403
    assert b"UNAVAILABLE" not in refused.body


@pytest.fixture
def neighbour() -> Iterator[int]:
    """Listen on loopback as another account's process could."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_other_ports_are_closed(jp_fetch: Any, neighbour: int) -> None:
    for path in (str(neighbour), f"localhost:{neighbour}", f"127.0.0.1:{neighbour}"):
        for form in (("proxy", path, "x"), ("proxy", "absolute", path, "x")):
            response = await answer(jp_fetch, *form)
            assert response.code == 403
            assert json.loads(response.body)["error"]["code"] == "forbidden"


async def test_the_launcher_gets_a_tile(jp_fetch: Any) -> None:
    listed = json.loads((await jp_fetch("server-proxy", "servers-info")).body)
    entry = next(one for one in listed["server_processes"] if one["name"] == "mlflow")
    assert entry["launcher_entry"]["title"] == "MLflow"
    icon = await jp_fetch("server-proxy", "icon", "mlflow")
    assert icon.body.startswith(b"<svg")
