"""From a fastText file to a model: manifest, hashes, canaries."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from autonoe_nace.model import NaceModel
from autonoe_nace.model.canary import make_cases
from autonoe_nace.model.conformal import Conformal
from autonoe_nace.model.manifest import (
    CONFORMAL_FILE,
    DATA_FILES,
    NOMENCLATURE_FILE,
    RULES_FILE,
    Calibration,
    FileEntry,
    Manifest,
)
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.text import Preparation
from autonoe_nace.training.material import Material
from autonoe_nace.training.params import TrainingParams

_PACKAGES = ("fasttext-community", "numpy", "PyStemmer", "scikit-learn", "scipy")
_FOLDERS = ("lookup", "model", "nomenclature", "text", "training")
_SINGLE = ("data/dataset.py", "evaluation/measures.py", "fasttext_process.py", "splitting.py")
_SUFFIXES = (".npy", ".json")
_SYNTHETIC = ("bakery", "software", "transport", "repair", "growing", "wholesale", "school", "bank")


def assemble(
    folder: Path,
    *,
    nomenclature: Nomenclature,
    prepare: Preparation,
    params: TrainingParams,
    material: Material,
    calibration: Calibration,
    conformal: Conformal | None,
    measured: dict[str, Any],
) -> NaceModel:
    """Return the model of the parts in ``folder``, after writing what goes with them.

    ``measured`` is what was found on texts held out, by the name that it gets in the manifest.
    """
    _write_json(folder / NOMENCLATURE_FILE, nomenclature.to_dict())
    _write_json(folder / RULES_FILE, prepare.to_dict())
    if conformal is not None:
        _write_json(folder / CONFORMAL_FILE, conformal.to_dict())
    names = sorted({*DATA_FILES, *(f.name for f in folder.iterdir() if f.suffix in _SUFFIXES)})
    files = {name: FileEntry.of(folder / name) for name in names}
    hashes = {
        "model": _digest({n: e.sha256 for n, e in files.items()}),
        "data": _digest([source["sha256"] for source in material.sources]),
        "rules": files[RULES_FILE].sha256,
        "code": code_hash(),
        "environment": _digest(environment()),
    }
    identity = [hashes["model"], calibration.model_dump(), material.level]
    learned = {code for _, code in material.samples}
    manifest = Manifest(
        id=f"nace-{_digest(identity)[:16]}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        nomenclature=nomenclature.name,
        language=prepare.rules.language,
        level=material.level,
        size=sum(entry.size for entry in files.values()),
        files=files,
        hashes=hashes,
        params=params.model_dump(mode="json"),
        calibration=calibration,
        training={
            "texts": len(material.samples),
            "codes": sum(nomenclature.level(code) == material.level for code in learned),
            "sources": material.sources,
            **measured,
            "environment": environment(),
        },
        canary=(),
    )
    model = NaceModel(folder, manifest)
    titles = [n.title for n in nomenclature.nodes.values() if n.title] or list(_SYNTHETIC)
    model.manifest = manifest.model_copy(update={"canary": make_cases(model, titles)})
    return model


@cache
def code_hash() -> str:
    """Return the SHA-256 over the sources that decide what a model becomes and answers."""
    return hash_sources(code_files(resources.files("autonoe_nace")))


def code_files(root: Traversable) -> dict[str, bytes]:
    """Return the sources of :func:`code_hash` below the package's folder ``root``, by their path.

    Left out is what the data's own hash covers (reading files and databases) and what judges or
    shows a model that is there already.
    """
    found = [file for folder in _FOLDERS for file in _files(root / folder, folder)]
    return {**dict(found), **{name: root.joinpath(name).read_bytes() for name in _SINGLE}}


def hash_sources(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 over the names and contents of ``files``, in their order."""
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


@cache
def environment() -> dict[str, str]:
    """Return the versions that can change a model's bits or answers."""
    versions = {package: metadata.version(package) for package in _PACKAGES}
    return {
        **versions,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _files(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            found += _files(entry, f"{prefix}/{entry.name}")
        elif entry.name.endswith((".py", ".yaml")):
            found.append((f"{prefix}/{entry.name}", entry.read_bytes()))
    return found


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
