"""The test cluster is a real one: walls hold, weak pods are refused, names and volumes work."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from autonoe.waiting import wait_until
from support.cluster import Cluster
from testbed import node_images

BUSYBOX = node_images.BUSYBOX
PORT = 8080


@pytest.fixture(scope="module", autouse=True)
def _image(cluster: Cluster) -> None:
    cluster.import_image(node_images.ensure("busybox"))


@pytest.fixture
def other(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace("other") as name:
        yield name


def _pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """Return a pod that ``restricted`` accepts."""
    container = {
        "name": "main",
        "image": BUSYBOX,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [container],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **spec,
        },
    }


def _server(name: str = "server") -> dict[str, Any]:
    return _pod(
        name,
        f"mkdir /tmp/www && echo hello > /tmp/www/index.html && httpd -f -p {PORT} -h /tmp/www",
        container={
            "ports": [{"name": "web", "containerPort": PORT}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1},
        },
    )


def _client(name: str = "client") -> dict[str, Any]:
    return _pod(name, "sleep 3600")


def _service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "web"}]},
    }


def _policy(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}, **spec},
    }


class _Probe:
    """Tries from a pod whether a server answers."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str, url: str) -> None:
        self._cluster, self._where, self._url = cluster, (f"--namespace={namespace}", pod), url

    def reaches(self) -> bool:
        script = f"timeout 2 wget -q -O - {self._url} 2>/dev/null || echo refused"
        return "hello" in self._cluster.kubectl("exec", *self._where, "--", "sh", "-c", script)

    def wait(self, *, reached: bool) -> None:
        """Wait: a policy takes some milliseconds to become rules."""
        word = "be reached" if reached else "be shut"
        wait_until(lambda: self.reaches() is reached, timeout_s=20, what=f"{self._url} to {word}")


@pytest.fixture
def probes(cluster: Cluster, namespace: str, other: str) -> tuple[_Probe, _Probe]:
    """Give a probe from the server's own namespace and one from another."""
    cluster.apply(_server(), _service("server"), _client(), namespace=namespace)
    cluster.apply(_client(), namespace=other)
    cluster.wait_ready(namespace, "server", "client")
    cluster.wait_ready(other, "client")
    url = f"http://server.{namespace}.svc.cluster.local/"
    return _Probe(cluster, namespace, "client", url), _Probe(cluster, other, "client", url)


def test_an_ingress_policy_shuts_and_opens_for_one_namespace(
    cluster: Cluster, namespace: str, other: str, probes: tuple[_Probe, _Probe]
) -> None:
    inside, outside = probes
    inside.wait(reached=True)
    outside.wait(reached=True)

    cluster.apply(_policy("deny", policyTypes=["Ingress"]), namespace=namespace)
    inside.wait(reached=False)
    outside.wait(reached=False)

    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": other}}}
    allow = _policy("allow", ingress=[{"from": [peer], "ports": [{"port": "web"}]}])
    cluster.apply(allow, namespace=namespace)
    outside.wait(reached=True)
    assert not inside.reaches()


def test_an_egress_policy_shuts_the_way_out_and_the_api_server(
    cluster: Cluster, namespace: str, probes: tuple[_Probe, _Probe]
) -> None:
    inside, outside = probes
    inside.wait(reached=True)
    outside.wait(reached=True)
    address, port = cluster.api_servers[0]
    knock = f"nc -w 2 {address} {port} < /dev/null && echo open || echo shut"
    from_client = ("exec", f"--namespace={namespace}", "client", "--", "sh", "-c", knock)
    assert "open" in cluster.kubectl(*from_client)

    only_client = {"matchLabels": {"app": "client"}}
    shut = _policy("shut", podSelector=only_client, policyTypes=["Egress"])
    cluster.apply(shut, namespace=namespace)
    inside.wait(reached=False)
    assert "shut" in cluster.kubectl(*from_client)
    assert outside.reaches()  # from elsewhere the server is still open: only this pod's way is shut

    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    server = {"podSelector": {"matchLabels": {"app": "server"}}}
    rules = [{"to": [dns], "ports": [{"port": 53, "protocol": "UDP"}]}, {"to": [server]}]
    allow = _policy("open", podSelector=only_client, policyTypes=["Egress"], egress=rules)
    cluster.apply(allow, namespace=namespace)
    inside.wait(reached=True)
    assert "shut" in cluster.kubectl(*from_client)


