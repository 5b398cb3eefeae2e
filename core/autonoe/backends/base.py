"""A deployment as a typed request, what it becomes, and what every mode must be able to do.

From the one request come the call, the Python snippet and the command line: there is no second
place where a deployment is described.
"""

from __future__ import annotations

import builtins
import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from autonoe.backends.keys import DeploymentKey, KeyRequest
from autonoe.errors import InvalidInputError

_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?!-)){0,28}[a-z0-9]")
_MODEL = re.compile(
    r"models:/[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:@[A-Za-z0-9][A-Za-z0-9._-]{0,99}|/[0-9]{1,9})"
)


@dataclass(frozen=True)
class DeploymentRequest:
    """A model of the registry to put behind a REST API.

    Raises
    ------
    InvalidInputError
        When it is made with a value that no deployment can have.
    """

    name: str
    """2 to 30 of ``a-z``, ``0-9`` and single hyphens, beginning with a letter."""
    model_uri: str
    """``models:/NAME@ALIAS``, followed as the alias moves, or ``models:/NAME/VERSION``."""
    threshold: float = 0.8
    """Confidence from which a code counts as automatic, in [0, 1]."""
    pseudonymise: bool = False
    """Log an HMAC of each text instead of the text."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidInputError(
                "A deployment's name has 2 to 30 of a-z, 0-9 and single hyphens.",
                hint="For example nace-api",
            )
        if not isinstance(self.model_uri, str) or not _MODEL.fullmatch(self.model_uri):
            raise InvalidInputError(
                "A deployment serves a registered model.",
                hint="Give models:/NAME@ALIAS or models:/NAME/VERSION.",
            )
        number = isinstance(self.threshold, int | float) and not isinstance(self.threshold, bool)
        if not number or not math.isfinite(self.threshold) or not 0 <= self.threshold <= 1:
            raise InvalidInputError(
                "The threshold is a confidence between 0 and 1.", hint="0.8 is usual."
            )
        if not isinstance(self.pseudonymise, bool):
            raise InvalidInputError("pseudonymise is true or false.")

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> DeploymentRequest:
        """Return the request that ``document`` describes; unknown entries are refused.

        Raises
        ------
        InvalidInputError
            If an entry is missing, unknown or wrong.
        """
        known = {entry.name for entry in fields(cls)}
        if not isinstance(document, Mapping) or not set(document) <= known:
            raise InvalidInputError(
                "The deployment request has an unknown entry.",
                hint=f"Known are: {', '.join(sorted(known))}.",
            )
        if not {"name", "model_uri"} <= set(document):
            raise InvalidInputError("A deployment request needs name and model_uri.")
        return cls(**document)

    def to_dict(self) -> dict[str, Any]:
        """Return the body of the call to the backend."""
        return asdict(self)

    def _changed(self) -> dict[str, Any]:
        """Return the optional settings that differ from their defaults."""
        return {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.name not in {"name", "model_uri"}
            and getattr(self, entry.name) != entry.default
        }

    def to_python(self) -> str:
        """Return the snippet that does the same from a notebook."""
        arguments = ", ".join(
            f"{key}={value!r}"
            for key, value in {
                "name": self.name,
                "model_uri": self.model_uri,
                **self._changed(),
            }.items()
        )
        return (
            "from autonoe.backends import DeploymentRequest, backend\n\n"
            f"deployment = backend().deploy(DeploymentRequest({arguments}))"
        )

    def to_command(self) -> list[str]:
        """Return the command line that does the same."""
        command = ["autonoe", "deploy", "create", self.name, "--model", self.model_uri]
        for key, value in self._changed().items():
            command += [f"--{key}"] if value is True else [f"--{key}", str(value)]
        return command

    def equivalents(self) -> dict[str, str]:
        """Return the request in each form that a person can run: ``python`` and ``shell``."""
        return {"python": self.to_python(), "shell": shlex.join(self.to_command())}


@dataclass(frozen=True)
class Deployment:
    """A deployment as it is now."""

    name: str
    account: str
    model_uri: str
    threshold: float
    pseudonymise: bool
    state: str
    """``starting``, ``ready``, ``restarting`` or ``stopped``."""
    detail: str
    """What happened last, in words; empty while all is well."""
    url: str
    """Address for people and programs, behind the platform's proxy."""
    local_url: str
    """The same API without the way through the proxy: on this machine's loopback, or at its
    Service within the cluster."""
    log_folder: str
    """Folder where the predictions are logged before they go to the object store; on a cluster,
    where its pods send them: ``s3://…``."""
    memory_mib: float
    """Resident memory of its processes, in MiB."""
    restarts: int
    api_key: str | None = None
    """Shown once: by the call that made the key."""

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Deployment:
        """Return what a backend answered."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{key: value for key, value in document.items() if key in known})

    def to_dict(self) -> dict[str, Any]:
        """Return it as a plain document, without the key when there is none to show."""
        document = asdict(self)
        if self.api_key is None:
            del document["api_key"]
        return document

    def __repr__(self) -> str:
        """Leave the key out: a notebook shows the last value of a cell."""
        return f"Deployment(name={self.name!r}, state={self.state!r}, url={self.url!r})"


class DeploymentBackend(Protocol):
    """What each mode of the platform does with deployments; callers never ask which it is."""

    def deploy(
        self, request: DeploymentRequest, *, rotate_key: bool = False, wait_s: float = 120
    ) -> Deployment:
        """Start or change a deployment; returns when it is ready."""
        ...

    def get(self, name: str) -> Deployment:
        """Return one deployment of the account."""
        ...

    def undeploy(self, name: str) -> None:
        """End a deployment and forget its key; its logs stay."""
        ...

    def list(self) -> list[Deployment]:
        """Return the account's deployments by name."""
        ...

    def keys(self, name: str) -> builtins.list[DeploymentKey]:
        """Return who may call a deployment, the oldest key first."""
        ...

    def add_key(self, name: str, wanted: KeyRequest) -> DeploymentKey:
        """Let one more key call a deployment; the answer shows it, this once."""
        ...

    def revoke_key(self, name: str, key_id: str) -> None:
        """Take a key away."""
        ...
