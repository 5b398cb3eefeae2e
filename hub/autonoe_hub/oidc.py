"""Login through an OpenID Connect provider: where its endpoints are, and what the hub is told."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import urllib3

from autonoe.embedded.files import read_json, write_json
from autonoe.errors import AutonoeError, UnavailableError
from autonoe_hub.settings import OidcSettings

log = logging.getLogger(__name__)

_TIMEOUT_S = 5
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


def discover(issuer: str, *, cache: Path | None = None) -> dict[str, str]:
    """Return the provider's endpoints from its ``.well-known/openid-configuration``.

    Parameters
    ----------
    issuer : str
        URL that the document must state as its issuer.
    cache : Path, optional
        Where the last good answer is kept; used when the provider does not answer.

    Raises
    ------
    AutonoeError
        ``oidc_discovery`` if the document is not that issuer's or lacks an endpoint.
    UnavailableError
        If the provider does not answer and nothing is cached.
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        answer = urllib3.request("GET", url, timeout=_TIMEOUT_S, retries=False, redirect=False)
        if answer.status != 200:
            raise urllib3.exceptions.HTTPError(f"status {answer.status}")
        document = json.loads(answer.data)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        known = read_json(cache) if cache else None
        if isinstance(known, dict) and known.get("issuer") == issuer:
            log.warning("The OIDC provider does not answer; using what it said last time")
            return known
        raise UnavailableError(
            f"The OIDC provider's {url} does not answer: {error}",
            hint="Check issuer_url, then restart the hub. One-time links work meanwhile.",
        ) from error
    stated = str(document.get("issuer", "")) if isinstance(document, dict) else ""
    if stated.rstrip("/") != issuer.rstrip("/"):
        raise AutonoeError(
            f"{url} is of another issuer: {stated!r}.",
            hint="Set issuer_url to exactly what the provider states.",
            code="oidc_discovery",
        )
    missing = [name for name in _ENDPOINTS if not document.get(name)]
    if missing:
        raise AutonoeError(f"{url} names no {', '.join(missing)}.", code="oidc_discovery")
    found = {"issuer": issuer, **{name: str(document[name]) for name in _ENDPOINTS}}
    if cache is not None:
        write_json(cache, found)
    return found


def configure(
    c: Any, settings: OidcSettings, *, callback_url: str = "", cache: Path | None = None
) -> None:
    """Tell GenericOAuthenticator, or ours on top of it, about the provider.

    Parameters
    ----------
    c : traitlets.config.Config
        The hub's configuration.
    settings : OidcSettings
        The provider and who may log in.
    callback_url : str
        Where the provider sends people back to, unless the settings say.
    cache : Path, optional
        See :func:`discover`.
    """
    endpoints = discover(str(settings.issuer_url).rstrip("/"), cache=cache)
    if "authenticator_class" not in c.JupyterHub:
        c.JupyterHub.authenticator_class = "generic-oauth"
    g = c.GenericOAuthenticator
    g.client_id = settings.client_id
    g.client_secret = settings.client_secret.get_secret_value()
    g.authorize_url = endpoints["authorization_endpoint"]
    g.token_url = endpoints["token_endpoint"]
    g.userdata_url = endpoints["userinfo_endpoint"]
    if callback := (str(settings.callback_url) if settings.callback_url else callback_url):
        g.oauth_callback_url = callback
    g.login_service = settings.login_service
    g.scope = list(settings.scopes)
    g.username_claim = settings.username_claim
    g.manage_groups = True
    g.auth_state_groups_key = f"oauth_user.{settings.groups_claim}"
    g.enable_pkce = True
    g.enable_auth_state = False
    g.allow_all = False
    # True would let everyone in for good who was once let in.
    g.allow_existing_users = False
    g.allowed_groups = set(settings.allowed_groups)
    g.allowed_users = set(settings.allowed_users)
