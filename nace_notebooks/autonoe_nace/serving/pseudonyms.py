"""The key of pseudonyms where a server's own disk does not last: in the account's secrets."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

import hvac
from hvac.exceptions import InvalidPath, InvalidRequest, VaultError

from autonoe.errors import UnavailableError
from autonoe_nace.logs.writer import PSEUDONYM_KEY

_FIELD = "pseudonym_key"


def fetch_key(deployment: str, folder: Path) -> None:
    """Put the deployment's key into ``folder``, made now if it is the first time.

    One text has one pseudonym as long as the key is the same: in every pod, before and after a
    new version.

    Raises
    ------
    UnavailableError
        If the secrets store does not answer.
    """
    path = f"{os.environ.get('VAULT_TOP_DIR', '')}/pseudonyms/{deployment}"
    mount = os.environ.get("VAULT_MOUNT", "kv")
    try:
        store = hvac.Client(timeout=15).secrets.kv.v2
        with suppress(InvalidRequest):  # another pod, or an earlier one, made it
            store.create_or_update_secret(
                path, secret={_FIELD: secrets.token_hex(32)}, cas=0, mount_point=mount
            )
        answer = store.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
        key = bytes.fromhex(answer["data"]["data"][_FIELD])
    except (VaultError, InvalidPath, OSError, KeyError, ValueError) as error:
        raise UnavailableError(
            f"The key of pseudonyms cannot be read ({type(error).__name__}).",
            hint="autonoe credentials status shows whether the secrets store answers.",
        ) from error
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / PSEUDONYM_KEY
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key)
