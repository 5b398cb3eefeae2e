"""An artefact that is cut, swapped or meant to harm is refused, and never runs."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from autonoe.errors import AutonoeError
from autonoe.waiting import wait_until
from autonoe_nace import registry, tracking
from autonoe_nace.model import NaceModel
from autonoe_nace.model.manifest import FileEntry
from autonoe_nace.registry import artefact
from nace.registry_parts import mlflow
from support.serving_process import TEXT, start

__all__ = ["mlflow"]

SWAP_S = 300
"""Longest wait for a server's verdict: it starts two processes for each version."""


@pytest.fixture
def name(mlflow: str) -> str:
    return f"hostile-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def folder(small_model: Path, tmp_path: Path) -> Path:
    """Return a copy of the model that a test may spoil before it is tracked."""
    return Path(shutil.copytree(small_model, tmp_path / "model"))


def put(name: str, folder: Path, spoil: Callable[[Path], None] | None = None) -> str:
    """Track and register ``folder``; then let ``spoil`` change files behind the registry's back."""
    run = tracking.track(folder, {}, experiment=name)
    version = registry.register(run, name=name)
    if spoil is not None:
        changed = folder.with_name("changed")
        shutil.copytree(folder, changed)
        spoil(changed)
        for file in changed.iterdir():
            if not (folder / file.name).exists() or file.read_bytes() != (
                (folder / file.name).read_bytes()
            ):
                MlflowClient().log_artifact(run.run_id, str(file), "model")
    return version.uri


def refused(uri: str, cache: Path) -> str:
    """Return why ``uri`` is refused: by a fetch, by the checks, and by a forced promotion."""
    with pytest.raises(AutonoeError) as caught:
        registry.fetch(uri, cache)
    assert caught.value.code == "model_damaged"
    report = registry.check(uri, cache=cache)
    assert not report.passed
    assert [item.name for item in report.items] == ["artefact"]
    name, version = uri.removeprefix("models:/").split("/")
    with pytest.raises(AutonoeError) as forced:
        registry.promote(name, version, gold=None, force_reason="I insist", cache=cache)
    assert forced.value.code == "check_failed"
    assert not MlflowClient().get_registered_model(name).aliases
    return caught.value.message


def restate(folder: Path, **more: Any) -> None:
    """Make the manifest agree with the files, as somebody with bad intentions would."""
    document = json.loads((folder / "model.json").read_text())
    for file in document["files"]:
        document["files"][file] = FileEntry.of(folder / file).model_dump()
    (folder / "model.json").write_text(json.dumps({**document, **more}))


def _cut(folder: Path) -> None:
    path = folder / "model.bin"
    path.write_bytes(path.read_bytes()[:-100])


def _swap(folder: Path) -> None:
    path = folder / "model.bin"
    changed = bytearray(path.read_bytes())
    changed[-400:] = bytes(400)
    path.write_bytes(bytes(changed))


def _retitle(folder: Path) -> None:
    path = folder / "nomenclature.json"
    path.write_text(path.read_text().replace("Coltivazione", "Distruzione"))
    restate(folder)


def _swell(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text() + " " * (17 << 20))


