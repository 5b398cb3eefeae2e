"""The secrets that the platform generated for itself: their names, and reading them."""

from __future__ import annotations

import json

from autonoe.embedded.layout import Layout

SEAL_KEY = "openbao-seal.key"
PLATFORM_SECRET_ID = "hub-approle-secret-id"  # noqa: S105  a file's name
S3_ADMIN = "s3-admin.json"
S3_MLFLOW = "s3-mlflow.json"
STS_SIGNING_KEY = "sts-signing-key"
WEED_JWT_KEYS = "weed-jwt.json"
MLFLOW_ADMIN = "mlflow-admin.json"
MLFLOW_FLASK = "mlflow-flask-secret"
HUB_SUPERVISOR_TOKEN = "hub-supervisor-token"  # noqa: S105  a file's name
HUB_COOKIE = "hub-cookie-secret"
HUB_CRYPT_KEY = "hub-crypt-key"
TRAEFIK_API = "hub-proxy-token"


def read(layout: Layout, name: str) -> str:
    """Return the text of the secret ``name``."""
    return layout.secret(name).read_text(encoding="utf-8").strip()


def read_document(layout: Layout, name: str) -> dict[str, str]:
    """Return the JSON object that the secret ``name`` holds."""
    document = json.loads(layout.secret(name).read_text(encoding="utf-8"))
    assert isinstance(document, dict)  # noqa: S101  we wrote it, whole or not at all
    return document
