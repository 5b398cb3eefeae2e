"""Promotion: checked, compared, recorded, one at a time, resumed after a kill, taken back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from itertools import pairwise
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from autonoe.errors import AutonoeError, ConflictError, InvalidInputError
from autonoe_nace import registry, tracking
from autonoe_nace.data import ateco, read_table
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.registry import lock
from autonoe_nace.training import TrainingParams, train
from nace.registry_parts import GOLD_ROWS, champion, gold, mlflow, registered, train_model

__all__ = ["mlflow"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return three models, each better than the one before it, and one as bad as the first."""
    folder = tmp_path_factory.mktemp("models")
    return [
        train_model(folder / "poor", rows=range(0, 4_000, 10), epoch=5),
        train_model(folder / "fair", rows=range(0, 4_000, 10), epoch=25),
        train_model(folder / "good", rows=range(0, 8_000, 4), epoch=15),
        train_model(folder / "bad", rows=range(0, 4_000, 10), epoch=5, seed=9),
    ]


@pytest.fixture
def name(mlflow: str) -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_the_life_of_a_champion(models: list[Path], name: str, cache: Path) -> None:
    poor, fair, good, bad = registered(models, name)
    # the first champion must beat the answer that needs no model
    with pytest.raises(AutonoeError) as closed:
        registry.promote(name, poor, gold=gold(), cache=cache)
    assert closed.value.code == "gate_closed"
    assert "most frequent code" in closed.value.message
    first = registry.promote(name, poor, gold=None, force_reason="a first model", cache=cache)
    assert (first.moved, champion(name)) == (True, poor)

    second = registry.promote(name, fair, gold=gold(), cache=cache)
    assert second.gate is not None
    assert second.gate.passed
    assert second.gate.difference.low > 0
    assert champion(name) == fair
    # a worse one, and one without gold or reason, leave the alias where it is
    with pytest.raises(AutonoeError) as worse:
        registry.promote(name, bad, gold=gold(), cache=cache)
    assert worse.value.code == "gate_closed"
    with pytest.raises(InvalidInputError, match="reason"):
        registry.promote(name, good, gold=None, force_reason="  ", cache=cache)
    assert champion(name) == fair
    assert registry.promote(name, good, gold=gold(), cache=cache).moved
    again = registry.promote(name, good, gold=gold(), cache=cache)
    assert not again.moved
    assert again.decision.version == good

    # back one version, then two; never to the one that was left
    assert registry.rollback(name, reason="complaints", cache=cache).decision.version == fair
    assert registry.rollback(name, cache=cache).decision.version == poor
    with pytest.raises(ConflictError):
        registry.rollback(name, cache=cache)
    assert champion(name) == poor

    told = registry.history(name)
    assert [(d.kind, d.version, d.previous) for d in told] == [
        ("refuse", poor, ""),
        ("force", poor, ""),
        ("promote", fair, poor),
        ("refuse", bad, fair),
        ("promote", good, fair),
        ("rollback", fair, good),
        ("rollback", poor, fair),
    ]
    assert told[1].reason == "a first model"
    assert told[5].reason == "complaints"
    assert all(d.by == "ana" and d.time for d in told)
    assert float(told[2].figures["low"]) == second.gate.difference.low
    report = json.loads(
        Path(download_artifacts(f"runs:/{told[2].run_id}/{told[2].report}")).read_text()
    )
    assert report["gate"]["n"] == second.gate.n
    assert report["check"]["figures"]["cpu_p99_ms"] > 0
    assert "promoted to champion" in told[2].sentence()


def test_gold_that_a_model_learned_is_written_into_the_decision(
    models: list[Path], name: str, cache: Path
) -> None:
    poor, good = registered([models[0], models[2]], name)
    registry.promote(name, poor, gold=None, force_reason="first", cache=cache)
    # 25 texts of rows that both learned: 0, 20, 40, ...
    mixed = ateco().subset([*range(0, 500, 20), *GOLD_ROWS])
    outcome = registry.promote(name, good, gold=mixed, cache=cache)
    assert outcome.gate is not None
    told = registry.history(name)[-1].figures
    wanted = ("learned_by_challenger", "learned_by_champion", "left_out", "n")
    by_challenger, by_champion, left_out, n = (float(told[key]) for key in wanted)
    assert min(by_challenger, by_champion) >= 25
    assert max(by_challenger, by_champion) <= left_out == outcome.gate.left_out
    assert n + left_out == len(mixed)
    # where too few are left, only a reason moves the alias, and nothing was compared
    learned = ateco().subset(range(0, 4_000, 20))
    with pytest.raises(InvalidInputError, match=r"Gold holds 0 texts .* the gate needs 100"):
        registry.promote(name, poor, gold=learned, cache=cache)
    assert champion(name) == good
    forced = registry.promote(name, poor, gold=learned, force_reason="I insist", cache=cache)
    assert (forced.gate, forced.decision.kind) == (None, "force")
    assert "left_out" not in forced.decision.figures


