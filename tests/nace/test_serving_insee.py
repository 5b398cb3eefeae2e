"""Programs written for INSEE's coding API, and what its own code answered wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from autonoe_nace.data import ateco
from autonoe_nace.data.dataset import Dataset
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.training import TrainingParams, train
from support.serving import BATCH, FORM, TEXT, running

ECHO = {"code", "probabilite", "libelle"}


@pytest.fixture(scope="module")
def client(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(ServingSettings(str(small_model), tmp_path_factory.mktemp("state"))) as client:
        yield client


def predict(client: TestClient, **query: Any) -> Any:
    answer = client.get("/predict", params={"text_description": TEXT, "prob_min": 0, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def echos(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [row[str(n)] for n in range(1, len(row)) if str(n) in row]


def test_one_text_is_answered_in_insees_form(client: TestClient) -> None:
    row = predict(client, type_liasse="C", nature="03", surface="1", event="01A")
    assert set(row) == {"1", "2", "3", "4", "5", "IC", "MLversion"}
    assert all(set(echo) == ECHO for echo in echos(row))
    values = [echo["probabilite"] for echo in echos(row)]
    assert values == sorted(values, reverse=True)
    assert row["IC"] == pytest.approx(values[0] - values[1])
    assert row["MLversion"] == "0"
    assert "." not in row["1"]["code"]
    native = client.post("/v1/predict", json={"records": [{"text": TEXT}]}).json()
    assert row["1"]["code"] == native["results"][0]["candidates"][0]["code"].replace(".", "")


@pytest.mark.parametrize("name", ["nb_echos_max", "top_k"])
def test_the_index_does_not_hang_on_the_number_of_candidates(client: TestClient, name: str) -> None:
    five = predict(client)
    one = predict(client, **{name: 1})
    many = predict(client, **{name: 1000})
    assert one["IC"] == many["IC"] == five["IC"]
    assert [len(echos(row)) for row in (one, five, many)] == [1, 5, 50]


@pytest.mark.parametrize("name", ["nb_echos_max", "top_k"])
@pytest.mark.parametrize("value", ["0", "-1", "1001", "five", "1e9", "NaN", "", "9" * 400])
def test_impossible_numbers_of_candidates_are_refused(
    client: TestClient, name: str, value: str
) -> None:
    answer = client.get("/predict", params={"text_description": TEXT, name: value})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")


def test_a_too_high_least_probability_leaves_the_best_candidate(client: TestClient) -> None:
    row = predict(client, prob_min=1)
    assert set(row) == {"1", "IC", "MLversion"}
    rows = client.post("/predict-batch", params={"prob_min": 1}, json=BATCH).json()
    assert [set(row) for row in rows] == [{"1", "IC", "MLversion"}] * 2


def test_an_event_counts_the_same_alone_and_in_a_batch(client: TestClient) -> None:
    alone = predict(client, event="01A")
    batch = {"text_description": [TEXT], "event": ["01A"]}
    (row,) = client.post("/predict-batch", params={"prob_min": 0}, json=batch).json()
    assert [e["code"] for e in echos(row)] == [e["code"] for e in echos(alone)]
    assert row["IC"] == pytest.approx(alone["IC"], abs=1e-5)


def test_one_bad_row_does_not_spoil_the_others(client: TestClient) -> None:
    texts = [TEXT, "", None, "12 34", "x" * 5_001, "produzione di pane"]
    rows = client.post("/predict-batch", json={"text_description": texts}).json()
    codes = [row.get("error", {}).get("code") for row in rows]
    assert codes == [None, "empty_text", "empty_text", "empty_text", "text_too_long", None]
    assert all("1" not in row and row["MLversion"] == "0" for row in rows if "error" in row)
    forms = [FORM, {"description_activity": ""}, FORM]
    rows = client.post("/predict/", json={"forms": forms}).json()
    assert ["error" in row for row in rows] == [False, True, False]


@pytest.mark.parametrize("column", ["type_", "nature", "surface", "event"])
def test_a_ragged_batch_is_refused_in_words(client: TestClient, column: str) -> None:
    for values in ([], ["1"], ["1", "2", "3"]):
        answer = client.post("/predict-batch", json={**BATCH, column: values})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "invalid_input")
        assert f"has {len(values)} rows, text_description has 2" in error["message"]


def test_an_empty_text_is_refused_alone_too(client: TestClient) -> None:
    answer = client.get("/predict", params={"text_description": " "})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "empty_text")
    assert client.get("/predict").status_code == 422
    assert client.post("/predict-batch", json={"text_description": []}).status_code == 422
    assert client.post("/predict/", json={"forms": []}).status_code == 422


def test_too_many_rows_are_refused(client: TestClient) -> None:
    for path, body in (
        ("/predict-batch", {"text_description": ["a"] * 1_001}),
        ("/predict/", {"forms": [{"description_activity": "a"}] * 1_001}),
    ):
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many_records")


@pytest.mark.parametrize(
    "query", ["text_description=%ff", "text_description=a%ed%a0%80", "a=1&" * 99]
)
def test_addresses_that_are_no_text_are_refused(client: TestClient, query: str) -> None:
    answer = client.get(f"/predict?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_an_evaluation_says_row_by_row_what_was_right(client: TestClient) -> None:
    first = predict(client)["1"]["code"]
    dotted = f"{first[:2]}.{first[2:]}"
    body = {"text_description": [TEXT] * 4, "code": [first, dotted, "9999", None]}
    rows = client.post("/evaluation", json=body).json()
    assert [row["Result"] for row in rows] == [True, True, False, False]
    assert [row["Code"] for row in rows] == body["code"]


def test_the_words_of_all_fields_of_a_form_count(client: TestClient) -> None:
    split = {
        "description_activity": "coltivazione",
        "other_nature_activity": "di cereali",
        "precision_act_sec_agricole": None,
    }
    (row,) = client.post("/predict/", params={"prob_min": 0}, json={"forms": [split]}).json()
    assert row["IC"] == pytest.approx(predict(client)["IC"], abs=1e-5)


def test_side_variables_reach_the_model_under_its_own_names(tmp_path: Path) -> None:
    """Half of the texts say nothing: only the side variable tells one code from the other."""
    source = ateco().subset(range(0, 4_000, 20))
    first, second = sorted(set(source.codes))[:2]
    count = 40
    data = Dataset(
        texts=("attività varie del settore",) * (2 * count),
        codes=(first,) * count + (second,) * count,
        rows=tuple(range(1, 2 * count + 1)),
        nomenclature=source.nomenclature,
        report=source.report,
        source="made up",
        features={"TYPE_LIASSE": ("A",) * count + ("B",) * count},
    )
    params = TrainingParams(
        dim=10, epoch=40, bucket=1_000, calibration_share=0, titles=False, word_ngrams=1
    )
    folder = train(data, params).save(tmp_path / "model")
    with running(ServingSettings(str(folder), tmp_path / "state")) as client:
        text = data.texts[0]
        batch = {"text_description": [text] * 2, "type_": ["A", "B"]}
        rows = client.post("/predict-batch", json=batch).json()
        bare = [code.replace(".", "") for code in (first, second)]
        assert [row["1"]["code"] for row in rows] == bare
        forms = [{"description_activity": text, "type_form": kind} for kind in "BA"]
        rows = client.post("/predict/", json={"forms": forms}).json()
        assert [row["1"]["code"] for row in rows] == bare[::-1]
        for kind, code in zip("AB", bare, strict=True):
            query = {"text_description": text, "type_liasse": kind}
            assert client.get("/predict", params=query).json()["1"]["code"] == code
        records = [{"text": text, "features": {"TYPE_LIASSE": kind}} for kind in "AB"]
        results = client.post("/v1/predict", json={"records": records}).json()["results"]
        assert [r["candidates"][0]["code"].replace(".", "") for r in results] == bare
