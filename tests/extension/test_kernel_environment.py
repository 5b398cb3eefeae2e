"""What a kernel and a terminal of a platform's server find in their environment."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient

from autonoe.waiting import wait_until

pytestmark = pytest.mark.usefixtures("on_platform")

WANTED = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "VAULT_ADDR", "MLFLOW_TRACKING_URI")


async def start_kernel(fetch: Any, app: Any, name: str | None = None) -> psutil.Process:
    """Start a kernel over the REST API and return its process."""
    body = json.dumps({"name": name} if name else {})
    model = json.loads((await fetch("api", "kernels", method="POST", body=body)).body)
    manager = app.kernel_manager.get_kernel(model["id"])
    await asyncio.wait_for(manager.ready, 60)
    return psutil.Process(manager.provisioner.pid)


async def test_a_new_kernel_gets_the_agents_variables(jp_fetch: Any, jp_serverapp: Any) -> None:
    process = await start_kernel(jp_fetch, jp_serverapp)
    found = await asyncio.to_thread(process.environ)
    agent = jp_serverapp.web_app.settings["autonoe_manager"].agent
    assert {name: found.get(name, "") for name in WANTED} == {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.url}/credentials",
        "VAULT_ADDR": agent.url,
        "MLFLOW_TRACKING_URI": f"{agent.url}/mlflow",
    }
    assert "AWS_ACCESS_KEY_ID" not in found


async def test_plain_python_kernels_get_them_too(jp_fetch: Any, jp_serverapp: Any) -> None:
    process = await start_kernel(jp_fetch, jp_serverapp, "python3")
    assert set(WANTED) <= set(await asyncio.to_thread(process.environ))
