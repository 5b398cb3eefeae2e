"""The dashboard as Voila serves it: every tab works, and no request leaves the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from benchmarks.log_rows import FIRST, write_year

from autonoe.embedded import ports
from autonoe.embedded.jupyter_paths import jupyter_paths
from autonoe.waiting import wait_until
from support.browser import chromium
from support.places import ARTEFACTS

_CELL = """
from autonoe_nace.dashboard import dashboard

dashboard({place!r}, threshold=0.7)
"""


@pytest.mark.browser
@pytest.mark.timeout(400)
def test_tabs_slider_and_no_request_outside(tmp_path: Path) -> None:
    write_year(tmp_path / "logs", 6_000, days=60)
    cell = nbformat.v4.new_code_cell(_CELL.format(place=str(tmp_path / "logs")))
    path = tmp_path / "dashboard.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    (port,) = ports.choose(1)
    command = [str(Path(sys.executable).with_name("voila")), str(path), "--no-browser"]
    command += [f"--port={port}", "--Voila.ip=127.0.0.1", "--template=autonoe"]
    log = tmp_path / "voila.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command, env={**os.environ, **jupyter_paths()}, stdout=stream, stderr=stream
        )
    try:
        wait_until(
            lambda: b"is running at" in log.read_bytes(), timeout_s=120, what="Voila to start"
        )
        _look(port)
    finally:
        server.terminate()
        server.wait(30)


def _choose_windows(page: Any) -> None:
    """Choose another first day of the earlier window; the table follows."""
    dates = page.locator("input[type=date]:visible")
    shown = [str(FIRST + timedelta(days=day)) for day in (4, 31, 32, 59)]
    assert [box.input_value() for box in dates.all()] == shown
    other = str(FIRST + timedelta(days=20))
    dates.first.fill(other)
    dates.first.blur()
    page.get_by_role("columnheader", name=f"{other}..{shown[1]}").first.wait_for()
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / "nace-dashboard-windows.png", full_page=True)


def _look(port: int) -> None:
    with chromium(width=1250, height=1000) as browser:
        page = browser.page
        page.set_default_timeout(100_000)
        page.goto(f"http://127.0.0.1:{port}/")
        finding = page.locator(".finding")
        finding.wait_for()
        page.locator(".main-svg").first.wait_for()
        assert finding.inner_text().startswith("At 0.70")
        tab = page.get_by_role("tab")
        assert tab.all_inner_texts()[0] == "Classes"
        page.get_by_text("Hardest classes").wait_for()
        tab.filter(has_text="Two windows").click()
        page.get_by_text("Automatic at 0.70").wait_for()
        _choose_windows(page)
        tab.filter(has_text="Service").click()
        page.get_by_text("Model versions").wait_for()
        handle = page.locator(".noUi-handle").first
        handle.focus()
        handle.press("ArrowRight")
        page.locator(".finding", has_text="At 0.71").wait_for()
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTEFACTS / "nace-dashboard-voila.png")
        outside = {urlsplit(url).hostname for url in browser.requests} - {"127.0.0.1", None}
        assert outside == set()
