"""The checks that a version passes before it may be compared: it is whole, it answers, it is fit.

The file is loaded in a child process only, with limited memory and processor time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from autonoe.errors import AutonoeError
from autonoe_nace.model.canary import check_in_child
from autonoe_nace.model.manifest import Manifest
from autonoe_nace.model_uri import PREFIX, ModelUri
from autonoe_nace.registry.fetching import fetch

_MIB = 1 << 20
_VERDICTS = {"model_damaged", "model_missing", "model_format", "invalid_input"}
"""Errors that say something about the model; others say that it could not be judged."""


@dataclass(frozen=True)
class CheckLimits:
    """What a model may cost.

    Attributes
    ----------
    size_mib : float
        All files together, in MiB.
    latency_p99_ms : float
        Processor time of one text, 99th percentile, in milliseconds.
    memory_mib : float
        Largest resident size of a process that has loaded it, in MiB.
    """

    size_mib: float = 8_192
    latency_p99_ms: float = 20.0
    memory_mib: float = 12_288


@dataclass(frozen=True)
class CheckItem:
    """One check: its name, whether it passed, and what was found in words."""

    name: str
    passed: bool
    found: str


@dataclass(frozen=True)
class CheckReport:
    """The checks of one version.

    Attributes
    ----------
    uri : str
        What was asked for.
    name, version : str
        The registered version; the folder's name and ``0`` for a local folder.
    model_id, sha256 : str
        Of the model; empty when it could not be read.
    items : tuple of CheckItem
        In order; the first failure of ``artefact`` or ``answers`` ends them.
    figures : dict
        ``size_mib``, ``load_s``, ``memory_mib``, ``cpu_p50_ms``, ``cpu_p99_ms``, ``wall_p99_ms``.
    """

    uri: str
    name: str
    version: str
    model_id: str = ""
    sha256: str = ""
    items: tuple[CheckItem, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return bool(self.items) and all(item.passed for item in self.items)

    @property
    def problem(self) -> str:
        """What failed, in words; empty when nothing did."""
        return " ".join(item.found for item in self.items if not item.passed)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain document."""
        return {**asdict(self), "passed": self.passed}


def default_cache() -> Path:
    """Return the folder where fetched models are kept between calls."""
    return Path(platformdirs.user_cache_dir("autonoe")) / "nace-models"


def check(uri: str, *, limits: CheckLimits | None = None, cache: Path | None = None) -> CheckReport:
    """Check a model before it serves.

    Parameters
    ----------
    uri : str
        ``models:/NAME/VERSION``, ``models:/NAME@ALIAS`` or a folder.
    limits : CheckLimits, optional
        What it may cost.
    cache : Path, optional
        Where fetched models are kept.

    Returns
    -------
    CheckReport
        A model that fails is no error: the report says what is wrong.

    Raises
    ------
    AutonoeError
        ``not_found``, ``forbidden`` or ``unavailable``: it could not be judged.
    """
    report, _ = check_and_fetch(uri, limits=limits, cache=cache)
    return report


def check_and_fetch(
    uri: str, *, limits: CheckLimits | None = None, cache: Path | None = None
) -> tuple[CheckReport, Path]:
    """Check a model like :func:`check`, and return the folder it lies in as well."""
    limits = limits or CheckLimits()
    name, version, folder = Path(uri).name, "0", Path(uri)
    if uri.startswith(PREFIX):
        ModelUri.parse(uri)
    try:
        if uri.startswith(PREFIX):
            name, _, version = uri.removeprefix(PREFIX).replace("@", "/").partition("/")
            folder, found = fetch(uri, cache or default_cache())
            name, version = found.name, found.version
        manifest = Manifest.read(folder)
        manifest.check_files(folder)
    except AutonoeError as error:
        if error.code not in _VERDICTS:
            raise
        return CheckReport(uri, name, version, items=(_failed("artefact", error),)), folder
    known = (uri, name, version, manifest.id, manifest.hashes["model"])
    size = sum(entry.size for entry in manifest.files.values())
    items = [
        CheckItem(
            "artefact", True, f"{len(manifest.files)} files, each with its size and SHA-256."
        ),
        _limit("size", size / _MIB, limits.size_mib, "MiB", "Its files take"),
    ]
    try:
        cost = check_in_child(folder, measure=True)
    except AutonoeError as error:
        items.append(_failed("answers", error))
        return CheckReport(*known, items=tuple(items)), folder
    memory = cost.pop("memory_bytes") / _MIB
    items += [
        CheckItem("answers", True, f"It gives its {len(manifest.canary)} known answers."),
        _limit("latency", cost["cpu_p99_ms"], limits.latency_p99_ms, "ms", "A text costs (p99)"),
        _limit("memory", memory, limits.memory_mib, "MiB", "Loaded, it takes"),
    ]
    figures = {"size_mib": round(size / _MIB, 3), "memory_mib": round(memory, 1), **cost}
    return CheckReport(*known, items=tuple(items), figures=figures), folder


def _limit(name: str, found: float, most: float, unit: str, what: str) -> CheckItem:
    return CheckItem(name, found <= most, f"{what} {found:,.3g} {unit} of {most:,.4g} {unit}.")


def _failed(name: str, error: AutonoeError) -> CheckItem:
    return CheckItem(name, False, error.message)
