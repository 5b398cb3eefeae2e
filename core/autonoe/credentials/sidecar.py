"""``python -m autonoe.credentials.sidecar``: the agent beside other containers of a pod.

It listens on the pod's own loopback, and leaves its pass and the clients' configuration in a
folder that the pod's containers share. It ends with the pod: as a native sidecar it starts before
the other containers and is stopped after them.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded.files import write_atomic
from autonoe.errors import AutonoeError, InvalidInputError

log = logging.getLogger(__name__)

DEFAULT_DIR = Path("/run/autonoe/agent")
PORT = 8765
READY = "ready"
"""File that appears when the other containers may start."""
ENVIRONMENT = "environment.sh"
"""File with all variables of a kernel, for a shell to read; it holds the pass."""


class SidecarSettings(BaseSettings):
    """Settings of the sidecar alone, from ``AUTONOE_SIDECAR_*`` variables."""

    model_config = SettingsConfigDict(env_prefix="AUTONOE_SIDECAR_", frozen=True, extra="ignore")

    wait_s: float = Field(30, ge=0)
    """Seconds that the other containers wait for the first S3 keys. After that they start without,
    and find them as soon as the platform is back."""


def run(settings: AgentSettings, sidecar: SidecarSettings, stop: threading.Event) -> None:
    """Serve until ``stop``.

    Parameters
    ----------
    settings : AgentSettings
        The account. Without ``agent_dir`` and ``agent_port``, those of a pod are taken.
    sidecar : SidecarSettings
        How long others wait.
    stop : threading.Event
        Set from elsewhere, as by a signal.
    """
    folder = settings.agent_dir or DEFAULT_DIR
    chosen = settings.model_copy(update={"agent_port": settings.agent_port or PORT})
    (folder / READY).unlink(missing_ok=True)
    with CredentialAgent(chosen, folder, shared=True) as agent:
        log.info("the credential agent of %s listens on %s", chosen.account, agent.url)
        _wait_for_keys(agent, sidecar.wait_s, stop)
        # Variables that the account marked are read once: those of a running process never change.
        write_atomic(folder / ENVIRONMENT, export_lines(agent.environment()), mode=0o640)
        write_atomic(folder / READY, "", mode=0o640)
        stop.wait()
        (folder / READY).unlink(missing_ok=True)


def export_lines(variables: Mapping[str, str]) -> str:
    """Return ``export NAME='VALUE'`` lines that any POSIX shell reads."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _wait_for_keys(agent: CredentialAgent, wait_s: float, stop: threading.Event) -> None:
    deadline = time.monotonic() + wait_s
    while not agent.status()["s3"]["ready"] and time.monotonic() < deadline:
        if stop.wait(0.1):
            return


def main() -> int:
    """Run the sidecar as the environment says; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Group-readable at most: others of the pod share the group, nobody else does.
    os.umask(0o027)
    try:
        run(AgentSettings(), SidecarSettings(), stop)
    except ValidationError as error:
        names = ", ".join(str(item["loc"][0]) for item in error.errors())
        wrong = InvalidInputError(
            f"The sidecar's settings are incomplete or wrong: {names}.",
            hint='They are AUTONOE_* variables: see the guide "Credentials in pods".',
        )
        log.error("%s %s", wrong.message, wrong.hint)
        return wrong.exit_code
    except AutonoeError as error:
        log.error("%s %s", error.message, error.hint)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
