"""Make a version of a tracked run's model; only a promotion lets an alias point to it."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from autonoe_nace.model.manifest import MANIFEST_FILE
from autonoe_nace.registry.versions import RegisteredVersion
from autonoe_nace.tracking import (
    ARTIFACT_PATH,
    ID_TAG,
    MANIFEST_TAG,
    NOMENCLATURE_TAG,
    SHA_TAG,
    TrackedRun,
    mlflow_errors,
    personal_name,
    quiet_client,
)


def register(run: TrackedRun, *, name: str | None = None) -> RegisteredVersion:
    """Make a version of the run's model.

    Registering the same model again (by its id) finds its version. No alias moves, so no server
    takes it over: :func:`~autonoe_nace.registry.promote` checks and compares it first.

    Parameters
    ----------
    run : TrackedRun
        From :func:`autonoe_nace.tracking.track`.
    name : str, optional
        Registered model; by default ``nace-<account>``.

    Returns
    -------
    RegisteredVersion
        Without an alias.

    Raises
    ------
    AutonoeError
        ``forbidden`` when the name is another account's, or ``unavailable``.
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
    return RegisteredVersion(name, version, run.model_sha256)


def _version_of(client: MlflowClient, name: str, run: TrackedRun) -> str:
    for entry in client.search_model_versions(f"name = '{name}'"):
        if entry.tags.get(ID_TAG) == run.model_id:
            return str(entry.version)
    source = f"{run.artifacts}/{ARTIFACT_PATH}"
    known = client.get_run(run.run_id).data.tags
    tags = {
        SHA_TAG: run.model_sha256,
        ID_TAG: run.model_id,
        MANIFEST_TAG: str(known.get(MANIFEST_TAG, "")) or _manifest_hash(source),
    }
    if NOMENCLATURE_TAG in known:
        # stays readable where the files are not: a promotion asks for it
        tags[NOMENCLATURE_TAG] = str(known[NOMENCLATURE_TAG])
    created = client.create_model_version(
        name,
        source=source,
        run_id=run.run_id,
        await_creation_for=0,
        tags=tags,
    )
    return str(created.version)


def _manifest_hash(source: str) -> str:
    """Return the hash of the artefact ``model.json``, for a run that does not state it."""
    with tempfile.TemporaryDirectory(prefix="autonoe-register-") as folder:
        path = download_artifacts(artifact_uri=f"{source}/{MANIFEST_FILE}", dst_path=folder)
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
