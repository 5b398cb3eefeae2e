"""Chromium as a person uses it, and a numbered picture of each step."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

EXECUTABLE = "/usr/bin/chromium"
# No sandbox: tests run as root in containers. The others keep Chromium from calling home, and
# from /dev/shm, which is small there.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
STARTUP_TIMEOUT_MS = 90_000


@dataclass
class Browser:
    """One open page, and what it asked for and complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    """Addresses of all requests, as a check that nothing leaves the machine."""
    console_errors: list[str] = field(default_factory=list)


@contextmanager
def chromium(*, width: int = 1400, height: int = 900, scale: float = 1.0) -> Iterator[Browser]:
    """Open a fresh profile and yield its page."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=EXECUTABLE, headless=True, args=list(FLAGS)
        )
        context = launched.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale
        )
        browser = Browser(context.new_page())
        browser.page.set_default_timeout(30_000)
        browser.page.on("request", lambda request: browser.requests.append(request.url))
        browser.page.on(
            "console",
            lambda message: (
                browser.console_errors.append(message.text) if message.type == "error" else None
            ),
        )
        try:
            yield browser
        finally:
            context.close()
            launched.close()


def wait_for_lab(page: Page) -> None:
    """Wait until JupyterLab can be used: shell and file list are there, the splash is gone."""
    page.wait_for_selector("#jp-main-dock-panel", timeout=STARTUP_TIMEOUT_MS)
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=STARTUP_TIMEOUT_MS)
    page.wait_for_selector(".jp-DirListing-content", timeout=STARTUP_TIMEOUT_MS)


def open_notebook(page: Page, path: str) -> None:
    """Open ``folder/name.ipynb`` from the file browser, folder by folder."""
    for part in path.split("/"):
        entry = page.locator(".jp-DirListing-item").filter(
            has=page.locator(".jp-DirListing-itemText", has_text=re.compile(f"^{re.escape(part)}$"))
        )
        entry.first.dblclick()
    page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell")


def run_all(page: Page, done: Locator, *, timeout_s: float) -> None:
    """Choose Run > Run All Cells until ``done`` is visible.

    Lab calls a kernel idle before it is connected, and a run chosen then is lost without a word,
    or is answered with the question which kernel to take.
    """
    question = page.get_by_role("dialog").filter(has_text="Select Kernel")
    page.add_locator_handler(
        question, lambda dialog: dialog.get_by_role("button", name="Select", exact=True).click()
    )
    deadline = time.monotonic() + timeout_s
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    while True:
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator('li[data-command="runmenu:run-all"]').click()
        started = page.locator(
            '.jp-Notebook-ExecutionIndicator[data-status="busy"], .jp-OutputArea-output'
        )
        try:
            started.first.wait_for(timeout=5_000)
            break
        except PlaywrightTimeoutError:
            if time.monotonic() > deadline:
                raise
    done.wait_for(timeout=max(1.0, deadline - time.monotonic()) * 1000)


class Steps:
    """Numbered screenshots of one test, kept in ``build/test-artefacts``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.png"):
            old.unlink()
        self.folder = folder
        self.count = 0

    def keep(self, page: Page, name: str) -> Path:
        """Take a picture of what is visible now."""
        self.count += 1
        path = self.folder / f"{self.count:02d}-{name}.png"
        page.screenshot(path=path)
        return path
