"""The rules of the gate: what it refuses to judge, and what it only tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from autonoe.errors import InvalidInputError
from autonoe_nace import registry
from autonoe_nace.data import Dataset, ateco, read_table
from autonoe_nace.model import NaceModel
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.registry.gating import FEWEST
from autonoe_nace.training import TrainingParams, train
from nace.registry_parts import gold

PARAMS = TrainingParams(
    dim=10, epoch=25, bucket=2_000, calibration_share=0, titles=False, keep_texts=False
)


def of_section(data: Dataset, section: str, *, inside: bool) -> Dataset:
    ancestor = data.nomenclature.ancestor
    return data.subset(
        [i for i, code in enumerate(data.codes) if (ancestor(code, 1) == section) is inside]
    )


@dataclass(frozen=True)
class Material:
    """Models of ATECO 2025 that know one section only and all but that one; one of NACE Rev. 2."""

    learned: Dataset
    trade: NaceModel
    rest: NaceModel
    foreign: NaceModel


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    data = ateco().subset(range(0, 8_000, 4))
    trade, rest = (of_section(data, "G", inside=inside) for inside in (True, False))
    path = tmp_path_factory.mktemp("foreign") / "texts.csv"
    path.write_text(
        "text,code\n" + "growing of rice,01.12\nbrewing of beer,11.05\nbakery,10.71\n" * 8
    )
    other = load_nomenclature("nace-rev2")
    foreign = read_table(str(path), nomenclature=other, text_column="text", code_column="code")
    return Material(rest, train(trade, PARAMS), train(rest, PARAMS), train(foreign, PARAMS, other))


def judged(
    material: Material,
    *,
    challenger: str = "rest",
    champion: str | None = "trade",
    data: Dataset | None = None,
    weights: Sequence[float] | None = None,
) -> registry.GateReport:
    return registry.gate(
        getattr(material, challenger),
        getattr(material, champion) if champion else None,
        data if data is not None else gold(),
        weights=weights,
        replicates=200,
    )


def test_too_few_texts_decide_nothing(material: Material) -> None:
    enough = gold().subset(range(FEWEST))
    assert judged(material, data=enough).n == FEWEST
    with pytest.raises(InvalidInputError, match=f"Gold holds {FEWEST - 1} texts") as caught:
        judged(material, data=gold().subset(range(FEWEST - 1)))
    assert "force" in caught.value.hint


def test_what_the_challenger_learned_is_no_gold(material: Material) -> None:
    with pytest.raises(InvalidInputError, match="learned from these very gold texts"):
        judged(material, data=material.learned)
    # of a champion that carries no texts it is no objection: it can only be in its favour
    assert judged(material, challenger="trade", champion="rest", data=material.learned).n > FEWEST


@pytest.mark.parametrize(("challenger", "champion"), [("foreign", "rest"), ("rest", "foreign")])
def test_models_of_two_nomenclatures_are_not_compared(
    material: Material, challenger: str, champion: str
) -> None:
    with pytest.raises(InvalidInputError, match=r"nace-rev2.*ateco2025|ateco2025.*nace-rev2"):
        judged(material, challenger=challenger, champion=champion)


@pytest.mark.parametrize("wrong", [[1.0], [0.0] * 412, [-1.0] * 412, [float("nan")] * 412])
def test_weights_that_are_none_are_refused(material: Material, wrong: list[float]) -> None:
    assert len(gold()) == 412
    with pytest.raises(InvalidInputError):
        judged(material, weights=wrong)


def test_weights_decide_whose_texts_count(material: Material) -> None:
    ancestor = gold().nomenclature.ancestor
    trade = [ancestor(code, 1) == "G" for code in gold().codes]
    even = judged(material)
    assert judged(material, weights=[3.0] * 412).difference == even.difference
    # where shops are drawn rarely and stand for many, the model that knows shops is the better one
    shops = judged(material, weights=[100.0 if shop else 1.0 for shop in trade])
    assert (even.passed, shops.passed) == (True, False)
    assert shops.difference.high < 0


def test_a_worse_section_is_told_and_does_not_close_the_gate(material: Material) -> None:
    report = judged(material)
    assert (report.passed, report.worse_sections) == (True, ("G",))
    assert report.difference.low > 0
    assert min(report.gained, report.lost) > 0
    back = judged(material, challenger="trade", champion="rest")
    # of the sections with enough texts only manufacturing is large enough to be told of
    assert (back.passed, back.worse_sections) == (False, ("C",))
    assert (back.gained, back.lost) == (report.lost, report.gained)


def test_the_first_model_must_beat_the_commonest_code(material: Material) -> None:
    first = judged(material, champion=None)
    assert (first.passed, first.against) == (True, "the most frequent code")
    commonest = max(gold().codes.count(code) for code in gold().codes)
    assert round(first.champion * first.n) >= commonest
