"""What the native API answers beyond codes: fallback, sets, explanations, levels, evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.testclient import TestClient

from autonoe_nace.data import ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.schema import MAX_EXPLAINED
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.training import TrainingParams, train
from support.serving import TEXT

THRESHOLD = 0.3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that was calibrated: it knows sets, and is sure of something."""
    data = ateco().subset(range(0, 8_000, 4))
    params = TrainingParams(dim=20, epoch=15, bucket=5_000, level=4)
    return train(data, params).save(tmp_path_factory.mktemp("model") / "calibrated")


class Served:
    """The application, and the model that it serves for comparison."""

    def __init__(self, client: TestClient, model: NaceModel) -> None:
        self.client = client
        self.model = model

    def predict(self, *texts: str, **more: Any) -> list[dict[str, Any]]:
        body = {"records": [{"text": text} for text in texts], **more}
        answer = self.client.post("/v1/predict", json=body)
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("state")
    app = ServingApp(ServingSettings(str(folder), state, threshold=THRESHOLD))
    app.holder.load()
    with TestClient(app.asgi(), raise_server_exceptions=False) as client:
        yield Served(client, NaceModel.load(folder, check=False))


TEXTS = ("coltivazione di riso", "commercio al dettaglio", "fabbricazione", "trasporto merci")


def test_a_fallback_is_the_deepest_code_that_is_sure_enough(served: Served) -> None:
    results = served.predict(*TEXTS)
    expected = served.model.predict(list(TEXTS), fallback_at=THRESHOLD)
    assert any(one.fallback and one.fallback.level < 4 for one in expected), "nothing to test"
    for result, one in zip(results, expected, strict=True):
        given = result.get("fallback")
        assert (given and given["code"]) == (one.fallback and one.fallback.code)
        if result["auto"]:
            assert given["code"] == result["candidates"][0]["code"]


def test_a_level_gives_codes_of_that_level(served: Served) -> None:
    for level in (1, 2, 3, 4):
        (result,) = served.predict(TEXT, level=level)
        assert {c["level"] for c in result["candidates"]} == {level}
    answer = served.client.post("/v1/predict", json={"records": [{"text": TEXT}], "level": 6})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")


def test_sets_grow_with_the_coverage_and_hold_the_best_code(served: Served) -> None:
    small, large = (served.predict(*TEXTS, set_coverage=coverage) for coverage in (0.6, 0.9))
    for less, more in zip(small, large, strict=True):
        assert less["candidates"][0]["code"] in less["conformal_set"]
        assert set(less["conformal_set"]) <= set(more["conformal_set"])
    assert "conformal_set" not in served.predict(TEXT)[0]
    for wrong in (0, 0.49, 1, 1.5, "high"):
        body = {"records": [{"text": TEXT}], "set_coverage": wrong}
        assert served.client.post("/v1/predict", json=body).status_code == 422


def test_a_model_without_calibration_says_that_it_knows_no_sets(
    small_model: Path, tmp_path: Path
) -> None:
    app = ServingApp(ServingSettings(str(small_model), tmp_path))
    app.holder.load()
    with TestClient(app.asgi(), raise_server_exceptions=False) as client:
        for count in (1, 100):
            body = {"records": [{"text": TEXT}] * count, "set_coverage": 0.9}
            answer = client.post("/v1/predict", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "coverage_unknown")


def test_an_explanation_adds_up(served: Served) -> None:
    (result,) = served.predict("coltivazione di riso e cereali", explain=True)
    found = result["explanation"]
    assert found["code"] == result["candidates"][0]["code"]
    assert found["against"] == result["candidates"][1]["code"]
    total = sum(part["value"] for part in found["contributions"]) + found["rest"]
    assert total == pytest.approx(found["logit_difference"], abs=1e-3)
    assert {"kind", "text", "value"} == set(found["contributions"][0])
    assert "explanation" not in served.predict(TEXT)[0]


def test_only_so_many_records_are_explained(served: Served) -> None:
    body = {"records": [{"text": TEXT}] * (MAX_EXPLAINED + 1), "explain": True}
    answer = served.client.post("/v1/predict", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many_records")
    results = served.predict(*([TEXT] * 5), "", explain=True)
    assert ["explanation" in result for result in results] == [True] * 5 + [False]


def test_an_evaluation_counts_what_is_right_at_each_level(served: Served) -> None:
    data = ateco().subset(range(1, 400, 10))
    records = [
        {"text": text, "code": code} for text, code in zip(data.texts, data.codes, strict=True)
    ]
    asked = [*records, {"text": "", "code": "01.11"}, {"text": TEXT, "code": "zz"}]
    answer = served.client.post("/v1/evaluate", json={"records": asked})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    results = document["results"]
    assert document["n"] == len(records)
    assert [row["error"]["code"] for row in results[-2:]] == ["empty_text", "unknown_code"]
    right = [row["right"] for row in results[:-2]]
    level = document["levels"]["4"]
    assert level["top1"]["value"] == pytest.approx(sum(right) / len(right))
    assert level["top1"]["low"] <= level["top1"]["value"] <= level["top1"]["high"]
    assert level["top1"]["value"] <= level["top_k"]["value"]
    assert document["levels"]["1"]["top1"]["value"] >= level["top1"]["value"]
    autos = [row for row in results[:-2] if row["auto"]]
    assert document["auto_rate"]["value"] == pytest.approx(len(autos) / len(right))
    assert all((row.get("rank") == 1) == row["right"] for row in results[:-2])


def test_requests_that_come_at_once_get_their_own_answers(served: Served, tmp_path: Path) -> None:
    """They go through the model together: nobody may get another's codes."""
    app = ServingApp(ServingSettings(str(served.model.folder), tmp_path))
    app.holder.load()
    texts = [text for text in ateco().texts[:200:5] if any(map(str.isalpha, text))]
    expected = {
        text: [c.code for c in one.candidates]
        for text, one in zip(texts, served.model.predict(texts), strict=True)
    }
    found: dict[str, list[str]] = {}

    async def ask(client: httpx.AsyncClient, text: str) -> None:
        answer = await client.post("/v1/predict", json={"records": [{"text": text}]})
        result = answer.json().get("results", [{}])[0]
        found[text] = [c["code"] for c in result.get("candidates", [])]

    async def ask_all() -> None:
        transport = httpx.ASGITransport(app.asgi())
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://api") as client,
            anyio.create_task_group() as group,
        ):
            for text in texts:
                group.start_soon(ask, client, text)

    anyio.run(ask_all)
    assert found == expected


def test_what_was_asked_and_answered_is_logged(folder: Path, tmp_path: Path) -> None:
    app = ServingApp(ServingSettings(str(folder), tmp_path, threshold=THRESHOLD))
    app.holder.load()
    with TestClient(app.asgi()) as client:
        body = {"records": [{"text": "fabbricazione", "features": {"nature": "03"}}], "top_k": 3}
        result = client.post("/v1/predict", json=body).json()["results"][0]
    (file,) = (tmp_path / "logs").glob("*.jsonl")
    row = json.loads(file.read_text())
    assert row["features"] == {"nature": "03"}
    assert (row["top_k"], row["level"]) == (3, 4)
    assert row.get("fallback_code", "") == result.get("fallback", {}).get("code", "")