@pytest.mark.parametrize("spoil", [_cut, _swap, _retitle, _swell])
def test_a_file_that_was_changed_in_the_store_is_refused(
    name: str, folder: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    refused(put(name, folder, spoil), tmp_path / "cache")


@pytest.mark.parametrize(
    "file", ["../evil.json", "/etc/passwd", "a/b.json", ".hidden.json", "model.pkl", "bomb.npz"]
)
def test_a_manifest_that_names_other_files_is_refused(
    name: str, small_model: Path, folder: Path, tmp_path: Path, file: str
) -> None:
    run = tracking.track(folder, {}, experiment=name)
    document = json.loads((folder / "model.json").read_text())
    document["files"][file] = {"size": 1, "sha256": "0" * 64}
    (folder / "model.json").write_text(json.dumps(document))
    client = MlflowClient()
    client.log_artifact(run.run_id, str(folder / "model.json"), "model")
    # who registers it also writes down the hash of the bad manifest
    client.set_tag(run.run_id, tracking.MANIFEST_TAG, FileEntry.of(folder / "model.json").sha256)
    version = registry.register(run, name=name)
    refused(version.uri, tmp_path / "cache")
    assert not (tmp_path / "evil.json").exists()


class _Payload:
    """Unpickling it writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def _with_array(folder: Path, write: Callable[[Path], None]) -> None:
    document = json.loads((folder / "model.json").read_text())
    write(folder / "evil.npy")
    document["files"]["evil.npy"] = FileEntry.of(folder / "evil.npy").model_dump()
    (folder / "model.json").write_text(json.dumps(document))


def test_an_array_of_objects_is_refused_unread(name: str, folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    payload = np.array([_Payload(marker)], dtype=object)
    _with_array(folder, lambda path: np.save(path, payload, allow_pickle=True))
    assert "Python objects" in refused(put(name, folder), tmp_path / "cache")
    assert not marker.exists()


def test_an_array_that_claims_to_be_larger_than_its_file_is_refused(
    name: str, folder: Path, tmp_path: Path
) -> None:
    def write(path: Path) -> None:
        with path.open("wb") as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
            np.lib.format.write_array_header_1_0(stream, header)

    _with_array(folder, write)
    assert "more than it does" in refused(put(name, folder), tmp_path / "cache")


def write_pyfunc(folder: Path, marker: Path) -> None:
    """Write a model of MLflow's own kind, which writes ``marker`` however it is loaded."""
    code = f"import pathlib; pathlib.Path({str(marker)!r}).write_text('x')"
    (folder / "python_model.pkl").write_bytes(b"cbuiltins\nexec\n(V" + code.encode() + b"\ntR.")
    (folder / "model_code.py").write_text(code)
    (folder / "sitecustomize.py").write_text(code)
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: model_code\n"
        "    model_code_path: model_code.py\n    python_model: python_model.pkl\n"
    )


def test_code_beside_the_model_is_left_where_it_is(name: str, folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    def spoil(changed: Path) -> None:
        write_pyfunc(changed, marker)

    uri = put(name, folder, spoil)
    fetched, _ = registry.fetch(uri, tmp_path / "cache")
    assert {file.name for file in fetched.iterdir()} == {file.name for file in folder.iterdir()}
    assert registry.check(uri, cache=tmp_path / "cache").passed
    NaceModel.load(fetched).predict(["riso"])
    assert not marker.exists()


def test_links_in_the_cache_are_replaced_and_not_followed(
    name: str, folder: Path, tmp_path: Path
) -> None:
    uri, cache = put(name, folder), tmp_path / "cache"
    fetched, _ = registry.fetch(uri, cache)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(fetched, elsewhere)
    (fetched / "model.bin").unlink()
    (fetched / "model.bin").symlink_to(elsewhere / "model.bin")
    assert not (registry.fetch(uri, cache)[0] / "model.bin").is_symlink()
    shutil.rmtree(fetched)
    fetched.symlink_to(elsewhere)
    assert not registry.fetch(uri, cache)[0].is_symlink()
    assert (elsewhere / "model.bin").is_file()


def test_a_copy_in_the_cache_that_is_no_longer_whole_is_fetched_anew(
    name: str, folder: Path, tmp_path: Path
) -> None:
    uri, cache = put(name, folder), tmp_path / "cache"
    fetched, _ = registry.fetch(uri, cache)
    _cut(fetched)
    again, _ = registry.fetch(uri, cache)
    assert again == fetched
    assert (again / "model.bin").read_bytes() == (folder / "model.bin").read_bytes()


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1:9/model", "mlflow-artifacts://127.0.0.1:9/model", "models:/other/1",
        "runs:/0/model", "plugin://x", "", "s3://bucket/../other", "file:/a/../../etc",
    ],
)  # fmt: skip
def test_an_address_of_another_kind_is_refused_before_it_is_asked(source: str) -> None:
    with pytest.raises(AutonoeError) as caught:
        artefact.check_source(source)
    assert caught.value.code == "model_damaged"


