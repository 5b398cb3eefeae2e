"""A start that failed, in words for the person who waits for it."""

from __future__ import annotations

from jupyterhub.spawner import SpawnException

from autonoe.errors import AutonoeError


class SpawnError(AutonoeError):
    """A server cannot start.

    Parameters
    ----------
    message, hint, code
        As for every :class:`AutonoeError`.
    technical : str, optional
        What Kubernetes itself said, for the log only.
    """

    code = "spawn_failed"

    def __init__(
        self, message: str, *, hint: str = "", code: str | None = None, technical: str = ""
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.technical = technical


def shown(error: AutonoeError, status: int) -> SpawnException:
    """Return ``error`` as JupyterHub takes it: told to the person, one line in the log."""
    message = " ".join(filter(None, (error.message, error.hint)))
    return SpawnException(message, reason=error.code, status_code=status)
