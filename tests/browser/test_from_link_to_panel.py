"""A person follows the link, opens a notebook, runs all cells, and tests their access."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from support.browser import Browser, Steps, open_notebook, run_all, wait_for_lab
from support.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.browser]

CELLS = (
    "from autonoe import panels",
    "panels.credentials()",
)


def _notebook(folder: Path) -> str:
    """Write a notebook that shows the panel into the person's home; return its path there."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS],
        metadata={"kernelspec": {"name": "autonoe-python", "display_name": "Python (Autonoe)"}},
    )
    (folder / "browser").mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "browser" / "access.ipynb")
    return "browser/access.ipynb"


def test_link_to_green_button(platform: Platform, browser: Browser, steps: Steps) -> None:
    page = browser.page
    path = _notebook(platform.layout.home(platform.owner))

    page.goto(platform.link())
    wait_for_lab(page)
    steps.keep(page, "lab")

    open_notebook(page, path)
    steps.keep(page, "notebook")

    button = page.get_by_role("button", name="Test", exact=False)
    run_all(page, button, timeout_s=90)
    steps.keep(page, "panel")

    button.click()
    page.locator(".autonoe-result.autonoe-ok").wait_for(timeout=60_000)
    steps.keep(page, "tested")

    strangers = {
        request
        for request in browser.requests
        if urlsplit(request).scheme in {"http", "https", "ws", "wss"}
        and urlsplit(request).netloc != urlsplit(platform.url).netloc
    }
    assert not strangers, "the page asked another machine"
