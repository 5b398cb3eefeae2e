"""Numbers cut into classes, by a data file: floor space of a shop, number of employees."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autonoe.errors import InvalidInputError
from autonoe.validation import mistakes


class Banding(BaseModel):
    """How one column of numbers is cut.

    Attributes
    ----------
    unit : str
        Of the numbers and the edges, for people.
    why : str
        Where the edges come from.
    edges : tuple of float
        Rising. A class lies between two neighbours; the last class has no upper end.
    closed : {"right", "left"}
        Which end belongs to a class: with ``right`` the value 120 is in (0, 120], with ``left``
        in [120, 400).
    classes : tuple of str
        Names, one for each edge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str = ""
    why: str = ""
    edges: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = Field(min_length=1)
    closed: Literal["right", "left"] = "right"
    classes: tuple[str, ...]

    @model_validator(mode="after")
    def _fits(self) -> Banding:
        if len(self.classes) != len(self.edges):
            raise ValueError("each edge begins one class: as many classes as edges are needed")
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("the edges must rise")
        if not all(self.classes) or len(set(self.classes)) != len(self.classes):
            raise ValueError("the classes need names, each another")
        return self

    def classify(self, value: str) -> str:
        """Return the class of the number ``value``; empty when it is none or lies below all.

        Examples
        --------
        >>> band = Banding(edges=(0, 120, 400), classes=("small", "middle", "large"))
        >>> [band.classify(v) for v in ("0", "120", "120.5", "9000", "?")]
        ['', 'small', 'middle', 'large', '']
        """
        try:
            number = float(value.replace(",", ".").replace(" ", ""))
        except ValueError:
            return ""
        if not math.isfinite(number):
            return ""
        place = (bisect_left if self.closed == "right" else bisect_right)(self.edges, number)
        return self.classes[place - 1] if place else ""


class BandFile(BaseModel):
    """The content of a file of bands: a name, a version, and a banding for each column."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int = Field(ge=1)
    bands: dict[str, Banding]


def built_in_bands() -> tuple[str, ...]:
    """Return the names of the files of bands that come with Autonoe."""
    folder = resources.files(__package__) / "banding"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir()))


def load_bands(name: str) -> Mapping[str, Banding]:
    """Return the bands by column name of a built-in file or of the YAML file at the path ``name``.

    Raises
    ------
    InvalidInputError
        If there is neither, or the file is not one of bands.
    """
    try:
        if name in built_in_bands():
            text = (resources.files(__package__) / "banding" / f"{name}.yaml").read_text("utf-8")
        else:
            text = Path(name).read_text(encoding="utf-8")
        return BandFile.model_validate(yaml.safe_load(text)).bands
    except (OSError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, OSError):
            said = f"There are no bands {name!r}, neither built in nor as a file."
        else:
            said = f"The file of bands {name} is not valid: {_reason(error)}"
        raise InvalidInputError(
            said, hint=f"Built in: {', '.join(built_in_bands())}; the guide shows the form."
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return mistakes(error)
    return str(error).splitlines()[0] if str(error) else type(error).__name__
