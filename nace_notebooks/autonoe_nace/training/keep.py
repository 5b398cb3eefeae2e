"""What a model carries for its explanations: texts that it may show, and explanatory notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autonoe_nace.data import Dataset
from autonoe_nace.model.explain_notes import write_notes
from autonoe_nace.model.explain_texts import write_texts
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.nomenclature.notes import Note
from autonoe_nace.training.material import CLASS
from autonoe_nace.training.params import TrainingParams


def keep_for_explanations(
    folder: Path,
    data: Dataset,
    extra: Sequence[Dataset],
    nomenclature: Nomenclature,
    params: TrainingParams,
    notes: Mapping[str, Note] | None,
) -> None:
    """Write the texts and notes that shall travel with the model into ``folder``."""
    texts: list[str] = []
    codes: list[str] = []
    if params.keep_texts is not False:
        for part in (data, *extra):
            if params.keep_texts or part.public:
                texts += part.texts
                codes += part.codes
        if params.titles:
            titled = [n for n in nomenclature.nodes.values() if n.level >= CLASS and n.title]
            texts += [node.title for node in titled]
            codes += [node.code for node in titled]
    if texts:
        write_texts(folder, texts, codes)
    if notes:
        write_notes(folder, notes)
