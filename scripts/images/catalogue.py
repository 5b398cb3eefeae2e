"""Which images there are, what each stands on and what it copies: read from the Dockerfiles.

A second list would drift from them. ``ARG BASE=localhost/autonoe/base:dev`` names a parent;
``COPY`` without ``--from``, and ``--mount=type=bind,source=``, name what is taken from the context.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PREFIX = "localhost/autonoe"
TAG = "dev"

FOLDERS = {"published": "images", "test": "tests/testbed/images"}
INTERNAL = frozenset({"builder", "app", "jupyter", "spark"})
"""Stages that other images copy from or stand on. Nobody runs them."""

_PARENT = re.compile(rf"^ARG \w+={PREFIX}/([a-z-]+):{TAG}$", re.MULTILINE)
_COPY = re.compile(r"^COPY (?!--from)(.+) \S+$", re.MULTILINE)
_BIND = re.compile(r"--mount=type=bind,source=([^,\s]+)")


@dataclass(frozen=True)
class Image:
    """One image: its name, Dockerfile, parents and what it takes from the context."""

    name: str
    dockerfile: Path
    parents: tuple[str, ...]
    sources: tuple[str, ...]
    mounted: tuple[str, ...]
    """Those of the sources that an instruction mounts, and no layer holds."""
    kind: str
    """``published``, ``internal`` or ``test``."""

    @property
    def reference(self) -> str:
        """Name and tag in the local store and in the archive."""
        return f"{PREFIX}/{self.name}:{TAG}"


def images(repository: Path = REPOSITORY) -> dict[str, Image]:
    """Return every image by name, each after the ones that it stands on."""
    found = {}
    for kind, folder in FOLDERS.items():
        for dockerfile in sorted((repository / folder).glob("*/Dockerfile")):
            image = _read(dockerfile, kind)
            found[image.name] = image
    ordered: dict[str, Image] = {}
    for name in found:
        _visit(name, found, ordered)
    return ordered


def with_parents(names: list[str], catalogue: dict[str, Image]) -> list[Image]:
    """Return the images of ``names`` and all that they stand on, in the order to build them."""
    needed: dict[str, Image] = {}
    for name in names:
        _visit(name, catalogue, needed)
    return list(needed.values())


def _read(dockerfile: Path, kind: str) -> Image:
    text = dockerfile.read_text(encoding="utf-8")
    name = dockerfile.parent.name
    copied = [source for match in _COPY.findall(text) for source in match.split()]
    mounted = tuple(dict.fromkeys(_BIND.findall(text)))
    return Image(
        name=name,
        dockerfile=dockerfile,
        parents=tuple(dict.fromkeys(_PARENT.findall(text))),
        sources=tuple(dict.fromkeys([*copied, *mounted])),
        mounted=mounted,
        kind="internal" if name in INTERNAL else kind,
    )


def _visit(name: str, catalogue: dict[str, Image], ordered: dict[str, Image]) -> None:
    if name in ordered:
        return
    for parent in catalogue[name].parents:
        _visit(parent, catalogue, ordered)
    ordered[name] = catalogue[name]
