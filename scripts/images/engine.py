"""The two programs that can build the Dockerfiles: buildah, without a daemon, and Docker."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import archive, debian
from .catalogue import PREFIX, REPOSITORY, Image

_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Job:
    """What one build needs beside the Dockerfile."""

    image: Image
    context: Path
    secrets: dict[str, Path]
    labels: dict[str, str]
    base: str
    """The Debian image that everything stands on; empty for the Dockerfile's own default."""
    fresh: bool
    """Ask for packages anew instead of taking layers of an earlier build."""


class Buildah:
    """buildah in a chroot: needs root, but neither a daemon nor a registry."""

    name = "buildah"

    def prepare(self, cache: Path, *, fresh: bool) -> str:
        """Return the name of a Debian base in the local store, made by debootstrap if missing."""
        if shutil.which("buildah") is None:
            _run([REPOSITORY / "scripts/system-package.sh", "buildah", "the container images"])
        if not fresh and self.image_id(debian.REFERENCE):
            return debian.REFERENCE
        tree = cache / f"debian-{debian.SUITE}.tar"
        if fresh or not tree.exists():
            debian.build(tree)
        container = _output(["buildah", "from", "scratch"])
        _run(["buildah", "add", "--quiet", container, tree, "/"])
        _run(["buildah", "config", "--cmd", "/bin/bash", container])
        _run(
            ["buildah", "commit", "--quiet", "--rm", "--format", "oci", container, debian.REFERENCE]
        )
        return debian.REFERENCE

    def build(self, job: Job) -> None:
        """Build one image into the local store."""
        command: list[str | Path] = [
            "buildah", "bud", "--quiet", "--isolation", "chroot", "--network", "host",
            "--format", "oci", "--pull-never", "--layers", "--identity-label=false",
            "--file", job.context / job.image.dockerfile.relative_to(REPOSITORY),
            "--tag", job.image.reference,
        ]  # fmt: skip
        if job.fresh:
            command += ["--no-cache"]
        before = self.image_id(job.image.reference)
        _run([*command, *_options(job), job.context])
        self._forget(before if before != self.image_id(job.image.reference) else "")

    def _forget(self, replaced: str) -> None:
        """Remove a replaced image, and containers that stages without instructions leave.

        Without this a day's work fills tens of gigabytes. What is in use is refused, and stays.
        """
        listed = json.loads(_output(["buildah", "containers", "--json"]) or "null") or []
        ours = [each["id"] for each in listed if each["imagename"].startswith(PREFIX)]
        for command in (["rm", *ours] if ours else [], ["rmi", replaced] if replaced else []):
            if command:
                subprocess.run(
                    ["buildah", *command], check=False, capture_output=True, timeout=_TIMEOUT_S
                )

    def image_id(self, reference: str) -> str:
        """Return the id of an image of the local store, or an empty string."""
        return _found(["buildah", "images", "--quiet", "--no-trunc", reference])

    def label(self, reference: str, key: str) -> str:
        """Return a label of an image of the local store, or an empty string."""
        template = f'{{{{index .OCIv1.Config.Labels "{key}"}}}}'
        return _found(["buildah", "inspect", "--type", "image", "--format", template, reference])

    @contextmanager
    def layout(self, image: Image, folder: Path) -> Iterator[Path]:
        """Yield an OCI layout that holds ``image`` among others."""
        _run(["buildah", "push", "--quiet", image.reference, f"oci:{folder}:{image.name}"])
        archive.settle(folder, image.name)
        yield folder


class Docker:
    """Docker with BuildKit, as on a developer's machine or in a workflow."""

    name = "docker"

    def prepare(self, cache: Path, *, fresh: bool) -> str:
        """Return an empty name: the Dockerfile's own default base is pulled."""
        del cache, fresh
        return ""

    def build(self, job: Job) -> None:
        """Build one image into Docker's store."""
        command: list[str | Path] = [
            "docker", "build", "--quiet",
            "--file", job.context / job.image.dockerfile.relative_to(REPOSITORY),
            "--tag", job.image.reference,
        ]  # fmt: skip
        if job.fresh:
            command += ["--no-cache"] + (["--pull"] if not job.image.parents else [])
        _run([*command, *_options(job), job.context])

    def image_id(self, reference: str) -> str:
        """Return the id of an image of Docker's store, or an empty string."""
        return _found(["docker", "image", "inspect", "--format", "{{.Id}}", reference])

    def label(self, reference: str, key: str) -> str:
        """Return a label of an image of Docker's store, or an empty string."""
        template = f'{{{{index .Config.Labels "{key}"}}}}'
        return _found(["docker", "image", "inspect", "--format", template, reference])

    @contextmanager
    def layout(self, image: Image, folder: Path) -> Iterator[Path]:
        """Yield an OCI layout of this image alone (``docker save`` writes one since Docker 25)."""
        own = folder.with_name(f"docker-{image.name}")
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        saved = own.with_suffix(".tar")
        try:
            _run(["docker", "save", "--output", saved, image.reference])
            shutil.unpack_archive(saved, own, "tar", filter="data")
            yield own
        finally:
            saved.unlink(missing_ok=True)
            shutil.rmtree(own, ignore_errors=True)


Engine = Buildah | Docker
ENGINES: dict[str, type[Buildah] | type[Docker]] = {"buildah": Buildah, "docker": Docker}


def _options(job: Job) -> list[str]:
    options = [f"--label={key}={value}" for key, value in sorted(job.labels.items())]
    options += [f"--secret=id={name},src={path}" for name, path in sorted(job.secrets.items())]
    if job.base and not job.image.parents:
        options.append(f"--build-arg=DEBIAN={job.base}")
    return options


def _run(command: list[str | Path]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=_TIMEOUT_S)


def _found(command: list[str]) -> str:
    """Return what ``command`` prints, or an empty string if it fails: there is no such image."""
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _output(command: list[str | Path]) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
    return done.stdout.strip()
