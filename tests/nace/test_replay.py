"""A logged answer comes out the same from the model that gave it; what differs is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.exceptions import Exit

from autonoe.cli import cli
from autonoe.errors import InvalidInputError, NotFoundError
from autonoe_nace.data import ateco
from autonoe_nace.logs.example import Story, write_example_logs
from autonoe_nace.logs.record import SCHEMA, LogRecord
from autonoe_nace.model import NaceModel
from autonoe_nace.replay import from_folder, read_rows, replay
from autonoe_nace.training import TrainingParams, train

TEXTS = ["coltivazione di riso", "panificio", "commercio di scarpe", "trasporto merci su strada"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that knows a side variable."""
    data = ateco().subset(range(0, 4_000, 10))
    data = replace(data, features={"kind": tuple("AB"[i % 2] for i in range(len(data)))})
    params = TrainingParams(dim=10, epoch=8, bucket=2_000, calibration_share=0, titles=False)
    return train(data, params).save(tmp_path_factory.mktemp("replay") / "model")


def answers(folder: Path, *, k: int = 5, level: int | None = None) -> Iterator[LogRecord]:
    """Yield what a server would log, one text at a time as single requests come."""
    model = NaceModel.load(folder, check=False)
    for i, text in enumerate(TEXTS):
        features = {"kind": "AB"[i % 2]}
        found = model.predict([text], k, level=level, features=[features], fallback_at=0.3)[0]
        yield LogRecord(
            request_id=f"r{i}",
            position=0,
            time=datetime(2026, 11, 20, 12, i, tzinfo=UTC),
            deployment="local",
            key_id="",
            model_name="model",
            model_version="0",
            model_sha256=model.manifest.hashes["model"],
            text=text,
            codes=[c.code for c in found.candidates],
            probabilities=[c.probability for c in found.candidates],
            confidence=found.confidence,
            threshold=0.3,
            auto=False,
            latency_ms=1.0,
            features=features,
            stage=found.stage,
            fallback_code=found.fallback.code if found.fallback else "",
            top_k=k,
            level=level or model.manifest.level,
        )


@pytest.mark.parametrize(("k", "level"), [(1, None), (5, None), (3, 2)])
def test_answers_come_out_the_same(folder: Path, k: int, level: int | None) -> None:
    report = replay(answers(folder, k=k, level=level), from_folder(folder))
    assert report.passed
    assert (report.rows, report.identical, report.replayed) == (4, 4, 4)
    (model,) = report.models
    assert (model.rows, model.problem, model.environment) == (4, "", {})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: {"codes": r.codes[::-1]}, "codes"),
        (lambda r: {"probabilities": [r.probabilities[0] + 2e-5, *r.probabilities[1:]]}, "prob"),
        (lambda r: {"confidence": r.confidence + 1e-4}, "confidence"),
        (lambda r: {"features": {"kind": "A" if r.features["kind"] == "B" else "B"}}, ""),
        (lambda r: {"stage": "lookup"}, "stage"),
        (lambda r: {"fallback_code": "Z"}, "fallback"),
    ],
)
def test_what_differs_is_named(folder: Path, change: object, what: str) -> None:
    rows = list(answers(folder))
    rows[1] = msgspec.structs.replace(rows[1], **change(rows[1]))  # type: ignore[operator]
    report = replay(rows, from_folder(folder))
    assert not report.passed
    assert report.identical == 3
    (difference,) = report.differences
    assert difference.request_id == "r1"
    assert difference.what.startswith(what)
    assert "panificio" not in json.dumps(report.to_dict())


def test_what_cannot_be_replayed_is_counted(folder: Path) -> None:
    rows = list(answers(folder))
    rows[0] = msgspec.structs.replace(rows[0], text="hmac-sha256:00")
    rows[1] = msgspec.structs.replace(rows[1], text="", error="empty_text", codes=[])
    rows[2] = msgspec.structs.replace(rows[2], model_sha256="0" * 64)
    report = replay(rows, from_folder(folder))
    assert report.not_replayed == {"pseudonymised": 1, "refused": 1, "no_model": 1}
    assert report.identical == 1
    assert [bool(model.problem) for model in report.models] == [False, True]

    def nowhere(*_: str) -> NaceModel:
        raise NotFoundError("gone")

    assert not replay(rows, nowhere).passed