def test_registering_moves_no_alias(models: list[Path], name: str, cache: Path) -> None:
    run = tracking.track(models[0], {}, experiment=name)
    version = registry.register(run, name=name)
    assert version.uri == f"models:/{name}/{version.version}"
    assert MlflowClient().get_registered_model(name).aliases == {}
    assert registry.history(name) == []
    registry.promote(name, version.version, gold=None, force_reason="first", cache=cache)
    (other,) = registered(models[2:3], name)
    assert registry.register(run, name=name) == version
    assert (champion(name), other) == (version.version, "2")


def test_what_is_moved_by_other_means_is_told_and_can_be_taken_back(
    models: list[Path], name: str, cache: Path
) -> None:
    first, second = registered([models[0], models[2]], name)
    registry.promote(name, first, gold=None, force_reason="first", cache=cache)
    MlflowClient().set_registered_model_alias(name, "champion", second)
    told = registry.history(name)
    assert [(d.kind, d.version, d.previous) for d in told] == [
        ("force", first, ""),
        ("outside", second, first),
    ]
    assert registry.rollback(name, cache=cache).decision.version == first


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of NACE Rev. 2."""
    folder = tmp_path_factory.mktemp("foreign")
    lines = "growing of rice,01.12\nbrewing of beer,11.05\nbakery,10.71\n" * 8
    (folder / "texts.csv").write_text(f"text,code\n{lines}")
    other = load_nomenclature("nace-rev2")
    data = read_table(
        str(folder / "texts.csv"), nomenclature=other, text_column="text", code_column="code"
    )
    params = TrainingParams(dim=10, epoch=5, bucket=2_000, calibration_share=0, titles=False)
    return train(data, params, other).save(folder / "model")


def test_no_reason_lets_a_model_of_another_nomenclature_in(
    models: list[Path], foreign: Path, name: str, cache: Path
) -> None:
    first, second = registered([models[0], foreign], name)
    registry.promote(name, first, gold=None, force_reason="first", cache=cache)
    for texts in (None, gold()):
        with pytest.raises(AutonoeError, match="codes to nace-rev2") as refused:
            registry.promote(name, second, gold=texts, force_reason="I insist", cache=cache)
        assert refused.value.code == "check_failed"
        assert "name of its own" in refused.value.hint
    assert champion(name) == first
    assert [d.kind for d in registry.history(name)] == ["force", "refuse", "refuse"]
    # under a name of its own it is as good as any first model
    (alone,) = registered([foreign], f"{name}-rev2")
    assert registry.promote(
        f"{name}-rev2", alone, gold=None, force_reason="the first of its kind", cache=cache
    ).moved


def test_a_champion_whose_files_are_gone_still_says_what_it_codes_to(
    models: list[Path], foreign: Path, name: str, tmp_path: Path
) -> None:
    first, second, third = registered([models[0], foreign, models[1]], name)
    registry.promote(name, first, gold=None, force_reason="first", cache=tmp_path / "cache")
    client = MlflowClient()
    entry = client.get_model_version(name, first)
    assert entry.tags[tracking.NOMENCLATURE_TAG] == "ateco2025"
    cut = tmp_path / "model.bin"
    cut.write_bytes((models[0] / "model.bin").read_bytes()[:-9])
    client.log_artifact(entry.run_id, str(cut), "model")

    def refused(version: str) -> AutonoeError:
        with pytest.raises(AutonoeError) as caught:
            registry.promote(
                name, version, gold=None, force_reason="I insist", cache=tmp_path / "empty"
            )
        assert (caught.value.code, champion(name)) == ("check_failed", first)
        assert registry.history(name)[-1].kind == "refuse"
        return caught.value

    said = f"It codes to nace-rev2, and the champion, version {first}, to ateco2025"
    assert said in refused(second).message
    # versions of an older Autonoe have no such tag, but their run has it
    client.delete_model_version_tag(name, first, tracking.NOMENCLATURE_TAG)
    assert said in refused(second).message
    # where nobody knows, nobody is let in, whatever it codes to
    client.delete_tag(entry.run_id, tracking.NOMENCLATURE_TAG)
    for version in (second, third):
        error = refused(version)
        assert f"What the champion, version {first}, codes to is not known" in error.message
        assert tracking.NOMENCLATURE_TAG in error.hint
    client.set_model_version_tag(name, first, tracking.NOMENCLATURE_TAG, "ateco2025")
    assert "to ateco2025" in refused(second).message
    moved = registry.promote(
        name, third, gold=None, force_reason="the first is damaged", cache=tmp_path / "empty"
    )
    assert (moved.moved, champion(name)) == (True, third)


def test_two_promotions_at_once_are_judged_one_after_the_other(
    models: list[Path], name: str, cache: Path
) -> None:
    poor, fair, good, _ = registered(models, name)
    registry.promote(name, poor, gold=None, force_reason="first", cache=cache)
    outcomes: dict[str, str] = {}

    def run(version: str) -> None:
        try:
            registry.promote(name, version, gold=gold(), cache=cache / version)
            outcomes[version] = "moved"
        except AutonoeError as error:
            outcomes[version] = error.code

    threads = [threading.Thread(target=run, args=(version,)) for version in (fair, good)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=600)
    # whichever came first, the better model has the alias: the other was compared with it
    assert outcomes[good] == "moved"
    assert outcomes[fair] in {"moved", "gate_closed"}
    assert champion(name) == good
    moves = [d for d in registry.history(name) if d.kind == "promote"]
    assert moves[-1].version == good
    assert all(later.previous == d.version for d, later in pairwise(moves))
    with pytest.raises(MlflowException, match="not found"):
        tracking.quiet_client().get_registered_model(f"{name}.promotion-lock")


_KILLED = """
import os, signal, sys
from pathlib import Path
from mlflow import MlflowClient
from nace.registry_parts import gold
from autonoe_nace import registry
from autonoe_nace.data import read_table
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.registry import lock
from autonoe_nace.training import TrainingParams, train

