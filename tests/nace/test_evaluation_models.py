"""Evaluation of real models: full document, comparison, report in a browser, command line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from autonoe.cli import main
from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.evaluation import Options, assess, compare, evaluate, write_report
from autonoe_nace.lookup import LookupIndex, lookup_baseline
from autonoe_nace.model import NaceModel
from autonoe_nace.text import rules_for
from autonoe_nace.training import TrainingParams, train
from support.browser import chromium


@pytest.fixture(scope="module")
def model(small_model: Path) -> NaceModel:
    return NaceModel.load(small_model, check=False)


@pytest.fixture(scope="module")
def better() -> NaceModel:
    """Return a model of ten times the texts."""
    material = ateco().subset(i for i in range(4_000) if i % 40 != 5)
    params = TrainingParams(dim=20, epoch=8, bucket=5_000, calibration_share=0, titles=False)
    return train(material, params)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return ateco().subset(range(5, 4_000, 40))


@pytest.fixture(scope="module")
def index() -> LookupIndex:
    material = ateco().subset(i for i in range(4_000) if i % 40 != 5)
    return LookupIndex.build(material, material.nomenclature, rules_for("it"), level=4)


@pytest.fixture
def table(data: Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "gold.csv"
    lines = ["text;code;weight;firm"]
    lines += [
        f'"{text.replace(chr(34), "")}";{code};{1 + i % 3};{i // 2}'
        for i, (text, code) in enumerate(zip(data.texts, data.codes, strict=True))
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_full_document_agrees_with_the_short_one(model: NaceModel, data: Dataset) -> None:
    full, short = assess(model, data, Options(replicates=100)), evaluate(model, data)
    assert list(full["levels"]) == list(short["levels"])
    for level, row in short["levels"].items():
        for name in ("top1", "top2", "top3", "top4", "top5"):
            assert full["levels"][level][name]["value"] == pytest.approx(row[name]["value"])
        for name in ("macro_f1", "brier", "ece"):
            assert full["levels"][level][name]["value"] == pytest.approx(row[name])
        found = full["levels"][level]
        assert sum(cells["n"] for cells in found["classes"]) == found["n"]
        assert sum(cells["given"] for cells in found["classes"]) == found["n"]
        assert sum(cells["expected"] for cells in found["classes"]) <= found["n"] + 1e-3
    json.dumps(full, allow_nan=False)


def test_counts_of_sections_are_those_of_the_answers(better: NaceModel) -> None:
    data = ateco().subset(range(2, 4_000, 10))
    rows = assess(better, data, Options(replicates=50))["levels"]["1"]["classes"]
    section = better.nomenclature.ancestor
    true = Counter(section(code, 1) for code in data.codes)
    answers = better.predict(data.texts, 100, level=1)
    given = Counter(answer.candidates[0].code for answer in answers)
    expected = Counter[str]()
    for answer in answers:
        expected.update({c.code: c.probability for c in answer.candidates})
    assert {row["code"] for row in rows} == set(true) | set(given)
    for row in rows:
        code = row["code"]
        assert (row["true"], row["given"], row["n"]) == (true[code], given[code], true[code])
        assert row["bias"]["value"] == given[code] - true[code]
        assert row["expected"] == pytest.approx(expected[code], rel=1e-4)
        if true[code]:
            share = (given[code] - true[code]) / true[code]
            assert row["relative_bias"]["value"] == pytest.approx(share)
    assert any(row["bias"]["value"] for row in rows)


def test_the_brier_score_is_that_of_the_probabilities(model: NaceModel, data: Dataset) -> None:
    probabilities = model.probabilities(model.prepare.all(data.texts))
    total = 0.0
    for code, row in zip(data.codes, probabilities, strict=True):
        truth = model.nomenclature.ancestor(code, 4)
        total += sum(
            (float(p) - (name == truth)) ** 2 for name, p in zip(model.codes, row, strict=True)
        )
        total += truth not in model.codes
    found = evaluate(model, data)["levels"]["4"]["brier"]
    assert found == pytest.approx(total / len(data), rel=1e-4)


def test_the_same_seed_gives_the_same_intervals(model: NaceModel, data: Dataset) -> None:
    one, again, other = (
        assess(model, data, Options(replicates=100, seed=seed)) for seed in (1, 1, 2)
    )
    assert one == again
    assert one["levels"]["4"]["top5"] != other["levels"]["4"]["top5"]


def test_rules_stand_beside_the_model(model: NaceModel, data: Dataset, index: LookupIndex) -> None:
    found = assess(model, data, Options(replicates=50, lookup=index))["lookup"]
    alone = lookup_baseline(index, data)
    assert found["auto_rate"]["value"] == pytest.approx(alone["auto_rate"])
    assert found["n_right"] == alone["n_right"] > 0
    assert found["accuracy"]["value"] == pytest.approx(alone["n_right"] / alone["n_auto"])
    assert found["right"]["value"] == pytest.approx(alone["n_right"] / len(data))


def test_two_models_are_compared_text_by_text(
    model: NaceModel, better: NaceModel, data: Dataset
) -> None:
    found = compare(model, better, data)
    for level, row in found["levels"].items():
        pairs, n = row["pairs"], row["n"]
        truth = [model.nomenclature.ancestor(code, int(level)) for code in data.codes]
        right = [
            [p.candidates[0].code == t for p, t in zip(answers, truth, strict=True)]
            for answers in (m.predict(data.texts, 1, level=int(level)) for m in (model, better))
        ]
        assert pairs["only_b"] == sum(b and not a for a, b in zip(*right, strict=True))
        assert pairs["only_a"] == sum(a and not b for a, b in zip(*right, strict=True))
        assert sum(pairs[k] for k in ("both", "only_a", "only_b", "neither")) == n
        cell = row["top1"]
        assert cell["difference"] == pytest.approx((pairs["only_b"] - pairs["only_a"]) / n)
        assert cell["low"] <= cell["difference"] <= cell["high"]
    assert found["levels"]["4"]["top1"]["low"] > 0, "ten times the texts are better, surely"
    assert found["levels"]["4"]["pairs"]["p_value"] < 0.05
    same = compare(model, model, data, replicates=20)["levels"]["4"]
    assert (same["top1"]["low"], same["top1"]["high"], same["pairs"]["p_value"]) == (0, 0, 1)


def test_models_of_different_nomenclatures_are_not_compared(
    model: NaceModel, data: Dataset
) -> None:
    other = NaceModel(model.folder, model.manifest)
    other.nomenclature = type(data.nomenclature)(
        "other", language="it", nodes=list(data.nomenclature.nodes.values())
    )
    with pytest.raises(InvalidInputError, match="different nomenclatures"):
        compare(model, other, data)


@pytest.mark.browser
def test_the_report_is_one_file_that_a_browser_shows(
    better: NaceModel, data: Dataset, index: LookupIndex, tmp_path: Path
) -> None:
    document = assess(better, data, Options(replicates=100, lookup=index))
    attack = "<script>document.title = 'taken'</script>"
    document["levels"]["4"]["classes"][0]["title"] = attack
    document["levels"]["1"]["classes"][0]["title"] = attack
    document["report"]["notes"].append(attack)
    path = write_report(
        document, tmp_path / "new" / "report.html", nomenclature=data.nomenclature, source="g.csv"
    )
    with chromium() as browser:
        page = browser.page
        page.goto(path.as_uri())
        for name in ("levels", "coverage", "cost", "reliability", "bias", "mistakes"):
            page.wait_for_selector(f"#plot-{name} .main-svg")
        assert page.title() == f"Evaluation of {better.id}"
        text = page.inner_text("body")
        assert f"{100 * document['levels']['4']['top1']['value']:.1f} %" in text
        assert "Look-up by rules" in text
        place = page.locator(".codes details").last
        place.locator("summary").click()
        rows = place.locator("tbody tr")
        assert rows.count() == len(document["levels"]["4"]["classes"])
        code = document["levels"]["4"]["classes"][1]["code"]
        place.locator("input").fill(code)
        shown = place.locator("tbody tr:visible")
        assert shown.count() == 1
        assert shown.first.inner_text().startswith(code)
        assert browser.requests == [path.as_uri()], "nothing is fetched"
        assert browser.console_errors == []


def _run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["nace", *map(str, arguments)])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_evaluate_writes_document_and_report(
    small_model: Path,
    table: Path,
    index: LookupIndex,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rules = index.save(tmp_path / "lookup.json")
    report = tmp_path / "report.html"
    arguments = ["evaluate", "--model", small_model, "--data", table, "--replicates", 50]
    arguments += ["--weight-column", "weight", "--group-column", "firm", "--report", report]
    code, out, err = _run(*arguments, "--lookup", rules, "--json", capsys=capsys)
    assert code == 0
    document = json.loads(out)
    assert document["bootstrap"] == {
        "replicates": 50,
        "seed": 1,
        "drawn": "clusters",
        "weighted": True,
    }
    assert document["lookup"]["n"] == document["n"]
    assert f"Report written to {report}" in err
    assert "report.html" in {p.name for p in tmp_path.iterdir()}
    assert str(tmp_path) not in report.read_text(encoding="utf-8")
    code, out, _ = _run(*arguments, "--lookup", rules, capsys=capsys)
    assert code == 0
    assert "recommended threshold" in out
    assert "look-up by rules" in out


def test_threshold_follows_the_costs(
    small_model: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for price in (0.01, 500):
        arguments = ["threshold", "--model", small_model, "--data", table, "--wrong-code", price]
        code, out, _ = _run(*arguments, "--replicates", 50, "--json", capsys=capsys)
        assert code == 0
        found.append(json.loads(out))
    assert found[0]["costs"]["wrong_code"] == 0.01
    cheap, dear = (document["overall"]["threshold"]["value"] for document in found)
    assert cheap < dear
    code, out, _ = _run(*arguments, capsys=capsys)
    assert code == 0
    assert "the overall one" in out


def test_compare_prints_and_gives_json(
    small_model: Path,
    better: NaceModel,
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = better.save(tmp_path / "better")
    arguments = ["compare", "--model", small_model, "--with", other, "--data", table]
    code, out, _ = _run(*arguments, "--json", capsys=capsys)
    assert code == 0
    document = json.loads(out)
    assert document["b"] == better.id
    assert document["levels"]["4"]["top1"]["difference"] > 0
    code, out, _ = _run(*arguments, "--weight-column", "weight", capsys=capsys)
    assert code == 0
    assert better.id in out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--weight-column", "text"], "invalid_input"),
        (["--weight-column", "no such"], "unknown_column"),
        (["--group-column", "firm", "--stratum-column", "firm"], "invalid_input"),
        (["--hourly-wage", "-1"], "invalid_input"),
        (["--replicates", "0"], "invalid_input"),
        (["--lookup", "missing.json"], "lookup_missing"),
    ],
)
def test_bad_input_is_explained(
    small_model: Path,
    table: Path,
    options: list[str],
    code: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["evaluate", "--model", small_model, "--data", table, "--json", *options]
    left, out, _ = _run(*arguments, capsys=capsys)
    assert left in (1, 2)
    error = json.loads(out)["error"]
    assert error["code"] == code
    assert error["hint"]
