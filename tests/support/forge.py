"""A Git server in the cluster: one repository over https, as an organisation's forge offers it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from autonoe.embedded.certificates import write_internal_tls
from autonoe.kubernetes.labels import labels
from support.cluster import RESTRICTED, Cluster

IMAGE = "localhost/autonoe/jupyter-python:dev"
PORT = 8443
REPOSITORY = "labour-survey"
NOTE = "Read me first."

# Git's "dumb" protocol is plain files, so that a file server is all it takes.
_SERVE = f"""
set -eu
export HOME=/tmp GIT_CONFIG_GLOBAL=/tmp/gitconfig
git config --global init.defaultBranch main
git config --global user.name Forge
git config --global user.email forge@localhost
mkdir -p /tmp/work /tmp/site
cd /tmp/work
git init --quiet
printf '{NOTE}\\n' > README.md
git add README.md
git commit --quiet --message 'Begin'
git clone --quiet --bare /tmp/work /tmp/site/{REPOSITORY}.git
git -C /tmp/site/{REPOSITORY}.git update-server-info
exec python -c '
import functools, http.server, ssl
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/tmp/site")
server = http.server.ThreadingHTTPServer(("", {PORT}), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/node.crt", "/tls/node.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
'
"""


def namespace(instance: str) -> str:
    """Return the namespace of the forge of ``instance``."""
    return f"{instance}-forge"


def url(instance: str) -> str:
    """Return the address of the repository."""
    return f"https://forge.{namespace(instance)}.svc:{PORT}/{REPOSITORY}.git"


def deploy(cluster: Cluster, instance: str) -> str:
    """Start the forge of ``instance``, wait until it serves and return the repository's address.

    Its certificate is signed by nobody that a pod knows: the hub's values of the tests tell Git
    not to ask, where an organisation puts its own authority into its images.
    """
    where = namespace(instance)
    own = labels("forge", instance=instance, component="forge")
    with tempfile.TemporaryDirectory() as folder:
        tls = Path(folder) / "tls"
        write_internal_tls(tls)
        certificate = {name: (tls / name).read_text() for name in ("node.crt", "node.key")}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": where, "labels": {**own, **RESTRICTED}},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "forge", "namespace": where, "labels": own},
            "stringData": certificate,
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "forge", "namespace": where, "labels": own},
            "spec": {"selector": {"app": "forge"}, "ports": [{"port": PORT}]},
        },
        _pod(where, own),
    )
    cluster.kubectl("wait", "--for=condition=Ready", "pod/forge", "-n", where, "--timeout=90s")
    return url(instance)


def _pod(where: str, own: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "forge", "namespace": where, "labels": {**own, "app": "forge"}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "forge",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", _SERVE],
                    "ports": [{"containerPort": PORT}],
                    "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "volumeMounts": [
                        {"name": "tls", "mountPath": "/tls", "readOnly": True},
                        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own
                    ],
                }
            ],
            "volumes": [
                {"name": "tls", "secret": {"secretName": "forge", "defaultMode": 0o440}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            ],
        },
    }
