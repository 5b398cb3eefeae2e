"""Columns beside the texts that an evaluation needs and a model must not see: weights, groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autonoe.errors import InvalidInputError
from autonoe_nace.tables import read_columns


def numbers(uri: str, column: str, rows: Sequence[int]) -> list[float]:
    """Return the numbers of ``column`` at the row numbers ``rows`` (the first is 1).

    Raises
    ------
    InvalidInputError
        If the column does not exist or one of these rows holds no number.
    """
    values = read_columns(uri, [column]).columns[column]
    found = []
    for row in rows:
        try:
            found.append(float(values[row - 1]))
        except ValueError as error:
            raise InvalidInputError(
                f"Row {row} of the column {column!r} holds no number.",
                hint="Weights are numbers with a decimal point, one in each row.",
            ) from error
    return found


def numbered(uri: str, column: str, rows: Sequence[int]) -> list[int]:
    """Return for each of ``rows`` a number for its value in ``column``: equal for equal values.

    Raises
    ------
    InvalidInputError
        If the column does not exist.
    """
    values = read_columns(uri, [column]).columns[column]
    found = np.unique([values[row - 1] for row in rows], return_inverse=True)[1]
    return [int(number) for number in found]
