"""Where a user's server finds the configuration and kernels that our packages carry.

An editable install copies no ``etc/jupyter`` or ``share/jupyter`` data, and a server in an image
may have another prefix. So the files live inside the packages and are found from there, the same
way in both cases (ADR 0040). The packages are located without importing them: core may not import
the extension, and a hub without the extension installed still starts servers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

_CONFIG = {"autonoe_extension": "etc", "autonoe_kernels": "etc"}
_DATA = {"autonoe_kernels": "share"}


def jupyter_paths(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``JUPYTER_CONFIG_PATH`` and ``JUPYTER_PATH`` for the environment of a user's server.

    Parameters
    ----------
    base : mapping of str to str, optional
        The environment that the server gets otherwise (default: this process's). Folders which an
        administrator put there stay, and win over ours.

    Returns
    -------
    dict of str to str
        Only variables that have at least one folder.
    """
    env = os.environ if base is None else base
    found = {
        "JUPYTER_CONFIG_PATH": _folders(_CONFIG),
        "JUPYTER_PATH": _folders(_DATA),
    }
    return {
        name: _joined(env.get(name, ""), folders)
        for name, folders in found.items()
        if folders or env.get(name)
    }


def _folders(wanted: Mapping[str, str]) -> list[str]:
    found = []
    for package, sub in wanted.items():
        spec = find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            folder = Path(location) / sub
            if folder.is_dir():
                found.append(str(folder))
    return found


def _joined(existing: str, ours: list[str]) -> str:
    before = [p for p in existing.split(os.pathsep) if p]
    return os.pathsep.join([*before, *(p for p in ours if p not in before)])
