"""Makes the secrets that the platform generates for itself, each a file 0600, each made once."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable

from autonoe.embedded import generated
from autonoe.embedded.certificates import write_internal_tls
from autonoe.embedded.files import write_atomic
from autonoe.embedded.layout import Layout


def _token() -> str:
    return secrets.token_urlsafe(32)


def _s3_keys() -> str:
    return json.dumps(
        {"access_key": f"autonoe{secrets.token_hex(8)}", "secret_key": secrets.token_urlsafe(32)}
    )


def _jwt_keys() -> str:
    names = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
    return json.dumps({f"WEED_JWT_{name}_KEY": secrets.token_hex(32) for name in names})


def _admin() -> str:
    return json.dumps({"username": "autonoe-platform", "password": _token()})


_MAKERS: dict[str, Callable[[], str | bytes]] = {
    generated.SEAL_KEY: lambda: secrets.token_bytes(32),
    generated.PLATFORM_SECRET_ID: _token,
    generated.S3_ADMIN: _s3_keys,
    generated.S3_MLFLOW: _s3_keys,
    generated.STS_SIGNING_KEY: lambda: base64.b64encode(secrets.token_bytes(32)),
    generated.WEED_JWT_KEYS: _jwt_keys,
    generated.MLFLOW_ADMIN: _admin,
    generated.MLFLOW_FLASK: _token,
    generated.HUB_SUPERVISOR_TOKEN: lambda: secrets.token_hex(32),
    generated.HUB_COOKIE: lambda: secrets.token_hex(32),
    generated.HUB_CRYPT_KEY: lambda: secrets.token_hex(32),
    generated.TRAEFIK_API: lambda: secrets.token_hex(32),
}


def ensure(layout: Layout) -> None:
    """Make the secrets that are missing; those that exist stay as they are.

    Each is written to the end or not at all, so a run that was cut off is continued by the next.
    """
    for name, make in _MAKERS.items():
        path = layout.secret(name)
        if not path.exists():
            write_atomic(path, make())
        elif path.stat().st_mode & 0o077:
            path.chmod(0o600)
    write_internal_tls(layout.secret("tls"))
