"""The exported page in a real browser: alone, interactive, and safe with what strangers logged."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from benchmarks.log_rows import FIRST, write_year

from autonoe.cli import main
from autonoe.errors import NotFoundError
from autonoe_nace.dashboard import Dashboard
from autonoe_nace.logs.record import LogRecord, table
from autonoe_nace.monitoring import (
    Logs,
    PredictionStatistics,
    Selection,
    Window,
    compare,
    daily,
)
from autonoe_nace.monitoring.page import Asked, write_page
from support.browser import chromium
from support.places import ARTEFACTS

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page") / "logs"
    write_year(place, 9_000, days=60)
    strange = LogRecord(
        request_id="strange",
        position=0,
        time=datetime.combine(FIRST, datetime.min.time(), UTC),
        deployment=HOSTILE,
        key_id="k",
        model_name="m",
        model_version=HOSTILE,
        model_sha256="0" * 64,
        text="secret text of a person",
        codes=[HOSTILE],
        probabilities=[0.9],
        confidence=0.9,
        threshold=0.8,
        auto=True,
        latency_ms=1.0,
        error="",
    )
    pq.write_table(table([strange]), place / f"date={FIRST}" / "predictions-strange.parquet")
    return place


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    target = folder.parent / "page.html"
    with pytest.raises(SystemExit) as done:
        main(["nace", "dashboard", "--from", str(folder), "--html", str(target), "--json"])
    assert done.value.code == 0
    return target


def test_it_holds_counts_and_no_text(page: Path) -> None:
    written = page.read_text(encoding="utf-8")
    assert "secret text of a person" not in written
    assert HOSTILE not in written
    document = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', written, re.DOTALL)
    assert document is not None
    assert sum(day["predictions"] for day in json.loads(document[1])["days"]) == 9_001
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", written.replace(document[1], ""))


@pytest.mark.browser
def test_the_slider_the_drill_down_and_no_request(page: Path, folder: Path) -> None:
    logs = Logs(str(folder))
    with chromium(width=1320, height=950) as browser:
        shown = browser.page
        shown.set_default_timeout(120_000)
        shown.goto(page.as_uri())
        shown.locator("#latency .main-svg").first.wait_for()
        finding = shown.locator("#finding")
        for hundredth in (80, 70, 0):
            shown.locator("#threshold").fill(str(hundredth))
            share = daily.automatic(logs, hundredth / 100).value
            assert f"{100 * share:.1f} %" in finding.inner_text()
        first = shown.locator("#drill button").first
        section = first.inner_text()
        first.click()
        trail = shown.locator("#trail").inner_text()
        assert trail.startswith("All sections")
        assert trail.endswith(section)
        assert shown.locator("#drill tbody tr").count() > 1
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=ARTEFACTS / "nace-dashboard-page.png")
        assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []
        assert browser.console_errors == []
        assert shown.locator("img").count() == 0, "what strangers logged is text"


def test_the_widget_shows_every_tab(folder: Path) -> None:
    shown = Dashboard(PredictionStatistics(str(folder)), threshold=0.7)
    tabs = shown.tabs
    for number in range(len(tabs.widget.children)):
        tabs.widget.selected_index = number
    assert "Hardest classes" in tabs.classes.value
    assert "Automatic at 0.70" in tabs.compared.value
    assert "p99" in tabs.service.value
    assert "autonoe nace annotate" in tabs.gold.value
    tabs.measure.click()
    assert "Confidence index" in tabs.drift.value
    tabs.widget.selected_index = 0
    section = next(code for _, code in tabs.code.options if code not in ("", ".."))
    tabs.code.value = section
    assert tabs.code.options[1] == (f"Up, out of {section}", "..")
    divisions = tabs.classes.value
    shown.threshold.value = 0.2
    assert tabs.classes.value != divisions, "the open tab follows the slider"
    tabs.code.value = ".."
    assert tabs.code.options[0] == ("All sections", "")
    everything = "".join(
        part.value for part in (tabs.classes, tabs.compared, tabs.service, tabs.drift)
    )
    assert "<img" not in everything


def test_a_person_chooses_both_windows(folder: Path) -> None:
    logs = Logs(str(folder))
    tabs = Dashboard(PredictionStatistics(str(folder)), threshold=0.7).tabs
    tabs.widget.selected_index = 1
    last = FIRST + timedelta(days=59)
    pickers = tabs.windows
    shown = (pickers.before_first, pickers.before_last, pickers.after_first, pickers.after_last)
    offered = [picker.value for picker in shown]
    assert offered == [last - timedelta(days=n) for n in (55, 28, 27, 0)]
    days = [FIRST + timedelta(days=n) for n in (0, 9, 20, 26)]
    for picker, day in zip(shown, days, strict=True):
        picker.value = day
    first, second = Window(days[0], days[1]), Window(days[2], days[3])
    found = compare(logs, first, second, threshold=0.7)
    assert f"<th scope='col'>{first}</th><th scope='col'>{second}</th>" in tabs.compared.value
    for part in ("before", "after"):
        assert f"<td>{100 * found[part]['automatic']['value']:.1f} %</td>" in tabs.compared.value
    tabs.widget.selected_index = 2
    tabs.measure.click()
    assert f"{first} against {second}" in tabs.drift.value
    pickers.after_last.value = days[2] - timedelta(days=1)
    assert tabs.drift.value == "", "measured between other days"
    tabs.measure.click()
    assert "before it begins" in tabs.drift.value
    pickers.after_last.value = None
    tabs.widget.selected_index = 1
    assert "four dates" in tabs.compared.value
    pickers.again.click()
    assert [picker.value for picker in shown] == offered
    assert str(Window(offered[2], offered[3])) in tabs.compared.value


@pytest.mark.parametrize(
    ("options", "windows"),
    [
        ([], ((4, 31), (32, 59))),
        (["--after", "7d"], ((46, 52), (53, 59))),
        (["--after", "7d", "--before", "14d"], ((39, 52), (53, 59))),
        (["--before", "{0}..{9}", "--after", "{20}..{26}"], ((0, 9), (20, 26))),
        (["--before", "{0}..{9}"], ((0, 9), (32, 59))),
    ],
)
def test_the_page_compares_the_windows_that_are_named(
    folder: Path, tmp_path: Path, options: list[str], windows: tuple[tuple[int, int], ...]
) -> None:
    days = [str(FIRST + timedelta(days=n)) for n in range(60)]
    target = tmp_path / "page.html"
    named = [option.format(*days) for option in options]
    with pytest.raises(SystemExit) as done:
        main(["nace", "dashboard", "--from", str(folder), "--html", str(target), *named])
    assert done.value.code == 0
    written = target.read_text(encoding="utf-8")
    document = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', written, re.DOTALL)
    assert document is not None
    compared = json.loads(document[1])["windows"]["compared"]
    shown = [compared[part]["window"] for part in ("before", "after")]
    assert shown == [f"{days[first]}..{days[last]}" for first, last in windows]


def test_a_window_without_predictions_is_refused_when_it_was_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "page.html"
    command = ["nace", "dashboard", "--from", str(folder), "--html", str(target), "--json"]
    with pytest.raises(SystemExit) as refused:
        main([*command, "--before", "2020-01-01..2020-01-31"])
    assert refused.value.code == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert "no predictions in the window 2020-01-01..2020-01-31" in error["message"]
    assert not target.exists()


def test_nothing_selected_is_said(folder: Path, tmp_path: Path) -> None:
    logs = Logs(str(folder))
    with pytest.raises(NotFoundError, match="no predictions"):
        write_page(logs, tmp_path / "x.html", Asked(selection=Selection(deployment="nobody")))
    assert not list(tmp_path.iterdir())
    assert logs.span() is not None
    assert logs.span(Selection(deployment=HOSTILE)) is not None
