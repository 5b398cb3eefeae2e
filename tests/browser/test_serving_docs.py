"""The page of the NACE API as a programmer meets it: one key, one request, its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from autonoe_nace.data import ateco
from autonoe_nace.training import TrainingParams, train
from support.browser import Browser, Steps
from support.serving import new_key
from support.serving_process import Server, start

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WAIT_MS = 60_000


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """Return a server that asks for a key, and the key."""
    params = TrainingParams(dim=10, epoch=5, bucket=2_000, calibration_share=0, titles=False)
    model = train(ateco().subset(range(0, 4_000, 10)), params).save(tmp_path / "model")
    keys = tmp_path / "keys.json"
    key = new_key(keys)
    server = start(model, tmp_path / "state", "--key-file", str(keys))
    try:
        server.wait()
        yield server, key
    finally:
        server.process.terminate()
        server.process.communicate(timeout=60)


def test_a_request_is_sent_from_the_page_and_answered(
    browser: Browser, steps: Steps, keyed: tuple[Server, str]
) -> None:
    server, key = keyed
    page = browser.page
    page.goto(f"http://127.0.0.1:{server.port}/docs")
    route = page.locator("details#predict")
    route.locator("summary").first.click()
    send = route.get_by_role("button", name="Send")
    state, answer = route.get_by_role("status"), route.get_by_label("Answer")

    send.click()
    expect(state).to_contain_text("✗ 401", timeout=WAIT_MS)
    assert json.loads(answer.inner_text())["error"]["code"] == "missing_key"

    page.get_by_label("API key").fill(key)
    body = {"records": [{"text": "coltivazione di riso"}], "top_k": 3}
    route.get_by_label("Body in JSON").fill(json.dumps(body))
    send.click()
    expect(state).to_contain_text("✓ 200", timeout=WAIT_MS)
    (result,) = json.loads(answer.inner_text())["results"]
    assert len(result["candidates"]) == 3
    steps.keep(page, "answered")

    form = page.locator("details#insee_predict")
    form.locator("summary").first.click()
    form.get_by_label("text_description").fill("coltivazione di riso")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("status")).to_contain_text("✓ 200", timeout=WAIT_MS)
    row = json.loads(form.get_by_label("Answer").inner_text())
    assert row["1"]["code"] == result["candidates"][0]["code"].replace(".", "")

    assert all(address.startswith(page.url.removesuffix("/docs")) for address in browser.requests)
    # Chromium itself writes one line for the refusal
    assert [line for line in browser.console_errors if "401" not in line] == []
