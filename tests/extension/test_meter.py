"""The meter of memory and home disk in Lab's status bar."""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

Fetch = Callable[..., Awaitable[Any]]


@pytest.fixture
def jp_server_config() -> Config:
    """Load the extension and the meter, in the order in which a server loads them."""
    config: Any = Config()
    config.ServerApp.jpserver_extensions = {
        "autonoe_extension": True,
        "jupyter_resource_usage": True,
    }
    return config


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def test_the_meter_shows_the_disk_of_the_home_folder(
    on_platform: None, home: Path, jp_fetch: Fetch
) -> None:
    answer = json.loads((await jp_fetch("api", "metrics", "v1")).body)
    assert answer["disk_total"] == shutil.disk_usage(home).total
    assert 0 < answer["disk_used"] < answer["disk_total"]
    assert answer["rss"] > 0


async def test_its_polling_keeps_no_server_alive(
    on_platform: None, jp_serverapp: Any, jp_fetch: Fetch
) -> None:
    settings = jp_serverapp.web_app.settings
    before = settings.get("api_last_activity")
    await jp_fetch("api", "metrics", "v1")
    assert settings.get("api_last_activity") == before
    await jp_fetch("api", "contents")
    assert settings.get("api_last_activity") != before  # as what a person does, does


async def test_it_asks_for_a_login(on_platform: None, jp_fetch: Fetch) -> None:

    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("api", "metrics", "v1", headers={"Authorization": "token wrong"})
    assert refused.value.code == 403
