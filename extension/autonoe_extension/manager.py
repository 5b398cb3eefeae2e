"""The agent's owner: one per Jupyter server, asked by handlers, kernels and terminals."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir
from traitlets.config import LoggingConfigurable

from autonoe import home_disk
from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import NotFoundError
from autonoe_extension.credentials_view import credentials_view, problem_view

PROOF = "AUTONOE_PROOF_FILE"
"""Set by the spawner when the server belongs to a platform; without it there is no agent."""


class PlatformManager(LoggingConfigurable):
    """Starts and stops the credential agent and says how it is."""

    agent: CredentialAgent | None = None

    def start(self) -> None:
        """Start the agent when this server belongs to a platform; never waits for the platform."""
        if not os.environ.get(PROOF):
            self.log.info(
                "Autonoe: no platform is configured (%s is not set); kernels get no credentials.",
                PROOF,
            )
            return
        settings = AgentSettings()
        if os.environ.get("AUTONOE_PROFILE_S3") == "off":
            settings = settings.model_copy(update={"s3_keys": False})
        runtime = settings.agent_dir or Path(jupyter_runtime_dir())
        state_dir = runtime / f"autonoe-{os.getpid()}"
        self.agent = CredentialAgent(settings, state_dir, home=Path.home())
        self.agent.start()
        self.log.info("Autonoe: the credential agent listens on %s", self.agent.url)

    def stop(self) -> None:
        """Stop the agent; calling it twice does nothing."""
        agent, self.agent = self.agent, None
        if agent is not None:
            agent.stop()

    def environment(self) -> dict[str, str]:
        """Return the variables of a new kernel or terminal; none without a platform."""
        return self.agent.environment() if self.agent is not None else {}

    def status(self) -> dict[str, Any]:
        """Return what ``GET /autonoe/status`` answers; holds no secret."""
        if self.agent is None:
            outside = NotFoundError(
                "This server belongs to no platform.", hint="Start it from the platform's link."
            )
            found: dict[str, Any] = {
                "platform": False,
                "credentials": problem_view(outside),
                "agent": None,
            }
        else:
            state = self.agent.status()
            found = {"platform": True, "credentials": credentials_view(state), "agent": state}
        return {**found, "home": _home(Path.home())}


def _home(folder: Path) -> dict[str, Any] | None:
    """Return how full the home is; None where that cannot be told."""
    try:
        return home_disk.measure(folder).as_dict()
    except OSError:
        return None


def find_manager(configurable: Any) -> PlatformManager | None:
    """Return the manager of the server that ``configurable`` belongs to, or None.

    Kernels and terminals are made by Jupyter's own managers; the chain of their parents ends at
    the server, whose settings hold ours.
    """
    while configurable is not None:
        web_app = getattr(configurable, "web_app", None)
        if web_app is not None:
            manager = web_app.settings.get("autonoe_manager")
            return manager if isinstance(manager, PlatformManager) else None
        configurable = getattr(configurable, "parent", None)
    return None
