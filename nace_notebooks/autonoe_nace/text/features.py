"""Side variables as words of their own: one private-use character for each column and value.

fastText cuts words into character n-grams. A value spelt out beside the text ("nature=03") would
share n-grams with other values and with words of the text, so that "03" and "30" would look alike.
A single character that no text can hold has only n-grams of its own.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autonoe.errors import InvalidInputError
from autonoe_nace.text.bands import Banding

FIRST = 0xF0000
"""Supplementary private-use area A: Unicode will never give these characters a meaning, and the
rules of preparation cut words from letters and digits only, so that no text can hold them."""

MOST = 0xFFFD
"""Characters of that area: the values of all columns together, at most."""

MOST_VALUES = 5_000
"""Values of one column, at most; a column with more is a number or a text and no category."""


class FeatureTokens(BaseModel):
    """The side variables that a model knows, and the token of each value.

    Attributes
    ----------
    values : dict of str to tuple of str
        Known values of each column, in the order that numbers the tokens.
    bands : dict of str to Banding
        Columns of numbers that are cut into classes first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, tuple[str, ...]]
    bands: dict[str, Banding] = Field(default_factory=dict)

    @cached_property
    def _known(self) -> dict[str, dict[str, str]]:
        known: dict[str, dict[str, str]] = {}
        number = FIRST
        for column, values in self.values.items():
            known[column] = {value: chr(number + i) for i, value in enumerate(values)}
            number += len(values)
        return known

    @classmethod
    def learn(
        cls,
        features: Mapping[str, Sequence[str]],
        *,
        bands: Mapping[str, Banding] | None = None,
        min_count: int = 1,
    ) -> FeatureTokens:
        """Return the tokens of the values in ``features``.

        Parameters
        ----------
        features : mapping of str to sequence of str
            Column name to its values, one a row, as in ``Dataset.features``.
        bands : mapping of str to Banding, optional
            How columns of numbers are cut; only those of columns in ``features`` are kept.
        min_count : int
            Values seen in fewer rows get no token: a model learns nothing from one row.

        Raises
        ------
        InvalidInputError
            If a column has more than :data:`MOST_VALUES` values, or all have more than
            :data:`MOST`.
        """
        kept = {name: band for name, band in (bands or {}).items() if name in features}
        values: dict[str, tuple[str, ...]] = {}
        for column, given in features.items():
            band = kept.get(column)
            counts = Counter(filter(None, (feature_key(value, band) for value in given)))
            if len(counts) > MOST_VALUES:
                raise InvalidInputError(
                    f"The column {column!r} has {len(counts):,} different values; a side variable "
                    f"has at most {MOST_VALUES:,}.",
                    hint="Cut numbers into classes with a file of bands, or leave the column out.",
                )
            values[column] = tuple(sorted(v for v, n in counts.items() if n >= min_count))
        if (total := sum(map(len, values.values()))) > MOST:
            raise InvalidInputError(
                f"The side variables have {total:,} values together; {MOST:,} are possible.",
                hint="Leave out the columns with the most values.",
            )
        return cls(values=values, bands=kept)

    @classmethod
    def from_dict(cls, document: Any) -> FeatureTokens:
        """Return the tokens of a document written by :meth:`to_dict`.

        Raises
        ------
        InvalidInputError
            If the document has another form.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise InvalidInputError(
                "The side variables of the model have not the expected form.",
                hint="They are written with the model; fetch the model again.",
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the plain document that travels in a model's ``preparation.json``."""
        return self.model_dump(mode="json")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the side variables, in the order of their tokens."""
        return tuple(self.values)

    def tokens(self, features: Mapping[str, str]) -> str:
        """Return the tokens of one record between blanks, in the order of the columns.

        A missing value, one that the model does not know, and a column that it does not know have
        no token: the text alone decides.
        """
        found = []
        for column, tokens in self._known.items():
            value = features.get(column)
            if value:
                token = tokens.get(feature_key(value, self.bands.get(column)))
                if token:
                    found.append(token)
        return " ".join(found)

    def append(self, prepared: str, features: Mapping[str, str]) -> str:
        """Return ``prepared`` with the tokens after it; empty stays empty.

        A record whose text says nothing is not coded by its side variables alone.
        """
        tokens = self.tokens(features) if prepared and features else ""
        return f"{prepared} {tokens}" if tokens else prepared

    def describe(self, token: str) -> tuple[str, str] | None:
        """Return (column, value) of a token, or None when it is a word; for explanations."""
        number = ord(token) - FIRST if len(token) == 1 else -1
        for column, values in self.values.items():
            if 0 <= number < len(values):
                return column, values[number]
            number -= len(values)
        return None


def feature_key(value: str, band: Banding | None) -> str:
    """Return the form in which values are compared: banded, trimmed, width and case ignored."""
    bare = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    return band.classify(bare) if band is not None else bare
