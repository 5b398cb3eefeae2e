"""Gold texts that a model learned are counted, said and left out of the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from autonoe.errors import InvalidInputError
from autonoe_nace import registry
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.registry.gating import FEWEST
from autonoe_nace.registry.overlap import learned
from autonoe_nace.text import Preparation, rules_for
from autonoe_nace.training import TrainingParams, train
from nace.registry_parts import GOLD_ROWS

SMALL = {"dim": 10, "bucket": 2_000, "calibration_share": 0, "titles": False}
OF_ONE, OF_OTHER = range(0, 6_000, 4), range(1, 4_000, 10)


DATA = ateco()


def prepared(rows: Sequence[int]) -> list[str]:
    return Preparation(rules_for("it")).all(DATA.subset(rows).texts)


def count(rows: Sequence[int], learned_rows: Sequence[int]) -> int:
    """Return how many texts of ``rows`` are, once prepared, among those of ``learned_rows``."""
    known = set(prepared(learned_rows))
    return sum(text in known for text in prepared(rows))


@dataclass(frozen=True)
class Material:
    """Two models that carry what they learned, and gold texts that neither learned."""

    one: NaceModel
    other: NaceModel
    fresh: list[int]


@pytest.fixture(scope="module")
def material() -> Material:
    one, other = (
        train(DATA.subset(rows), TrainingParams.of(**SMALL, epoch=epoch))
        for rows, epoch in ((OF_ONE, 25), (OF_OTHER, 10))
    )
    known = {*prepared(OF_ONE), *prepared(OF_OTHER)}
    rows = [i for i, text in zip(GOLD_ROWS, prepared(GOLD_ROWS), strict=True) if text not in known]
    assert 2 * FEWEST < len(rows) <= len(GOLD_ROWS)
    return Material(one, other, rows)


def judged(
    material: Material, data: Dataset, weights: Sequence[float] | None = None
) -> registry.GateReport:
    return registry.gate(material.one, material.other, data, weights=weights, replicates=200)


def test_texts_that_a_model_learned_change_nothing_but_are_said(material: Material) -> None:
    fresh = DATA.subset(material.fresh)
    clean = judged(material, fresh)
    assert (clean.n, clean.left_out) == (len(fresh), 0)
    assert (clean.learned_by_challenger, clean.learned_by_champion) == (0, 0)
    assert "left out" not in clean.sentence()
    # gold as it should not be: with 30 texts of the one and 20 of the other
    rows = [*OF_ONE[:30], *material.fresh, *OF_OTHER[:20]]
    by_one, by_other = count(rows, OF_ONE), count(rows, OF_OTHER)
    assert (by_one >= 30, by_other >= 20) == (True, True)
    mixed = DATA.subset(rows)
    report = judged(material, mixed)
    assert (report.learned_by_challenger, report.learned_by_champion) == (by_one, by_other)
    assert report.left_out == 50
    assert (
        replace(
            report,
            learned_by_challenger=0,
            learned_by_champion=0,
            left_out=0,
            gold_sha256=clean.gold_sha256,
        )
        == clean
    )
    assert report.gold_sha256 == mixed.sha256
    assert report.sentence().endswith(
        f"on {len(fresh)} gold texts. 50 gold texts were left out: the challenger learned {by_one} "
        f"of them and the champion learned {by_other} of them."
    )
    # their weights go with them
    heavy = [1e6] * 30 + [1.0] * len(fresh) + [1e6] * 20
    assert judged(material, mixed, heavy).difference == clean.difference


def test_another_spelling_of_a_learned_text_is_that_text(material: Material) -> None:
    typed = DATA.subset(OF_ONE[:120])
    shouted = replace(typed, texts=tuple(f"  {text.upper()} !" for text in typed.texts))
    found = learned(material.one, shouted.texts)
    assert found is not None
    assert found.all()
    # a code of its own makes it no other text
    recoded = replace(shouted, codes=shouted.codes[::-1])
    with pytest.raises(InvalidInputError, match="Gold holds 0 texts"):
        judged(material, recoded)


def test_what_is_left_must_be_enough(material: Material) -> None:
    enough = DATA.subset([*OF_ONE[:40], *material.fresh[:FEWEST]])
    assert judged(material, enough).n == FEWEST
    by_other = count(OF_ONE[:40], OF_OTHER)
    few = DATA.subset([*OF_ONE[:40], *material.fresh[: FEWEST - 1]])
    said = (
        rf"Gold holds {FEWEST - 1} texts with a code of level \d that no model learned; the gate "
        rf"needs {FEWEST}\. 40 others were left out: the challenger learned 40 of them and the "
        rf"champion learned {by_other} of them\."
    )
    with pytest.raises(InvalidInputError, match=said) as caught:
        judged(material, few)
    assert "Annotate more" in caught.value.hint


def test_models_that_carry_no_texts_cannot_tell(material: Material) -> None:
    silent = train(DATA.subset(OF_ONE), TrainingParams.of(**SMALL, epoch=25, keep_texts=False))
    mixed = DATA.subset([*OF_ONE[:30], *material.fresh])
    assert learned(silent, mixed.texts) is None
    alone = registry.gate(silent, None, mixed, replicates=50)
    assert (alone.n, alone.left_out) == (len(mixed), 0)
    assert (alone.learned_by_challenger, alone.learned_by_champion) == (None, None)
    # the champion's texts tell all the same
    beside = registry.gate(silent, material.one, mixed, replicates=50)
    assert (beside.n, beside.left_out) == (len(material.fresh), 30)
    assert (beside.learned_by_challenger, beside.learned_by_champion) == (None, 30)
    assert beside.sentence().endswith(
        "30 gold texts were left out: the champion learned 30 of them."
    )
