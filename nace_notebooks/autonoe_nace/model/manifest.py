"""``model.json``: what a model is made of, and the hashes by which its files are checked."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autonoe.errors import AutonoeError

FORMAT = 1
"""Raised when an older Autonoe could misread a newer model."""

MODEL_FILE = "model.bin"
MANIFEST_FILE = "model.json"
NOMENCLATURE_FILE = "nomenclature.json"
RULES_FILE = "preparation.json"
CARD_FILE = "README.md"
CONFORMAL_FILE = "conformal.json"
LOOKUP_FILE = "lookup.json"
DATA_FILES = (MODEL_FILE, NOMENCLATURE_FILE, RULES_FILE)
"""The files of every model; with those of its preset they decide what it answers, and each is held
by size and SHA-256."""

_FURTHER_FILE = re.compile(r"[a-z][a-z0-9-]{0,60}\.(?:npy|json)")
_MOST_FILES = 32

_BLOCK = 1 << 20
_MAX_MANIFEST_BYTES = 16 << 20


class FileEntry(BaseModel):
    """Size in bytes and SHA-256 (hexadecimal) of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """Return the entry that describes the file at ``path``."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        return cls(size=size, sha256=digest.hexdigest())


class CanaryCase(BaseModel):
    """A text that belongs to no user (a title of the nomenclature) and the answer it must get."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    code: str
    probability: float = Field(ge=0, le=1)


class Calibration(BaseModel):
    """How scores become probabilities, and what that did on the texts held out for it.

    Attributes
    ----------
    temperature : float
        The weighted sum of the parts' scores is divided by it.
    adapt : float
        How much more so for texts that the model is sure of, see ``scores.temperatures``.
    n : int
        Texts held out, none a near-duplicate of a training text; 0 when there were too few.
    ece_before, ece_after : float
        Expected calibration error there, with temperature 1 and with the ones chosen.
    weights : dict of str to float
        By the name of a part, what its scores are multiplied with; 1 for a part that is absent.
    conformal_n : int
        Texts, others again, whose scores give the conformal sets; 0 when there were too few.
    lookup : float or None
        How often the rules engine was right where it answered, on the same texts as temperature
        and weights; None for a model without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(gt=0)
    n: int = Field(ge=0)
    ece_before: float
    ece_after: float
    adapt: float = 0.0
    weights: dict[str, float] = Field(default_factory=dict)
    conformal_n: int = Field(default=0, ge=0)
    lookup: float | None = Field(default=None, gt=0, lt=1)


class Manifest(BaseModel):
    """The content of ``model.json``.

    Attributes
    ----------
    id : str
        Follows from the files and the calibration: the same training gives the same id.
    created : str
        ISO 8601, UTC.
    level : int
        Level of the candidates (4 class, 5 national subclass).
    size : int
        Bytes of all files that decide the answers.
    hashes : dict of str to str
        SHA-256 of ``model``, ``data``, ``code`` and ``environment``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    id: str
    created: str
    nomenclature: str
    language: str
    level: int = Field(ge=1, le=6)
    size: int = Field(ge=0)
    files: dict[str, FileEntry]
    hashes: dict[str, str]
    params: dict[str, Any]
    calibration: Calibration
    training: dict[str, Any]
    canary: tuple[CanaryCase, ...]

    def write(self, folder: Path) -> None:
        """Write the manifest into ``folder``."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)
        (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of the model in ``folder``.

        Raises
        ------
        AutonoeError
            If there is none, it is damaged, or it is of a newer format.
        """
        path = folder / MANIFEST_FILE
        try:
            if path.stat().st_size > _MAX_MANIFEST_BYTES:
                raise damaged(f"{MANIFEST_FILE} is larger than any manifest")
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise AutonoeError(
                f"There is no model in {folder}: it has no {MANIFEST_FILE}.",
                hint="Give the folder that autonoe nace train wrote.",
                code="model_missing",
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise damaged(f"{MANIFEST_FILE} cannot be read") from error
        if isinstance(document, dict) and document.get("format", FORMAT) != FORMAT:
            raise AutonoeError(
                f"The model has the format {document['format']!r}; {FORMAT} is expected.",
                hint="Use the version of Autonoe that wrote it, or a newer one.",
                code="model_format",
            )
        try:
            manifest = cls.model_validate(document)
        except ValidationError as error:
            raise damaged(f"{MANIFEST_FILE} lacks or misstates {_where(error)}") from error
        further = set(manifest.files) - set(DATA_FILES)
        if (
            not set(DATA_FILES) <= set(manifest.files)
            or len(further) > _MOST_FILES
            or not all(_FURTHER_FILE.fullmatch(name) for name in further)
            or MANIFEST_FILE in further
        ):
            raise damaged(f"{MANIFEST_FILE} does not list the files of a model")
        return manifest

    def check_files(self, folder: Path) -> None:
        """Compare size and SHA-256 of each file in ``folder`` with the manifest.

        Raises
        ------
        AutonoeError
            If a file is missing, of another size, or has other content.
        """
        for name, entry in self.files.items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != entry.size:
                raise damaged(f"{name} is missing or of the wrong size")
            if FileEntry.of(path).sha256 != entry.sha256:
                raise damaged(f"{name} has not the content that the manifest states")


def damaged(what: str) -> AutonoeError:
    """Return the error for a model whose files cannot be trusted."""
    return AutonoeError(
        f"The model is damaged: {what}.",
        hint="Fetch it again from the registry, or train it again.",
        code="model_damaged",
    )


def _where(error: ValidationError) -> str:
    return ", ".join(".".join(map(str, e["loc"])) or "its form" for e in error.errors()[:3])
