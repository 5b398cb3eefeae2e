"""The model registry: name a version, move an alias, fetch a version into a local folder.

``python -m autonoe_nace.registry URI CACHE`` fetches in a process of its own: the server uses it,
so that MLflow's memory, hangs and crashes stay out of the server.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.model.manifest import MODEL_FILE, Manifest
from autonoe_nace.model_uri import ModelUri, cached_folder
from autonoe_nace.tracking import (
    ARTIFACT_PATH,
    ID_TAG,
    MODEL_FILES,
    SHA_TAG,
    TrackedRun,
    mlflow_errors,
    personal_name,
    quiet_client,
)

CHAMPION = "champion"
_SHA = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a registered model."""

    name: str
    version: str
    sha256: str
    alias: str = ""

    @property
    def uri(self) -> str:
        """``models:/NAME@ALIAS`` when it has an alias, else ``models:/NAME/VERSION``."""
        return f"models:/{self.name}" + (f"@{self.alias}" if self.alias else f"/{self.version}")

    @property
    def path(self) -> str:
        """Address of the version within MLflow's pages."""
        return f"#/models/{self.name}/versions/{self.version}"


def register(
    run: TrackedRun, *, name: str | None = None, alias: str = CHAMPION
) -> RegisteredVersion:
    """Make a version of the run's model and let ``alias`` point to it.

    Registering the same model again (by its id) finds its version and only moves the alias.

    Parameters
    ----------
    run : TrackedRun
        From :func:`autonoe_nace.tracking.track`.
    name : str, optional
        Registered model; by default ``nace-<account>``.
    alias : str
        Such as ``champion``.
    """
    name = name or personal_name()
    client = quiet_client()
    with mlflow_errors("register the model"):
        try:
            # asking first would not do: a name that is free answers like one that is forbidden
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = _version_of(client, name, run)
        client.set_registered_model_alias(name, alias, version)
    return RegisteredVersion(name, version, run.model_sha256, alias)


def fetch(uri: str, cache: Path) -> tuple[Path, RegisteredVersion]:
    """Return the local folder of the model that ``uri`` names, downloading it when missing.

    The manifest must agree with the id and the SHA-256 that the registry holds;
    ``NaceModel.load`` then checks the files themselves.

    Raises
    ------
    InvalidInputError
        If the URI is none, or the artefact is not a native model.
    AutonoeError
        ``not_found``, ``forbidden`` or ``unavailable`` from MLflow.
    """
    wanted = ModelUri.parse(uri)
    client = quiet_client()
    with mlflow_errors(f"fetch {uri}"):
        entry = (
            client.get_model_version_by_alias(wanted.name, wanted.alias)
            if wanted.alias
            else client.get_model_version(wanted.name, wanted.version)
        )
        digest, model_id = (str(entry.tags.get(tag, "")) for tag in (SHA_TAG, ID_TAG))
        if not _SHA.fullmatch(digest) or not _ID.fullmatch(model_id):
            raise InvalidInputError(
                f"Version {entry.version} of {wanted.name} records no hash of a native model.",
                hint="Register it with autonoe_nace.registry.register.",
            )
        found = RegisteredVersion(wanted.name, str(entry.version), digest, wanted.alias)
        folder = cached_folder(cache, wanted.name, found.version, model_id)
        if not (folder / MODEL_FILE).exists():
            _download(str(entry.source), folder, digest, model_id)
    return folder, found


def _version_of(client: MlflowClient, name: str, run: TrackedRun) -> str:
    for entry in client.search_model_versions(f"name = '{name}'"):
        if entry.tags.get(ID_TAG) == run.model_id:
            return str(entry.version)
    created = client.create_model_version(
        name,
        source=f"{run.artifacts}/{ARTIFACT_PATH}",
        run_id=run.run_id,
        await_creation_for=0,
        tags={SHA_TAG: run.model_sha256, ID_TAG: run.model_id},
    )
    return str(created.version)


def _download(source: str, folder: Path, digest: str, model_id: str) -> None:
    """Fetch the artefact and keep the native files: whatever else it holds is never read."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as temporary:
        target = Path(temporary) / "model"
        target.mkdir()
        downloads = Path(temporary) / "download"
        downloads.mkdir()
        fetched = Path(download_artifacts(artifact_uri=source, dst_path=str(downloads)))
        for name in MODEL_FILES:
            file = fetched / name
            if file.is_file() and not file.is_symlink():
                file.rename(target / name)
        manifest = Manifest.read(target)
        if (manifest.hashes["model"], manifest.id) != (digest, model_id):
            raise InvalidInputError(
                "The fetched model is not the one that was registered.",
                hint="Register it again; its manifest and the registry disagree.",
            )
        if folder.exists():
            shutil.rmtree(folder)
        target.rename(folder)


def main(uri: str, cache: str) -> int:
    """Fetch, and write one JSON document to stdout: the folder and version, or the error."""
    try:
        folder, version = fetch(uri, Path(cache))
    except AutonoeError as error:
        sys.stdout.write(json.dumps(error.as_dict()))
        return 1
    sys.stdout.write(json.dumps({"folder": str(folder), **asdict(version)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
