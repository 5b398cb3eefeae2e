"""``%%sql`` reads and writes the person's bucket with nothing typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded.jupyter_paths import jupyter_paths
from autonoe.waiting import wait_until
from support.platform import Platform

pytestmark = pytest.mark.platform


@pytest.fixture
def client(platform: Platform, tmp_path: Path) -> Iterator[BlockingKernelClient]:
    """Start a kernel of the owner with an empty home, as their server would."""
    settings = AgentSettings.for_account(platform.layout, platform.owner)
    home = tmp_path / "home"
    home.mkdir()
    with (
        CredentialAgent(settings, tmp_path / "agent", home=home) as agent,
        pytest.MonkeyPatch.context() as patch,
    ):
        wait_until(
            lambda: agent.status()["duckdb"] == "ready", timeout_s=60, what="DuckDB's secret"
        )
        for name, value in {**agent.environment(), **jupyter_paths({})}.items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(home))
        manager, client = start_new_kernel(startup_timeout=60, kernel_name="autonoe-python")
        yield client
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_cell_writes_and_reads_s3(client: BlockingKernelClient, platform: Platform) -> None:
    place = f"s3://user-{platform.owner}/sql-cell/numbers.parquet"
    run(client, f"%%sql\ncopy (select range as n from range(100)) to '{place}'")  # noqa: S608
    assert "4950" in run(client, f"%%sql\nselect sum(n) as total from '{place}'")


def run(client: BlockingKernelClient, code: str) -> str:
    """Run a cell and return its result as text; fail with the kernel's words."""
    said: list[str] = []

    def hear(message: dict) -> None:
        said.append(message["content"].get("data", {}).get("text/plain", ""))

    reply = client.execute_interactive(code, timeout=120, output_hook=hear, allow_stdin=False)
    content = reply["content"]
    assert content["status"] == "ok", f"{content.get('ename')}: {content.get('evalue')}"
    return "".join(said)
