"""Versions of a registered model: how to name one, and what pins its content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from autonoe.errors import InvalidInputError
from autonoe_nace.model_uri import ModelUri
from autonoe_nace.tracking import ID_TAG, MANIFEST_TAG, NOMENCLATURE_TAG, SHA_TAG

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


def entry_of(client: MlflowClient, uri: ModelUri) -> Any:
    """Return MLflow's entry of the version that ``uri`` names now."""
    if uri.alias:
        return client.get_model_version_by_alias(uri.name, uri.alias)
    return client.get_model_version(uri.name, uri.version)


def alias_version(client: MlflowClient, name: str, alias: str) -> str:
    """Return the version that ``alias`` points to; empty when there is no such alias yet."""
    aliases: dict[str, object] = client.get_registered_model(name).aliases
    return str(aliases.get(alias, ""))


def nomenclature_of(client: MlflowClient, entry: Any) -> str:
    """Return the nomenclature that a version codes to, as the registry says; empty when it doesn't.

    The version's own tag says it, and for versions that an older Autonoe registered that of their
    run. The files of the model, which may be gone, are not needed.
    """
    known = str(entry.tags.get(NOMENCLATURE_TAG, ""))
    if known or not entry.run_id:
        return known
    try:
        run = client.get_run(entry.run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return ""
    return str(run.data.tags.get(NOMENCLATURE_TAG, ""))
