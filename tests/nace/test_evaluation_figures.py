"""The full evaluation: figures against scikit-learn and by hand, intervals against theory."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from autonoe.errors import InvalidInputError
from autonoe_nace.data import DataReport, Dataset
from autonoe_nace.evaluation import Costs, Options, calibration_error, judge
from autonoe_nace.evaluation.costs import FEWEST
from autonoe_nace.evaluation.outcomes import LevelOutcomes, Outcomes, check_weights
from autonoe_nace.nomenclature import Nomenclature, load_nomenclature


@pytest.fixture(scope="module")
def tree() -> Nomenclature:
    return load_nomenclature("uksic2007")


def made_up(tree: Nomenclature, n: int, codes: int, *, seed: int = 0) -> tuple[Outcomes, Dataset]:
    """Return answers of a model that knows how sure it can be: right as often as it says."""
    rng = np.random.default_rng(seed)
    names = tree.at_level(4)[:codes]
    truth = rng.integers(0, codes, n)
    probability = rng.uniform(0.05, 1, n)
    right = rng.uniform(size=n) < probability
    others = (truth[:, None] + np.arange(1, 6)) % codes
    top = np.where(right[:, None], np.column_stack([truth, others[:, :4]]), others)
    seen = right | (rng.uniform(size=n) < 0.5)
    top[:, 4] = np.where(seen & ~right, truth, top[:, 4])
    level = LevelOutcomes(
        level=4,
        codes=names,
        known=codes,
        rows=np.arange(n),
        truth=truth,
        top=top,
        probability=probability,
        confidence=np.maximum(0, 2 * probability - 1),
        brier=(1 - probability) ** 2,
        probabilities=np.bincount(truth, minlength=codes).astype(float),
    )
    data = Dataset(
        texts=("x",) * n,
        codes=tuple(names[i] for i in truth),
        rows=tuple(range(1, n + 1)),
        nomenclature=tree,
        report=DataReport(n, n, {}),
    )
    return Outcomes("made-up", n, np.ones(n), {4: level}), data


def repeated(found: Outcomes, times: np.ndarray) -> Outcomes:
    """Return ``found`` with each text as often as ``times`` says."""
    level = found.finest
    fields = ("truth", "top", "probability", "confidence", "brier")
    parts = {name: np.repeat(getattr(level, name), times, axis=0) for name in fields}
    n = int(times.sum())
    again = replace(level, rows=np.arange(n), **parts)
    return Outcomes(found.model, n, np.ones(n), {4: again})


def test_figures_of_each_code_are_those_of_scikit_learn(tree: Nomenclature) -> None:
    found, data = made_up(tree, 800, 30)
    row = judge(found, tree, data, Options(replicates=50))["levels"]["4"]
    level = found.finest
    expected = precision_recall_fscore_support(
        level.truth, level.first, labels=np.arange(30), zero_division=0
    )
    by_code = {cells["code"]: cells for cells in row["classes"]}
    for i, code in enumerate(level.codes):
        cells = by_code[code]
        for j, name in enumerate(("precision", "recall", "f1")):
            cell = cells[name]
            assert cell["value"] == pytest.approx(expected[j][i])
            assert 0 <= cell["low"] <= cell["value"] <= cell["high"] <= 1
            assert cell["low"] < cell["high"], "few texts leave doubt, even when all are right"
        assert cells["n"] == expected[3][i]
        assert cells["bias"]["value"] == cells["given"] - cells["true"]
    macro = precision_recall_fscore_support(
        level.truth, level.first, average="macro", zero_division=0
    )
    for j, name in enumerate(("precision", "recall", "f1")):
        assert row[f"macro_{name}"]["value"] == pytest.approx(macro[j])
    assert row["top1"]["value"] == pytest.approx(np.mean(level.right))
    assert row["brier"]["value"] == pytest.approx(level.brier.mean())


def test_the_right_code_among_the_first_five_is_counted_by_place(tree: Nomenclature) -> None:
    found, data = made_up(tree, 900, 25, seed=4)
    level = found.finest
    shuffled = np.random.default_rng(9).permuted(level.top, axis=1)
    found = replace(found, levels={4: replace(level, top=shuffled)})
    row = judge(found, tree, data, Options(replicates=20))["levels"]["4"]
    lists = [list(codes) for codes in shuffled]
    shares = []
    for k in range(1, 6):
        among = [true in codes[:k] for true, codes in zip(level.truth, lists, strict=True)]
        shares.append(sum(among) / len(among))
        assert row[f"top{k}"]["value"] == pytest.approx(shares[-1])
    assert shares == sorted(set(shares)), "each further code finds some"


def test_calibration_is_counted_bin_by_bin(tree: Nomenclature) -> None:
    found, data = made_up(tree, 1_200, 20, seed=5)
    level = found.finest
    unsure = replace(level, probability=np.append(level.probability[:-2] ** 2, [1.0, 0.2]))
    found = replace(found, levels={4: unsure})
    row = judge(found, tree, data, Options(replicates=20))["levels"]["4"]
    given, right = unsure.probability, unsure.right
    expected = calibration_error(given.tolist(), right.tolist())
    assert expected > 0.05, "squared probabilities are too small"
    assert row["ece"]["value"] == pytest.approx(expected)
    edges = [i / 15 for i in range(16)]
    counts, _ = np.histogram(given, bins=edges)
    sums, _ = np.histogram(given, bins=edges, weights=given)
    hits, _ = np.histogram(given, bins=edges, weights=right.astype(float))
    filled = np.flatnonzero(counts)
    assert [b["n"] for b in row["reliability"]] == counts[filled].tolist()
    for i, found_bin in zip(filled, row["reliability"], strict=True):
        assert (found_bin["from"], found_bin["to"]) == pytest.approx((edges[i], edges[i + 1]))
        assert found_bin["probability"] == pytest.approx(sums[i] / counts[i])
        assert found_bin["accuracy"]["value"] == pytest.approx(hits[i] / counts[i])
    assert sum(abs(hits - sums)) / len(given) == pytest.approx(expected)


def test_weights_count_as_copies_do(tree: Nomenclature) -> None:
    found, data = made_up(tree, 500, 12)
    times = np.random.default_rng(3).integers(1, 5, 500)
    weighted = Outcomes(found.model, found.n, times.astype(float), found.levels)
    one = judge(weighted, tree, data, Options(replicates=20))
    copies = repeated(found, times)
    many = judge(copies, tree, data, Options(replicates=20))
    a, b = (document["levels"]["4"] for document in (one, many))
    for name in ("top1", "top3", "macro_f1", "brier", "ece"):
        assert a[name]["value"] == pytest.approx(b[name]["value"])
    for mine, theirs in zip(a["classes"], b["classes"], strict=True):
        assert mine["true"] == theirs["true"] == theirs["n"]
        for name in ("bias", "precision", "recall", "f1"):
            assert mine[name]["value"] == pytest.approx(theirs[name]["value"])
    assert a["confusion"]["wrong"] == pytest.approx(b["confusion"]["wrong"])
    one, many = (document["threshold"]["overall"] for document in (one, many))
    assert one["threshold"]["value"] == many["threshold"]["value"]
    assert one["cost_per_1000"]["value"] == pytest.approx(many["cost_per_1000"]["value"])
    assert a["effective_n"] < a["n"]


def test_intervals_are_as_wide_as_theory_says(tree: Nomenclature) -> None:
    found, data = made_up(tree, 2_000, 20)
    cell = judge(found, tree, data, Options(replicates=2_000))["levels"]["4"]["top1"]
    expected = 1.96 * np.sqrt(cell["value"] * (1 - cell["value"]) / 2_000)
    assert (cell["high"] - cell["low"]) / 2 == pytest.approx(expected, rel=0.08)


def test_texts_of_one_cluster_add_no_certainty(tree: Nomenclature) -> None:
    found, data = made_up(tree, 600, 20)
    twice = repeated(found, np.full(600, 2))
    clusters = np.repeat(np.arange(600), 2).tolist()

    def width(outcomes: Outcomes, **options: object) -> float:
        cell = judge(outcomes, tree, data, Options(**options))["levels"]["4"]["top1"]  # type: ignore[arg-type]
        return float(cell["high"] - cell["low"])

    single = width(found)
    assert width(twice, clusters=clusters) == pytest.approx(single, rel=0.1)
    assert width(twice) == pytest.approx(single / np.sqrt(2), rel=0.1)


def test_draws_within_strata_keep_their_sizes(tree: Nomenclature) -> None:
    found, data = made_up(tree, 600, 20)
    right = found.finest.right.astype(int)
    cell = judge(found, tree, data, Options(strata=right.tolist()))["levels"]["4"]["top1"]
    assert cell["low"] == pytest.approx(cell["high"]), "nothing varies when the outcome is fixed"


def test_the_recommended_threshold_is_the_cheapest_by_brute_force(tree: Nomenclature) -> None:
    found, data = made_up(tree, 3_000, 20)
    costs = Costs(minutes_per_review=2, hourly_wage=30, wrong_code=4, review_error=0.05)
    best = judge(found, tree, data, Options(costs=costs, replicates=300))["threshold"]["overall"]
    level = found.finest
    by_hand = 1.0 + 0.05 * 4

    def cost(threshold: float) -> float:
        auto = level.confidence >= threshold
        return float((auto & ~level.right).sum() * 4 + (~auto).sum() * by_hand) / 3_000

    tried = {t / 100: cost(t / 100) for t in range(101)}
    assert best["cost_per_1000"]["value"] == pytest.approx(1_000 * min(tried.values()))
    assert tried[best["threshold"]["value"]] == pytest.approx(min(tried.values()))
    assert best["all_by_hand_per_1000"] == pytest.approx(1_000 * by_hand)
    auto = level.confidence >= best["threshold"]["value"]
    assert best["coverage"]["value"] == pytest.approx(auto.mean())
    assert best["accuracy"]["value"] == pytest.approx(level.right[auto].mean())
    assert best["hours_saved_per_1000"] == pytest.approx(auto.mean() * 2 / 60 * 1_000)
    # The model is right as often as it says: a code is worth its risk when 4 (1 - p) < 1.2.
    assert best["threshold"]["low"] <= 2 * 0.7 - 1 <= best["threshold"]["high"]


@pytest.mark.parametrize(("costs", "threshold"), [({"wrong_code": 0}, 0), ({"hourly_wage": 0}, 1)])
def test_free_mistakes_and_free_people_give_the_ends(
    tree: Nomenclature, costs: dict[str, float], threshold: float
) -> None:
    found, data = made_up(tree, 1_000, 20)
    options = Options(costs=Costs.of(**costs), replicates=100)
    best = judge(found, tree, data, options)["threshold"]["overall"]["threshold"]
    assert best["value"] == pytest.approx(threshold, abs=0.02)


def test_sections_get_their_own_threshold_where_they_have_texts(tree: Nomenclature) -> None:
    found, data = made_up(tree, 3_000, 300, seed=2)
    document = judge(found, tree, data, Options(replicates=100))["threshold"]
    rows = document["sections"]
    assert sum(row["n"] for row in rows) == 3_000
    assert {row["own"] for row in rows} == {True, False}
    for row in rows:
        assert row["own"] == (row["n"] >= FEWEST)
        if row["own"]:
            assert row["threshold"]["low"] <= row["threshold"]["value"] <= row["threshold"]["high"]
        else:
            assert row["threshold"]["value"] == document["overall"]["threshold"]["value"]


def test_the_threshold_of_a_section_is_the_cheapest_for_its_answers(tree: Nomenclature) -> None:
    found, data = made_up(tree, 3_000, 300, seed=2)
    level = found.finest
    section = np.array([tree.ancestor(level.codes[i], 1) for i in level.first])
    # One section where mistakes are frequent among the sure, or one threshold would do for all.
    sure = np.where(section == "C", level.confidence**0.25, level.confidence)
    found = replace(found, levels={4: replace(level, confidence=sure)})
    costs = Costs(minutes_per_review=2, hourly_wage=30, wrong_code=4)
    rows = judge(found, tree, data, Options(costs=costs, replicates=30))["threshold"]["sections"]
    own = {row["section"]: row for row in rows if row["own"]}
    assert len({row["threshold"]["value"] for row in own.values()}) > 1
    for name, row in own.items():
        mine = section == name
        right, confidence = level.right[mine], sure[mine]
        cost = {
            t / 100: float(
                (~right & (confidence >= t / 100)).sum() * 4 + (confidence < t / 100).sum() * 1.0
            )
            for t in range(101)
        }
        least = min(cost.values())
        cheapest = max(t for t, value in cost.items() if value == pytest.approx(least))
        auto = confidence >= cheapest
        assert row["n"] == mine.sum()
        assert row["threshold"]["value"] == pytest.approx(cheapest)
        assert row["cost_per_1000"]["value"] == pytest.approx(1_000 * least / mine.sum())
        assert row["coverage"]["value"] == pytest.approx(auto.mean())
        assert row["accuracy"]["value"] == pytest.approx(right[auto].mean())
    for row in (row for row in rows if not row["own"]):
        mine = section == row["section"]
        auto = sure[mine] >= row["threshold"]["value"]
        assert row["coverage"]["value"] == pytest.approx(auto.mean())


def test_risk_and_coverage_are_those_of_the_texts(tree: Nomenclature) -> None:
    found, data = made_up(tree, 2_000, 20)
    document = judge(found, tree, data, Options(replicates=100))["risk_coverage"]
    level = found.finest
    for row in document["curve"][::10]:
        auto = level.confidence >= row["threshold"]
        assert row["coverage"]["value"] == pytest.approx(auto.mean())
        if auto.any():
            assert row["accuracy"]["value"] == pytest.approx(level.right[auto].mean())
    reached = [t for t in document["targets"] if t["threshold"] is not None]
    assert reached
    for target in reached:
        auto = level.confidence >= target["threshold"]
        assert level.right[auto].mean() >= target["accuracy"]
    assert 0 < document["area"] < 1 - level.right.mean(), "the sure ones are right more often"


def test_mistakes_are_told_by_how_far_they_are(tree: Nomenclature) -> None:
    found, data = made_up(tree, 1_500, 40)
    confusion = judge(found, tree, data, Options(replicates=20))["levels"]["4"]["confusion"]
    level = found.finest
    wrong = ~level.right
    assert confusion["wrong"] == pytest.approx(wrong.mean())
    for n in (1, 2, 3):
        same = [
            tree.ancestor(level.codes[t], n) == tree.ancestor(level.codes[f], n)
            for t, f in zip(level.truth[wrong], level.first[wrong], strict=True)
        ]
        assert confusion["within"][str(n)] == pytest.approx(np.mean(same))
    first = confusion["pairs"][0]
    counted = [
        (t, f)
        for t, f in zip(level.truth[wrong], level.first[wrong], strict=True)
        if (level.codes[t], level.codes[f]) == (first["true"], first["given"])
    ]
    assert first["n"] == len(counted)
    assert first["common"] in (0, 1, 2, 3)


def test_615_codes_12765_texts_and_1000_draws_take_seconds(tree: Nomenclature) -> None:
    found, data = made_up(tree, 12_765, 615)
    began = time.process_time()
    rows = judge(found, tree, data, Options(replicates=1_000))["levels"]["4"]["classes"]
    assert time.process_time() - began < 10
    assert len(rows) == 615


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, float("nan")], [1.0, -1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(InvalidInputError):
        check_weights(weights, 2)


@pytest.mark.parametrize(
    "options",
    [{"replicates": 0}, {"clusters": [1]}, {"clusters": [1] * 50, "strata": [1] * 50}],
)
def test_a_bootstrap_that_cannot_be_drawn_is_refused(
    tree: Nomenclature, options: dict[str, object]
) -> None:
    found, data = made_up(tree, 50, 5)
    with pytest.raises(InvalidInputError):
        judge(found, tree, data, Options(**options))  # type: ignore[arg-type]


def test_costs_that_make_no_sense_are_refused() -> None:
    for bad in ({"hourly_wage": -1}, {"review_error": 1}, {"wage": 3}, {"wrong_code": np.inf}):
        with pytest.raises(InvalidInputError):
            Costs.of(**bad)
