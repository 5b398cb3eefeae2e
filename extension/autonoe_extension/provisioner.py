"""Gives every new kernel the agent's environment, whatever starts it: Lab, Notebook, Voilà."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from autonoe_extension.manager import find_manager


class AgentProvisioner(LocalProvisioner):
    """Starts a kernel as a process of this machine, with the account's variables.

    They are read again at each start and restart, so that a value marked since then is there.
    """

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Add the variables to ``kwargs["env"]``; an own value of the notebook's session stays."""
        manager = find_manager(self.parent)
        if manager is not None:
            added = await asyncio.to_thread(manager.environment)
            kwargs["env"] = {**kwargs.get("env", os.environ), **added}
        return await super().pre_launch(**kwargs)
