"""A whole installation in a cluster: companions, tenant controller, hub."""

from __future__ import annotations

from dataclasses import dataclass

from support import stack_hub, stack_tenants
from support.cluster import Cluster
from support.hub_session import Hub
from support.places import REPOSITORY
from support.stack_companions import Companions
from support.stack_tenants import Tenants

IMAGES = ("hub", "proxy", "jupyter-python")


@dataclass
class Stack:
    """One installation; each part is what its own module deploys."""

    cluster: Cluster
    companions: Companions
    tenants: Tenants
    hub: Hub

    @property
    def instance(self) -> str:
        """Name of the installation, and of the hub's namespace."""
        return self.companions.names.instance

    def close(self) -> None:
        """Close the ways from here; the installation stays for whoever looks at a failure."""
        self.hub.close()


def deploy(cluster: Cluster, companions: Companions) -> Stack:
    """Deploy the controller and the hub beside ``companions``."""
    for name in IMAGES:
        cluster.import_image(REPOSITORY / "build" / "images" / f"{name}.tar")
    instance = companions.names.instance
    tenants = stack_tenants.deploy(cluster, instance, companions)
    hub = stack_hub.deploy(cluster, instance, companions)
    return Stack(cluster, companions, tenants, hub)
