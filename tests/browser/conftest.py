"""A browser per test, with a picture of the last state when it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.browser import Browser, Steps, chromium
from support.places import ARTEFACTS


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> Steps:
    """Return where this test keeps its screenshots."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return Steps(ARTEFACTS / "browser" / name)


@pytest.fixture
def browser(request: pytest.FixtureRequest, steps: Steps) -> Iterator[Browser]:
    """Open Chromium; keep a last picture and the console of a test that fails."""
    failures = request.session.testsfailed
    with chromium() as opened:
        yield opened
        if request.session.testsfailed > failures:
            steps.keep(opened.page, "failed")
            (steps.folder / "console.txt").write_text("\n".join(opened.console_errors))
