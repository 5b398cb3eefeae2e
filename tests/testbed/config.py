"""Configuration files of the node's components."""

from __future__ import annotations

import json
from typing import Any

import yaml

from . import node_images
from .places import Node

LEAST_FREE_DISK = 10**9
"""Bytes. With less the kubelet ends pods; a share of the disk would be gigabytes on a large one."""
RUNTIME = "unix:///run/containerd/containerd.sock"


def write(node: Node) -> None:
    """Write every file that a component of ``node`` reads at its start."""
    for name, content in {
        "audit.yaml": _audit(),
        "kubelet.yaml": _kubelet(node),
        "kube-proxy.yaml": _kube_proxy(node),
        "scheduler.yaml": _scheduler(node),
    }.items():
        (node.state / name).write_text(yaml.safe_dump(content, sort_keys=False))
    (node.state / "containerd.toml").write_text(_containerd(node))
    # Nothing outside is resolved: pods have no way out, and a test must not depend on one.
    (node.state / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    network = node.state / "network"
    network.mkdir(exist_ok=True)
    (network / "10-bridge.conflist").write_text(json.dumps(_network(node), indent=1))


def _audit() -> dict[str, Any]:
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "verbs": ["create", "update", "patch", "delete"]}],
    }


def _kubelet(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{node.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{node.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{node.pki}/kubelet-server.key",
        "clusterDomain": "cluster.local",
        "clusterDNS": [node.dns],
        "resolvConf": f"{node.state}/resolv.conf",
        "containerRuntimeEndpoint": RUNTIME,
        "podLogsDir": f"{node.state}/pod-logs",
        "volumePluginDir": f"{node.state}/volume-plugins",
        "failSwapOn": False,
        "maxPods": 200,
        "evictionHard": {
            "memory.available": "200Mi",
            "nodefs.available": str(LEAST_FREE_DISK),
            "imagefs.available": str(LEAST_FREE_DISK),
            "nodefs.inodesFree": "1%",
        },
        # There is no registry to fetch a collected image from again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "5s",
        # Root of a virtual machine or container may lack CAP_SYS_RESOURCE.
        "oomScoreAdj": 0,
        "protectKernelDefaults": False,
    }


def _kube_proxy(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": node.pods,
        "clientConnection": {"kubeconfig": f"{node.pki}/kube-proxy.kubeconfig"},
        # The limits are the machine's, not the node's: leave them.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "oomScoreAdj": 0,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def _scheduler(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {
            "kubeconfig": f"{node.pki}/kube-scheduler.kubeconfig",
            "qps": 300,
            "burst": 600,
        },
    }


def _network(node: Node) -> dict[str, Any]:
    return {
        "cniVersion": "1.0.0",
        "name": "autonoe",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": f"{node.state}/addresses",
                    "ranges": [[{"subnet": node.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        ],
    }


def _containerd(node: Node) -> str:
    return f"""version = 3
root = "{node.state}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
  address = "{RUNTIME.removeprefix("unix://")}"

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{node_images.PAUSE}"

[plugins.'io.containerd.cri.v1.runtime']
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  # Lowering the score needs CAP_SYS_RESOURCE, which root of a machine like ours may lack.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{node.programs}"]
    conf_dir = "{node.state}/network"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{node.programs}/runc"
      SystemdCgroup = false
"""
