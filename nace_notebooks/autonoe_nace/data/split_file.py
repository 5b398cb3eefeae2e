"""A file of labelled texts with a column that says which part of the work each row is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autonoe.errors import InvalidInputError
from autonoe_nace.data.dataset import Dataset
from autonoe_nace.splitting import folds, hold_out
from autonoe_nace.tables import read_columns, write_columns

TRAIN, TEST = "train", "test"
GROUP, FOLD, PART = "group", "fold", "part"


@dataclass(frozen=True)
class Split:
    """Which part each text belongs to, groups of near-duplicates whole.

    Attributes
    ----------
    column : str
        ``fold`` with values from ``"0"``, or ``part`` with ``train`` and ``test``.
    values : tuple of str
        One for each text.
    groups : tuple of int
        The group of near-duplicates of each text.
    """

    column: str
    values: tuple[str, ...]
    groups: tuple[int, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Texts of each part."""
        return dict(sorted(Counter(self.values).items()))


def split(
    groups: Sequence[int], *, k: int | None = None, share: float | None = None, seed: int = 0
) -> Split:
    """Return a split into ``k`` folds, or into train and test with ``share`` of the texts held out.

    Parameters
    ----------
    groups : sequence of int
        Group of near-duplicates of each text.
    k : int, optional
        Number of folds.
    share : float, optional
        In (0, 1).
    seed : int
        Another seed gives another split.

    Raises
    ------
    InvalidInputError
        If both or neither are given, or there are too few groups.
    """
    if (k is None) == (share is None):
        raise InvalidInputError(
            "A split is into folds or into train and test.", hint="Give --folds or --test-share."
        )
    if k is not None:
        return Split(FOLD, tuple(map(str, folds(groups, k=k, seed=seed))), tuple(groups))
    _, held = hold_out(groups, share=share or 0.0, seed=seed)
    chosen = set(held)
    values = tuple(TEST if i in chosen else TRAIN for i in range(len(groups)))
    return Split(PART, values, tuple(groups))


def write_split(uri: str, data: Dataset, found: Split, output: str) -> int:
    """Write the usable rows of the file ``uri`` with the columns of the split, and their number.

    All columns of the file are kept as they are, as text; columns of the same name as those of the
    split are replaced.

    Parameters
    ----------
    uri : str
        The file that ``data`` was read from.
    data : Dataset
        Its usable rows.
    found : Split
        The split of ``data``.
    output : str
        Path or ``s3://`` address; Parquet when it ends so, CSV otherwise.

    Raises
    ------
    InvalidInputError, UnavailableError
        If the file cannot be written.
    """
    table = read_columns(uri)
    kept = {
        name: [values[row - 1] for row in data.rows]
        for name, values in table.columns.items()
        if name not in (found.column, GROUP)
    }
    kept[GROUP] = [str(group) for group in found.groups]
    kept[found.column] = list(found.values)
    write_columns(output, kept)
    return len(data)