def test_the_example_logs_name_the_model_that_made_them(folder: Path, tmp_path: Path) -> None:
    model = NaceModel.load(folder)
    place = str(tmp_path / "service=lesson")
    story = Story(days=2, per_day=15, changed_days=0)
    days = write_example_logs(model, ateco().subset(range(30)), place, story)
    report = replay(read_rows(place), from_folder(folder))
    assert (report.rows, report.identical) == (30, 30), report.lines()
    assert replay(read_rows(place, day=days[1]), from_folder(folder)).identical == 15


def test_a_changed_environment_is_named(folder: Path, tmp_path: Path) -> None:
    older = NaceModel.load(folder)
    training = {**older.manifest.training, "environment": {"numpy": "1.0", "python": "3.8"}}
    hashes = {**older.manifest.hashes, "code": "0" * 64}
    older.manifest = older.manifest.model_copy(update={"training": training, "hashes": hashes})
    report = replay(answers(folder), from_folder(older.save(tmp_path / "older")))
    found = report.models[0].environment
    assert found["numpy"][0] == "1.0"
    assert found["code"][0] == "0" * 12
    assert any("numpy was 1.0" in line for line in report.lines())


def test_rows_are_read_from_lines_and_from_parquet(folder: Path, tmp_path: Path) -> None:
    rows = list(answers(folder))
    lines = tmp_path / "lines"
    lines.mkdir()
    encoded = [msgspec.json.encode(row) for row in rows]
    (lines / "a.jsonl").write_bytes(b"\n".join(encoded[:2]) + b"\n")
    (lines / "b.jsonl").write_bytes(b"\n".join(encoded[2:]) + b"\n")
    day = tmp_path / "logs" / "date=2026-11-20"
    day.mkdir(parents=True)
    columns = {f.name: [getattr(row, f.name, None) for row in rows] for f in SCHEMA}
    columns["features"] = [list(row.features.items()) for row in rows]  # type: ignore[misc]
    pq.write_table(pa.table(columns, schema=SCHEMA), day / "predictions.parquet")
    for uri in (str(lines), str(tmp_path / "logs"), str(day / "predictions.parquet")):
        found = list(read_rows(uri))
        assert [row.request_id for row in found] == ["r0", "r1", "r2", "r3"]
        assert replay(found, from_folder(folder)).passed
        assert [row.request_id for row in read_rows(uri, request_id="r2")] == ["r2"]
        assert len(list(read_rows(uri, limit=2))) == 2
    assert len(list(read_rows(str(tmp_path / "logs"), day="2026-11-20"))) == 4
    for wrong in ({"uri": str(tmp_path / "no")}, {"uri": str(tmp_path / "logs"), "day": "x"}):
        with pytest.raises(InvalidInputError):
            list(read_rows(**wrong))
    (lines / "c.jsonl").write_text("{")
    with pytest.raises(InvalidInputError, match="Line 1 of c"):
        list(read_rows(str(lines)))


def test_the_command_says_whether_all_is_identical(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    rows = list(answers(folder))
    log.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    arguments = ["nace", "replay", str(log), "--model", str(folder)]
    cli.main([*arguments, "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["identical"] == 4
    wrong = msgspec.structs.replace(rows[0], codes=["X"])
    log.write_bytes(msgspec.json.encode(wrong))
    assert _code([*arguments]) == 1
    assert "1 differ in codes." in capsys.readouterr().out


def _code(arguments: list[str]) -> int:
    try:
        return int(cli.main(arguments, standalone_mode=False) or 0)
    except Exit as error:
        return int(error.exit_code)
