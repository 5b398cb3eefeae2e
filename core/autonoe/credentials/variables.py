"""A person's own environment variables, kept as secrets and marked for it.

A secret below ``kv/users/SLUG/env/`` whose custom metadata holds ``autonoe.env=true`` gives each
of its keys to new kernels and terminals, as Onyxia does with a secret's keys. Names that decide
which code runs, or who the kernel is, are refused and reported.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from autonoe.errors import NotFoundError
from autonoe.identity.client import OpenBaoClient

MARK = "autonoe.env"
"""Key of the custom metadata; its value is ``true``."""
FOLDER = "env"
"""Folder below the account's secrets path."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MAX_SECRETS = 50
_MAX_VALUE = 32 * 1024
# What the loader, a shell or an interpreter runs or searches, and what the platform itself says.
_REFUSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|ENV|BASH_ENV|BASH_FUNC_.*|IFS|PS4|PROMPT_COMMAND|EDITOR|VISUAL"
    r"|PAGER|BROWSER|TMPDIR|NO_PROXY|(HTTPS?|ALL|FTP)_PROXY"
    r"|(LD|DYLD|PYTHON|IPYTHON|JUPYTER|JPY|AUTONOE|GLIBC|MALLOC|GCONV|NODE|PERL5?|RUBY|JAVA_TOOL)_?.*"
    r"|_JAVA_OPTIONS|GIT_(SSH|EXEC|CONFIG|ASKPASS|EDITOR|PAGER|EXTERNAL|TEMPLATE|PROXY).*|SSH_ASKPASS"
    r"|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|PROFILE|DEFAULT_PROFILE"
    r"|CONTAINER_.*|WEB_IDENTITY.*|ROLE_.*|CONFIG_FILE|SHARED_CREDENTIALS_FILE)"
    r"|SSL_CERT_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|AWS_CA_BUNDLE|VAULT_.*|BAO_.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Variables:
    """What the marked secrets give, and what they may not."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    refused: dict[str, str] = field(default_factory=dict)
    """Name (or secret) to the reason, for people."""


def read_variables(
    client: OpenBaoClient, secrets_path: str, *, taken: Collection[str] = ()
) -> Variables:
    """Read all marked secrets of an account.

    Parameters
    ----------
    client : OpenBaoClient
        With the account's token.
    secrets_path : str
        The account's path below ``kv``, ``users/SLUG``.
    taken : collection of str, optional
        Names that the platform sets itself.

    Raises
    ------
    UnavailableError
        If OpenBao does not answer.
    """
    found = Variables()
    names = client.list(f"kv/metadata/{secrets_path}/{FOLDER}")
    if len(names) > _MAX_SECRETS:
        found.refused[f"{FOLDER}/"] = f"only the first {_MAX_SECRETS} secrets are read"
    for name in sorted(names)[:_MAX_SECRETS]:
        path = f"{secrets_path}/{FOLDER}/{name}"
        if name.endswith("/") or not _is_marked(client, path):
            continue
        for key, value in _data(client, path).items():
            reason = refusal(key, value, taken=taken)
            if reason:
                found.refused[key] = reason
            else:
                found.values[key] = str(value)
    return found


def refusal(name: str, value: object, *, taken: Collection[str] = ()) -> str:
    """Return why ``name`` cannot become a variable, or an empty string."""
    if not _NAME.fullmatch(name):
        return "not a name of letters, digits and _"
    if _REFUSED.fullmatch(name) or name in taken:
        return "set by the platform or the system"
    if not isinstance(value, str | int | float):
        return "its value is not a text"
    if "\0" in str(value) or len(str(value)) > _MAX_VALUE:
        return f"its value is over {_MAX_VALUE} characters, or holds a NUL"
    return ""


def _is_marked(client: OpenBaoClient, path: str) -> bool:
    metadata = (client.read(f"kv/metadata/{path}") or {}).get("custom_metadata") or {}
    return str(metadata.get(MARK, "")).lower() == "true"


def _data(client: OpenBaoClient, path: str) -> dict[str, object]:
    try:
        return dict((client.read(f"kv/data/{path}") or {}).get("data") or {})
    except NotFoundError:
        return {}
