"""What a person's processes start with: their environment, identity and working folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from autonoe.accounts import Account
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded.jupyter_paths import jupyter_paths
from autonoe.embedded.layout import Layout

KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TZ", "VIRTUAL_ENV")
"""Variables of the platform that each server inherits."""

_OWNERS = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "PIP_INDEX_URL",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
)
"""Inherited by the owner only: the addresses can hold the owner's passwords."""

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

CONFIG_FOLDER = Path(__file__).parent / "jupyter"
"""What each server is told beside the extension's defaults: to keep tokens out of its log."""


def complete(
    env: dict[str, str], layout: Layout, account: Account, home: str = ""
) -> dict[str, str]:
    """Return ``env`` with the variables of ``account``. Nothing added is a secret.

    Parameters
    ----------
    env : dict
        What JupyterHub itself hands to a server.
    layout : Layout
        The platform's data folder.
    account : Account
        Whose server it is.
    home : str
        Another home than the account's own; "" for that.
    """
    home = home or str(layout.home(account.name))
    ours = {
        **AgentSettings.of(layout, account).environment(),
        "HOME": home,
        "USER": account.slug,
        "LOGNAME": account.slug,
        "SHELL": "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
        **jupyter_paths({"JUPYTER_CONFIG_PATH": str(CONFIG_FOLDER)}),
        "JUPYTERHUB_ROOT_DIR": home,
        # An account of its own has no use for the folders that the owner's shell searches.
        "PATH": _path(env.get("PATH", "") if account.uid is None else _SYSTEM_PATH),
    }
    if account.uid is None:
        ours["AUTONOE_DATA_DIR"] = str(layout.root)
        ours |= {name: os.environ[name] for name in _OWNERS if name in os.environ}
    return {**env, **ours}


def process_options(layout: Layout, account: Account, home: str = "") -> dict[str, Any]:
    """Return the options of ``subprocess.Popen`` that make a process the account's own."""
    options: dict[str, Any] = {"cwd": home or layout.home(account.name), "umask": 0o077}
    if account.uid is not None:
        gid = account.gid if account.gid is not None else account.uid
        options |= {"user": account.uid, "group": gid, "extra_groups": []}
    return options


def _path(inherited: str) -> str:
    # The platform's own commands first, also when it was started without its virtual environment.
    tools = str(Path(sys.executable).parent)
    rest = [part for part in inherited.split(os.pathsep) if part and part != tools]
    return os.pathsep.join([tools, *rest])
