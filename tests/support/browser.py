"""Chromium as a person uses it, and a numbered picture of each step."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
def chromium(
    *, width: int = 1400, height: int = 900, scale: float = 1.0, flags: Sequence[str] = ()
) -> Iterator[Browser]:
    """Open a fresh profile and yield its page; ``flags`` are Chromium's own."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=EXECUTABLE, headless=True, args=[*FLAGS, *flags]
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


_RUN = re.compile(r"\[(\*|[0-9]+)\]")
_ENDED = re.compile(r"\[[0-9]+\]")
_GRACE_S = 20
"""How long the last output may take to be drawn after its cell has ended."""


def run_all(page: Page, done: Locator, *, timeout_s: float) -> None:
    """Choose Run > Run All Cells until ``done`` is visible.

    Lab calls a kernel idle before it is connected, and a run chosen then is lost without a word,
    or is answered with the question which kernel to take, once for each cell. The indicator shows
    "busy" while it connects, so that only the cells' own prompts tell a run from a connection. A
    widget drawn before its messages' channel is open shows an error in place of itself, and shows
    well when its cell runs again.
    """
    answer_kernel_questions(page)
    prompts = page.locator(
        ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputArea-prompt"
    )
    deadline = time.monotonic() + timeout_s
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    while time.monotonic() < deadline:
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator('li[data-command="runmenu:run-all"]').click()
        if _seen(prompts.filter(has_text=_RUN), 5) and _drawn(prompts, done, deadline):
            return
    shown = page.locator(".jp-OutputArea-output").all_inner_texts()
    raise AssertionError(
        f"not visible after {timeout_s:g} s: {done}\n"
        f"prompts: {prompts.all_inner_texts()}\noutputs: {shown}"
    )


def answer_kernel_questions(page: Page) -> None:
    """Accept the kernel that Lab suggests, each time it asks."""
    question = page.get_by_role("dialog").filter(has_text="Select Kernel")
    # The next cell's question follows at once: who waits for none to be there waits in vain.
    page.add_locator_handler(question, _accept, no_wait_after=True)


def _accept(dialog: Locator) -> None:
    # By its class: the button reads "Select", and calls itself "Select Kernel" to a screen reader.
    with suppress(PlaywrightTimeoutError):  # it may go while we look
        dialog.locator(".jp-mod-accept").click(timeout=2_000)


def _seen(locator: Locator, timeout_s: float) -> bool:
    try:
        locator.first.wait_for(timeout=max(1.0, timeout_s * 1000))
    except PlaywrightTimeoutError:
        return False
    return True


def _drawn(prompts: Locator, done: Locator, deadline: float) -> bool:
    """Wait for ``done``; give up when all cells have ended and it still does not come."""
    ended_at: float | None = None
    while (now := time.monotonic()) < deadline:
        if _seen(done, 1):
            return True
        if prompts.filter(has_text=_ENDED).count() < prompts.count():
            ended_at = None
        elif now - (ended_at := ended_at or now) > _GRACE_S:
            return False
    return False


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
