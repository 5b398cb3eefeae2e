"""Users of the MLflow tracking server's basic-auth app, through its REST API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import urllib3

from autonoe.errors import AutonoeError, ConflictError, UnavailableError


class MlflowUsers:
    """The tracking server as its administrator sees it.

    Parameters
    ----------
    url : str
        Address of the tracking server.
    admin : dict
        ``username`` and ``password`` of the administrator.
    timeout_s : float, optional
        Limit of each call, in seconds.
    """

    def __init__(self, url: str, admin: dict[str, str], *, timeout_s: float = 10) -> None:
        self._url = url
        self._admin_name = admin["username"]
        credentials = f"{admin['username']}:{admin['password']}"
        self._headers = urllib3.make_headers(basic_auth=credentials)
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=min(2, timeout_s), read=timeout_s)
        )

    def exists(self, name: str) -> bool:
        """Tell whether the user ``name`` is known."""
        return self._call("GET", f"users/get?{urlencode({'username': name})}", None) is not None

    def set_password(self, name: str, password: str) -> None:
        """Make the user ``name`` with this password (12 characters or more), or change it.

        Raises
        ------
        ConflictError
            If ``name`` is the administrator's own: its account would rule the server.
        """
        if name == self._admin_name:
            raise ConflictError(
                f"The name {name!r} is the platform's own.", hint="Choose another name."
            )
        body = {"username": name, "password": password}
        if self.exists(name):
            self._call("PATCH", "users/update-password", body)
        else:
            self._call("POST", "users/create", body)

    def delete(self, name: str) -> None:
        """Delete the user ``name``; a missing one is no error."""
        self._call("DELETE", "users/delete", {"username": name})

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> bytes | None:
        try:
            answer = self._http.request(
                method,
                f"{self._url}/api/2.0/mlflow/{path}",
                body=None if body is None else json.dumps(body).encode(),
                headers={**self._headers, "Content-Type": "application/json"},
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(
                f"MLflow at {self._url} does not answer ({type(error).__name__}).",
                hint="Is it running? `autonoe status` shows it.",
            ) from error
        if answer.status == 404:
            return None
        if answer.status >= 500:
            raise UnavailableError(f"MLflow cannot serve its users now (status {answer.status}).")
        if answer.status >= 300:
            # The body quotes the request, which holds a password.
            raise AutonoeError(
                f"MLflow refused to change its users (status {answer.status}).",
                code="mlflow_error",
                hint="Is the administrator's password the one in the platform's secrets?",
            )
        return bytes(answer.data)
