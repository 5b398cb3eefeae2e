"""What a kernel and a terminal of a platform's server find in their environment."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.usefixtures("on_platform")

WANTED = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "VAULT_ADDR", "MLFLOW_TRACKING_URI")


async def start_kernel(fetch: Any, app: Any, name: str | None = None) -> Any:
    """Start a kernel over the REST API and return its manager, once it is ready."""
    body = json.dumps({"name": name} if name else {})
    model = json.loads((await fetch("api", "kernels", method="POST", body=body)).body)
    manager = app.kernel_manager.get_kernel(model["id"])
    await asyncio.wait_for(manager.ready, 60)
    return manager


def mode(path: str) -> int:
    """Return the permissions of a file."""
    return Path(path).stat().st_mode


def environ_of(manager: Any) -> dict[str, str]:
    """Return the environment of a kernel's process."""
    return psutil.Process(manager.provisioner.pid).environ()


async def test_a_new_kernel_gets_the_agents_variables(jp_fetch: Any, jp_serverapp: Any) -> None:
    kernel = await start_kernel(jp_fetch, jp_serverapp)
    found = environ_of(kernel)
    agent = jp_serverapp.web_app.settings["autonoe_manager"].agent
    assert {name: found.get(name, "") for name in WANTED} == {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.url}/credentials",
        "VAULT_ADDR": agent.url,
        "MLFLOW_TRACKING_URI": f"{agent.url}/mlflow",
    }
    assert "AWS_ACCESS_KEY_ID" not in found


async def test_new_notebooks_use_our_kernel_and_plain_ones_have_the_account_too(
    jp_fetch: Any, jp_serverapp: Any
) -> None:
    assert (await start_kernel(jp_fetch, jp_serverapp)).kernel_name == "autonoe-python"
    plain = await start_kernel(jp_fetch, jp_serverapp, "python3")
    assert set(WANTED) <= set(environ_of(plain))


async def test_a_restart_reads_the_persons_variables_again(
    jp_fetch: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = await start_kernel(jp_fetch, jp_serverapp)
    agent = jp_serverapp.web_app.settings["autonoe_manager"].agent
    given = agent.environment
    monkeypatch.setattr(agent, "environment", lambda: {**given(), "MARKED_SINCE": "yes"})
    await jp_fetch("api", "kernels", kernel.kernel_id, "restart", method="POST", body="{}")
    assert environ_of(kernel)["MARKED_SINCE"] == "yes"


async def test_no_pass_is_in_a_command_line_or_in_the_servers_own_environment(
    jp_fetch: Any, jp_serverapp: Any
) -> None:
    kernel = await start_kernel(jp_fetch, jp_serverapp)
    manager = jp_serverapp.web_app.settings["autonoe_manager"]
    secret = manager.agent.token_file.read_text().strip()
    assert secret not in " ".join(psutil.Process(kernel.provisioner.pid).cmdline())
    assert secret not in os.environ.values()
    assert manager.agent.token_file.stat().st_mode & 0o077 == 0


async def test_kernels_output_is_encrypted_on_loopback(jp_fetch: Any, jp_serverapp: Any) -> None:
    # Any account of the machine may connect to the port; only the connection file has the key.
    kernel = await start_kernel(jp_fetch, jp_serverapp)
    assert kernel.get_connection_info()["curve_publickey"]
    assert mode(kernel.connection_file) & 0o077 == 0


async def test_a_new_terminal_gets_the_agents_variables(jp_fetch: Any, jp_serverapp: Any) -> None:
    model = json.loads((await jp_fetch("api", "terminals", method="POST", body="{}")).body)
    terminal = jp_serverapp.web_app.settings["terminal_manager"].get_terminal(model["name"])
    found = psutil.Process(terminal.ptyproc.pid).environ()
    assert set(WANTED) <= set(found)


async def test_the_administrators_own_choice_of_kernel_wins(jp_serverapp: Any) -> None:
    assert jp_serverapp.kernel_manager.default_kernel_name == "python3"


test_the_administrators_own_choice_of_kernel_wins = pytest.mark.parametrize(
    "jp_server_config",
    [
        {
            "ServerApp": {"jpserver_extensions": {"autonoe_extension": True}},
            "MultiKernelManager": {"default_kernel_name": "python3"},
        }
    ],
)(test_the_administrators_own_choice_of_kernel_wins)
