"""The first ten minutes of a person: link, Lab, notebook, all cells run, access tested, MLflow."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from autonoe.waiting import wait_until
from support.browser import Browser, Steps, open_notebook, run_all, wait_for_lab
from support.places import REPOSITORY
from support.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.browser]

NOTEBOOK = "nace/01-explore.ipynb"


def _unfinished(path: Path) -> list[str]:
    """Return the code cells of a saved notebook that did not run, or that failed."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert len(cells) > 5
    return [
        cell.source
        for cell in cells
        if cell.execution_count is None or any(o.output_type == "error" for o in cell.outputs)
    ]


def _publish(picture: Path, name: str) -> None:
    """Copy a step's picture into the documentation, when ``make pictures`` asks for it."""
    folder = os.environ.get("AUTONOE_PICTURES")
    if folder:
        shutil.copyfile(picture, REPOSITORY / folder / f"{name}.png")


def _fresh_link(platform: Platform) -> str:
    """Return a link to Lab as a first visitor sees it: other tests may have left tabs open."""
    return platform.link(next_path=f"/user/{platform.owner}/lab?reset")


def test_from_the_link_to_a_tested_notebook(
    platform: Platform, browser: Browser, steps: Steps
) -> None:
    page = browser.page
    page.set_viewport_size({"width": 1440, "height": 1060})
    notebook = platform.layout.home(platform.owner) / NOTEBOOK

    page.goto(_fresh_link(platform))
    wait_for_lab(page)
    steps.keep(page, "lab")

    open_notebook(page, NOTEBOOK)
    steps.keep(page, "notebook")

    card = page.locator(".autonoe-card")
    run_all(page, card, timeout_s=180)
    steps.keep(page, "running")

    def saved_without_gaps() -> bool:
        page.keyboard.press("Control+s")
        try:
            return not _unfinished(notebook)
        except nbformat.reader.NotJSONError:
            return False  # read while the server was writing it

    wait_until(saved_without_gaps, timeout_s=240, what="every cell to run", interval_s=2)
    card.scroll_into_view_if_needed()
    steps.keep(page, "run")

    button = card.get_by_role("button", name="Test access")
    button.click()
    card.locator(".autonoe-result.autonoe-ok").wait_for(timeout=60_000)
    assert button.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(26, 127, 55)"
    _publish(steps.keep(page, "tested"), "lab")

    strangers = {
        request
        for request in browser.requests
        if urlsplit(request).scheme in {"http", "https", "ws", "wss"}
        and urlsplit(request).netloc != urlsplit(platform.url).netloc
    }
    assert not strangers, "the page asked another machine"


def test_mlflow_opens_from_the_launcher(platform: Platform, browser: Browser, steps: Steps) -> None:
    page = browser.page
    page.goto(_fresh_link(platform))
    wait_for_lab(page)
    launcher = page.locator(".jp-LauncherCard:visible", has_text="MLflow").first
    launcher.locator("img").wait_for()  # a card without a picture looks broken
    with page.context.expect_page() as opened:
        launcher.click()
    mlflow = opened.value
    mlflow.get_by_text("Experiments").first.wait_for(timeout=60_000)
    assert urlsplit(mlflow.url).path == f"/user/{platform.owner}/mlflow/"
    steps.keep(mlflow, "mlflow")


def test_dashboard_opens_in_voila(platform: Platform, browser: Browser, steps: Steps) -> None:
    page = browser.page
    where = f"/user/{platform.owner}/voila/render/nace/dashboard.ipynb"
    page.goto(platform.link(next_path=where), timeout=120_000)
    page.locator(".jupyter-widgets").first.wait_for(timeout=120_000)
    steps.keep(page, "dashboard")
    assert page.get_by_text("Traceback").count() == 0
    assert not page.get_by_text("from autonoe_nace").count(), "the dashboard shows no code"
