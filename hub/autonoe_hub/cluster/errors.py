"""A start that failed, in words for the person who waits for it."""

from __future__ import annotations

from autonoe.errors import AutonoeError


class SpawnError(AutonoeError):
    """A server cannot start; JupyterHub shows the message on the page and in its REST answers.

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

    @property
    def jupyterhub_message(self) -> str:
        """What JupyterHub shows."""
        return f"{self.message} {self.hint}".strip()

    @classmethod
    def of(cls, error: AutonoeError) -> SpawnError:
        """Return ``error`` as one that JupyterHub shows."""
        return cls(error.message, hint=error.hint, code=error.code)
