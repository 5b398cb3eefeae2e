"""Checks that every builder's output has to pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kubernetes_validate
from kubernetes_validate.utils import all_versions
from packaging.version import Version

from autonoe.kubernetes.labels import MANAGED_BY, MANAGER, RECOMMENDED

MINORS = sorted({".".join(v.split(".")[:2]) for v in all_versions()}, key=Version)[-3:]
"""The three newest Kubernetes minors that the schemas are bundled for, oldest first."""

# Kinds that no cluster-independent schema exists for.
_CUSTOM = {"Tenant", "DaskCluster", "SparkApplication", "ServiceMonitor"}


def check(objects: Iterable[dict[str, Any]], minor: str) -> None:
    """Fail unless each object is valid, strictly, for the Kubernetes ``minor``."""
    count = 0
    for found in objects:
        count += 1
        if found["kind"] not in _CUSTOM:
            kubernetes_validate.validate(found, minor, strict=True)
    assert count, "no object was given"


def check_labels(objects: Iterable[dict[str, Any]]) -> None:
    """Fail unless each object carries the recommended labels, and says that it is ours."""
    count = 0
    for found in objects:
        count += 1
        own = found["metadata"].get("labels", {})
        missing = [label for label in RECOMMENDED if not own.get(label)]
        assert not missing, f"{found['kind']} {found['metadata']['name']} lacks {missing}"
        assert own[MANAGED_BY] == MANAGER
    assert count, "no object was given"
