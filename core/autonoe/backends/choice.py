"""Which backend this process belongs to: callers never ask which mode they are in."""

from __future__ import annotations

import os
from importlib import import_module

from autonoe.backends import local
from autonoe.backends.base import DeploymentBackend


def backend() -> DeploymentBackend:
    """Return the backend of the platform that this process belongs to.

    Raises
    ------
    InvalidInputError
        If it runs in a pod that has no login to its cluster.
    """
    if os.environ.get("AUTONOE_KUBERNETES_NAMESPACE"):
        # by name: what speaks to a cluster is not installed, nor imported, on a laptop
        made: DeploymentBackend = import_module(
            "autonoe.backends.kubernetes"
        ).KubernetesBackend.from_environment()
        return made
    return local.backend()
