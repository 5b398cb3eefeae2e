"""What an installation will do, worked out before anything is done. Pure: facts in, steps out."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from autonoe.errors import InvalidInputError
from autonoe.platform.catalogue import Part, read_yaml
from autonoe.platform.helm import ChartRef, Release, local_chart, merge
from autonoe.platform.site import Site

Action = Literal["install", "upgrade", "repair", "keep"]


@dataclass(frozen=True)
class Wanted:
    """One part as the site wants it."""

    part: Part
    release: str
    namespace: str
    chart: ChartRef
    values: dict[str, Any] = field(repr=False)
    """All layers in one. They may hold a secret of the site: never shown."""
    layers: tuple[Path, ...] = ()

    @property
    def label(self) -> str:
        """Name and version of the chart, as Helm lists it."""
        return f"{self.chart.name}-{self.chart.version}"

    def command(self) -> str:
        """Return the Helm command that does the same, to be run by hand."""
        words = ["helm", "upgrade", "--install", self.release, *self.chart.arguments()]
        words += ["--namespace", self.namespace, "--create-namespace"]
        for layer in self.layers:
            words += ["--values", str(layer)]
        return shlex.join([*words, "--wait", "--timeout", f"{self.part.timeout_s}s"])


@dataclass(frozen=True)
class Step:
    """What will be done about one part, and why."""

    wanted: Wanted
    action: Action
    reason: str
    installed: Release | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it for ``--json``; values are left out, since a site's may be secret."""
        wanted = self.wanted
        return {
            "part": wanted.part.name,
            "title": wanted.part.title,
            "action": self.action,
            "reason": self.reason,
            "release": wanted.release,
            "namespace": wanted.namespace,
            "chart": wanted.chart.name,
            "version": wanted.chart.version,
            "app_version": wanted.part.app_version,
            "source": str(wanted.chart.path or wanted.chart.repository),
            "installed": None
            if self.installed is None
            else {
                "chart": self.installed.chart,
                "revision": self.installed.revision,
                "status": self.installed.status,
            },
            "objects": list(wanted.part.objects),
            "secrets": [secret.name for secret in wanted.part.secrets],
            "command": wanted.command(),
            "notes": list(self.notes),
        }


def wanted(part: Part, site: Site, folder: Path) -> Wanted:
    """Return ``part`` as the site wants it: chart found, layers merged.

    Raises
    ------
    InvalidInputError
        If a layer is no map, a value that only the site knows is missing, or a local copy is
        another chart.
    """
    layers = [folder / layer for layer in part.values]
    layers += [(site.folder / layer).resolve() for layer in site.choice(part.name).values]
    documents: list[Mapping[str, Any]] = []
    for layer in layers:
        document = read_yaml(layer)
        if document is not None and not isinstance(document, Mapping):
            raise InvalidInputError(f"{layer} holds no map of values.")
        documents.append(document or {})
    values = merge(*documents)
    missing = [path for path in part.required_values if _at(values, path) in (None, "")]
    if missing:
        raise InvalidInputError(
            f"{part.name} needs values that only this site knows: {', '.join(missing)}.",
            hint=f"Write them into a file and give it with --values {part.name}=FILE.",
        )
    return Wanted(
        part=part,
        release=site.release(part),
        namespace=site.namespace(part),
        chart=_chart(part, site),
        values=values,
        layers=tuple(layers),
    )


def step(want: Wanted, installed: Release | None, values: Mapping[str, Any] | None) -> Step:
    """Return what has to be done about one part.

    Parameters
    ----------
    want : Wanted
        How it should be.
    installed : Release or None
        What is there.
    values : mapping or None
        What it was installed with.
    """
    notes = []
    if want.chart.path is not None and want.chart.version != want.part.version:
        notes.append(
            f"The copy of the chart has version {want.chart.version}; "
            f"{want.part.version} is the one that was tried."
        )
    if installed is None:
        return Step(want, "install", "It is not installed.", None, tuple(notes))
    if installed.interrupted:
        reason = f"The last change was interrupted ({installed.status})."
        return Step(want, "repair", reason, installed, tuple(notes))
    if installed.status != "deployed":
        reason = f"The last change ended as {installed.status}."
        return Step(want, "upgrade", reason, installed, tuple(notes))
    if installed.chart != want.label:
        reason = f"{installed.chart} is installed, {want.label} is wanted."
        return Step(want, "upgrade", reason, installed, tuple(notes))
    changed = differences(values or {}, want.values)
    if changed:
        shown = ", ".join(changed[:5]) + (" …" if len(changed) > 5 else "")
        return Step(want, "upgrade", f"Values differ: {shown}.", installed, tuple(notes))
    return Step(want, "keep", "It is installed as wanted.", installed, tuple(notes))


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[str]:
    """Return the dotted paths whose values differ; never the values."""
    found = []
    for key in sorted({*before, *after}, key=str):
        where = f"{path}.{key}" if path else str(key)
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, where)
        elif _same(old) != _same(new):
            found.append(where)
    return found


def digest(values: Mapping[str, Any]) -> str:
    """Return a hash of values, to see that they are the same without showing them."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _same(value: Any) -> str:
    # JSON and YAML write a number differently; null and nothing mean the same to Helm here
    return json.dumps(value, sort_keys=True, default=str)


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _chart(part: Part, site: Site) -> ChartRef:
    path = site.chart(part)
    if path is None:
        return ChartRef(part.chart, part.repository, part.version)
    found = local_chart(path)
    if found["name"] != part.chart:
        raise InvalidInputError(
            f"{path} is the chart {found['name']}, not {part.chart}.",
            hint=f"Give a copy of {part.chart} with --chart {part.name}=PATH.",
        )
    return ChartRef(part.chart, version=found["version"], path=path)
