"""Fuzzed with what the description forbids too: a calibrated model, and a whole server with a key.

The model of ``test_fuzz`` knows no sets and no side variables, so that requests for them end at
the door. Here they are answered, and the tests count that they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.schemas import APIOperation
from starlette.testclient import TestClient

from autonoe_nace.data import ateco
from autonoe_nace.data.dataset import Dataset
from autonoe_nace.serving.routes import ROUTES
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.training import TrainingParams, train
from support.described import CHECKS, QUIET, described, operations
from support.serving import TEXT, new_key, running
from support.serving_process import start

COLUMN = "NATURE"
EVERY = pytest.mark.parametrize("name", [route.name for route in ROUTES])


def modes(name: str) -> list[GenerationMode]:
    """Return what can be sent to a route: nothing is wrong where nothing is asked."""
    (route,) = (route for route in ROUTES if route.name == name)
    asks = route.body is not None or route.query is not None
    return list(GenerationMode) if asks else [GenerationMode.POSITIVE]


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that knows sets and a side variable."""
    source = ateco().subset(range(0, 8_000, 4))
    data = Dataset(
        texts=source.texts,
        codes=source.codes,
        rows=source.rows,
        nomenclature=source.nomenclature,
        report=source.report,
        source=source.source,
        features={COLUMN: tuple(code[:2] for code in source.codes)},
    )
    params = TrainingParams(dim=10, epoch=10, bucket=5_000, level=4)
    return train(data, params).save(tmp_path_factory.mktemp("model") / "calibrated")


@pytest.fixture(scope="module")
def client(calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    state = tmp_path_factory.mktemp("state")
    with running(ServingSettings(str(calibrated), state, correspondence="ateco")) as client:
        yield client


@pytest.fixture(scope="module")
def in_process(
    calibrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, APIOperation]:
    state = tmp_path_factory.mktemp("described")
    return described(ServingSettings(str(calibrated), state, correspondence="ateco"))


@EVERY
def test_what_is_forbidden_is_refused_as_described(
    in_process: dict[str, APIOperation], name: str
) -> None:
    for mode in modes(name):

        @settings(max_examples=60, deadline=None, suppress_health_check=QUIET, database=None)
        @given(in_process[name].as_strategy(generation_mode=mode))
        def fuzz(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        fuzz()


words = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
values = st.sampled_from(["01", "47"]) | st.sampled_from(["47 ", "xx", ""]) | words
records = st.lists(
    st.fixed_dictionaries(
        {"text": st.sampled_from([TEXT, "commercio", ""]) | words},
        optional={
            "features": st.dictionaries(st.sampled_from([COLUMN, "OTHER"]), values, max_size=2)
        },
    ),
    min_size=1,
    max_size=12,
)
coverages = st.floats(0.5, 0.99) | st.sampled_from([0.5, 0.9, 0.99])


def test_sets_explanations_two_versions_and_side_variables_are_answered(client: TestClient) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=150, deadline=None, suppress_health_check=QUIET, database=None)
    @given(
        st.fixed_dictionaries(
            {
                "records": records,
                "set_coverage": coverages,
                "explain": st.booleans(),
                "dual": st.booleans(),
            },
            optional={
                "top_k": st.integers(1, 50),
                "min_probability": st.floats(0, 1),
                "level": st.integers(1, 6),
            },
        )
    )
    def fuzz(body: dict[str, Any]) -> None:
        answer = client.post("/v1/predict", json=body)
        assert answer.status_code in {200, 422}, answer.text
        if answer.status_code == 422:
            seen[answer.json()["error"]["code"]] += 1
            return
        for record, result in zip(body["records"], answer.json()["results"], strict=True):
            if result.get("error"):
                continue
            assert result["candidates"][0]["code"] in result["conformal_set"]
            assert ("explanation" in result) == body["explain"]
            assert ("dual" in result) == body["dual"]
            seen["set"] += 1
            seen["explained"] += "explanation" in result
            seen["dual"] += "dual" in result
            seen["side variable"] += record.get("features", {}).get(COLUMN) in {"01", "47"}

    fuzz()
    assert seen["coverage_unknown"] == 0
    assert min(seen[what] for what in ("set", "explained", "dual", "side variable")) > 3, seen


@pytest.mark.slow
def test_a_whole_server_with_a_key_makes_no_error_of_its_own(
    calibrated: Path, tmp_path: Path
) -> None:
    key = new_key(tmp_path / "keys.json")
    options = ("--key-file", str(tmp_path / "keys.json"), "--correspondence", "ateco")
    server = start(calibrated, tmp_path / "state", *options)
    statuses: Counter[int] = Counter()
    try:
        server.wait()
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
        for name, operation in operations(schema).items():
            for mode in modes(name):

                @settings(
                    max_examples=40,
                    deadline=None,
                    suppress_health_check=QUIET,
                    database=None,
                    phases=[Phase.generate],
                )
                @given(operation.as_strategy(generation_mode=mode))
                def fuzz(case: schemathesis.Case) -> None:
                    answer = case.call_and_validate(
                        headers={"Authorization": f"Bearer {key}"}, checks=CHECKS
                    )
                    statuses[answer.status_code] += 1

                fuzz()
        assert server.process.poll() is None
    finally:
        server.process.terminate()
        _, said = server.process.communicate(timeout=60)
    assert b"Unexpected error" not in said
    assert b"Traceback" not in said
    # some requests come with a key that schemathesis made up: they are refused, and do not count
    assert min(statuses[200], statuses[422]) > 100, statuses
    assert not [status for status in statuses if status >= 500], statuses
