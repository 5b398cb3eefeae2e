"""Versions of a registered model: make one, find one, and know what pins its content."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from autonoe.errors import InvalidInputError
from autonoe_nace.model.manifest import MANIFEST_FILE
from autonoe_nace.model_uri import ModelUri
from autonoe_nace.tracking import (
    ARTIFACT_PATH,
    ID_TAG,
    MANIFEST_TAG,
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


@dataclass(frozen=True)
class Pins:
    """What the registry says about the content of one version.

    Attributes
    ----------
    sha256 : str
        Of ``model.bin``.
    model_id : str
        Of the model.
    manifest_sha256 : str
        Of ``model.json``; empty for versions that an older Autonoe registered.
    """

    sha256: str
    model_id: str
    manifest_sha256: str = ""

    @classmethod
    def of(cls, entry: Any) -> Pins:
        """Return what pins ``entry``, a model version of MLflow.

        Raises
        ------
        InvalidInputError
            If it records no hash: then anything could lie in its folder.
        """
        digest, model_id, manifest = (
            str(entry.tags.get(tag, "")) for tag in (SHA_TAG, ID_TAG, MANIFEST_TAG)
        )
        if (
            not _SHA.fullmatch(digest)
            or not _ID.fullmatch(model_id)
            or (manifest and not _SHA.fullmatch(manifest))
        ):
            raise InvalidInputError(
                f"Version {entry.version} of {entry.name} records no hash of a native model.",
                hint="Register it with autonoe_nace.registry.register.",
            )
        return cls(digest, model_id, manifest)


def register(
    run: TrackedRun, *, name: str | None = None, alias: str = CHAMPION
) -> RegisteredVersion:
    """Make a version of the run's model and let ``alias`` point to it.

    Registering the same model again (by its id) finds its version and only moves the alias. Where
    a model in use is replaced, register with ``alias=""`` and let
    :func:`~autonoe_nace.registry.promote` check and compare it first.

    Parameters
    ----------
    run : TrackedRun
        From :func:`autonoe_nace.tracking.track`.
    name : str, optional
        Registered model; by default ``nace-<account>``.
    alias : str
        Such as ``champion``; empty moves none.
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
        if alias:
            client.set_registered_model_alias(name, alias, version)
    return RegisteredVersion(name, version, run.model_sha256, alias)


def entry_of(client: MlflowClient, uri: ModelUri) -> Any:
    """Return MLflow's entry of the version that ``uri`` names now."""
    if uri.alias:
        return client.get_model_version_by_alias(uri.name, uri.alias)
    return client.get_model_version(uri.name, uri.version)


def alias_version(client: MlflowClient, name: str, alias: str) -> str:
    """Return the version that ``alias`` points to; empty when there is no such alias yet."""
    aliases: dict[str, object] = client.get_registered_model(name).aliases
    return str(aliases.get(alias, ""))


def _version_of(client: MlflowClient, name: str, run: TrackedRun) -> str:
    for entry in client.search_model_versions(f"name = '{name}'"):
        if entry.tags.get(ID_TAG) == run.model_id:
            return str(entry.version)
    source = f"{run.artifacts}/{ARTIFACT_PATH}"
    created = client.create_model_version(
        name,
        source=source,
        run_id=run.run_id,
        await_creation_for=0,
        tags={
            SHA_TAG: run.model_sha256,
            ID_TAG: run.model_id,
            MANIFEST_TAG: _manifest_hash(client, run, source),
        },
    )
    return str(created.version)


def _manifest_hash(client: MlflowClient, run: TrackedRun, source: str) -> str:
    """Return the hash of the run's ``model.json``: the run's own word, or that of its artefact."""
    known = str(client.get_run(run.run_id).data.tags.get(MANIFEST_TAG, ""))
    if known:
        return known
    with tempfile.TemporaryDirectory(prefix="autonoe-register-") as folder:
        path = download_artifacts(artifact_uri=f"{source}/{MANIFEST_FILE}", dst_path=folder)
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
