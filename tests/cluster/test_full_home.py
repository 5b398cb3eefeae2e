"""A home without a byte left: the server starts, and its owner can clear it up."""

from __future__ import annotations

import pytest

from support.cluster import Cluster
from support.places import REPOSITORY

pytestmark = pytest.mark.timeout(600)

IMAGE = "localhost/autonoe/jupyter-python:dev"
SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
SERVER = ["jupyter-lab", "--no-browser", "--ip=0.0.0.0", "--port=8888", "--ServerApp.token=full"]


def test_a_server_starts_with_a_full_home(cluster: Cluster, namespace: str) -> None:
    cluster.import_image(REPOSITORY / "build" / "images" / "jupyter-python.tar")
    home = {"name": "home", "mountPath": "/home/jovyan"}
    tmp = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  a volume of the pod's own
    run = {"name": "run", "mountPath": "/run/autonoe"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "full", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "securityContext": {"fsGroup": 1000},
            "volumes": [
                # A real file system with an end: writing past it is ENOSPC.
                {"name": "home", "emptyDir": {"medium": "Memory", "sizeLimit": "2Mi"}},
                {"name": "tmp", "emptyDir": {}},
                {"name": "run", "emptyDir": {"medium": "Memory"}},
            ],
            "initContainers": [
                {
                    "name": "fill",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", "cat /dev/zero > $HOME/data; exit 0"],
                    "securityContext": SECURITY,
                    "volumeMounts": [home],
                }
            ],
            "containers": [
                {
                    "name": "notebook",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-P", "-m", "autonoe.profiles.start", "--", *SERVER],
                    "env": [{"name": "HOME", "value": "/home/jovyan"}],
                    "readinessProbe": {"tcpSocket": {"port": 8888}, "periodSeconds": 1},
                    "securityContext": SECURITY,
                    "volumeMounts": [home, tmp, run],
                    "workingDir": "/home/jovyan",
                }
            ],
        },
    }
    cluster.apply(pod)
    cluster.wait_ready(namespace, "full", timeout_s=240)

    def run_in_pod(*command: str) -> str:
        where = f"--namespace={namespace}"
        return cluster.kubectl("exec", "full", where, "--container=notebook", "--", *command)

    assert run_in_pod("df", "--output=avail", "/home/jovyan").split()[-1] == "0"
    ask = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8888/api/%s?token=full')%s)"
    )
    assert "version" in run_in_pod("python", "-c", ask % ("", ".read()"))
    make = (
        "import urllib.request as u; print(u.urlopen(u.Request("
        "'http://127.0.0.1:8888/api/kernels?token=full', method='POST', data=b'{}')).status)"
    )
    assert run_in_pod("python", "-c", make).strip() == "201"
    assert "full" in cluster.kubectl("logs", "full", f"--namespace={namespace}", "-c", "notebook")
    run_in_pod("rm", "data")
    assert run_in_pod("df", "--output=avail", "/home/jovyan").split()[-1] != "0"
