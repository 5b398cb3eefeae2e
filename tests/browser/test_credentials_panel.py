"""The credentials panel in JupyterLab, Notebook 7 and Voilà, on the running platform."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import nbformat
import pytest
from playwright.sync_api import Page, expect

from support.browser import Browser, Steps, run_all
from support.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.browser]

HOSTILE = '<img src=x onerror="window.harm=1"><script>window.harm=1</script>'
PLAIN = "from autonoe import panels\n\npanels.credentials()"
NAMED = f"""from autonoe import panels

panel = panels.credentials("fr")
name = '{HOSTILE}'
bucket = {{"name": name, "access": "write", "kind": "project", "group": name}}
panel.view = {{**panel.view, "account": name, "groups": [name], "buckets": [bucket]}}
panel"""


def _notebook(platform: Platform, name: str, code: str) -> str:
    """Write a notebook with one cell into the owner's home; return its path there."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code)],
        metadata={
            "kernelspec": {
                "name": "autonoe-python",
                "display_name": "Python (Autonoe)",
                "language": "python",
            }
        },
    )
    folder: Path = platform.layout.home(platform.owner) / "panel"
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / name)
    return f"panel/{name}"


def _open(platform: Platform, page: Page, where: str) -> None:
    """Log in by a link that starts the owner's server and leads to ``where`` below it."""
    target = quote(f"/user/{platform.owner}/{where}", safe="")
    link = platform.link(next_path=f"/hub/spawn/{platform.owner}?next={target}")
    page.goto(link, timeout=120_000)


def _test_access(page: Page) -> None:
    """Press the button and wait for its green words."""
    button = page.get_by_role("button", name="Test access")
    button.click()
    green = page.locator(".autonoe-result.autonoe-ok")
    green.wait_for(timeout=60_000)
    expect(green).to_contain_text("It works: wrote, read back and removed")
    assert green.evaluate("e => getComputedStyle(e).color") == "rgb(26, 127, 55)"
    assert button.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(26, 127, 55)"


def test_in_jupyterlab(platform: Platform, browser: Browser, steps: Steps) -> None:
    page = browser.page
    path = _notebook(platform, "lab.ipynb", PLAIN)
    _open(platform, page, f"lab/tree/{path}?reset")
    page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell", timeout=120_000)
    run_all(page, page.locator(".autonoe-card"), timeout_s=120)
    steps.keep(page, "panel")
    expect(page.locator(".autonoe-card")).to_contain_text(f"user-{platform.owner}")
    _test_access(page)
    page.get_by_text("The same without this panel").click()
    expect(page.get_by_role("tabpanel", name="Python")).to_contain_text("boto3.client")
    steps.keep(page, "equivalents")


def test_in_notebook_7(platform: Platform, browser: Browser, steps: Steps) -> None:
    page = browser.page
    path = _notebook(platform, "notebook.ipynb", PLAIN)
    _open(platform, page, f"notebooks/{path}")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=120_000)
    run_all(page, page.locator(".autonoe-card"), timeout_s=120)
    _test_access(page)
    steps.keep(page, "tested")


def test_in_voila(platform: Platform, browser: Browser, steps: Steps) -> None:
    page = browser.page
    path = _notebook(platform, "voila.ipynb", PLAIN)
    _open(platform, page, f"voila/render/{path}")
    page.wait_for_selector(".autonoe-card", timeout=120_000)
    _test_access(page)
    steps.keep(page, "tested")


def test_hostile_names_stay_text(platform: Platform, browser: Browser, steps: Steps) -> None:
    page = browser.page
    path = _notebook(platform, "hostile.ipynb", NAMED)
    _open(platform, page, f"lab/tree/{path}?reset")
    page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell", timeout=120_000)
    run_all(page, page.locator(".autonoe-card"), timeout_s=120)
    page.locator(".autonoe-card").get_by_text(HOSTILE).first.wait_for()
    steps.keep(page, "hostile")
    assert page.evaluate("window.harm") is None
    assert page.locator(".autonoe-card :is(img, script)").count() == 0
    expect(page.locator(".autonoe-card")).to_have_attribute("lang", "fr")


def test_mlflow_renders_below_the_persons_server(
    platform: Platform, browser: Browser, steps: Steps
) -> None:
    page = browser.page
    name = f"seen-in-browser-{uuid4().hex[:8]}"
    make = f"import mlflow; mlflow.create_experiment({name!r})"
    python = ("--", sys.executable, "-c", make)
    platform.cli("credentials", "exec", "--account", platform.owner, *python)
    failed: list[str] = []
    page.on(
        "response",
        lambda answer: (
            failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        ),
    )
    _open(platform, page, "mlflow/#/experiments")
    expect(page.get_by_text(name).first).to_be_visible(timeout=120_000)
    steps.keep(page, "mlflow")
    assert not failed
