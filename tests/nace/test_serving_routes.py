"""Each route of the API: without a key, with another deployment's, malformed, and working."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from autonoe_nace.serving.openapi import build
from autonoe_nace.serving.routes import ROUTES
from autonoe_nace.serving.settings import ServingSettings
from support.serving import ASKS, Ask, new_key, running

KEYED = [ask for ask in ASKS if ask.key]
MALFORMED = [ask for ask in ASKS if ask.bad_query or ask.bad_body is not None]


class Keyed:
    """A server, a key of it, and a key of another one."""

    def __init__(self, client: TestClient, own: str, other: str) -> None:
        self.client = client
        self.own = own
        self.other = other

    def ask(self, ask: Ask, key: str = "", *, bad: bool = False) -> Any:
        body = ask.bad_body if bad else ask.body
        return self.client.request(
            ask.method,
            ask.path,
            params=ask.bad_query if bad else ask.query,
            json=body,
            headers={"authorization": f"Bearer {key}"} if key else {},
        )


@pytest.fixture(scope="module")
def keyed(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    state = tmp_path_factory.mktemp("state")
    own, other = new_key(state / "keys.json"), new_key(state / "others.json")
    options = ServingSettings(str(small_model), state, key_file=state / "keys.json")
    with running(options) as client:
        yield Keyed(client, own, other)


def name(ask: Ask) -> str:
    return f"{ask.method} {ask.path}"


def test_every_route_is_asked() -> None:
    assert {(ask.method, ask.path) for ask in ASKS} == {(r.method, r.path) for r in ROUTES}
    assert {ask.path for ask in KEYED} == {route.path for route in ROUTES if route.key}


@pytest.mark.parametrize("ask", KEYED, ids=name)
def test_no_route_but_health_and_description_answers_without_a_key(keyed: Keyed, ask: Ask) -> None:
    answer = keyed.ask(ask)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_key")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("ask", KEYED, ids=name)
def test_another_deployments_key_opens_no_route(keyed: Keyed, ask: Ask) -> None:
    answer = keyed.ask(ask, keyed.other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unknown_key")


@pytest.mark.parametrize("ask", MALFORMED, ids=name)
def test_malformed_requests_are_named_as_such(keyed: Keyed, ask: Ask) -> None:
    answer = keyed.ask(ask, keyed.own, bad=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")
    assert answer.json()["error"]["hint"]


@pytest.mark.parametrize("ask", ASKS, ids=name)
def test_every_route_answers_those_who_may_ask(keyed: Keyed, ask: Ask) -> None:
    answer = keyed.ask(ask, keyed.own if ask.key else "")
    assert answer.status_code == 200, answer.text
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize("ask", [ask for ask in ASKS if ask.method == "GET"], ids=name)
def test_head_gives_the_same_without_the_body(keyed: Keyed, ask: Ask) -> None:
    answer = keyed.ask(ask._replace(method="HEAD"), keyed.own)
    assert (answer.status_code, answer.content) == (200, b"")


def test_clients_of_insees_api_log_in_by_basic(keyed: Keyed) -> None:
    for password, status in ((keyed.own, 200), (keyed.other, 401), ("", 401)):
        pair = base64.b64encode(f"someone:{password}".encode()).decode()
        answer = keyed.client.get("/v1/models", headers={"authorization": f"Basic {pair}"})
        assert answer.status_code == status
    for wrong in ("Basic !!", "Basic ", "Digest x", "Basic " + "A" * 10_000):
        answer = keyed.client.get("/v1/models", headers={"authorization": wrong})
        assert answer.status_code == 401


def test_each_answer_of_a_model_names_it(keyed: Keyed) -> None:
    for ask in (a for a in ASKS if a.path.startswith("/v1/") and a.path != "/v1/usage"):
        document = keyed.ask(ask, keyed.own).json()
        model = document["models"][0] if "models" in document else document["model"]
        assert model["name"]
        assert model["version"] == "0"
        assert len(model["sha256"]) == 64


def test_the_description_has_every_route_and_refers_to_nothing_else(keyed: Keyed) -> None:
    document = keyed.client.get("/openapi.json").json()
    assert document == build(keys=True)
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert described == {(route.method, route.path) for route in ROUTES}
    operation = document["paths"]["/v1/predict"]["post"]
    assert operation["security"] == [{"key": []}]
    assert {"200", "401", "413", "422", "429", "503"} <= set(operation["responses"])
    schema = document["components"]["schemas"]["PredictRequest"]
    assert set(schema["properties"]) == {
        *("records", "top_k", "min_probability", "explain", "set_coverage", "level", "dual")
    }
    assert "security" not in document["paths"]["/health/live"]["get"]


def test_without_keys_the_description_asks_for_none() -> None:
    document = build(keys=False)
    assert "securitySchemes" not in document["components"]
    assert "401" not in document["paths"]["/v1/predict"]["post"]["responses"]


def test_the_page_needs_no_other_server_and_lets_no_other_in(keyed: Keyed) -> None:
    answer = keyed.client.get("/docs")
    text = answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "src=" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "/v1/predict" in text
    assert text.count("</script>") == 2, "the document must not end its element"
