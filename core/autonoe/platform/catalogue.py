"""The list of companions: which chart, pinned how, where, after what, and when it is healthy.

The list is data, ``helm-values/companions/parts.yaml``, so that an organisation can read it, copy
it and replace it without touching code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autonoe.errors import InvalidInputError
from autonoe.validation import mistakes

PodSecurity = Literal["restricted", "baseline", "privileged"]
LEVELS: tuple[PodSecurity, ...] = ("privileged", "baseline", "restricted")
"""Pod Security Standards from the loosest to the strictest."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GeneratedSecret(_Model):
    """A Secret that a chart expects to find; made once with random values, never printed."""

    name: str
    why: str
    keys: dict[str, str] = Field(min_length=1)
    """Key to its value; ``random:N`` stands for N random characters of [A-Za-z0-9]."""


class HttpCheck(_Model):
    """A page that must answer with one of these statuses, asked through the API server."""

    service: str
    port: int
    path: str
    expect: tuple[int, ...]
    meaning: str
    """What it means when it answers otherwise."""


class Health(_Model):
    """When a part is healthy; the workloads of its own release always count."""

    http: tuple[HttpCheck, ...] = ()
    definitions: tuple[str, ...] = ()
    """Names of custom resource definitions that must be established."""
    waits_for_people: str = ""
    """A step that a person must take before the part is ready; then Helm does not wait for it."""


class Part(_Model):
    """One companion."""

    name: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?$")
    """Also the name of the Helm release, behind the instance's prefix."""
    title: str
    why: str
    """What it is for, in one sentence."""
    chart: str
    repository: str
    """``https://…`` or ``oci://…``; a chart that lies on the disk is given with ``--chart``."""
    version: str
    """Of the chart, exact."""
    app_version: str
    """Of the program that this chart version installs, as its Chart.yaml says."""
    confirmed: str
    """Where the version was seen."""
    namespace: str
    """``{instance}`` stands for the instance's name."""
    shared: bool = False
    """True: one for the whole cluster, so that its release carries no instance prefix."""
    default: bool = True
    """False: installed only when the site asks for it."""
    needs: tuple[str, ...] = ()
    pod_security: PodSecurity = "restricted"
    """Strictest level under which its pods start."""
    kubernetes: str = ""
    """Least Kubernetes minor, such as ``1.29``."""
    values: tuple[str, ...] = ()
    """Layers of values, in order, relative to the list's own folder."""
    required_values: tuple[str, ...] = ()
    """Dotted paths that the site has to fill in, since nobody else can know them."""
    storage: bool = False
    """True: it asks for volumes of the storage class."""
    secrets: tuple[GeneratedSecret, ...] = ()
    objects: tuple[str, ...] = ()
    """Manifests that the chart has no values for, such as a NetworkPolicy; applied before it."""
    dashboards: tuple[str, ...] = ()
    """Grafana dashboards that become ConfigMaps beside the release."""
    health: Health = Health()
    timeout_s: int = Field(300, ge=10, le=3600)
    """Longest time until it is ready, in seconds."""
    next_step: str = ""
    """Where to look when it is not healthy."""

    @model_validator(mode="after")
    def _sound(self) -> Part:
        if self.name in self.needs:
            raise ValueError(f"{self.name} needs itself")
        if not self.repository.startswith(("https://", "oci://")):
            raise ValueError("a repository is https:// or oci://")
        return self


class Catalogue(_Model):
    """All companions, and the versions of the tools that they were written for."""

    helm: str
    """Least version of Helm; the next but one major is not known to work."""
    kubernetes: str
    """Least Kubernetes minor."""
    parts: tuple[Part, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _linked(self) -> Catalogue:
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names):
            raise ValueError("two parts have the same name")
        for part in self.parts:
            unknown = set(part.needs) - set(names)
            if unknown:
                raise ValueError(f"{part.name} needs {', '.join(sorted(unknown))}: unknown")
        in_order(self.parts)
        return self

    def part(self, name: str) -> Part:
        """Return the part ``name``.

        Raises
        ------
        InvalidInputError
            If there is none.
        """
        for part in self.parts:
            if part.name == name:
                return part
        raise InvalidInputError(
            f"There is no part {name}.",
            hint=f"Known are: {', '.join(part.name for part in self.parts)}.",
        )


def in_order(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return ``parts`` so that each comes after what it needs; otherwise in their own order.

    Raises
    ------
    ValueError
        If parts need one another in a circle.
    """
    wanted = {part.name for part in parts}
    done: list[Part] = []
    names: set[str] = set()
    while len(done) < len(parts):
        ready = [
            part
            for part in parts
            if part.name not in names and {n for n in part.needs if n in wanted} <= names
        ]
        if not ready:
            left = ", ".join(part.name for part in parts if part.name not in names)
            raise ValueError(f"these parts need one another: {left}")
        done.append(ready[0])
        names.add(ready[0].name)
    return tuple(done)


def default_folder() -> Path:
    """Return the folder of the values: from the wheel, or from the source tree.

    Raises
    ------
    InvalidInputError
        If the installation holds neither.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "_helm_values", here.parents[3] / "helm-values"):
        if (folder / "companions" / "parts.yaml").is_file():
            return folder / "companions"
    raise InvalidInputError(
        "The list of companions is not installed.", hint="Give its folder with --folder."
    )


def load(folder: Path) -> Catalogue:
    """Return the list in ``folder``, with every layer of values found.

    Raises
    ------
    InvalidInputError
        If the list cannot be read, or names files that are not there.
    """
    path = folder / "parts.yaml"
    catalogue = parse(read_yaml(path), path)
    missing = [
        f"{part.name}: {layer}"
        for part in catalogue.parts
        for layer in (*part.values, *part.objects, *part.dashboards)
        if not (folder / layer).is_file()
    ]
    if missing:
        raise InvalidInputError(
            f"{path} names files that are not there: {'; '.join(missing)}.",
            hint="Paths are relative to the folder of parts.yaml.",
        )
    return catalogue


def parse(document: Any, path: Path) -> Catalogue:
    """Return the list that ``document`` holds.

    Raises
    ------
    InvalidInputError
        With the place and the reason of the first mistake.
    """
    try:
        return Catalogue.model_validate(document)
    except ValidationError as error:
        raise InvalidInputError(f"{path}: {mistakes(error, most=1)}.") from error


def read_yaml(path: Path) -> Any:
    """Return the YAML document in ``path``.

    Raises
    ------
    InvalidInputError
        If it cannot be read, or is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise InvalidInputError(f"{path}{where} is no YAML.", hint="Check its indentation.") from (
            error
        )
