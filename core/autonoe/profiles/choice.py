"""What a server is started with: a profile with all of a person's choices made and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autonoe.profiles.catalogue import Entry
from autonoe.profiles.model import Lifetime, Profile

RESOURCES = ("cpu", "memory_gib", "gpu", "disk_gib", "shared_memory_gib")
"""Names of the amounts, as in :class:`~autonoe.profiles.model.Resources`."""

GIB = 2**30


@dataclass(frozen=True)
class Choice:
    """One checked choice; :func:`autonoe.profiles.options.parse` makes it."""

    entry: Entry
    """The profile."""
    image: str
    """Container image; "" on the embedded platform's own profiles."""
    kernel: str
    """Kernel of new notebooks; "" for the server's own rule."""
    amounts: dict[str, float]
    """CPU cores, GiB of memory, GPUs, GiB of disk and of shared memory by :data:`RESOURCES`."""
    repository: str
    """Git repository to clone; "" for none."""
    branch: str
    """Its branch or tag; "" for its default."""
    init_script: str
    """Script to run before the server; "" for none."""
    init_script_sha256: str
    """Its checksum."""
    s3: bool
    """Whether kernels get keys for the object store."""
    persistent_home: bool
    """Whether the home folder outlives the server."""
    environment: dict[str, str]
    """Variables of the server."""
    packages: tuple[str, ...]
    """Python packages to install at the start."""
    asked: dict[str, Any]
    """What the person asked for, as ``user_options`` of another start."""

    @property
    def name(self) -> str:
        """Name of the profile."""
        return self.entry.name

    @property
    def profile(self) -> Profile:
        """The profile as it is written in the catalogue."""
        return self.entry.profile

    @property
    def lifetime(self) -> Lifetime:
        """When the server is stopped by itself."""
        return self.profile.lifetime

    @property
    def cpu(self) -> float:
        """CPU cores."""
        return self.amounts["cpu"]

    @property
    def memory_bytes(self) -> int:
        """Memory in bytes."""
        return int(self.amounts["memory_gib"] * GIB)

    @property
    def gpu(self) -> int:
        """GPUs."""
        return int(self.amounts["gpu"])

    @property
    def disk_bytes(self) -> int:
        """Size of a home folder that is made now, in bytes."""
        return int(self.amounts["disk_gib"] * GIB)

    @property
    def shared_memory_bytes(self) -> int:
        """Shared memory in bytes; 0 for the container runtime's own."""
        return int(self.amounts["shared_memory_gib"] * GIB)

    @property
    def preparation_s(self) -> int:
        """Seconds that the preparation may take at most, before the server itself starts."""
        options = self.profile.options
        return (
            (options.repository.timeout_s if self.repository else 0)
            + (options.init_script.timeout_s if self.init_script else 0)
            + (options.packages.timeout_s if self.packages else 0)
        )