def test_an_address_block_with_an_exception_is_honoured(
    cluster: Cluster, namespace: str, probes: tuple[_Probe, _Probe]
) -> None:
    inside, outside = probes
    inside.wait(reached=True)
    pod = cluster.get("pod", "client", f"--namespace={namespace}")
    excepted = f"{pod['status']['podIP']}/32"
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": [excepted]}}
    cluster.apply(_policy("block", ingress=[{"from": [block]}]), namespace=namespace)
    inside.wait(reached=False)
    assert outside.reaches()


@pytest.mark.parametrize(
    "spec",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
        {"securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}},
        {"container": {"securityContext": {"privileged": True}}},
        {"container": {"securityContext": {"allowPrivilegeEscalation": True}}},
    ],
    ids=lambda spec: "-".join(spec),
)
def test_a_pod_that_asks_too_much_is_refused(
    cluster: Cluster, namespace: str, spec: dict[str, Any]
) -> None:
    weak = json.dumps(_pod("weak", "true", **spec))
    where = f"--namespace={namespace}"
    answer = cluster.kubectl("create", where, "--filename=-", stdin=weak, check=False)
    assert "violates PodSecurity" in answer
    assert not cluster.get("pods", where)["items"]


def test_names_of_services_resolve_and_unknown_ones_do_not(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(_client(), namespace=namespace)
    cluster.wait_ready(namespace, "client")
    lookup = ("exec", f"--namespace={namespace}", "client", "--", "nslookup")
    api = cluster.get("service", "--namespace=default", "kubernetes")["spec"]["clusterIP"]
    assert api in cluster.kubectl(*lookup, "kubernetes.default.svc.cluster.local")
    answer = cluster.kubectl(*lookup, "nothing.default.svc.cluster.local", check=False)
    assert "NXDOMAIN" in answer or "can't resolve" in answer


def test_a_volume_keeps_its_files_between_pods(cluster: Cluster, namespace: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "home"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Mi"}},
        },
    }
    mounted = {
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}],
        "container": {"volumeMounts": [{"name": "home", "mountPath": "/data"}]},
        "restartPolicy": "Never",
    }
    write = _pod("write", "echo kept > /data/file", **mounted)
    read = _pod("read", "cat /data/file", **mounted)
    where = f"--namespace={namespace}"
    for pod in (write, read):
        cluster.apply(claim, pod, namespace=namespace)
        succeeded = "--for=jsonpath={.status.phase}=Succeeded"
        cluster.kubectl("wait", where, succeeded, f"pod/{pod['metadata']['name']}", "--timeout=60s")
    assert cluster.kubectl("logs", where, "read") == "kept\n"
    volume = cluster.get("pvc", where, "home")["spec"]["volumeName"]

    cluster.kubectl("delete", where, "pod/write", "pod/read", "pvc/home", "--timeout=60s")
    cluster.wait_gone("persistentvolume", volume, namespace)


def test_a_pod_gets_a_token_for_one_audience_that_ends(cluster: Cluster, namespace: str) -> None:
    source = {"serviceAccountToken": {"path": "token", "audience": "openbao"}}
    source["serviceAccountToken"]["expirationSeconds"] = 600
    pod = _pod(
        "proof",
        "sleep 3600",
        volumes=[{"name": "proof", "projected": {"sources": [source]}}],
        container={"volumeMounts": [{"name": "proof", "mountPath": "/proof"}]},
    )
    cluster.apply(pod, namespace=namespace)
    cluster.wait_ready(namespace, "proof")
    where = f"--namespace={namespace}"
    token = cluster.kubectl("exec", where, "proof", "--", "cat", "/proof/token")
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["aud"] == ["openbao"]
    assert claims["exp"] - claims["iat"] == 600
    assert claims["sub"] == f"system:serviceaccount:{namespace}:default"

    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["openbao"]},
    }

    def accepted() -> bool:
        answer = cluster.kubectl(
            "create", "--filename=-", "--output=json", stdin=json.dumps(review)
        )
        return bool(json.loads(answer)["status"].get("authenticated"))

    assert accepted()
    cluster.kubectl("delete", where, "pod/proof", "--timeout=60s")
    # The API server remembers a good answer for ten seconds; without that, it refuses at once.
    wait_until(lambda: not accepted(), timeout_s=15, what="a deleted pod's token to be refused")
