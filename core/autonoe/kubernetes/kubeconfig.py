"""A kubeconfig for ``kubectl`` and ``helm`` in a person's pod. It names files and holds no token.

Both tools would find the pod's token by themselves; editors, dashboards and libraries look for a
kubeconfig. The token's file is replaced by the kubelet, so what is written here never ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TOKEN_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_NAME = "autonoe"


def kubeconfig(namespace: str, *, server: str, folder: Path = TOKEN_FOLDER) -> dict[str, Any]:
    """Return the kubeconfig of a pod of ``namespace``.

    Parameters
    ----------
    namespace : str
        Where commands act that name none.
    server : str
        Address of the API server.
    folder : Path
        Holds ``token`` and ``ca.crt``.
    """
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": _NAME,
                "cluster": {"server": server, "certificate-authority": str(folder / "ca.crt")},
            }
        ],
        "users": [{"name": _NAME, "user": {"tokenFile": str(folder / "token")}}],
        "contexts": [
            {
                "name": _NAME,
                "context": {"cluster": _NAME, "user": _NAME, "namespace": namespace},
            }
        ],
        "current-context": _NAME,
    }


def write(environ: Mapping[str, str], *, folder: Path = TOKEN_FOLDER) -> Path | None:
    """Write the file that ``KUBECONFIG`` names, unless it is there; return it.

    None where the pod has no token, or is none: nothing is written then.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    host = environ.get("KUBERNETES_SERVICE_HOST")
    named, namespace = environ.get("KUBECONFIG"), folder / "namespace"
    if not (host and named and namespace.exists()):
        return None
    path = Path(named)
    if not path.exists():
        address = f"[{host}]" if ":" in host else host
        server = f"https://{address}:{environ.get('KUBERNETES_SERVICE_PORT', '443')}"
        document = kubeconfig(namespace.read_text().strip(), server=server, folder=folder)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path
