"""Where things lie and what a node is called: the cache of built parts, and one folder per node."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_STATE = REPOSITORY / "build" / "cluster"


def cache() -> Path:
    """Return the folder of built parts.

    The account's home is asked for, not ``HOME``: the test session gives itself another one, and
    must find what was built before it.
    """
    if chosen := os.environ.get("AUTONOE_TESTBED_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or f"{pwd.getpwuid(os.getuid()).pw_dir}/.cache"
    return Path(base) / "autonoe" / "testbed"


@dataclass(frozen=True)
class Node:
    """One node, which is one cluster. ``number`` keeps two of them on one machine apart."""

    state: Path = DEFAULT_STATE
    number: int = 0

    def __post_init__(self) -> None:
        """Refuse a number that does not fit into an address."""
        if not 0 <= self.number <= 255:
            message = f"A node's number is between 0 and 255, not {self.number}."
            raise ValueError(message)

    @property
    def name(self) -> str:
        """Return the node's name in Kubernetes."""
        return f"autonoe-{self.number}"

    @property
    def cgroup(self) -> str:
        """Return the control group below which all its pods live."""
        return f"autonoe-testbed-{self.number}"

    @property
    def outer_link(self) -> str:
        """Return the machine's end of the cable to the node."""
        return f"autonoe{self.number}h"

    @property
    def inner_link(self) -> str:
        """Return the node's end of the cable."""
        return f"autonoe{self.number}n"

    @property
    def machine_address(self) -> str:
        """Return the machine's address on the cable; pods reach servers of the machine there."""
        return f"10.213.{self.number}.1"

    @property
    def address(self) -> str:
        """Return the node's address: API server, kubelet and node ports."""
        return f"10.213.{self.number}.2"

    @property
    def pods(self) -> str:
        """Return the range of the pods' addresses."""
        return f"10.214.{self.number}.0/24"

    @property
    def services(self) -> str:
        """Return the range of the services' addresses."""
        return f"10.215.{self.number}.0/24"

    @property
    def first_service(self) -> str:
        """Return the address of the service ``kubernetes``."""
        return f"10.215.{self.number}.1"

    @property
    def dns(self) -> str:
        """Return the address of the service ``kube-dns``."""
        return f"10.215.{self.number}.10"

    @property
    def url(self) -> str:
        """Return the API server's address."""
        return f"https://{self.address}:6443"

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Return the folder of certificates and keys."""
        return self.state / "pki"

    @property
    def programs(self) -> Path:
        """Return the folder of links to the built programs; ``kubectl`` and ``helm`` among them."""
        return self.state / "bin"

    @property
    def logs(self) -> Path:
        """Return the folder of the components' logs."""
        return self.state / "logs"
