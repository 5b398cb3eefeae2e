"""The gold standard on the dashboard, in the widget and in the page: figures counted by hand."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from benchmarks.log_rows import write_year

from autonoe.cli import main
from autonoe_nace import dashboard as widget
from autonoe_nace.dashboard import Dashboard
from autonoe_nace.logs import place
from autonoe_nace.monitoring import PredictionStatistics, cli
from autonoe_nace.monitoring import gold as gold_metrics
from autonoe_nace.nomenclature import LEVEL_NAMES
from support.browser import chromium
from support.gold_standard import gold_rows
from support.places import ARTEFACTS

# Weighted, with Wilson's interval at Kish's effective number of rows (2, 1.6 and 2.74).
AUTO, MANUAL, ALL = "50.0 % (9.5 to 90.5)", "75.0 % (16.9 to 97.8)", "54.2 % (13.6 to 89.9)"
TITLES = ("Coded automatically (n = 2)", "Left to people", "(n = 3)", "All (n = 5)")
SAID = {
    "round": "<2026>",
    "agreement": {
        "class": {
            "percent": {"value": 0.625, "low": 0.5, "high": 0.7364, "n": 24},
            "kappa": {"value": 0.5871, "low": 0.412, "high": 0.754, "n": 24},
        }
    },
    "model": {"class": {"all": {"value": 0.5833, "low": 0.461, "high": 0.7, "n": 23}}},
}
PEOPLE = ["class", "62.5 % (50.0 to 73.6)", "0.59 (0.41 to 0.75)", "58.3 % (46.1 to 70.0)"]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("gold") / "logs"
    write_year(folder, 600, days=4)
    return str(folder)


def document(page: Path) -> dict[str, Any]:
    """Return what the page holds."""
    written = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', written, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def export(page: Path, *options: str) -> dict[str, Any]:
    """Write the page by the command and return what it holds."""
    with pytest.raises(SystemExit) as done:
        main(["nace", "dashboard", "--html", str(page), *options, "--json"])
    assert done.value.code == 0
    return document(page)


def rows_of(html: str) -> list[list[str]]:
    """Return the cells of each row of a table."""
    lines = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line) for line in lines]


def test_the_tab_shows_automatic_manual_and_all(logs: str, tmp_path: Path) -> None:
    gold = gold_rows(tmp_path)
    shown = Dashboard(PredictionStatistics(logs), threshold=0.8, gold=str(gold))
    shown.tabs.widget.selected_index = 4
    head, *levels = rows_of(shown.tabs.gold.value)
    assert [part for part in TITLES if part not in " | ".join(head)] == []
    assert levels[-1] == ["code as a whole", AUTO, MANUAL, ALL]
    assert [row[0] for row in levels] == [*LEVEL_NAMES[:4], "code as a whole"]
    assert levels[0][1].startswith("100.0 %"), "both automatic ones are in agriculture"
    assert "At 0.80, 58.3 % (" in shown.tabs.gold.value
    shown.threshold.value = 0.25
    assert rows_of(shown.tabs.gold.value)[-1][1].startswith("56.5 % ("), "13 of 23"
    assert rows_of(shown.tabs.gold.value)[-1][2].startswith("0.0 % (")


def test_the_page_holds_automatic_manual_and_all(logs: str, tmp_path: Path) -> None:
    gold = str(gold_rows(tmp_path))
    found = export(tmp_path / "page.html", "--from", logs, "--gold", gold)["gold"]
    at = found["at"]["80"]
    assert [at[part]["n"] for part in ("auto", "manual", "all")] == [2, 3, 5]
    values = [at[part]["levels"]["code"]["value"] for part in ("auto", "manual", "all")]
    assert values == pytest.approx([10 / 20, 3 / 4, 13 / 24], abs=1e-6)
    assert at["blended"]["value"] == pytest.approx(14 / 24, abs=1e-6)
    assert at["manual"]["cannot_be_coded"]["value"] == pytest.approx(6 / 10)
    later = found["at"]["25"]
    assert later["auto"]["levels"]["code"]["value"] == pytest.approx(13 / 23, abs=1e-6)


def test_the_tab_shows_how_often_people_agree_beside_the_model(logs: str, tmp_path: Path) -> None:
    shown = Dashboard(PredictionStatistics(logs), gold=str(gold_rows(tmp_path, SAID)))
    shown.tabs.widget.selected_index = 4
    _, people = shown.tabs.gold.value.split("<h3>")
    assert people.startswith("People beside the model, round &lt;2026&gt;</h3>")
    assert rows_of(people) == [
        ["Level", "Two people agree", "Cohen&#x27;s kappa", "The model is right"],
        PEOPLE,
    ]


@pytest.mark.browser
def test_a_reader_of_the_page_sees_the_three_figures(logs: str, tmp_path: Path) -> None:
    export(tmp_path / "page.html", "--from", logs, "--gold", str(gold_rows(tmp_path, SAID)))
    export(tmp_path / "none.html", "--from", logs)
    with chromium(width=1320, height=950) as browser:
        shown = browser.page
        shown.set_default_timeout(120_000)
        shown.goto((tmp_path / "page.html").as_uri())
        shown.locator("#gold h3").wait_for()
        last = shown.locator("#gold table").first.locator("tbody tr").last
        assert last.locator("td").all_inner_texts() == ["code as a whole", AUTO, MANUAL, ALL]
        assert shown.locator("#gold h3").inner_text().endswith("round <2026>")
        people = shown.locator("#gold table").last.locator("tbody td")
        assert people.all_inner_texts() == PEOPLE
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        shown.locator("#gold-part").screenshot(path=ARTEFACTS / "nace-dashboard-gold.png")
        assert (
            "58.3 % (15.5 to 91.4) of the final codes are right"
            in shown.locator("#gold p").first.inner_text()
        )
        shown.goto((tmp_path / "none.html").as_uri())
        assert shown.locator("#gold").inner_text().startswith("No gold standard is shown")


def test_the_accounts_own_gold_is_shown_without_being_named(
    logs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's places are folders here; in the object store they are below one bucket."""
    own = tmp_path / "annotation"
    monkeypatch.setattr(gold_metrics, "gold_uri", lambda **_: str(own))
    monkeypatch.setattr(widget, "logs_uri", lambda **_: logs)
    monkeypatch.setattr(place, "logs_uri", lambda **_: logs)
    monkeypatch.setattr(cli, "session", nullcontext)

    def tab() -> str:
        tabs = widget.dashboard(threshold=0.8).children[-1]
        tabs.selected_index = 4
        return str(tabs.children[4].value)

    assert f"There is no gold standard at {own} yet." in tab()
    assert "autonoe nace annotate" in tab()
    assert export(tmp_path / "page.html")["gold"] is None
    gold_rows(own)
    # what annotation keeps beside it is no gold
    for beside in ("samples", "codings"):
        (own / beside).mkdir()
        (own / beside / "round-1.parquet").write_bytes((own / "gold/round-0.parquet").read_bytes())
    assert rows_of(tab())[-1] == ["code as a whole", AUTO, MANUAL, ALL]
    assert export(tmp_path / "page.html")["gold"]["at"]["80"]["all"]["n"] == 5
    other = widget.dashboard(logs, threshold=0.8).children[-1]
    other.selected_index = 4
    assert "No gold standard is shown" in other.children[4].value, "these logs are not its own"
