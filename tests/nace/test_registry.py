"""Tracking and registry on the running platform, as the account's own client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from autonoe.credentials import session
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import AutonoeError, InvalidInputError, NotFoundError
from autonoe_nace import registry, tracking
from autonoe_nace.data import ateco
from autonoe_nace.evaluation import evaluate
from autonoe_nace.model import NaceModel
from autonoe_nace.model_uri import ModelUri
from nace.registry_parts import as_champion
from support.platform import Platform

pytestmark = pytest.mark.platform


@pytest.fixture
def name(platform: Platform) -> Iterator[str]:
    """Return an unused name, with the account's credentials in the environment."""
    with session(AgentSettings.for_account(platform.layout, platform.owner)):
        yield f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def tracked(small_model: Path, name: str) -> tracking.TrackedRun:
    data = ateco().subset(range(5, 400, 10))
    return tracking.track(small_model, evaluate(NaceModel.load(small_model), data), experiment=name)


def native(model: Path) -> set[str]:
    """Return the names of a model's files: those of every model, and what its manifest adds."""
    manifest = json.loads((model / "model.json").read_text())
    return {*tracking.MODEL_FILES, *manifest["files"]}


def test_a_run_holds_parameters_metrics_hashes_and_native_files(
    tracked: tracking.TrackedRun, small_model: Path, name: str
) -> None:
    client = MlflowClient()
    run = client.get_run(tracked.run_id)
    manifest = json.loads((small_model / "model.json").read_text())
    assert run.info.status == "FINISHED"
    assert run.data.params["dim"] == "10"
    for kind in ("model", "data", "code", "environment"):
        assert run.data.tags[f"autonoe.{kind}_sha256"] == manifest["hashes"][kind]
    level = manifest["level"]
    for metric in ("top1.value", "top1.low", "top5.value", "macro_f1"):
        assert 0 <= run.data.metrics[f"levels.{level}.{metric}"] <= 1
    files = {Path(file.path).name for file in client.list_artifacts(tracked.run_id, "model")}
    assert files == native(small_model)
    assert tracking.last_run(name).run_id == tracked.run_id
    assert tracked.run_id in tracked.path


def test_the_same_model_is_tracked_once(
    tracked: tracking.TrackedRun, small_model: Path, name: str
) -> None:
    again = tracking.track(small_model, {}, experiment=name)
    assert again.reused
    assert again.run_id == tracked.run_id


def test_register_fetch_and_load_give_the_same_model(
    tracked: tracking.TrackedRun, small_model: Path, name: str, tmp_path: Path
) -> None:
    version = as_champion(tracked, name)
    again = registry.register(tracked, name=name)
    assert (again.version, again.alias) == (version.version, "")
    folder, found = registry.fetch(f"models:/{name}@champion", tmp_path)
    assert (found.version, found.sha256) == (version.version, tracked.model_sha256)
    for file in native(small_model):
        assert (folder / file).read_bytes() == (small_model / file).read_bytes()
    texts = ["coltivazione di riso"]
    assert NaceModel.load(folder).predict(texts) == NaceModel.load(small_model).predict(texts)
    assert registry.fetch(f"models:/{name}/{version.version}", tmp_path)[0] == folder


def test_nothing_but_native_files_is_kept_and_nothing_runs(
    tracked: tracking.TrackedRun, small_model: Path, name: str, tmp_path: Path
) -> None:
    client = MlflowClient()
    evil = tmp_path / "evil"
    evil.mkdir()
    marker = tmp_path / "executed"
    code = f"import pathlib; pathlib.Path({str(marker)!r}).write_text('x')"
    (evil / "python_model.pkl").write_bytes(
        b"cbuiltins\nexec\n(V" + code.encode() + b"\ntR."  # what pickle.load would run
    )
    (evil / "model_code.py").write_text(code)
    (evil / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: model_code\n")
    for file in evil.iterdir():
        client.log_artifact(tracked.run_id, str(file), "model")
    version = registry.register(tracked, name=name)
    folder, _ = registry.fetch(version.uri, tmp_path / "cache")
    assert {file.name for file in folder.iterdir()} == native(small_model)
    NaceModel.load(folder)
    assert not marker.exists()


def test_a_model_that_was_changed_in_the_store_is_refused(
    tracked: tracking.TrackedRun, small_model: Path, name: str, tmp_path: Path
) -> None:
    version = registry.register(tracked, name=name)
    cut = tmp_path / "model.bin"
    cut.write_bytes((small_model / "model.bin").read_bytes()[:-7])
    MlflowClient().log_artifact(tracked.run_id, str(cut), "model")
    with pytest.raises(AutonoeError, match="damaged") as caught:
        registry.fetch(version.uri, tmp_path / "cache")
    assert caught.value.code == "model_damaged"


def test_another_manifest_than_the_registered_one_is_refused(
    tracked: tracking.TrackedRun, small_model: Path, name: str, tmp_path: Path
) -> None:
    version = registry.register(tracked, name=name)
    manifest = json.loads((small_model / "model.json").read_text())
    manifest["hashes"]["model"] = "f" * 64
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    MlflowClient().log_artifact(tracked.run_id, str(tmp_path / "model.json"), "model")
    with pytest.raises(AutonoeError, match="not the one that was registered"):
        registry.fetch(version.uri, tmp_path / "cache")


def test_a_version_without_hashes_is_refused(
    tracked: tracking.TrackedRun, name: str, tmp_path: Path
) -> None:
    client = MlflowClient()
    client.create_registered_model(name)
    client.create_model_version(name, source=f"{tracked.artifacts}/model", run_id=tracked.run_id)
    with pytest.raises(InvalidInputError, match="no hash"):
        registry.fetch(f"models:/{name}/1", tmp_path)


def test_what_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(AutonoeError) as missing:
        registry.fetch(f"models:/{name}@champion", tmp_path)
    assert missing.value.code in {"not_found", "forbidden"}
    with pytest.raises(NotFoundError):
        tracking.last_run(name)


@pytest.mark.parametrize("uri", ["", "models:/", "models:/a", "runs:/x", "models:/a@b/../c"])
def test_other_addresses_than_registered_models_are_refused(uri: str) -> None:
    with pytest.raises(InvalidInputError):
        ModelUri.parse(uri)
