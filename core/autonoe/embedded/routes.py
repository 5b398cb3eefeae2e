"""Addresses of deployments: ``/services/<name>/`` of the platform, sent to a port of loopback.

JupyterHub calls such a thing a service without a process. It is made and removed while the hub runs
(``POST`` and ``DELETE /hub/api/services/NAME``, scope ``admin:services``) and kept in the hub's
database, so a restarted hub knows it; the proxy's own file of routes bridges the time between. The
hub sends its routes to the proxy once a minute; ``POST /hub/api/proxy`` makes it do so now.
"""

from __future__ import annotations

import re
import secrets

from autonoe.embedded import hub_api
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import InvalidInputError

_NAME = re.compile(r"(?!autonoe-[a-z]*$)[a-z0-9]+(?:[.-]{1,2}[a-z0-9]+)*")
_MAX_NAME = 120
_TARGET = re.compile(r"http://127\.0\.0\.1:\d{1,5}")


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
        Lower-case letters, digits, hyphens and dots; not one of the platform's own.
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
    known = hub_api.call(layout, "GET", f"services/{name}")
    if known is not None and str(known.get("url", "")).rstrip("/") == url:
        return PlatformFile.load(layout).public_url + public_path(name)
    if known is not None:
        hub_api.call(layout, "DELETE", f"services/{name}")
    # JupyterHub makes an OAuth client for each service with an address, with the token as its
    # secret. This one is for nobody: without it, the secret would be the empty string.
    spec = {"url": url, "display": False, "api_token": secrets.token_hex(32)}
    hub_api.call(layout, "POST", f"services/{name}", spec)
    hub_api.call(layout, "POST", "proxy")
    return PlatformFile.load(layout).public_url + public_path(name)


def remove_route(layout: Layout, name: str) -> bool:
    """Remove the route of ``name`` and return whether there was one.

    Raises
    ------
    UnavailableError
        If the hub does not answer.
    """
    there = hub_api.call(layout, "DELETE", f"services/{name}") is not None
    if there:
        hub_api.call(layout, "POST", "proxy")
    return there


def list_routes(layout: Layout) -> dict[str, str]:
    """Return the deployments' names and where each leads.

    Raises
    ------
    UnavailableError
        If the hub does not answer.
    """
    services = hub_api.call(layout, "GET", "services") or {}
    return {
        name: str(service["url"]).rstrip("/")
        for name, service in services.items()
        if service.get("url")
    }


def _check(name: str, url: str) -> None:
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name) or ".." in name:
        raise InvalidInputError(
            f"{name!r} cannot be the name of a deployment.",
            hint="Use lower-case letters, digits, hyphens and dots.",
        )
    if not _TARGET.fullmatch(url):
        raise InvalidInputError(f"A deployment listens on http://127.0.0.1:PORT, not on {url!r}.")
