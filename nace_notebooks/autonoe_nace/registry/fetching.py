"""Fetch a version into a local folder: the native files that its manifest names, and no other."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath

from mlflow.artifacts import download_artifacts, list_artifacts

from autonoe.errors import AutonoeError
from autonoe_nace.model.manifest import CARD_FILE, MANIFEST_FILE, damaged
from autonoe_nace.model_uri import ModelUri, cached_folder
from autonoe_nace.registry import artefact
from autonoe_nace.registry.versions import Pins, RegisteredVersion, entry_of
from autonoe_nace.tracking import mlflow_errors, quiet_client


def fetch(uri: str, cache: Path) -> tuple[Path, RegisteredVersion]:
    """Return the local folder of the model that ``uri`` names, downloading it when missing.

    The manifest must be the one that was registered, by its SHA-256; the files must have the sizes
    and hashes that it states. A copy in ``cache`` that is no longer whole is fetched anew.

    Parameters
    ----------
    uri : str
        ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
    cache : Path
        Folder of fetched models; made when missing.

    Raises
    ------
    InvalidInputError
        If the URI is none, or the version records no hash.
    AutonoeError
        ``model_damaged`` if the artefact is not the registered model; ``not_found``,
        ``forbidden`` or ``unavailable`` from MLflow.
    """
    wanted = ModelUri.parse(uri)
    client = quiet_client()
    with mlflow_errors(f"fetch {uri}"):
        entry = entry_of(client, wanted)
        pins = Pins.of(entry)
        found = RegisteredVersion(wanted.name, str(entry.version), pins.sha256, wanted.alias)
        folder = cached_folder(cache, wanted.name, found.version, pins.model_id)
        if not _whole(folder, pins):
            _download(str(entry.source), folder, pins)
    return folder, found


def _whole(folder: Path, pins: Pins) -> bool:
    """Tell whether ``folder`` holds the registered model, byte for byte."""
    if not folder.is_dir() or folder.is_symlink():
        return False
    try:
        manifest = artefact.check_manifest(folder / MANIFEST_FILE, pins)
        artefact.check_folder(folder, manifest, pins)
    except AutonoeError:
        return False
    return True


def _download(source: str, folder: Path, pins: Pins) -> None:
    """Fetch the files of the manifest into a folder that appears whole or not at all."""
    artefact.check_source(source)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    listing = list_artifacts(artifact_uri=source)
    sizes = {PurePosixPath(file.path).name: file.file_size for file in listing if not file.is_dir}
    artefact.check_sizes(sizes)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as temporary:
        target = Path(temporary) / "model"
        target.mkdir()
        if all(map(artefact.is_native, sizes)) and not any(file.is_dir for file in listing):
            downloads = Path(temporary) / "downloads"
            downloads.mkdir()
            fetched = Path(download_artifacts(artifact_uri=source, dst_path=str(downloads)))
            for name in sizes:
                _take(fetched / name, target)
        else:
            # something else lies there: it is left where it is, file by file
            _get(source, MANIFEST_FILE, target)
            names = list(artefact.check_manifest(target / MANIFEST_FILE, pins).files)
            names += [CARD_FILE] if CARD_FILE in sizes else []
            for name in names:
                if name not in sizes:
                    raise damaged(f"{name} is missing")
                _get(source, name, target)
        manifest = artefact.check_manifest(target / MANIFEST_FILE, pins)
        artefact.check_folder(target, manifest, pins)
        _replace(target, folder, Path(temporary))


def _take(file: Path, target: Path) -> None:
    if not artefact.is_plain(file):
        raise damaged(f"{file.name} is no plain file in the store")
    file.rename(target / file.name)


def _get(source: str, name: str, target: Path) -> None:
    path = Path(download_artifacts(artifact_uri=f"{source}/{name}", dst_path=str(target)))
    # a store in a folder could hold a link to a file of this machine, or a folder of that name
    if (
        path.parent.resolve() != target.resolve()
        or path.name != name
        or not artefact.is_plain(path)
    ):
        raise damaged(f"{name} is no plain file in the store")


def _replace(fresh: Path, folder: Path, scratch: Path) -> None:
    """Put ``fresh`` in the place of ``folder``; a server that reads the old one keeps its files."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        folder.rename(scratch / "old")
    try:
        fresh.rename(folder)
    except OSError:
        # another process fetched the same version meanwhile; what it put there was checked too
        if not folder.is_dir():
            raise
        shutil.rmtree(fresh, ignore_errors=True)
