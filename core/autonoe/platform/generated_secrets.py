"""Secrets that charts expect to find: made once, at random, straight in the cluster.

They never pass through Helm's values, which Helm keeps, nor through a file or an output.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import string
from typing import Any

from autonoe.errors import InvalidInputError
from autonoe.identity import seaweedfs
from autonoe.kubernetes.client import Cluster
from autonoe.kubernetes.labels import labels
from autonoe.platform.catalogue import GeneratedSecret, Part
from autonoe.platform.plan import Wanted
from autonoe.platform.site import Site

_ALPHABET = string.ascii_letters + string.digits
_RANDOM = re.compile(r"random:(\d{1,3})")


def missing(want: Wanted, cluster: Cluster) -> list[GeneratedSecret]:
    """Return the secrets of a part that are not in its namespace yet."""
    return [
        secret
        for secret in want.part.secrets
        if cluster.find("Secret", secret.name, want.namespace) is None
    ]


def create(secret: GeneratedSecret, want: Wanted, site: Site, cluster: Cluster) -> None:
    """Make one secret with fresh random values.

    Raises
    ------
    ConflictError
        If it was made meanwhile; it is left as it is.
    """
    made = _Values(site, want.part)
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": secret.name,
                "namespace": want.namespace,
                "labels": labels(
                    want.part.name, instance=site.instance, component="platform-secret"
                ),
                "annotations": {"autonoe.dev/why": secret.why},
            },
            "type": "Opaque",
            "stringData": {key: made.value(recipe) for key, recipe in secret.keys.items()},
        }
    )


class _Values:
    """Values of one secret: keys that two of its entries share are the same in both."""

    def __init__(self, site: Site, part: Part) -> None:
        self._site, self._part = site, part
        self._s3 = {
            user: {"access_key": _random(20), "secret_key": _random(40)}
            for user in ("platform", "mlflow")
        }

    def value(self, recipe: str) -> str:
        """Return what ``recipe`` stands for."""
        if match := _RANDOM.fullmatch(recipe):
            return _random(int(match.group(1)))
        if recipe.startswith("made:"):
            return self._made(recipe.removeprefix("made:"))
        return self._site.fill(recipe, self._part)

    def _made(self, what: str) -> str:
        if what == "seaweedfs-s3":
            services = {"mlflow": self._s3["mlflow"]}
            return json.dumps(seaweedfs.s3_config(admin=self._s3["platform"], services=services))
        if what == "seaweedfs-door":
            return json.dumps(seaweedfs.s3_config(admin=self._s3["platform"], services={}))
        if what.startswith("seaweedfs-iam:"):
            issuer = self.value(what.removeprefix("seaweedfs-iam:"))
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            document: dict[str, Any] = seaweedfs.iam_config(issuer=issuer, sts_signing_key=key)
            return json.dumps(document)
        if match := re.fullmatch(r"s3-(platform|mlflow)-(access_key|secret_key)", what):
            return self._s3[match.group(1)][match.group(2)]
        raise InvalidInputError(f"There is no recipe {what} for a secret.")


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
