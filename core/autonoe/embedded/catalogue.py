"""Which components a platform has."""

from __future__ import annotations

from autonoe.embedded.components import hub, mlflow, openbao, seaweedfs, traefik
from autonoe.embedded.components.base import Component, Context


def build(context: Context) -> list[Component]:
    """Return the components in the order in which ``autonoe status`` shows them."""
    return [
        openbao.component(context),
        seaweedfs.component(context),
        *mlflow.components(context),
        traefik.component(context),
        hub.component(context),
    ]
