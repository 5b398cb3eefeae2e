"""Credentials for a script or a command line: an agent beside it, for as long as it runs."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.environment import STATIC_KEYS
from autonoe.credentials.settings import AgentSettings


@contextlib.contextmanager
def session(
    settings: AgentSettings | None = None, *, home: Path | None = None
) -> Iterator[CredentialAgent | None]:
    """Run an agent, and have its variables in ``os.environ``, until the block ends.

    Inside a kernel or a terminal of a server there is an agent already: then this does nothing.

    Parameters
    ----------
    settings : AgentSettings, optional
        The account; default from the ``AUTONOE_*`` variables.
    home : Path, optional
        See :class:`CredentialAgent`.

    Yields
    ------
    CredentialAgent or None
        None when the variables were set already.
    """
    if os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        yield None
        return
    chosen = settings or AgentSettings()
    before = dict(os.environ)
    with (
        tempfile.TemporaryDirectory(prefix="autonoe-agent-") as folder,
        CredentialAgent(chosen, Path(folder), home=home) as agent,
    ):
        for name in STATIC_KEYS:
            os.environ.pop(name, None)
        os.environ.update(agent.environment())
        try:
            yield agent
        finally:
            os.environ.clear()
            os.environ.update(before)
