"""Answers in two versions over HTTP: those of Python, plain about doubt, refused where unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.data import ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.recoding import (
    Correspondence,
    DualCoder,
    Relation,
    dual_predict,
    load_correspondence,
)
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.training import TrainingParams, train
from support.doubly_coded import DoublyCoded
from support.serving import TEXT, new_key, running
from support.serving_process import start

TEXTS = [text for text in ateco().texts[7:8_000:40] if any(map(str.isalpha, text))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of the classes of ATECO 2025."""
    data = ateco().subset(range(0, 8_000, 4))
    params = TrainingParams(dim=20, epoch=15, bucket=5_000, level=4, calibration_share=0)
    return train(data, params).save(tmp_path_factory.mktemp("model") / "classes")


@pytest.fixture(scope="module")
def model(folder: Path) -> NaceModel:
    return NaceModel.load(folder, check=False)


@pytest.fixture(scope="module")
def table() -> Correspondence:
    return load_correspondence("ateco2025", "ateco2022")


@pytest.fixture(scope="module")
def app(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ServingApp:
    state = tmp_path_factory.mktemp("state")
    found = ServingApp(ServingSettings(str(folder), state, correspondence="ateco"))
    found.holder.load()
    return found


@pytest.fixture(scope="module")
def client(app: ServingApp) -> Iterator[TestClient]:
    with TestClient(app.asgi(), raise_server_exceptions=False) as client:
        yield client


def asked(*texts: str, **more: Any) -> dict[str, Any]:
    return {"records": [{"text": text} for text in texts], **more}


def results(client: TestClient, *texts: str, **more: Any) -> list[dict[str, Any]]:
    answer = client.post("/v1/predict", json=asked(*texts, **more))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def check_same(given: Any, expected: Any) -> None:
    """Compare documents; numbers may differ by what arithmetic in other blocks does."""
    if isinstance(expected, dict):
        assert set(given) == set(expected)
        for name, value in expected.items():
            check_same(given[name], value)
    elif isinstance(expected, list):
        assert len(given) == len(expected)
        for one, other in zip(given, expected, strict=True):
            check_same(one, other)
    elif isinstance(expected, float):
        assert given == pytest.approx(expected, abs=1e-6)
    else:
        assert given == expected


def test_the_answer_is_that_of_python(
    client: TestClient, model: NaceModel, table: Correspondence
) -> None:
    for top_k in (1, 4):
        given = results(client, *TEXTS, dual=True, top_k=top_k)
        expected = dual_predict(model, TEXTS, table, k=top_k)
        check_same([one["dual"] for one in given], [one.to_dict() for one in expected])
        assert {len(one["dual"]["pairs"]) for one in given} == {top_k}


def test_codes_follow_the_official_table_and_doubt_is_listed(
    client: TestClient, table: Correspondence
) -> None:
    classes = table.at(4)
    seen: Counter[Relation | None] = Counter()
    for result in results(client, *TEXTS, dual=True):
        found = result["dual"]
        code = found["pair"]["source"]
        assert code == result["candidates"][0]["code"], "one model's own answer stays as it is"
        targets = classes.targets(code)
        seen[classes.relation(code)] += 1
        assert found["pair"]["target"] in (targets or (None,))
        if len(targets) < 2:
            assert found["ambiguity"] is None
            continue
        doubt = found["ambiguity"]
        assert (doubt["code"], doubt["basis"]) == (code, "equal")
        assert doubt["relation"] == classes.relation(code)
        assert sorted(one["code"] for one in doubt["candidates"]) == sorted(targets)
        assert all(one["title"] and one["level"] == 4 for one in doubt["candidates"])
        shares = [one["probability"] for one in doubt["candidates"]]
        assert shares == pytest.approx([1 / len(targets)] * len(targets))
    for kind in (Relation.ONE_TO_ONE, Relation.ONE_TO_MANY, Relation.MANY_TO_MANY):
        assert seen[kind], f"no text to try {kind} on: {seen}"


def test_everything_else_of_an_answer_stays_as_it_is(client: TestClient) -> None:
    plain = results(client, *TEXTS, set_coverage=None, top_k=3)
    both = results(client, *TEXTS, dual=True, top_k=3)
    assert all("dual" not in one for one in plain)
    check_same([{k: v for k, v in one.items() if k != "dual"} for one in both], plain)
    (one,) = results(client, TEXT, dual=True, level=2)
    assert {code["level"] for code in one["candidates"]} == {2}
    assert {code["level"] for code in one["dual"]["source"]} == {4}


def test_nothing_is_done_for_who_does_not_ask(
    client: TestClient, app: ServingApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    coder = app.holder.current().dual
    assert coder is not None
    inner = DualCoder.predict

    def counted(self: DualCoder, texts: list[str], *rest: Any, **more: Any) -> Any:
        calls.append(len(texts))
        return inner(self, texts, *rest, **more)

    monkeypatch.setattr(DualCoder, "predict", counted)
    results(client, *TEXTS)
    results(client, TEXT, dual=False)
    assert calls == []
    results(client, *TEXTS, dual=True)
    assert sum(calls) == len(TEXTS)
    assert max(calls) <= 16, "others wait for a piece as long as it takes"


def test_with_an_explanation(client: TestClient) -> None:
    given = results(client, TEXT, *TEXTS[:4], dual=True, explain=True)
    assert all(one["explanation"] and one["dual"]["pair"] for one in given)


def test_one_bad_row_does_not_spoil_the_others(client: TestClient) -> None:
    given = results(client, TEXT, "", "???", "x" * 5_001, "di e", TEXT, dual=True)
    codes = [one.get("error", {}).get("code") for one in given]
    assert codes == [None, "empty_text", "empty_text", "text_too_long", "no_usable_word", None]
    assert ["dual" in one for one in given] == [code is None for code in codes]
    check_same(given[-1], given[0])


@pytest.mark.parametrize("wrong", ["yes", 1, 0.0, None, [], {}])
def test_malformed_wishes_are_named(client: TestClient, wrong: object) -> None:
    answer = client.post("/v1/predict", json=asked(TEXT, dual=wrong))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")
    assert "$.dual" in answer.json()["error"]["message"]


def test_it_wants_the_key_like_everything_else(folder: Path, tmp_path: Path) -> None:
    key = new_key(tmp_path / "keys.json")
    options = ServingSettings(
        str(folder), tmp_path, key_file=tmp_path / "keys.json", correspondence="ateco"
    )
    body = asked(TEXT, dual=True)
    with running(options) as client:
        answer = client.post("/v1/predict", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_key")
        answer = client.post("/v1/predict", json=body, headers={"authorization": f"Bearer {key}"})
        assert answer.json()["results"][0]["dual"]["pair"]["source"]


def test_a_server_without_a_correspondence_says_so(folder: Path, tmp_path: Path) -> None:
    with running(ServingSettings(str(folder), tmp_path)) as client:
        answer = client.post("/v1/predict", json=asked(TEXT, dual=True))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "no_correspondence")
        assert "--correspondence" in error["hint"]
        assert [day["records"] for day in client.get("/v1/usage").json()["days"]] in ([], [0])


def refused(folder: Path, state: Path, **options: str) -> AutonoeError:
    with pytest.raises(AutonoeError) as error:
        ServingApp(ServingSettings(str(folder), state, **options)).holder.load()  # type: ignore[arg-type]
    return error.value


def test_a_table_of_another_version_is_refused_at_the_start(folder: Path, tmp_path: Path) -> None:
    error = refused(folder, tmp_path, correspondence="nace")
    assert error.code == "other_version"
    assert "codes of ateco2025; the correspondence nace is between" in error.message
    french = tmp_path / "french.csv"
    french.write_text("a,b\n01.11Z,01.11Z\n01.12Z,01.12Z\n", encoding="utf-8")
    assert refused(folder, tmp_path, correspondence=str(french)).code == "no_usable_row"
    few = tmp_path / "few.csv"
    few.write_text("a,b\n01.11,01.11\n01.12,01.12\n", encoding="utf-8")
    error = refused(folder, tmp_path, correspondence=str(few))
    assert (error.code, error.hint != "") == ("other_version", True)
    server = start(folder, tmp_path / "state", "--correspondence", "nace")
    _, said = server.process.communicate(timeout=120)
    assert server.process.returncode == 2
    assert b"the correspondence nace is between nace-rev2.1 and nace-rev2." in said
    assert b"Traceback" not in said


@pytest.mark.parametrize(
    "options",
    [
        {"correspondence": "atecco"},
        {"correspondence": "s3://user-ana/table.csv"},
        {"correspondence": "ateco", "correspondence_to": "ateco2022"},
        {"correspondence_to": "ateco2022"},
        {"second_model": "somewhere"},
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError) as error:
        ServingSettings("model", tmp_path, **options)  # type: ignore[arg-type]
    assert error.value.hint


def test_a_table_by_file_needs_nothing_installed(
    folder: Path, model: NaceModel, shared_data: Path, tmp_path: Path
) -> None:
    uri = shared_data / "data" / "correspondences" / "ateco2025_to_ateco2007v2022.parquet"
    options = {"correspondence": str(uri), "correspondence_to": "ateco2022"}
    with running(ServingSettings(str(folder), tmp_path, **options)) as client:  # type: ignore[arg-type]
        given = results(client, *TEXTS[:40], dual=True)
    by_file = load_correspondence(model.nomenclature, "ateco2022", table=str(uri))
    expected = dual_predict(model, TEXTS[:40], by_file)
    check_same([one["dual"] for one in given], [one.to_dict() for one in expected])


def test_a_second_model_chooses_among_the_targets(doubly: DoublyCoded, tmp_path: Path) -> None:
    new, old = (
        doubly.new_model.save(tmp_path / "new"),
        doubly.old_model.save(tmp_path / "old"),
    )
    options = ServingSettings(
        str(new), tmp_path / "state", correspondence="nace", second_model=str(old)
    )
    texts = doubly.texts[:60]
    with running(options) as client:
        given = [one["dual"] for one in results(client, *texts, dual=True)]
    back = load_correspondence("nace-rev2.1", "nace-rev2")
    expected = dual_predict(doubly.new_model, texts, back, second=doubly.old_model)
    check_same(given, [one.to_dict() for one in expected])
    doubts = [one["ambiguity"] for one in given if one["ambiguity"]]
    assert {doubt["basis"] for doubt in doubts} == {"second model"}
    gone = refused(new, tmp_path, correspondence="nace", second_model=str(tmp_path / "gone"))
    assert gone.code == "model_missing"
