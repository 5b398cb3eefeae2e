"""The API in one process: answers, refusals, keys, metrics, logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from autonoe import apikeys
from autonoe.errors import InvalidInputError
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.schema import MAX_BODY_BYTES, MAX_RECORDS, MAX_TEXT_CHARS
from autonoe_nace.serving.settings import ServingSettings

TEXT = "coltivazione di cereali"


@contextmanager
def running(options: ServingSettings) -> Iterator[TestClient]:
    app = ServingApp(options)
    app.holder.load()
    with TestClient(app.asgi(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    state = tmp_path_factory.mktemp("state")
    with running(ServingSettings(str(small_model), state, threshold=0.5)) as client:
        yield client


@pytest.fixture
def options(small_model: Path, tmp_path: Path) -> ServingSettings:
    return ServingSettings(str(small_model), tmp_path / "state", flush_s=0.05)


def post(client: TestClient, body: bytes | dict[str, object], **headers: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(
        "/v1/predict", content=content, headers={"content-type": "application/json", **headers}
    )
    return answer.status_code, answer.json()


def logged(folder: Path) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for segment in sorted(folder.glob("*.jsonl"))
        for line in segment.read_text().splitlines()
    ]


def test_answers_candidates_confidence_and_the_model_that_gave_them(
    client: TestClient, small_model: Path
) -> None:
    status, answer = post(client, {"records": [{"text": TEXT}], "top_k": 3})
    manifest = json.loads((small_model / "model.json").read_text())
    assert status == 200
    assert answer["model"]["sha256"] == manifest["hashes"]["model"]
    assert answer["model"]["id"] == manifest["id"]
    assert answer["model"]["stale"] is False
    (result,) = answer["results"]
    probabilities = [c["probability"] for c in result["candidates"]]
    assert len(probabilities) == 3
    assert probabilities == sorted(probabilities, reverse=True)
    assert result["confidence"] == pytest.approx(probabilities[0] - probabilities[1])
    assert result["auto"] is (result["confidence"] >= 0.5)
    assert result["candidates"][0]["title"]
    assert result["candidates"][0]["level"] == manifest["level"]


def test_one_candidate_keeps_the_same_confidence(client: TestClient) -> None:
    _, five = post(client, {"records": [{"text": TEXT}], "top_k": 5})
    status, one = post(client, {"records": [{"text": TEXT}], "top_k": 1})
    assert status == 200
    assert len(one["results"][0]["candidates"]) == 1
    assert one["results"][0]["confidence"] == five["results"][0]["confidence"]


def test_a_minimum_nobody_reaches_leaves_the_best_candidate(client: TestClient) -> None:
    status, answer = post(client, {"records": [{"text": TEXT}], "min_probability": 1.0})
    assert status == 200
    assert len(answer["results"][0]["candidates"]) == 1


def test_a_batch_answers_as_single_requests_do(client: TestClient) -> None:
    texts = [f"{TEXT} {word}" for word in ("riso", "pane", "vino", "libri", "legno") * 20]
    _, batch = post(client, {"records": [{"text": text} for text in texts]})
    singles = [post(client, {"records": [{"text": text}]})[1]["results"][0] for text in texts[:5]]
    assert len(batch["results"]) == len(texts)
    for alone, together in zip(singles, batch["results"][:5], strict=True):
        assert [c["code"] for c in alone["candidates"]] == [
            c["code"] for c in together["candidates"]
        ]
        assert alone["confidence"] == pytest.approx(together["confidence"], abs=1e-5)


def test_one_bad_record_does_not_spoil_the_others(client: TestClient) -> None:
    bad = ["", "   ", "12 34 !?", "x" * (MAX_TEXT_CHARS + 1)]
    records = [{"text": TEXT}, *({"text": text} for text in bad), {"text": TEXT}]
    status, answer = post(client, {"records": records})
    assert status == 200
    outcomes = [result.get("error", {}).get("code") for result in answer["results"]]
    assert outcomes == [None, "empty_text", "empty_text", "empty_text", "text_too_long", None]
    assert all("candidates" not in result for result in answer["results"] if "error" in result)


NOT_JSON = [
    b"",
    b"not json",
    b'{"records": [{"text": "cut',
    b'{"records": [{"text": "\xff\xfe"}]}',
    rb'{"records": [{"text": "\ud800"}]}',
    rb'{"records": [{"text": "a\udc00b"}]}',
    b'{"records": [{"text": "a"}], "min_probability": NaN}',
    b'{"records": [{"text": "a"}], "min_probability": Infinity}',
    b'{"records": [{"text": "a"}], "top_k": -Infinity}',
]
WRONG_FORM = [
    b"null",
    b"[]",
    b"3",
    b"{}",
    b'{"records": []}',
    b'{"records": {}}',
    b'{"records": [5]}',
    b'{"records": [{"text": 5}]}',
    b'{"records": [{"text": null}]}',
    b'{"records": [{"text": ["a"]}]}',
    b'{"records": [{}]}',
    b'{"records": [{"text": "a", "ghost": 1}]}',
    b'{"records": [{"text": "a"}], "ghost": 1}',
    b'{"records": [{"text": "a"}], "top_k": 0}',
    b'{"records": [{"text": "a"}], "top_k": 1000}',
    b'{"records": [{"text": "a"}], "top_k": 1.5}',
    b'{"records": [{"text": "a"}], "top_k": "5"}',
    b'{"records": [{"text": "a"}], "top_k": 1' + b"0" * 400 + b"}",
    b'{"records": [{"text": "a"}], "min_probability": 1e999}',
    b'{"records": [{"text": "a"}], "min_probability": -0.1}',
    b'{"records": ' + b"[" * 100_000,
    b"[" * 500_000,
    b'{"records": [{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_json_is_refused(client: TestClient, body: bytes) -> None:
    status, answer = post(client, body)
    assert (status, answer["error"]["code"]) == (400, "invalid_json")
    assert answer["error"]["hint"]


@pytest.mark.parametrize("body", WRONG_FORM, ids=range(len(WRONG_FORM)))
def test_what_has_not_the_form_is_refused(client: TestClient, body: bytes) -> None:
    status, answer = post(client, body)
    assert status in {400, 422}
    assert set(answer["error"]) == {"code", "message", "hint"}
    assert "ghost" not in json.dumps(answer)


@pytest.mark.parametrize("text", ["", " \t\n", "123", "x" * (MAX_TEXT_CHARS + 1)])
def test_a_single_text_that_cannot_be_coded_fails_the_request(
    client: TestClient, text: str
) -> None:
    status, answer = post(client, {"records": [{"text": text}]})
    assert status == 422
    assert answer["error"]["code"] in {"empty_text", "text_too_long"}


def test_too_many_records_are_refused(client: TestClient) -> None:
    status, answer = post(client, {"records": [{"text": "a"}] * (MAX_RECORDS + 1)})
    assert (status, answer["error"]["code"]) == (422, "too_many_records")


def test_errors_never_repeat_what_was_sent(client: TestClient) -> None:
    canary = "zauberwort"
    for body in (
        {"records": [{"text": 5, canary: canary}]},
        {"records": canary},
        {canary: canary},
        {"records": [{"text": canary * 600}]},
        {"records": [{"text": "a"}], "top_k": canary},
    ):
        status, answer = post(client, body)
        assert 400 <= status < 500
        assert canary not in json.dumps(answer)


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_the_limit_is_refused(client: TestClient, declared: bool) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    parts = body if declared else iter([body[:70_000]] * 20)
    answer = client.post("/v1/predict", content=parts, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON", " application/json ; charset=utf-8"]
)
def test_the_type_of_the_body_may_be_spelt_in_any_valid_way(
    client: TestClient, media_type: str
) -> None:
    answer = client.post(
        "/v1/predict",
        content=b'{"records": [{"text": "bar e ristoranti"}]}',
        headers={"content-type": media_type},
    )
    assert answer.status_code == 200


def test_another_type_than_json_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/predict", content=b"a=b", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_json")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/predict", 405, "method_not_allowed"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/../etc/passwd", 404, "not_found"),
    ],
)
def test_unknown_paths_and_methods_have_the_same_error_form(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        json_values.map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries(
            {
                "records": st.lists(
                    st.fixed_dictionaries({"text": st.text(max_size=40)}), max_size=5
                )
            },
            optional={"top_k": json_values, "min_probability": json_values},
        ).map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=60),
    )
)
def test_no_input_is_answered_with_a_server_error(client: TestClient, body: bytes) -> None:
    status, answer = post(client, body)
    assert status < 500
    assert ("results" in answer) == (status == 200)


def test_health_models_and_metrics(client: TestClient) -> None:
    post(client, {"records": [{"text": TEXT}]})
    assert client.get("/health/live").json() == {"live": True}
    assert client.get("/health/ready").json()["ready"] is True
    (model,) = client.get("/v1/models").json()["models"]
    assert model["version"] == "0"
    text = client.get("/metrics").text
    assert 'autonoe_nace_requests_total{route="/v1/predict",status="200"}' in text
    assert "autonoe_nace_logs_dropped 0.0" in text


def test_without_a_model_it_lives_and_is_not_ready(tmp_path: Path) -> None:
    app = ServingApp(ServingSettings(str(tmp_path / "none"), tmp_path / "state"))
    with TestClient(app.asgi()) as client:
        assert client.get("/health/live").status_code == 200
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        assert post(client, {"records": [{"text": TEXT}]})[0] == 503


def test_keys_open_the_api_and_only_their_hashes_are_kept(
    options: ServingSettings, tmp_path: Path
) -> None:
    key, entry = apikeys.mint()
    path = tmp_path / "keys.json"
    apikeys.write(path, (entry,))
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    body: dict[str, object] = {"records": [{"text": TEXT}]}
    with running(replace(options, key_file=path)) as client:
        assert post(client, body)[1]["error"]["code"] == "missing_key"
        for wrong in ("x", key[:-1], key + "x", entry.sha256, "é", "x" * 50_000):
            headers = [("authorization", b"Bearer " + wrong.encode())]
            answer = client.post("/v1/predict", json=body, headers=headers)  # type: ignore[arg-type]
            assert answer.status_code in {401, 431}, wrong[:10]
        assert client.get("/v1/models").status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get("/health/ready").status_code == 200
        assert post(client, body, authorization=f"Bearer {key}")[0] == 200
        assert post(client, body, **{"x-api-key": key})[0] == 200
    assert {row["key_id"] for row in logged(options.state_dir / "logs")} == {entry.id}
    assert not any(key in f.read_text() for f in (options.state_dir / "logs").glob("*.jsonl"))


def test_a_revoked_key_is_refused_without_a_restart(
    options: ServingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autonoe_nace.serving.keyring._RECHECK_S", 0.0)
    (old, old_entry), (new, new_entry) = apikeys.mint(), apikeys.mint()
    path = tmp_path / "keys.json"
    apikeys.write(path, (old_entry,))
    with running(replace(options, key_file=path)) as client:
        assert client.get("/v1/models", headers={"x-api-key": old}).status_code == 200
        apikeys.write(path, (new_entry,))
        assert client.get("/v1/models", headers={"x-api-key": old}).status_code == 401
        path.unlink()  # must not open the API
        assert client.get("/v1/models", headers={"x-api-key": new}).status_code == 200
        assert client.get("/v1/models").status_code == 401


def test_a_key_file_that_others_can_read_is_refused(
    options: ServingSettings, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    apikeys.write(path, (apikeys.mint()[1],))
    path.chmod(0o644)
    with pytest.raises(InvalidInputError, match="readable by other people"):
        ServingApp(replace(options, key_file=path))


def test_an_open_api_stays_on_loopback(options: ServingSettings) -> None:
    with pytest.raises(InvalidInputError, match="Without API keys"):
        replace(options, host="0.0.0.0")


def test_each_prediction_is_logged_once(options: ServingSettings) -> None:
    with running(replace(options, deployment="one", threshold=0.0)) as client:
        _, answer = post(client, {"records": [{"text": TEXT}, {"text": ""}]})
    rows = logged(options.state_dir / "logs")
    assert [(row["request_id"], row["position"]) for row in rows] == [
        (answer["request_id"], 0),
        (answer["request_id"], 1),
    ]
    good, bad = rows
    assert (good["text"], good["auto"], good["deployment"]) == (TEXT, True, "one")
    assert good["codes"] == [c["code"] for c in answer["results"][0]["candidates"]]
    assert good["model_sha256"] == answer["model"]["sha256"]
    assert (bad["error"], bad["codes"]) == ("empty_text", [])


def test_pseudonyms_are_stable_and_hide_the_text(options: ServingSettings) -> None:
    for _ in range(2):
        with running(replace(options, pseudonymise=True)) as client:
            post(client, {"records": [{"text": TEXT}]})
    texts = [str(row["text"]) for row in logged(options.state_dir / "logs")]
    assert len(texts) == 2
    assert len(set(texts)) == 1
    assert texts[0].startswith("hmac-sha256:")


@pytest.mark.parametrize("prefix", ["", "/services/ana.nace"])
def test_it_answers_below_the_proxys_prefix_and_directly(
    options: ServingSettings, prefix: str
) -> None:
    with running(replace(options, root_path="/services/ana.nace")) as client:
        assert client.get(f"{prefix}/health/live").status_code == 200
        assert client.get(f"{prefix}/nowhere").status_code == 404
        assert client.get(f"/services/other{prefix}/health/live").status_code == 404


@pytest.fixture
def truncated(small_model: Path, tmp_path: Path) -> Callable[[float], Path]:
    def cut(share: float) -> Path:
        folder = tmp_path / "cut"
        folder.mkdir()
        for file in small_model.iterdir():
            content = file.read_bytes()
            kept = content[: int(len(content) * share)] if file.name == "model.bin" else content
            (folder / file.name).write_bytes(kept)
        return folder

    return cut


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_truncated_model_never_serves(
    truncated: Callable[[float], Path], options: ServingSettings, share: float
) -> None:
    app = ServingApp(replace(options, model=str(truncated(share))))
    with TestClient(app.asgi()) as client:
        assert client.get("/health/ready").status_code == 503
