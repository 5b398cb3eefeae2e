"""The proof of an identity: a file that only its owner reads, and how it logs in.

On one machine it is an OpenBao AppRole; in a pod, the projected token of its service account.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from autonoe.credentials.settings import AgentSettings
from autonoe.errors import AutonoeError
from autonoe.identity.client import OpenBaoClient


class Proof(Protocol):
    """Something that OpenBao accepts in exchange for a token."""

    def login(self, client: OpenBaoClient) -> dict[str, Any]:
        """Log ``client`` in, and return the ``auth`` part of the answer."""
        ...


@dataclass(frozen=True)
class AppRoleProof:
    """An AppRole and its secret."""

    role_id: str
    secret_id: str = field(repr=False)

    def login(self, client: OpenBaoClient) -> dict[str, Any]:
        """Log ``client`` in, and return the ``auth`` part of the answer."""
        return client.login_approle(self.role_id, self.secret_id)


@dataclass(frozen=True)
class KubernetesProof:
    """A service account token that was made for OpenBao, and for one pod.

    OpenBao has the API server review it at each login, which refuses the token of a pod that is
    gone, however long it would have been valid.
    """

    jwt: str = field(repr=False)
    role: str = "tenant"
    mount: str = "kubernetes"

    def login(self, client: OpenBaoClient) -> dict[str, Any]:
        """Log ``client`` in, and return the ``auth`` part of the answer."""
        return client.login_kubernetes(self.jwt, role=self.role, mount=self.mount)


def proof_of(settings: AgentSettings) -> Proof:
    """Read the proof that ``settings`` name. It is read at each login: it may be replaced.

    Raises
    ------
    AutonoeError
        If it cannot be read (``proof_unreadable``) or is of no known kind.
    """
    if settings.proof_kind == "kubernetes":
        return read_pod_token(
            settings.proof_file, role=settings.openbao_role, mount=settings.openbao_mount
        )
    return read_proof(settings.proof_file)


def read_pod_token(path: Path, *, role: str, mount: str = "kubernetes") -> KubernetesProof:
    """Read the projected service account token in ``path``.

    Raises
    ------
    AutonoeError
        ``proof_unreadable``, if there is none.
    """
    try:
        jwt = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise AutonoeError(
            f"The pod's token {path} cannot be read ({type(error).__name__}).",
            hint="The pod needs a projected service account token for OpenBao at this place, "
            "readable by the user that the container runs as.",
            code="proof_unreadable",
        ) from error
    if not jwt:
        raise AutonoeError(f"The pod's token {path} is empty.", code="proof_unreadable")
    return KubernetesProof(jwt, role, mount)


def read_proof(path: Path) -> Proof:
    """Read the proof in ``path``.

    Raises
    ------
    AutonoeError
        If it cannot be read (``proof_unreadable``) or is of no known kind.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["kind"] == "approle":
            return AppRoleProof(str(document["role_id"]), str(document["secret_id"]))
        kind = str(document["kind"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AutonoeError(
            f"The proof of identity {path} cannot be read ({type(error).__name__}).",
            hint="Start the server anew: the platform writes the file then.",
            code="proof_unreadable",
        ) from error
    raise AutonoeError(
        f"The proof of identity {path} is of an unknown kind {kind!r}.", code="proof_unreadable"
    )
