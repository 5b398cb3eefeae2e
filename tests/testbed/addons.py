"""What runs in the cluster from the start: rights of the node's agents, names, storage."""

from __future__ import annotations

from pathlib import Path
from string import Template

from . import node_images
from .places import Node

STORAGE_CLASS = "autonoe-local"
DEPLOYMENTS = (
    ("kube-system", "deployment/coredns"),
    ("local-path-storage", "deployment/local-path-provisioner"),
)

_MANIFESTS = Path(__file__).with_name("addons")


def rights() -> str:
    """Return the objects that give kube-proxy, API server and the policy agent their rights."""
    return (_MANIFESTS / "rights.yaml").read_text()


def services(node: Node) -> str:
    """Return the objects of name resolution and storage."""
    values = {
        "busybox": node_images.BUSYBOX,
        "coredns": node_images.COREDNS,
        "dns": node.dns,
        "local_path": node_images.LOCAL_PATH,
        "storage_class": STORAGE_CLASS,
        "volumes": f"{node.state}/volumes",
    }
    return "---\n".join(
        Template((_MANIFESTS / name).read_text()).substitute(values)
        for name in ("names.yaml", "storage.yaml")
    )
