"""Settings of the hub, read once at its start."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from autonoe.embedded.layout import Layout
from autonoe.errors import InvalidInputError


class HubSettings(BaseSettings):
    """How the hub behaves; the variable of a field is ``AUTONOE_HUB_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="AUTONOE_HUB_", frozen=True)

    idle_timeout_s: int = Field(default=7 * 86_400, ge=0)
    """A server without any activity for this long is stopped, in seconds; 0 never stops one."""

    start_timeout_s: int = Field(default=60, ge=5, le=3600)
    """How long a server may take to answer before its start counts as failed, in seconds."""

    provision_timeout_s: float = Field(default=1.5, gt=0, le=60)
    """How long a start waits for buckets, secrets and the proof to be checked, in seconds.

    Past it the server starts with the proof that is there, and the check goes on behind it.
    """


class OidcSettings(BaseSettings):
    """Login by OpenID Connect: ``AUTONOE_OIDC_*`` variables, or ``<data>/oidc.json`` (0600)."""

    model_config = SettingsConfigDict(env_prefix="AUTONOE_OIDC_", frozen=True, extra="forbid")

    issuer_url: AnyHttpUrl
    """Its ``.well-known/openid-configuration`` names the endpoints, and this as the issuer."""

    client_id: str = Field(min_length=1)
    """Name under which the provider knows this platform."""

    client_secret: SecretStr
    """Password under which the provider knows this platform."""

    allowed_groups: frozenset[str] = frozenset()
    """Members of one of these may log in. With no group and no user allowed, nobody may."""

    allowed_users: frozenset[str] = frozenset()
    """Names that may log in whatever their groups."""

    username_claim: str = "preferred_username"
    """Claim that becomes the account's name."""

    groups_claim: str = "groups"
    """Claim that lists the person's groups."""

    scopes: tuple[str, ...] = ("openid", "profile", "groups")
    """Scopes to ask the provider for."""

    login_service: str = "your organisation's account"
    """Completes "Sign in with …" on the login page."""

    callback_url: AnyHttpUrl | None = None
    """Where the provider sends people back to; default ``<public URL>/hub/oauth_callback``."""


def read_oidc(layout: Layout | None) -> OidcSettings | None:
    """Return the OIDC settings, or None when none are given.

    Raises
    ------
    InvalidInputError
        If they are given and cannot be used; the message never repeats a value.
    """
    given: dict[str, object] = {}
    source = "AUTONOE_OIDC_*"
    file = layout.root / "oidc.json" if layout else None
    if file is not None and file.exists():
        source = file.name
        given = _read_file(file)
    try:
        return OidcSettings(**given)  # type: ignore[arg-type]  # pydantic checks each value
    except ValidationError as error:
        problems = {str(e["loc"][0]) if e["loc"] else "?": e["type"] for e in error.errors()}
        if not given and set(problems.values()) == {"missing"} and len(problems) == 3:
            return None
        raise InvalidInputError(
            f"The OIDC settings ({source}) cannot be used: "
            + ", ".join(f"{field} ({kind})" for field, kind in sorted(problems.items())),
            hint="See the guide on accounts for the fields and their meaning.",
        ) from None


def _read_file(file: Path) -> dict[str, object]:
    if file.stat().st_mode & 0o077:
        raise InvalidInputError(
            f"{file.name} holds a client secret and others can read it.",
            hint=f"chmod 600 {file}",
        )
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError(
            f"{file.name} is not JSON.", hint="See the guide on accounts for an example."
        ) from error
    if not isinstance(given, dict):
        raise InvalidInputError(f"{file.name} must hold one JSON object.")
    return given
