"""A real Jupyter server in this process, with the extension and its agent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from pytest_jupyter.jupyter_server import *  # noqa: F403  its fixtures, for this folder only
from traitlets.config import Config

from autonoe.embedded.jupyter_paths import jupyter_paths


@pytest.fixture(autouse=True)
def a_factory_of_its_own() -> Iterator[None]:
    """Forget what started kernels in this process before: a server's process begins without one."""
    KernelProvisionerFactory.clear_instance()
    yield
    KernelProvisionerFactory.clear_instance()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Hold a port on which nobody answers."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def agent_variables(tmp_path: Path, closed_port: int) -> dict[str, str]:
    """Return what a spawner sets, for a platform of which nothing answers."""
    proof = tmp_path / "proof.json"
    proof.write_text('{"kind": "approle", "role_id": "r", "secret_id": "s"}')
    proof.chmod(0o600)
    down = f"http://127.0.0.1:{closed_port}"
    return {
        "AUTONOE_ACCOUNT": "alice",
        "AUTONOE_ACCOUNT_MAIL": "alice@stat.example",
        "AUTONOE_GROUPS": '["nace-team"]',
        "AUTONOE_PROOF_FILE": str(proof),
        "AUTONOE_OPENBAO_URL": down,
        "AUTONOE_S3_URL": down,
        "AUTONOE_MLFLOW_URL": down,
    }


@pytest.fixture
def on_platform(
    agent_variables: dict[str, str], jp_environ: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set the environment of a server that a spawner started."""
    for name, value in {**agent_variables, **jupyter_paths()}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def jp_server_config() -> Config:
    """Only what a spawner's server loads; the extension is enabled as its own file says."""
    config: Any = Config()
    config.ServerApp.jpserver_extensions = {
        "autonoe_extension": True,
        "jupyter_server_proxy": True,
        "jupyter_server_terminals": True,
    }
    return config
