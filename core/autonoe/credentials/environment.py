"""The variables of a kernel: what standard clients, and Onyxia's images, look for.

No static ``AWS_ACCESS_KEY_ID`` is ever among them: it would win over the keys that renew
themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from autonoe.credentials.settings import AgentSettings

STATIC_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Variables that must not reach a kernel, since they beat the credential endpoint."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def kernel_environment(
    settings: AgentSettings, *, agent_url: str, token: str, files: Mapping[str, Path]
) -> dict[str, str]:
    """Return the variables that lead a kernel's clients to the agent and the platform.

    Parameters
    ----------
    settings : AgentSettings
        The account and the addresses.
    agent_url : str
        Address of the agent, without a trailing slash.
    token : str
        The agent's pass. It opens nothing but this agent.
    files : mapping
        ``token`` (the pass as a file), ``git`` and, unless the person has their own, ``aws``.
    """
    s3 = settings.s3_url
    variables = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent_url}/credentials",
        # The file form is the one that every SDK reads.
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(files["token"]),
        "AWS_ENDPOINT_URL": s3,
        "AWS_REGION": settings.s3_region,
        "AWS_DEFAULT_REGION": settings.s3_region,
        "AWS_PATH_STYLE_ACCESS": "true" if settings.s3_addressing == "path" else "false",
        "AWS_ALLOW_HTTP": "true",  # object_store, under polars and delta-rs
        "AWS_EC2_METADATA_DISABLED": "true",  # boto3 and the C++ SDK
        # object_store knows no such switch: a closed port of loopback answers it at once.
        "AWS_METADATA_ENDPOINT": "http://127.0.0.1:9",
        "AWS_S3_ENDPOINT": urlsplit(s3).netloc,
        "S3_ENDPOINT": f"{s3}/",
        "AWS_BUCKET_NAME": settings.bucket,
        "AWS_WORKING_DIRECTORY_PATH": f"{settings.bucket}/",
        "VAULT_ADDR": agent_url,
        "VAULT_TOKEN": token,
        "VAULT_MOUNT": "kv",
        "VAULT_TOP_DIR": settings.secrets_path,
        "VAULT_RELATIVE_PATH": "",
        "BAO_ADDR": agent_url,
        "BAO_TOKEN": token,
        "GIT_USER_NAME": settings.account,
        "GIT_USER_MAIL": mail(settings),
        # The lowest of Git's levels: a person's own ~/.gitconfig and repositories win over it.
        "GIT_CONFIG_SYSTEM": str(files["git"]),
        "AUTONOE_AGENT_URL": agent_url,
    }
    if "aws" in files:
        variables["AWS_CONFIG_FILE"] = str(files["aws"])
    if settings.mlflow_url:
        variables |= {
            "MLFLOW_TRACKING_URI": f"{agent_url}/mlflow",
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_S3_ENDPOINT_URL": s3,
        }
    return variables


def without_proxy(current: Mapping[str, str]) -> dict[str, str]:
    """Return ``NO_PROXY``, in both spellings, with loopback added to what is set already."""
    listed = current.get("NO_PROXY") or current.get("no_proxy") or ""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    names += [name for name in _LOOPBACK if name not in names]
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(names))


def mail(settings: AgentSettings) -> str:
    """Return the address for the Git identity."""
    return settings.account_mail or f"{settings.slug}@localhost"


def aws_config(settings: AgentSettings) -> str:
    """Return an AWS configuration file; it holds no secret."""
    return (
        "# Written by Autonoe at each start of the server.\n"
        "[default]\n"
        f"region = {settings.s3_region}\n"
        f"endpoint_url = {settings.s3_url}\n"
        "s3 =\n"
        f"    addressing_style = {settings.s3_addressing}\n"
        "    signature_version = s3v4\n"
    )


def git_config(settings: AgentSettings) -> str:
    """Return a Git configuration file with the person's identity, on top of the system's own."""
    return (
        "# Written by Autonoe at each start of the server.\n"
        "[include]\n\tpath = /etc/gitconfig\n"
        f"[user]\n\tname = {_quoted(settings.account)}\n\temail = {_quoted(mail(settings))}\n"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
