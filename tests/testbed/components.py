"""The command line of each component. ``init.sh`` starts them, and again when one ends."""

from __future__ import annotations

from .places import Node

NAMES = (
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "netpol",
)
FIRST = ("etcd", "containerd", "kube-apiserver")
"""Started at once; the others when the API server has made its own roles."""

_ISSUER = "https://kubernetes.default.svc.cluster.local"


def command_lines(node: Node) -> dict[str, list[str]]:
    """Return name → command line."""
    user = {name: f"{node.pki}/{name}.kubeconfig" for name in ("kubelet", "netpol")}
    return {
        "etcd": _etcd(node),
        "containerd": ["containerd", "--config", f"{node.state}/containerd.toml"],
        "kube-apiserver": _api_server(node),
        "kube-controller-manager": _controller_manager(node),
        "kube-scheduler": [
            "kube-scheduler",
            f"--config={node.state}/scheduler.yaml",
            *_delegated(node, "kube-scheduler"),
        ],
        "kubelet": [
            "kubelet",
            f"--config={node.state}/kubelet.yaml",
            f"--kubeconfig={user['kubelet']}",
            f"--root-dir={node.state}/kubelet",
            f"--node-ip={node.address}",
            f"--hostname-override={node.name}",
        ],
        "kube-proxy": [
            "kube-proxy",
            f"--config={node.state}/kube-proxy.yaml",
            f"--hostname-override={node.name}",
        ],
        "netpol": ["netpol", "--kubeconfig", user["netpol"]],
    }


def _etcd(node: Node) -> list[str]:
    peers = "http://127.0.0.1:2380"
    clients = "https://127.0.0.1:2379"
    return [
        "etcd",
        f"--name={node.name}",
        f"--data-dir={node.state}/etcd",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster={node.name}={peers}",
        "--client-cert-auth",
        f"--trusted-ca-file={node.pki}/etcd-ca.crt",
        f"--cert-file={node.pki}/etcd-server.crt",
        f"--key-file={node.pki}/etcd-server.key",
        # Nothing here outlives the machine, and a busy disk would delay every single write.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server(node: Node) -> list[str]:
    return [
        "kube-apiserver",
        f"--advertise-address={node.address}",
        # The node's name is in no DNS: without this, logs and exec time out.
        "--kubelet-preferred-address-types=InternalIP",
        "--secure-port=6443",
        "--etcd-servers=https://127.0.0.1:2379",
        f"--etcd-cafile={node.pki}/etcd-ca.crt",
        f"--etcd-certfile={node.pki}/etcd-client.crt",
        f"--etcd-keyfile={node.pki}/etcd-client.key",
        f"--client-ca-file={node.pki}/ca.crt",
        f"--tls-cert-file={node.pki}/apiserver.crt",
        f"--tls-private-key-file={node.pki}/apiserver.key",
        f"--kubelet-certificate-authority={node.pki}/ca.crt",
        f"--kubelet-client-certificate={node.pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={node.pki}/apiserver-kubelet-client.key",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={node.pki}/sa.pub",
        f"--service-account-signing-key-file={node.pki}/sa.key",
        f"--proxy-client-cert-file={node.pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={node.pki}/front-proxy-client.key",
        f"--requestheader-client-ca-file={node.pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={node.services}",
        "--allow-privileged=true",
        f"--encryption-provider-config={node.pki}/encryption.yaml",
        f"--audit-policy-file={node.state}/audit.yaml",
        f"--audit-log-path={node.logs}/audit.log",
        "--audit-log-maxsize=200",
        "--profiling=false",
    ]


def _controller_manager(node: Node) -> list[str]:
    return [
        "kube-controller-manager",
        f"--kubeconfig={node.pki}/kube-controller-manager.kubeconfig",
        *_delegated(node, "kube-controller-manager"),
        f"--flex-volume-plugin-dir={node.state}/volume-plugins",
        "--use-service-account-credentials",
        f"--root-ca-file={node.pki}/ca.crt",
        f"--service-account-private-key-file={node.pki}/sa.key",
        f"--cluster-signing-cert-file={node.pki}/ca.crt",
        f"--cluster-signing-key-file={node.pki}/ca.key",
        f"--cluster-cidr={node.pods}",
        "--node-cidr-mask-size=24",
        f"--service-cluster-ip-range={node.services}",
        "--allocate-node-cidrs=true",
        "--leader-elect=false",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]


def _delegated(node: Node, user: str) -> list[str]:
    """Let the component's own health and metrics port ask the API server who calls."""
    kubeconfig = f"{node.pki}/{user}.kubeconfig"
    return [
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
    ]
