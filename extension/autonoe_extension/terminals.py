"""Gives every new terminal the agent's environment."""

from __future__ import annotations

from typing import Any

from jupyter_server_terminals.terminalmanager import TerminalManager

from autonoe_extension.manager import find_manager


class AgentTerminalManager(TerminalManager):
    """Opens terminals with the account's variables, read when each one opens."""

    def make_term_env(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        """Return the environment of a new terminal."""
        env: dict[str, str] = super().make_term_env(*args, **kwargs)
        manager = find_manager(self.parent)
        if manager is not None:
            env.update(manager.environment())
        return env