name, version, cache, when = sys.argv[1:]
lock.LEASE_S = 2.0
real = MlflowClient.set_registered_model_alias

def dying(self, *args):
    if when == "after":
        real(self, *args)
    os.kill(os.getpid(), signal.SIGKILL)

MlflowClient.set_registered_model_alias = dying
registry.promote(name, version, gold=gold(), cache=Path(cache))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_promotion_that_is_killed_half_way_is_taken_up_again(
    models: list[Path], name: str, cache: Path, when: str
) -> None:
    poor, _, good, _ = registered(models, name)
    registry.promote(name, poor, gold=None, force_reason="first", cache=cache)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, name, good, str(cache), when],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert champion(name) == (good if when == "after" else poor)
    outcome = registry.promote(name, good, gold=gold(), cache=cache)
    assert outcome.moved == (when == "before")
    assert champion(name) == good
    told = [(d.kind, d.version) for d in registry.history(name)]
    assert told == [("force", poor), ("promote", good)]
    # the alias can be taken back as after any other promotion
    assert registry.rollback(name, cache=cache).decision.version == poor


def test_a_lock_that_is_held_is_waited_for_and_said(
    models: list[Path], name: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor, good = registered([models[0], models[2]], name)
    registry.promote(name, poor, gold=None, force_reason="first", cache=cache)
    monkeypatch.setattr(lock, "WAIT_S", 1.0)
    with (
        lock.promotion_lock(MlflowClient(), name, "somebody"),
        pytest.raises(ConflictError, match="under way"),
    ):
        registry.promote(name, good, gold=gold(), cache=cache)
    assert champion(name) == poor
    assert registry.promote(name, good, gold=gold(), cache=cache).moved


def test_a_rollback_to_a_version_that_is_no_longer_whole_is_refused(
    models: list[Path], name: str, cache: Path, tmp_path: Path
) -> None:
    poor, good = registered([models[0], models[2]], name)
    registry.promote(name, poor, gold=None, force_reason="first", cache=cache)
    registry.promote(name, good, gold=gold(), cache=cache)
    client = MlflowClient()
    cut = tmp_path / "model.bin"
    cut.write_bytes((models[0] / "model.bin").read_bytes()[:-9])
    client.log_artifact(client.get_model_version(name, poor).run_id, str(cut), "model")
    # whoever has it whole in the cache can still go back; who has not is told
    with pytest.raises(AutonoeError) as caught:
        registry.rollback(name, cache=tmp_path / "empty")
    assert caught.value.code == "check_failed"
    assert champion(name) == good
    assert registry.rollback(name, cache=cache).moved


def test_a_check_says_what_is_too_large_or_slow(models: list[Path], name: str, cache: Path) -> None:
    (version,) = registered(models[:1], name)
    uri = f"models:/{name}/{version}"
    fine = registry.check(uri, cache=cache)
    assert fine.passed
    assert [item.name for item in fine.items] == [
        "artefact", "size", "answers", "latency", "memory",
    ]  # fmt: skip
    tight = registry.CheckLimits(size_mib=0.001, latency_p99_ms=1e-6, memory_mib=1)
    report = registry.check(uri, cache=cache, limits=tight)
    assert [item.name for item in report.items if not item.passed] == ["size", "latency", "memory"]
    with pytest.raises(AutonoeError) as caught:
        registry.promote(name, version, gold=None, force_reason="now", limits=tight, cache=cache)
    assert caught.value.code == "check_failed"
    assert registry.history(name)[-1].kind == "refuse"
    assert registry.check(str(models[0])).passed