@pytest.mark.parametrize(
    "source", ["mlflow-artifacts:/1/a/artifacts/model", "s3://bucket/key", "file:///srv/models/1"]
)
def test_addresses_of_stores_are_taken(source: str) -> None:
    artefact.check_source(source)


def pins_of(run: tracking.TrackedRun) -> dict[str, str]:
    """Return the tags by which a version is pinned to the model of ``run``."""
    told = MlflowClient().get_run(run.run_id).data.tags
    return {tag: told[tag] for tag in (tracking.SHA_TAG, tracking.ID_TAG, tracking.MANIFEST_TAG)}


def hostile_versions(name: str, folder: Path, scratch: Path, marker: Path) -> dict[str, str]:
    """Add versions to ``name`` that would do harm, and return their numbers by what they are."""
    client = MlflowClient()

    def version(run: tracking.TrackedRun, tags: dict[str, str]) -> str:
        source = f"{run.artifacts}/{tracking.ARTIFACT_PATH}"
        return str(client.create_model_version(name, source, run.run_id, tags=tags).version)

    def copy(what: str) -> Path:
        return Path(shutil.copytree(folder, scratch / what))

    restated = tracking.track(folder, {}, experiment=f"{name}-restated")
    changed = copy("restated")
    _retitle(changed)
    client.log_artifacts(restated.run_id, str(changed), tracking.ARTIFACT_PATH)

    # whoever registers it also writes down the hashes of the bad files
    objects = np.array([_Payload(marker)], dtype=object)
    pickled = copy("pickled")
    _with_array(pickled, lambda path: np.save(path, objects, allow_pickle=True))
    array = tracking.track(pickled, {}, experiment=f"{name}-array")

    foreign = scratch / "pyfunc"
    foreign.mkdir()
    write_pyfunc(foreign, marker)
    run = client.create_run(client.create_experiment(f"{name}-pyfunc"))
    client.log_artifacts(run.info.run_id, str(foreign), tracking.ARTIFACT_PATH)
    pyfunc = replace(array, run_id=run.info.run_id, artifacts=run.info.artifact_uri)
    return {
        "restated manifest": version(restated, pins_of(restated)),
        "array of objects": version(array, pins_of(array)),
        "pyfunc without hashes": version(pyfunc, {}),
        "pyfunc under a model's hashes": version(pyfunc, pins_of(restated)),
    }


@pytest.mark.slow
def test_a_running_server_keeps_its_version_whatever_the_alias_points_to(
    name: str, folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    good = registry.register(tracking.track(folder, {}, experiment=name), name=name).version
    hostile = hostile_versions(name, folder, tmp_path, marker)
    client = MlflowClient()
    client.set_registered_model_alias(name, "champion", good)
    options = ["--refresh", "0.2", "--registry-timeout", str(SWAP_S)]
    server = start(f"models:/{name}@champion", tmp_path / "state", *options)

    def answer() -> tuple[str, bool]:
        status, document = server.post(TEXT)
        assert status == 200
        assert document["results"][0]["candidates"]
        return document["model"]["version"], document["model"]["stale"]

    try:
        server.wait()
        for what, version in hostile.items():
            wait_until(lambda: answer() == (good, False), timeout_s=SWAP_S, what="the good one")
            client.set_registered_model_alias(name, "champion", version)
            wait_until(lambda: answer()[1], timeout_s=SWAP_S, what=f"the refusal: {what}")
            assert answer() == (good, True), what
            assert server.get("/health/ready")[0] == 200
            client.set_registered_model_alias(name, "champion", good)
        wait_until(lambda: answer() == (good, False), timeout_s=SWAP_S, what="the good one")
    finally:
        server.process.terminate()
        said = server.process.communicate(timeout=60)[1].decode()
    # each was refused for what it is, and not because the registry was slow
    for what, version in hostile.items():
        assert f"Version {version} cannot be used: " in said, what
    assert "holds Python objects" in said
    assert "records no hash of a native model" in said
    assert not marker.exists()
    # nothing of a refused version was kept
    (kept,) = (tmp_path / "state" / "models" / name).iterdir()
    assert kept.name == registry.fetch(f"models:/{name}/{good}", tmp_path / "cache")[0].name
