"""Retraining: what judges is never learned, what was done is not done twice, the gate decides."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autonoe.cli import main
from autonoe.credentials import session
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import ConflictError, InvalidInputError
from autonoe.waiting import wait_until
from autonoe_nace import registry, tracking
from autonoe_nace.annotation.store import GOLD, AnnotationStore
from autonoe_nace.clockwork import check_cron, crontab
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.retraining import RetrainPlan, retrain
from autonoe_nace.retraining.material import belongs_to_gate, gather, read_gold
from autonoe_nace.retraining.schedule import cronjob
from nace.registry_parts import as_champion
from support.manifests import MINORS, check, check_labels
from support.platform import Platform

PARAMS = {"dim": 10, "epoch": 5, "bucket": 2_000, "calibration_share": 0, "titles": False}
GOOD = {**PARAMS, "epoch": 25, "dim": 20, "bucket": 20_000}
BASE = 400
"""Texts that the first champion learned."""


def texts() -> Dataset:
    data = ateco()
    order = list(range(len(data)))
    random.Random(3).shuffle(order)
    return data.subset(order)


def gold(place: Path, data: Dataset, name: str = "one", *, day: int = 1, weight: float = 10) -> str:
    """Write ``data`` as a round that people have coded."""
    rows: list[dict[str, Any]] = [
        {
            "request_id": hashlib.sha256(text.encode()).hexdigest()[:12],
            "position": 0,
            "text": text,
            "code": code,
            "coder": "anna+ben",
            "arbiter": "",
            "round": name,
            "weight": weight + number % 5,
            "inclusion_probability": 0.1,
            "stratum": "all",
            "model_code": code,
            "model_version": "1",
            "model_confidence": 0.5,
            "auto": False,
            "status": "coded",
            "annotated_at": datetime(2026, 11, day, tzinfo=UTC) + timedelta(seconds=number),
            "features": [],
        }
        for number, (text, code) in enumerate(zip(data.texts, data.codes, strict=True))
    ]
    table = pa.Table.from_pylist(rows, schema=GOLD)
    AnnotationStore(str(place)).write("gold", name, table)
    return str(place)


def labelled(path: Path, data: Dataset) -> str:
    pa.csv.write_csv(pa.table({"text": data.texts, "code": data.codes}), path)
    return str(path)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return texts()


@pytest.fixture
def plan(data: Dataset, tmp_path: Path) -> RetrainPlan:
    return RetrainPlan(
        gold=gold(tmp_path / "gold", data.subset(range(BASE, BASE + 300))),
        data=labelled(tmp_path / "base.csv", data.subset(range(BASE))),
        params=PARAMS,
        work=tmp_path / "work",
    )


def test_no_text_that_judges_is_learned(plan: RetrainPlan, data: Dataset, tmp_path: Path) -> None:
    overlap = data.subset(range(BASE + 100, BASE + 500))
    more = RetrainPlan(**{**vars(plan), "labels": (labelled(tmp_path / "more.csv", overlap),)})
    found = gather(more)
    judging = {text.casefold() for text in found.gate.texts}
    assert not judging & {text.casefold() for text in found.learned.texts}
    assert found.counts["left_out_for_the_gate"] > 50
    assert 100 < found.counts["gold_judging"] < 200
    assert found.counts["gold_judging"] + found.counts["gold_learned"] == 300
    assert len(found.gate_weights) == len(found.gate)


def test_a_text_judges_in_all_later_runs_too(
    plan: RetrainPlan, data: Dataset, tmp_path: Path
) -> None:
    first = gather(plan)
    again = data.subset([*range(BASE + 200, BASE + 300), *range(BASE + 600, BASE + 800)])
    gold(tmp_path / "gold", again, "two", day=9)
    later = gather(plan)
    assert set(first.gate.texts) <= set(later.gate.texts)
    assert not set(first.gate.texts) & set(later.learned.texts)
    assert len(later.gate) + later.counts["gold_learned"] == 500


def test_weighted_learning_repeats_what_stands_for_many(
    plan: RetrainPlan, data: Dataset, tmp_path: Path
) -> None:
    gold(tmp_path / "gold", data.subset(range(BASE + 600, BASE + 700)), "heavy", weight=300)
    plain = gather(plan)
    weighted = gather(RetrainPlan(**{**vars(plan), "weighting": "weighted"}))
    assert weighted.gate.sha256 == plain.gate.sha256
    assert len(weighted.learned) > len(plain.learned) + 200
    assert set(weighted.learned.texts) == set(plain.learned.texts)


def test_the_newest_code_of_a_prediction_counts(tmp_path: Path, data: Dataset) -> None:
    some = data.subset(range(20))
    other = Dataset(**{**vars(some), "codes": tuple(reversed(some.codes))})
    place = gold(tmp_path, some, "early", day=1)
    store = AnnotationStore(place)
    # as a version wrote it that did not know them
    store.write("gold", "early", store.read("gold", "early").drop_columns(["deployment", "time"]))
    gold(tmp_path, other, "late", day=2)
    found, weights = read_gold(place, data.nomenclature)
    assert sorted(zip(found.texts, found.codes, strict=True)) == sorted(
        zip(other.texts, other.codes, strict=True)
    )
    assert len(weights) == 20


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1), st.floats(0.1, 0.9))
def test_the_gate_takes_words_and_nothing_else(words: list[str], share: float) -> None:
    for word in words:
        assert belongs_to_gate(word, share) == belongs_to_gate(word, share)
        if belongs_to_gate(word, share):
            assert belongs_to_gate(word, min(1.0, share + 0.1)), "a larger gate keeps its texts"


@pytest.fixture
def name(platform: Platform) -> Iterator[str]:
    with session(AgentSettings.for_account(platform.layout, platform.owner)):
        yield f"test-{uuid.uuid4().hex[:12]}"


def champion(name: str, plan: RetrainPlan, folder: Path) -> str:
    """Make a first champion that learned nothing but the base, badly."""
    from autonoe_nace.training import TrainingParams, train

    data = gather(plan).learned.subset(range(100))
    model = train(data, TrainingParams(**{**PARAMS, "epoch": 1})).save(folder)
    return as_champion(tracking.track(model, {}, experiment=name), name).version


@pytest.mark.platform
@pytest.mark.slow
def test_a_better_challenger_is_promoted_once_and_not_again_after_a_rollback(
    name: str, plan: RetrainPlan, data: Dataset, tmp_path: Path
) -> None:
    first = champion(name, plan, tmp_path / "first")
    more = labelled(tmp_path / "more.csv", data.subset(range(BASE + 300, BASE + 4_000)))
    plan = RetrainPlan(
        **{**vars(plan), "name": name, "labels": (more,), "params": GOOD, "because": "a test"}
    )
    done = retrain(plan)
    assert done["promoted"], done["message"]
    assert done["champion_before"] == first
    assert done["gate"]["difference"]["low"] > 0
    report = Path(done["report"]).read_text()
    assert "<html" in report
    assert "gold standard" in report
    folder, found = registry.fetch(f"models:/{name}@champion", tmp_path / "cache")
    assert found.version == done["version"]
    assert NaceModel.load(folder).id == done["model"]
    client = tracking.quiet_client()
    version = client.get_model_version(name, done["version"])
    assert client.get_run(version.run_id).data.tags["autonoe.because"] == "a test"

    made = (plan.work / done["id"] / "model" / "model.bin").stat().st_mtime_ns
    again = retrain(plan)
    assert (again["repeated"], again["version"]) == (True, done["version"])
    assert (plan.work / done["id"] / "model" / "model.bin").stat().st_mtime_ns == made

    registry.rollback(name, reason="wrong in section G")
    assert registry.fetch(f"models:/{name}@champion", tmp_path / "c2")[1].version == first
    assert retrain(plan)["repeated"], "a schedule does not undo a person"
    # nor does one whose disk is new, as in a pod
    fresh = retrain(RetrainPlan(**{**vars(plan), "work": tmp_path / "elsewhere"}))
    assert (fresh["promoted"], fresh["code"]) == (False, "rolled_back")
    assert registry.fetch(f"models:/{name}@champion", tmp_path / "c3")[1].version == first


@pytest.mark.platform
@pytest.mark.slow
def test_a_worse_challenger_leaves_the_champion_and_a_killed_run_goes_on(
    name: str, plan: RetrainPlan, data: Dataset, tmp_path: Path
) -> None:
    more = labelled(tmp_path / "more.csv", data.subset(range(BASE + 300, BASE + 4_000)))
    good = RetrainPlan(**{**vars(plan), "name": name, "labels": (more,), "params": GOOD})

    command = [sys.executable, "-m", "autonoe", "nace", "retrain", "--name", name, "--json"]
    command += ["--gold", plan.gold, "--data", plan.data, "--labels", more]
    command += ["--work", str(plan.work)]
    for key, value in GOOD.items():
        command += ["--param", f"{key}={value}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    trained = wait_until(
        lambda: list(plan.work.glob("*/model/model.bin")), timeout_s=120, what="the model"
    )
    # a second one beside it stays out
    with pytest.raises(ConflictError):
        retrain(good)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=30)
    made = trained[0].stat().st_mtime_ns
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["promoted"], "the first champion has to beat the commonest code"
    assert trained[0].stat().st_mtime_ns == made, "what was learned is not learned again"

    worse = retrain(RetrainPlan(**{**vars(plan), "name": name, "params": {**PARAMS, "epoch": 1}}))
    assert (worse["promoted"], worse["code"]) == (False, "gate_closed")
    champion_now = registry.fetch(f"models:/{name}@champion", tmp_path / "cache")[1]
    assert champion_now.version == outcome["version"]
    kinds = [decision.kind for decision in registry.history(name)]
    assert kinds.count("refuse") == 1


def test_the_lock_is_the_models_own_and_ends_with_its_holder(plan: RetrainPlan) -> None:
    from autonoe_nace.retraining.run import _alone

    plan.work.mkdir()
    with _alone(plan.work, "a"):
        with _alone(plan.work, "b"):
            pass
        with pytest.raises(ConflictError), _alone(plan.work, "a"):
            raise AssertionError
    with _alone(plan.work, "a") as nothing:
        assert nothing is None


@pytest.mark.parametrize("minor", MINORS)
def test_the_cron_job_is_valid_and_holds_no_credentials(minor: str, tmp_path: Path) -> None:
    settings = AgentSettings(
        account="anna",
        proof_file=tmp_path / "proof",
        openbao_url="http://openbao:8200",
        s3_url="http://s3:8333",
        mlflow_url="http://mlflow:5000",
    )
    arguments = ["--name", "nace-anna", "--weighting", "weighted"]
    for given_settings in (None, settings):
        manifest = cronjob(
            "0 3 * * 1",
            arguments,
            name="nace-anna",
            image="example.org/autonoe/nace:1",
            agent_image="example.org/autonoe/agent:1",
            settings=given_settings,
        )
        check([manifest], minor)
        check_labels([manifest])
        assert manifest["spec"]["concurrencyPolicy"] == "Forbid"
        pod = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        container = next(c for c in pod["containers"] if c["name"] == "retrain")
        assert container["args"][: len(arguments)] == arguments
        text = json.dumps(manifest).lower()
        for word in ("password", "aws_secret", "aws_access", "secretkeyref", "bearer"):
            assert word not in text
        assert len(manifest["metadata"]["name"]) <= 52


def test_the_schedule_comes_from_the_same_options(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["nace", "retrain", "--name", "nace-x", "--weighting", "weighted"]
    options += ["--param", "epoch=9", "--labels", "a b.csv", "--cron", "15 2 1 * *"]
    for kind in ("crontab", "kubernetes"):
        with pytest.raises(SystemExit) as done:
            main([*options, "--schedule", kind])
        assert done.value.code == 0
        shown = capsys.readouterr().out
        if kind == "crontab":
            assert shown.startswith("15 2 1 * * autonoe nace retrain ")
            assert "'a b.csv'" in shown
            continue
        manifest = yaml.safe_load(shown)
        pod = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert "epoch=9" in pod["containers"][0]["args"]
        assert "a b.csv" in pod["containers"][0]["args"]


def test_cron_reads_a_percent_sign_as_text() -> None:
    line = crontab("0 3 * * *", ["--because", "50 % done"], verb=("retrain",))
    assert line.endswith(r"'50 \% done'")


@pytest.mark.parametrize(
    "wrong", ["", "* * * *", "60 * * * *", "0 24 * * *", "a b c d e", "0;1 * * * *"]
)
def test_what_is_no_cron_expression_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInputError):
        check_cron(wrong)
    assert check_cron("*/15 0-6,22 1 1-3 */2")


def test_wrong_wishes_are_refused(tmp_path: Path) -> None:
    for wrong in ({"gate_share": 0.0}, {"gate_share": 1.0}, {"weighting": "heavy"}):
        with pytest.raises(InvalidInputError):
            RetrainPlan(gold=str(tmp_path), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="no gold"):
        gather(RetrainPlan(gold=str(tmp_path)))
