"""A small client of OpenBao's HTTP API, with timeouts, for what the platform itself asks.

Not hvac: that goes through ``requests``, which obeys proxy variables, and a proxy cannot reach
the loopback address on which the embedded OpenBao listens.
"""

from __future__ import annotations

import json
from typing import Any

import urllib3

from autonoe.errors import AutonoeError, ForbiddenError, NotFoundError, UnavailableError


class OpenBaoClient:
    """Calls one OpenBao server.

    Parameters
    ----------
    url : str
        Address without a trailing slash.
    token : str, optional
        Token sent with each call.
    timeout_s : float, optional
        Limit of connecting and of waiting for each answer, in seconds.
    """

    def __init__(self, url: str, *, token: str = "", timeout_s: float = 5) -> None:
        self.url = url
        self.token = token
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=min(2, timeout_s), read=timeout_s)
        )

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON answer of ``/v1/{path}``, ``{}`` when it has none.

        Raises
        ------
        ForbiddenError, NotFoundError, UnavailableError, AutonoeError
            Without the server's text when that could quote what was sent.
        """
        headers = {"X-Vault-Request": "true"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        if self.token:
            headers["X-Vault-Token"] = self.token
        try:
            answer = self._http.request(
                method,
                f"{self.url}/v1/{path}",
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(
                f"OpenBao at {self.url} does not answer ({type(error).__name__}).",
                hint="Is it running? `autonoe status` shows it; this is tried again by itself.",
            ) from error
        if answer.status < 300:
            return json.loads(answer.data) if answer.data else {}
        raise _error(answer.status, f"{method} {path}")

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the ``data`` of ``path``, None when there is nothing."""
        try:
            data = self.call("GET", path).get("data")
        except NotFoundError:
            return None
        return data if isinstance(data, dict) else None

    def write(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create or replace ``path``, and return the ``data`` of the answer."""
        return self.call("POST", path, body).get("data") or {}

    def delete(self, path: str) -> None:
        """Delete ``path``; what is not there is no error."""
        try:
            self.call("DELETE", path)
        except NotFoundError:
            return

    def list(self, path: str) -> list[str]:
        """Return the names below ``path``, those of folders ending in ``/``."""
        try:
            data = self.call("LIST", path).get("data") or {}
        except NotFoundError:
            return []
        return [str(key) for key in data.get("keys") or ()]

    def login_approle(self, role_id: str, secret_id: str) -> dict[str, Any]:
        """Log in by AppRole, keep the token, and return the ``auth`` part of the answer.

        Raises
        ------
        ForbiddenError
            If the proof is not accepted.
        """
        return self._login("auth/approle/login", {"role_id": role_id, "secret_id": secret_id})

    def login_kubernetes(self, jwt: str, *, role: str, mount: str = "kubernetes") -> dict[str, Any]:
        """Log in by a pod's token, keep the token of OpenBao, and return the ``auth`` part.

        Parameters
        ----------
        jwt : str
            A service account token for OpenBao's audience.
        role, mount : str
            The role of the login, and the login's path below ``auth/``.

        Raises
        ------
        ForbiddenError
            If the proof is not accepted: the pod is gone, or the role is for other pods.
        """
        return self._login(f"auth/{mount}/login", {"jwt": jwt, "role": role})

    def _login(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.token = ""
        try:
            auth = self.call("POST", path, body)["auth"]
        except UnavailableError:
            raise
        except AutonoeError as error:
            raise ForbiddenError(
                "OpenBao does not accept the proof of identity.",
                hint="Was the account removed, or its proof replaced? Start the server anew.",
            ) from error
        self.token = auth["client_token"]
        return dict(auth)


def _error(status: int, what: str) -> AutonoeError:
    if status == 403:
        return ForbiddenError(
            f"OpenBao refuses {what}.", hint="The identity has no right to this path."
        )
    if status == 404:
        return NotFoundError(f"OpenBao has nothing for {what}.")
    if status in (429, 472, 473, 500, 502, 503):
        return UnavailableError(
            f"OpenBao cannot serve {what} now (status {status}).",
            hint="It may be sealed or starting: `autonoe doctor` tells.",
        )
    return AutonoeError(f"OpenBao answered {what} with status {status}.", code="openbao_error")
