"""Helm as a program that this one runs: found, its version checked, its words kept short.

Helm does what is hard in installing a chart; nothing of it is done again here. Values reach it as
files of mode 0600, never as arguments, which every process of the machine could read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autonoe.errors import AutonoeError, InvalidInputError

_KNOWN_MAJORS = (3, 4)
_ASK_S = 60.0
_SECRET_WORD = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)


@dataclass(frozen=True)
class ChartRef:
    """Which chart: a pinned one of a repository, or a copy on this machine's disk."""

    name: str
    repository: str = ""
    version: str = ""
    path: Path | None = None

    def arguments(self) -> list[str]:
        """Return how Helm is told."""
        if self.path is not None:
            return [str(self.path)]
        if self.repository.startswith("oci://"):
            return [f"{self.repository}/{self.name}", "--version", self.version]
        return [self.name, "--repo", self.repository, "--version", self.version]


@dataclass(frozen=True)
class Release:
    """What ``helm list`` says of one release."""

    name: str
    namespace: str
    revision: int
    status: str
    """``deployed``, ``failed``, ``pending-install``, ``pending-upgrade``, …"""
    chart: str
    """Name and version of the chart, joined by a hyphen."""
    app_version: str

    @property
    def interrupted(self) -> bool:
        """True when a Helm that worked on it died."""
        return self.status.startswith("pending-") or self.status == "uninstalling"


