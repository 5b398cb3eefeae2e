"""Deployments on the embedded platform: a client of its supervisor's control socket."""

from __future__ import annotations

import builtins
import os
from dataclasses import asdict
from pathlib import Path

from autonoe.backends.base import Deployment, DeploymentRequest
from autonoe.backends.keys import DeploymentKey, KeyRequest
from autonoe.embedded import control
from autonoe.embedded.layout import Layout, default_data_dir
from autonoe.errors import AutonoeError, NotFoundError, UnavailableError
from autonoe.waiting import wait_until


class LocalBackend:
    """Asks the supervisor, which knows the caller by the UID of the socket's other end.

    Parameters
    ----------
    socket : Path
        The platform's control socket.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    def deploy(
        self, request: DeploymentRequest, *, rotate_key: bool = False, wait_s: float = 120
    ) -> Deployment:
        """Start or change a deployment.

        Parameters
        ----------
        request : DeploymentRequest
            An existing deployment of that name takes its settings.
        rotate_key : bool
            Replace the API key of an existing deployment.
        wait_s : float
            Seconds to wait until it answers; 0 does not wait.

        Returns
        -------
        Deployment
            With ``api_key`` when one was made, which cannot be shown again.

        Raises
        ------
        AutonoeError
            ``deployment_failed`` when it is not ready in time, with its last words; or what the
            supervisor refused.
        """
        answer = control.call(self.socket, "deploy", **request.to_dict(), rotate_key=rotate_key)
        made = Deployment.from_dict(answer)
        if wait_s <= 0:
            return made
        last = made

        def ready() -> bool:
            nonlocal last
            last = self.get(request.name)
            return last.state == "ready"

        try:
            wait_until(ready, timeout_s=wait_s, what=f"the deployment {request.name}")
        except UnavailableError as error:
            raise AutonoeError(
                f"The deployment {request.name} is not ready after {wait_s:g} s. {last.detail}",
                hint="`autonoe deploy list` shows its state; it goes on trying.",
                code="deployment_failed",
            ) from error
        return Deployment.from_dict({**last.to_dict(), "api_key": made.api_key})

    def get(self, name: str) -> Deployment:
        """Return one deployment of the account.

        Raises
        ------
        NotFoundError
            If the account has none of that name.
        """
        for deployment in self.list():
            if deployment.name == name:
                return deployment
        raise NotFoundError(f"There is no deployment {name}.", hint="autonoe deploy list")

    def undeploy(self, name: str) -> None:
        """End a deployment and forget its key; its logs stay."""
        control.call(self.socket, "undeploy", name=name)

    def list(self) -> builtins.list[Deployment]:
        """Return the account's deployments by name."""
        return [Deployment.from_dict(row) for row in control.call(self.socket, "deployments")]

    def keys(self, name: str) -> builtins.list[DeploymentKey]:
        """Return who may call a deployment, the oldest key first.

        Raises
        ------
        NotFoundError
            If the account has none of that name.
        """
        rows = control.call(self.socket, "deployment_keys", name=name)
        return [DeploymentKey(**row) for row in rows]

    def add_key(self, name: str, wanted: KeyRequest) -> DeploymentKey:
        """Let one more key call a deployment, which takes it within a second.

        Raises
        ------
        NotFoundError
            If the account has none of that name.
        ConflictError
            If the deployment has as many keys as it may.
        """
        row = control.call(self.socket, "add_deployment_key", name=name, **asdict(wanted))
        return DeploymentKey(**row)

    def revoke_key(self, name: str, key_id: str) -> None:
        """Take a key away; it is refused within a second.

        Raises
        ------
        NotFoundError
            If the account has no such deployment, or that no such key.
        """
        control.call(self.socket, "revoke_deployment_key", name=name, key_id=key_id)


def backend() -> LocalBackend:
    """Return the backend of the platform that this process belongs to."""
    given = os.environ.get("AUTONOE_CONTROL_SOCKET")
    return LocalBackend(Path(given) if given else Layout(default_data_dir()).control_socket)
