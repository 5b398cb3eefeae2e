"""What a retraining starts from, and what follows from it alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import platformdirs

from autonoe.errors import InvalidInputError


def default_work() -> Path:
    """Return where runs keep what they have done, so that the next one can go on."""
    return Path(platformdirs.user_data_dir("autonoe-retraining", appauthor=False))


@dataclass(frozen=True)
class RetrainPlan:
    """How to retrain one registered model.

    Attributes
    ----------
    name : str
        Registered model; empty: ``nace-<account>``.
    gold : str
        Place of the annotation rounds (``s3://…`` or a folder, with ``gold/`` in it).
    nomenclature : str
        Name or file.
    data : str
        Labelled texts to learn from besides gold, path or ``s3://``; empty: ATECO 2025.
    text_column, code_column : str
        Of ``data`` and ``labels``.
    conditions : tuple of str
        ``COLUMN=VALUE`` rows of ``data`` to take.
    features : tuple of str
        Side variables to learn, by column.
    labels : tuple of str
        Further files of new labels, with the same columns.
    extra : tuple of str
        Material such as explanatory notes, columns ``text`` and ``code``.
    extra_conditions : tuple of str
        Rows of ``extra`` to take.
    params : dict
        Of :class:`autonoe_nace.training.TrainingParams`.
    gate_share : float
        Part of the gold texts that only ever judge; the rest is learned.
    weighting : {"plain", "weighted"}
        Learn each gold text once, or as often as it stands for others (ten times at most).
    alias : str
        The alias that servers follow.
    because : str
        What started it; recorded with the run.
    force_reason : str
        Move the alias even if the gate stays closed; recorded.
    work : Path
        Folder of this and later runs.
    """

    gold: str
    name: str = ""
    nomenclature: str = "ateco2025"
    data: str = ""
    text_column: str = "text"
    code_column: str = "code"
    conditions: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    extra_conditions: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    gate_share: float = 0.5
    weighting: Literal["plain", "weighted"] = "plain"
    alias: str = "champion"
    because: str = "by hand"
    force_reason: str = ""
    work: Path = field(default_factory=default_work)

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if not 0 < self.gate_share < 1:
            raise InvalidInputError(
                f"A share of {self.gate_share} of the gold texts cannot be the gate's.",
                hint="Between 0 and 1, both left out; 0.5 is usual.",
            )
        if self.weighting not in {"plain", "weighted"}:
            raise InvalidInputError(
                f"There is no weighting {self.weighting!r}.", hint="plain or weighted"
            )

    def recipe(self) -> dict[str, Any]:
        """Return what decides about the model, without what only says why or where."""
        document = asdict(self)
        for name in ("because", "force_reason", "work"):
            del document[name]
        return document