class Helm:
    """The program, bound to one cluster.

    Parameters
    ----------
    program : Path
        Its file.
    kubeconfig : str
        File of the login; empty: Helm's own default.
    context : str
        Of the kubeconfig; empty: its current one.
    """

    def __init__(self, program: Path, *, kubeconfig: str = "", context: str = "") -> None:
        self.program = program
        self._cluster = [
            *(["--kubeconfig", kubeconfig] if kubeconfig else []),
            *(["--kube-context", context] if context else []),
        ]
        self._version: tuple[int, int, int] | None = None

    @classmethod
    def find(cls, *, kubeconfig: str = "", context: str = "") -> Helm:
        """Return the Helm of ``AUTONOE_HELM``, or the first one on the PATH.

        Raises
        ------
        InvalidInputError
            If there is none.
        """
        given = os.environ.get("AUTONOE_HELM", "")
        found = shutil.which(given or "helm")
        if found is None:
            raise InvalidInputError(
                f"There is no Helm at {given}." if given else "Helm is not on the PATH.",
                hint="Install Helm 3.14 or newer, or set AUTONOE_HELM to its file.",
                code="no_helm",
            )
        return cls(Path(found), kubeconfig=kubeconfig, context=context)

    def version(self) -> tuple[int, int, int]:
        """Return the program's version.

        Raises
        ------
        AutonoeError
            If it is none, or of a major version whose options are not known here.
        """
        if self._version is None:
            text = self._run(["version", "--template", "{{.Version}}"], cluster=False)
            match = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
            if match is None:
                raise AutonoeError(f"{self.program} does not say which Helm it is.", code="no_helm")
            major, minor, patch = (int(number) for number in match.groups())
            if major not in _KNOWN_MAJORS:
                raise AutonoeError(
                    f"Helm {major}.{minor}.{patch} is of a major version that is not known here.",
                    hint="Use Helm 3 or 4, or a newer Autonoe.",
                    code="helm_version",
                )
            self._version = (major, minor, patch)
        return self._version

    def releases(self) -> dict[tuple[str, str], Release]:
        """Return all releases of the cluster, in whatever state, by namespace and name."""
        # Helm 4 shows every state by itself and knows the switch no more.
        every = [] if self.version()[0] >= 4 else ["--all"]
        text = self._run(["list", "--all-namespaces", "--max", "0", "-o", "json", *every])
        found = [
            Release(
                name=row["name"],
                namespace=row["namespace"],
                revision=int(row["revision"]),
                status=row["status"],
                chart=row["chart"],
                app_version=str(row.get("app_version", "")),
            )
            for row in json.loads(text or "[]")
        ]
        return {(one.namespace, one.name): one for one in found}

    def values(self, release: Release) -> dict[str, Any]:
        """Return the values that a release was installed with, the chart's own left out."""
        text = self._run(["get", "values", release.name, "-n", release.namespace, "-o", "json"])
        return dict(json.loads(text or "{}") or {})

    def manifest(self, release: Release) -> list[dict[str, Any]]:
        """Return the objects of a release."""
        text = self._run(["get", "manifest", release.name, "-n", release.namespace])
        return [found for found in yaml.safe_load_all(text) if isinstance(found, dict)]

    def metadata(self, chart: ChartRef) -> dict[str, Any]:
        """Return the Chart.yaml of a chart."""
        document = yaml.safe_load(self._run(["show", "chart", *chart.arguments()], cluster=False))
        return dict(document or {})

    def definitions(self, chart: ChartRef) -> list[dict[str, Any]]:
        """Return the custom resource definitions of a chart's folder ``crds``.

        Helm makes them at the first installation and never again, so an upgrade has to.
        """
        text = self._run(["show", "crds", *chart.arguments()], cluster=False)
        return [found for found in yaml.safe_load_all(text) if isinstance(found, dict)]

    def template(
        self, release: str, namespace: str, chart: ChartRef, values: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the objects that a chart would make, without asking a cluster.

        Raises
        ------
        AutonoeError
            ``helm_failed``, such as for a value that the chart's schema refuses.
        """
        with _values_file(values) as file:
            text = self._run(
                ["template", release, *chart.arguments(), "-n", namespace, "-f", str(file)],
                cluster=False,
                secrets=secret_values(values),
            )
        return [found for found in yaml.safe_load_all(text) if isinstance(found, dict)]

    def install(
        self,
        release: str,
        namespace: str,
        chart: ChartRef,
        values: Mapping[str, Any],
        *,
        timeout_s: int,
        wait: bool = True,
    ) -> None:
        """Install a release or upgrade it; on failure it goes back to what was there before.

        Parameters
        ----------
        release, namespace : str
            Which one; the namespace exists.
        chart : ChartRef
            Of what.
        values : mapping
            All layers in one.
        timeout_s : int
            Longest time until its pods are ready, in seconds.
        wait : bool
            False: come back as soon as the objects are there.

        Raises
        ------
        AutonoeError
            ``helm_failed``, with Helm's last words.
        """
        back = "--rollback-on-failure" if self.version()[0] >= 4 else "--atomic"
        with _values_file(values) as file:
            self._run(
                [
                    *("upgrade", "--install", release, *chart.arguments()),
                    *("-n", namespace, "-f", str(file), "--timeout", f"{timeout_s}s"),
                    # a history without end fills the API server with Secrets
                    *("--history-max", "5"),
                    *([back, "--wait"] if wait else []),
                ],
                timeout_s=timeout_s + 60,
                secrets=secret_values(values),
            )

    def recover(self, release: Release) -> str:
        """Bring an interrupted release into a state that Helm goes on from; says what was done."""
        if release.revision == 1 or release.status == "uninstalling":
            self.uninstall(release, timeout_s=120)
            return "removed what an interrupted installation left"
        self._run(
            ["rollback", release.name, "-n", release.namespace, "--timeout", "120s"], timeout_s=180
        )
        return "went back to the revision before the interrupted one"

    def uninstall(self, release: Release, *, timeout_s: int) -> None:
        """Remove a release; volumes, namespaces and resource definitions stay."""
        self._run(
            [
                *("uninstall", release.name, "-n", release.namespace, "--wait"),
                *("--ignore-not-found", "--timeout", f"{timeout_s}s"),
            ],
            timeout_s=timeout_s + 60,
        )

    def _run(
        self,
        arguments: list[str],
        *,
        timeout_s: float = _ASK_S,
        cluster: bool = True,
        secrets: frozenset[str] = frozenset(),
    ) -> str:
        command = [str(self.program), *arguments, *(self._cluster if cluster else [])]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AutonoeError(
                f"helm {arguments[0]} did not finish ({type(error).__name__}).",
                hint="Run it again: what was done already is found and kept.",
                code="helm_failed",
            ) from error
        if done.returncode != 0:
            raise AutonoeError(
                f"helm {arguments[0]} failed: {_last_words(done.stderr, secrets)}",
                hint="Correct it and run the same command again: it goes on where it stopped.",
                code="helm_failed",
            )
        return done.stdout


def _last_words(text: str, secrets: frozenset[str]) -> str:
    lines = [line for line in text.strip().splitlines() if not line.startswith("WARNING")]
    words = " ".join(lines[-6:])[-1200:] or "it gave no reason"
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, "…")
    return words


def secret_values(values: Any, *, secret: bool = False) -> frozenset[str]:
    """Return the texts below keys that sound secret, to be kept out of messages."""
    if isinstance(values, Mapping):
        return frozenset().union(
            *(
                secret_values(value, secret=secret or bool(_SECRET_WORD.search(str(key))))
                for key, value in values.items()
            )
        )
    if isinstance(values, list | tuple):
        return frozenset().union(*(secret_values(value, secret=secret) for value in values))
    return (
        frozenset({values})
        if secret and isinstance(values, str) and len(values) > 5
        else (frozenset())
    )


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layers in one as Helm merges them: maps by key, all else is replaced."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = merged.get(key)
            both = isinstance(before, Mapping) and isinstance(value, Mapping)
            merged[key] = merge(before, value) if both else value  # type: ignore[arg-type]
    return merged


@contextmanager
def _values_file(values: Mapping[str, Any]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="autonoe-helm-") as folder:
        file = Path(folder) / "values.yaml"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            yaml.safe_dump(dict(values), stream, sort_keys=False)
        yield file


def local_chart(path: Path) -> dict[str, Any]:
    """Return the Chart.yaml of a chart's folder or archive on the disk.

    Raises
    ------
    InvalidInputError
        If it is no chart.
    """
    try:
        if path.is_dir():
            text = (path / "Chart.yaml").read_text(encoding="utf-8")
        else:
            with tarfile.open(path) as archive:
                member = next(
                    m for m in archive if m.name.count("/") == 1 and m.name.endswith("/Chart.yaml")
                )
                stream = archive.extractfile(member)
                text = stream.read().decode() if stream else ""
        document = yaml.safe_load(text)
        return {"name": str(document["name"]), "version": str(document["version"]), **document}
    except (OSError, StopIteration, KeyError, TypeError, tarfile.TarError, yaml.YAMLError) as error:
        raise InvalidInputError(
            f"{path} is no Helm chart ({type(error).__name__}).",
            hint="Give the chart's folder, or the .tgz that `helm pull` or `helm package` makes.",
        ) from error
