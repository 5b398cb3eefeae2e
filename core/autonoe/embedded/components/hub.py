"""JupyterHub, behind traefik. It finds its secrets in the data folder."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from autonoe.embedded import probes
from autonoe.embedded.components.base import LOOPBACK, Component, Context, private_folder
from autonoe.embedded.platform_file import WILDCARDS
from autonoe.embedded.processes import ProcessSpec
from autonoe.errors import AutonoeError

NAME = "hub"

# Variables of the person's shell that would point a component or a notebook somewhere else.
_FOREIGN = ("AWS_", "VAULT_", "BAO_", "MLFLOW_", "JUPYTER", "WEED_", "GOMEMLIMIT", "GOGC")

# What the person decides about the hub; the rest of a shell's environment differs at each login.
_SETTINGS = ("AUTONOE_", "HTTP_PROXY", "HTTPS_PROXY")


def component(context: Context) -> Component:
    """Return the hub as a component."""
    layout, platform = context.layout, context.platform
    folder = layout.component(NAME)
    health = probes.http(platform.hub_api, "/hub/health")
    host = "127.0.0.1" if platform.host in WILDCARDS else platform.host
    public = probes.http(platform.port, "/hub/health", host=host)
    environment = _environment(context)

    async def probe() -> bool:
        return await health() and await public()

    return Component(
        spec=ProcessSpec(
            name=NAME,
            argv=(sys.executable, "-m", "autonoe_hub.launcher", "hub", "-f", _config_file()),
            env=environment,
            log=layout.log(NAME),
            probe=probe,
            cwd=folder,
            env_that_matters=frozenset(n for n in environment if n.startswith(_SETTINGS)),
            # It stops people's servers first.
            stop_within_s=20.0,
        ),
        address=f"{platform.public_url}/hub",
        distribution="jupyterhub",
        prepare=lambda: _prepare(folder),
        after=("openbao", "seaweedfs", "traefik"),
    )


def _prepare(folder: Path) -> None:
    private_folder(folder)


def _config_file() -> str:
    spec = find_spec("autonoe_hub")
    for location in (spec.submodule_search_locations or []) if spec else []:
        return str(Path(location) / "jupyterhub_config.py")
    raise AutonoeError(
        "The hub's package is not installed.",
        hint='Install the platform\'s parts: pip install "autonoe[embedded]".',
        code="component_missing",
    )


def _environment(context: Context) -> dict[str, str]:
    # People's servers start from the hub's environment: their shell's proxies, locale and
    # certificate settings must reach them.
    own = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    hidden = ",".join(filter(None, [own.get("NO_PROXY") or own.get("no_proxy"), LOOPBACK]))
    clean = context.environment()
    return {
        **own,
        "PATH": f"{clean['PATH']}:{own.get('PATH', '')}",
        "NO_PROXY": hidden,
        "no_proxy": hidden,
        "AUTONOE_DATA_DIR": clean["AUTONOE_DATA_DIR"],
        "MALLOC_ARENA_MAX": "2",
    }
