"""Where prediction logs lie: on the machine that serves, and in the object store."""

from __future__ import annotations

import os

from autonoe.errors import InvalidInputError
from autonoe.names import user_bucket


def logs_uri(*, account: str | None = None) -> str:
    """Return ``s3://user-<slug>/nace/logs``, below which each deployment has its own folder.

    Raises
    ------
    InvalidInputError
        If no account is given and the environment names none.
    """
    known = account or os.environ.get("AUTONOE_ACCOUNT") or os.environ.get("JUPYTERHUB_USER")
    if not known:
        raise InvalidInputError(
            "Whose logs? No account is known here.", hint="Give the account's name, or the address."
        )
    return f"s3://{user_bucket(known)}/nace/logs"


def deployment_uri(deployment: str, *, account: str | None = None) -> str:
    """Return where the predictions of one deployment go, for the ETL and for its dashboard."""
    return f"{logs_uri(account=account)}/service={deployment}"
