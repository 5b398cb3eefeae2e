"""The proof of an identity: a file that only its owner reads, and how it logs in.

One kind exists today, an OpenBao AppRole. A pod's service account token is the next one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

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
