"""The identities, roles and policies of the SeaweedFS S3 server and its STS.

A session's rights come from the claims of a signed identity token: ``groups`` selects policies,
``preferred_username`` fills in the person's bucket. ``${aws:username}`` must never appear: it is
the session name, which the caller chooses.
"""

from __future__ import annotations

from typing import Any

from autonoe.identity.openbao_requests import ACCOUNT_GROUP_CLAIM, S3_AUDIENCE, USERS_GROUP
from autonoe.names import PUBLIC_BUCKET

CLAIM_ROLE_ARN = "arn:aws:iam:::role/sts-claim-based"
"""The role that takes its policies from the token's claim instead of from a fixed list."""

MIN_SESSION_S = 900
"""Seconds; the STS grants no shorter session."""

MAX_SESSION_S = 43_200
"""Seconds; the STS grants no longer session."""

_READ_BUCKET = [
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
]
_WRITE_BUCKET = [*_READ_BUCKET, "s3:ListBucketMultipartUploads"]
_READ_OBJECTS = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"]
_WRITE_OBJECTS = [
    *_READ_OBJECTS,
    "s3:GetObjectAttributes",
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:DeleteObjectTagging",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]


_GRPC_PEERS = ["VOLUME", "MASTER", "FILER", "S3", "CLIENT", "ADMIN", "WORKER", "MQ", "MSG_BROKER"]


def certificate_variables(folder: str) -> dict[str, str]:
    """Return the variables with which every gRPC port asks for a certificate, and shows its own.

    Parameters
    ----------
    folder : str
        Holds ``ca.crt``, ``node.crt`` and ``node.key``.
    """
    variables = {"WEED_GRPC_CA": f"{folder}/ca.crt"}
    for peer in _GRPC_PEERS:
        variables[f"WEED_GRPC_{peer}_CERT"] = f"{folder}/node.crt"
        variables[f"WEED_GRPC_{peer}_KEY"] = f"{folder}/node.key"
    return variables


def iam_config(*, issuer: str, sts_signing_key: str) -> dict[str, Any]:
    """Return the document of ``-s3.iam.config``.

    Parameters
    ----------
    issuer : str
        Issuer of the identity tokens (``OpenBaoServer.issuer``).
    sts_signing_key : str
        Base64 of at least 32 random bytes, kept across restarts: with a new one, every session
        would end, and some SDKs do not fetch again on a refusal.

    Returns
    -------
    dict
        JSON-serialisable. It holds the signing key: write it 0600.
    """
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": f"{MAX_SESSION_S}s",
            "issuer": "autonoe-sts",
            "signingKey": sts_signing_key,
        },
        "policy": {"defaultEffect": "Deny"},
        "providers": [
            {
                "name": "openbao",
                "type": "oidc",
                "enabled": True,
                "config": {
                    "issuer": issuer,
                    "clientId": S3_AUDIENCE,
                    "policyClaim": ACCOUNT_GROUP_CLAIM,
                },
            }
        ],
        "roles": [],
        "policies": [{"name": USERS_GROUP, "document": user_policy()}],
    }


def s3_config(*, admin: dict[str, str], services: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return the document of ``-s3.config``: the identities with fixed keys.

    Parameters
    ----------
    admin : dict
        ``access_key`` and ``secret_key`` of the platform itself.
    services : dict
        Bucket name to the ``access_key`` and ``secret_key`` of the one service that may use it,
        such as ``{"mlflow": {...}}``.

    Returns
    -------
    dict
        JSON-serialisable. It holds secrets: write it 0600.
    """
    identities = [_identity("platform", admin, ["Admin", "Read", "Write", "List", "Tagging"])]
    for bucket, keys in services.items():
        actions = [f"{action}:{bucket}" for action in ("Read", "Write", "List", "Tagging")]
        identities.append(_identity(bucket, keys, actions))
    return {"identities": identities}


def _identity(name: str, keys: dict[str, str], actions: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "credentials": [{"accessKey": keys["access_key"], "secretKey": keys["secret_key"]}],
        "actions": actions,
    }


def user_policy() -> dict[str, Any]:
    """Return the policy of every account: its own bucket, and reading the public one."""
    own = "user-${jwt:preferred_username}"
    return _document(
        *_statements(own, _WRITE_BUCKET, _WRITE_OBJECTS),
        *_statements(PUBLIC_BUCKET, _READ_BUCKET, _READ_OBJECTS),
        {"Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": ["*"]},
    )


def project_policy(bucket: str) -> dict[str, Any]:
    """Return the policy of a project's members: reading and writing its bucket."""
    return _document(*_statements(bucket, _WRITE_BUCKET, _WRITE_OBJECTS))


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statements(
    bucket: str, bucket_actions: list[str], object_actions: list[str]
) -> list[dict[str, Any]]:
    arn = f"arn:aws:s3:::{bucket}"
    return [
        {"Effect": "Allow", "Action": bucket_actions, "Resource": [arn]},
        {"Effect": "Allow", "Action": object_actions, "Resource": [f"{arn}/*"]},
    ]
