"""Addresses of deployments: ``/services/<name>/`` of the platform, sent to a port of loopback.

JupyterHub calls such a thing a service without a process. It is made and removed while the hub runs
(``POST`` and ``DELETE /hub/api/services/NAME``, scope ``admin:services``) and kept in the hub's
database, so a restarted hub knows it; the proxy's own file of routes bridges the time between. The
hub sends its routes to the proxy once a minute; ``POST /hub/api/proxy`` makes it do so now.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from typing import Any

import urllib3

from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import ConflictError, InvalidInputError, UnavailableError

_NAME = re.compile(r"(?!autonoe-)[a-z0-9]+(?:[.-]{1,2}[a-z0-9]+)*")
_MAX_NAME = 120
_TARGET = re.compile(r"http://127\.0\.0\.1:\d{1,5}")
_RESERVED = "autonoe-"
_TIMEOUT_S = 10
_CREATED, _CONFLICT, _NOT_FOUND = 201, 409, 404


def public_path(name: str) -> str:
    """Return the path below which the deployment ``name`` answers, such as ``/services/nace/``.

    The path is not cut off on its way: the deployment sees it whole.
    """
    return f"/services/{name}/"


def add_route(layout: Layout, name: str, url: str) -> str:
    """Send ``/services/<name>/`` to ``url`` and return the public address.

    Adding a route that is there changes nothing; one that leads elsewhere is replaced.

    Parameters
    ----------
    layout : Layout
        Data folder of the running platform; the caller must be able to read its secrets.
    name : str
        Lower-case letters, digits, hyphens and dots; not starting with ``autonoe-``.
    url : str
        ``http://127.0.0.1:PORT``.

    Raises
    ------
    InvalidInputError
        If the name or the address is not of that form.
    ConflictError
        If the hub refuses it (the name is one of its own services').
    UnavailableError
        If the hub does not answer.
    """
    _check(name, url)
    known = _call(layout, "GET", f"services/{name}")
    if known is not None and str(known.get("url", "")).rstrip("/") == url:
        return PlatformFile.load(layout).public_url + public_path(name)
    if known is not None:
        _call(layout, "DELETE", f"services/{name}")
    # JupyterHub makes an OAuth client for each service with an address, with the token as its
    # secret. This one is for nobody: without it, the secret would be the empty string.
    spec = {"url": url, "display": False, "api_token": secrets.token_hex(32)}
    _call(layout, "POST", f"services/{name}", spec)
    _call(layout, "POST", "proxy")
    return PlatformFile.load(layout).public_url + public_path(name)


def remove_route(layout: Layout, name: str) -> bool:
    """Remove the route of ``name`` and return whether there was one.

    Raises
    ------
    UnavailableError
        If the hub does not answer.
    """
    there = _call(layout, "DELETE", f"services/{name}") is not None
    if there:
        _call(layout, "POST", "proxy")
    return there


def list_routes(layout: Layout) -> dict[str, str]:
    """Return the deployments' names and where each leads.

    Raises
    ------
    UnavailableError
        If the hub does not answer.
    """
    services = _call(layout, "GET", "services") or {}
    return {
        name: str(service["url"]).rstrip("/")
        for name, service in services.items()
        if service.get("url") and not name.startswith(_RESERVED)
    }


def _check(name: str, url: str) -> None:
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name) or ".." in name:
        raise InvalidInputError(
            f"{name!r} cannot be the name of a deployment.",
            hint="Use lower-case letters, digits, hyphens and dots; not autonoe- at the start.",
        )
    if not _TARGET.fullmatch(url):
        raise InvalidInputError(f"A deployment listens on http://127.0.0.1:PORT, not on {url!r}.")


def _call(
    layout: Layout, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Call the hub's API; None means that there is no such service."""
    address = f"{PlatformFile.load(layout).hub_api_url}/{path}"
    token = layout.secret("hub-supervisor-token").read_text(encoding="utf-8").strip()
    try:
        answer = urllib3.request(
            method,
            address,
            headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
            body=json.dumps(body) if body is not None else None,
            timeout=_TIMEOUT_S,
            retries=False,
            redirect=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(
            "The hub does not answer, so the deployment's address cannot be changed.",
            hint="`autonoe status` tells how it is; try again once it runs.",
        ) from error
    if answer.status == _NOT_FOUND:
        return None
    if answer.status >= 500:
        raise UnavailableError(f"The hub failed to {method} the {path}.", hint="See the hub's log.")
    if answer.status >= 400:
        raise ConflictError(
            f"The hub refused to {method} the {path} ({answer.status}).",
            hint="Choose another name for the deployment.",
        )
    document = json.loads(answer.data) if answer.data else {}
    return document if isinstance(document, dict) else {}


class HubRoutes:
    """The same for an event loop: what :class:`autonoe.embedded.deployments.Deployments` takes."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def add(self, name: str, target: str) -> None:
        """Let ``/services/<name>/`` lead to ``target``; see :func:`add_route`."""
        await asyncio.to_thread(add_route, self._layout, name, target)

    async def remove(self, name: str) -> None:
        """Take the route away; a missing one is no error."""
        await asyncio.to_thread(remove_route, self._layout, name)
