"""No input makes a server error: fuzzed from the API's own description, and by hypothesis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from schemathesis.schemas import APIOperation
from starlette.testclient import TestClient

from autonoe_nace.serving.routes import ROUTES
from autonoe_nace.serving.settings import ServingSettings
from support.described import CHECKS, QUIET, described
from support.serving import BATCH, FORM, TEXT, running


@pytest.fixture(scope="module")
def client(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TestClient:  # type: ignore[misc]
    with running(ServingSettings(str(small_model), tmp_path_factory.mktemp("state"))) as client:
        yield client


@pytest.fixture(scope="module")
def operations(
    small_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, APIOperation]:
    return described(ServingSettings(str(small_model), tmp_path_factory.mktemp("described")))


@pytest.mark.parametrize("name", [route.name for route in ROUTES])
def test_every_answer_is_as_described(operations: dict[str, APIOperation], name: str) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=QUIET, phases=[Phase.generate])
    @given(operations[name].as_strategy())
    def fuzz(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    fuzz()


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
any_text = st.text(max_size=60) | st.text(alphabet="abc \u0000\u200b\ud800", max_size=10)
features = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
records = st.lists(
    st.fixed_dictionaries(
        {"text": any_text | anything}, optional={"features": features | anything}
    ),
    max_size=4,
)


def document(known: dict[str, object]) -> st.SearchStrategy[object]:
    """Return documents of which each field is as it should be, or anything."""
    return st.one_of(
        anything,
        st.fixed_dictionaries(
            {}, optional={name: st.just(value) | anything for name, value in known.items()}
        ),
    )


bodies = st.one_of(
    st.tuples(
        st.just("/v1/predict"),
        st.fixed_dictionaries(
            {"records": records},
            optional={
                "top_k": st.integers(1, 50) | anything,
                "min_probability": st.floats(0, 1) | anything,
                "explain": st.booleans() | anything,
                "dual": st.booleans() | anything,
                "level": st.integers(1, 6) | anything,
                "set_coverage": st.floats(0.5, 0.99) | anything,
            },
        ),
    ),
    st.tuples(st.just("/v1/evaluate"), document({"records": [{"text": TEXT, "code": "01.1"}]})),
    st.tuples(st.just("/predict-batch"), document(dict(BATCH))),
    st.tuples(st.just("/evaluation"), document({**BATCH, "code": ["0111", "x"]})),
    st.tuples(st.just("/predict/"), document({"forms": [FORM]})),
    st.tuples(st.sampled_from(["/v1/predict", "/predict/"]), st.binary(max_size=60)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(bodies)
def test_no_body_is_answered_with_a_server_error(
    client: TestClient, asked: tuple[str, object]
) -> None:
    path, content = asked
    # json writes lone surrogates, NaN and infinities as a careless client does
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = client.post(path, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"code", "message", "hint"}


_NAMES = ["text_description", "nb_echos_max", "top_k", "prob_min", "nature", "surface", "event"]


@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
@given(
    st.dictionaries(
        st.sampled_from(_NAMES) | st.text(alphabet="ab_%", min_size=1, max_size=4),
        st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
        | st.sampled_from(["1", "0", "-1", "1e400", "nan", "inf", "9" * 5_000, TEXT]),
        max_size=6,
    )
)
def test_no_address_is_answered_with_a_server_error(
    client: TestClient, query: dict[str, str]
) -> None:
    answer = client.get("/predict", params=query)
    assert answer.status_code in {200, 400, 422}, answer.text


def test_secrets_of_a_request_are_in_no_refusal(client: TestClient) -> None:
    canary = "zauberwort"
    refused = [
        client.post("/predict-batch", json={**BATCH, "type_": [canary]}),
        client.post("/predict-batch", json={"text_description": {canary: canary}}),
        client.post("/predict/", json={"forms": [{"description_activity": 5, canary: canary}]}),
        client.post("/evaluation", json={"text_description": [canary * 600], "code": canary}),
        client.get("/predict", params={"text_description": canary * 600}),
        client.get("/predict", params={"text_description": TEXT, "nb_echos_max": canary}),
        client.post("/v1/evaluate", json={"records": [{"text": canary, "code": canary}]}),
        client.post("/v1/predict", json={"records": [{"text": "a", "features": {canary: 5}}]}),
        client.post(
            "/v1/predict", json={"records": [{"text": "a", "features": {canary * 50: "x"}}]}
        ),
    ]
    for answer in refused:
        assert 400 <= answer.status_code < 500, answer.text
        assert canary not in answer.text
