"""Words and phrases that mean the same: data files, applied to prepared texts."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autonoe.errors import InvalidInputError
from autonoe.validation import mistakes
from autonoe_nace.text import Preparation

_SUFFIX = ".yaml"


class Synonym(BaseModel):
    """What is said in several ways, and the one form that stands for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    means: str = Field(min_length=1)
    said: tuple[str, ...] = Field(min_length=1)


class SynonymSet(BaseModel):
    """The synonyms of one language.

    Attributes
    ----------
    language : str
        BCP 47 tag.
    version : int
        Raised with each change that alters an answer.
    synonyms : tuple of Synonym
        Words and phrases as people write them; the rules of preparation make them comparable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str = "und"
    version: int = Field(default=1, ge=1)
    synonyms: tuple[Synonym, ...] = ()

    @classmethod
    def from_dict(cls, document: Any) -> SynonymSet:
        """Return the synonyms of ``document``.

        Raises
        ------
        InvalidInputError
            If it has another form.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise InvalidInputError(
                f"The synonyms are not valid: {mistakes(error)}.",
                hint="Compare with the files in autonoe_nace/lookup/synonyms.",
            ) from error


@cache
def _built_in() -> tuple[str, ...]:
    folder = resources.files(__package__) / "synonyms"
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir()))


def load_synonyms(name: str) -> SynonymSet:
    """Return the synonyms of the language ``name``, of the YAML file ``name``, or none.

    A language without a built-in file has no synonyms; a file that does not exist is an error.

    Raises
    ------
    InvalidInputError
        If the file is missing or not one of synonyms.
    """
    if name in _built_in():
        file = resources.files(__package__) / "synonyms" / f"{name}{_SUFFIX}"
        return SynonymSet.from_dict(yaml.safe_load(file.read_text("utf-8")))
    if not name.endswith((_SUFFIX, ".yml")):
        return SynonymSet(language=name or "und")
    try:
        return SynonymSet.from_dict(yaml.safe_load(Path(name).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInputError(
            f"The file of synonyms {name} cannot be read.", hint="It is a YAML file in UTF-8."
        ) from error


class Canon:
    """Replace in prepared texts what is said by what it means.

    Parameters
    ----------
    synonyms : SynonymSet
        As people write them.
    prepare : Preparation
        The rules by which texts and synonyms become comparable.
    """

    def __init__(self, synonyms: SynonymSet, prepare: Preparation) -> None:
        self._means: dict[tuple[str, ...], tuple[str, ...]] = {}
        for synonym in synonyms.synonyms:
            means = tuple(prepare(synonym.means).split())
            for said in synonym.said:
                words = tuple(prepare(said).split())
                if words and words != means:
                    self._means[words] = means
        self._longest: dict[str, int] = {}
        for words in self._means:
            self._longest[words[0]] = max(self._longest.get(words[0], 0), len(words))

    def words(self, prepared: str) -> list[str]:
        """Return the words of ``prepared``, the longest phrase replaced first, left to right."""
        words = prepared.split()
        if not self._longest or self._longest.keys().isdisjoint(words):
            return words
        out: list[str] = []
        i = 0
        while i < len(words):
            for length in range(min(self._longest.get(words[i], 0), len(words) - i), 0, -1):
                means = self._means.get(tuple(words[i : i + length]))
                if means is not None:
                    out += means
                    i += length
                    break
            else:
                out.append(words[i])
                i += 1
        return out
