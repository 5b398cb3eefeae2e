"""Messages of the scheduler, the kubelet and admission, as Kubernetes 1.33 to 1.37 write them."""

from __future__ import annotations

import re

import pytest

from autonoe.kubernetes import texts
from autonoe.kubernetes.words import explain, reason

POD = 'pods "jupyter" is forbidden: '
PREEMPTION = " preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
CORPUS: list[tuple[str, str]] = [
    # the scheduler
    ("no_cpu", f"0/3 nodes are available: 3 Insufficient cpu.{PREEMPTION}"),
    ("no_memory", f"0/3 nodes are available: 3 Insufficient memory.{PREEMPTION}"),
    (
        "no_memory",
        "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: "
        "0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
    ),
    ("no_gpu", f"0/5 nodes are available: 5 Insufficient nvidia.com/gpu.{PREEMPTION}"),
    (
        "no_gpu",
        "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint "
        "{node-role.kubernetes.io/control-plane: }, 3 Insufficient nvidia.com/gpu.",
    ),
    ("no_gpu", "0/2 nodes are available: 2 Insufficient nvidia.com/mig-1g.5gb."),
    ("no_storage", "0/1 nodes are available: 1 Insufficient ephemeral-storage."),
    ("too_many_pods", "0/1 nodes are available: 1 Too many pods."),
    (
        "tainted",
        "0/1 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}.",
    ),
    ("tainted", "0/3 nodes are available: 3 node(s) had untolerated taint(s)."),
    (
        "memory_pressure",
        "0/1 nodes are available: 1 node(s) had untolerated taint "
        "{node.kubernetes.io/memory-pressure: }.",
    ),
    (
        "disk_pressure",
        "0/1 nodes are available: 1 node(s) had untolerated taint "
        "{node.kubernetes.io/disk-pressure: }.",
    ),
    (
        "node_lost",
        "0/1 nodes are available: 1 node(s) had untolerated taint "
        "{node.kubernetes.io/not-ready: }.",
    ),
    (
        "no_matching_node",
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    ),
    ("cordoned", "0/1 nodes are available: 1 node(s) were unschedulable."),
    ("ports_taken", "0/1 nodes are available: 1 node(s) didn't have free ports for the requested"),
    ("no_nodes", "no nodes available to schedule pods"),
    ("no_node", "0/2 nodes are available: 2 node(s) were of a mind of their own."),
    ("scaling_up", "pod triggered scale-up: [{pool-1 1->2 (max: 5)}]"),
    ("cannot_scale", "pod didn't trigger scale-up: 1 max node group size reached"),
    # volumes
    (
        "volume_unbound",
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
    ),
    (
        "volume_unbound",
        "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.",
    ),
    ("volume_elsewhere", "0/3 nodes are available: 3 node(s) had volume node affinity conflict."),
    ("volume_limit", "0/1 nodes are available: 1 node(s) exceed max volume count."),
    ("volume_missing", '0/1 nodes are available: persistentvolumeclaim "home" not found.'),
    ("volume_lost", 'persistentvolumeclaim "home" bound to non-existent persistentvolume "pv1"'),
    ("volume_waiting", "waiting for first consumer to be created before binding"),
    (
        "volume_waiting",
        "Waiting for a volume to be created either by the external provisioner "
        "'rancher.io/local-path' or manually by the system administrator.",
    ),
    ("storage_class_missing", 'storageclass.storage.k8s.io "fast" not found'),
    (
        "volume_in_use",
        'Multi-Attach error for volume "pvc-1f" Volume is already used by pod(s) jupyter',
    ),
    (
        "volume_slow",
        "Unable to attach or mount volumes: unmounted volumes=[home], unattached volumes=[]: "
        "timed out waiting for the condition",
    ),
    (
        "provisioning_failed",
        'failed to provision volume with StorageClass "autonoe-local": no room',
    ),
    ("disk_full", "Error: failed to create containerd task: write: no space left on device"),
    ("config_missing", 'MountVolume.SetUp failed for volume "c" : configmap "conf" not found'),
    ("config_missing", 'secret "db" not found'),
    ("config_missing", "couldn't find key url in ConfigMap u-ana/conf"),
    # images
    (
        "image_missing",
        'Failed to pull image "x.example/a:1": rpc error: code = NotFound desc = failed to '
        'pull and unpack image "x.example/a:1": failed to resolve reference: not found',
    ),
    ("image_missing", 'Failed to pull image "a:9": manifest unknown: no such tag'),
    (
        "image_forbidden",
        'Failed to pull image "a/b": pull access denied, repository does not exist or may require '
        "authorization: server message: insufficient_scope: authorization failed",
    ),
    ("image_forbidden", 'Failed to pull image "a": unexpected status from HEAD: 401 Unauthorized'),
    (
        "image_unreachable",
        'Failed to pull image "r.example/a": failed to do request: Head "https://r.example/v2/": '
        "dial tcp: lookup r.example: no such host",
    ),
    (
        "image_unreachable",
        'Failed to pull image "r.example/a": dial tcp 10.0.0.9:443: i/o timeout',
    ),
    ("image_limit", 'Failed to pull image "a": 429 Too Many Requests - toomanyrequests: limit'),
    ("image_failed", 'Back-off pulling image "r.example/a:1"'),
    ("image_failed", "ImagePullBackOff"),
    ("image_absent", 'Container image "a:1" is not present with pull policy of Never'),
    (
        "image_name",
        'Failed to apply default image tag "A:B:C": couldn\'t parse image name "A:B:C": '
        "invalid reference format: repository name must be lowercase",
    ),
    ("image_platform", "no match for platform in manifest: not found"),
    ("image_pulling", 'Pulling image "localhost/autonoe/jupyter-python:dev"'),
    # the node ends it
    ("out_of_memory", "OOMKilled"),
    (
        "evicted",
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. "
        "Container notebook was using 4Gi, request is 1Gi, has larger consumption of memory.",
    ),
    ("evicted", "The node had condition: [DiskPressure]. "),
    (
        "storage_exceeded",
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
    ),
    ("preempted", "Preempted by pod 7c1e on node node1"),
    ("node_lost", "Node is not ready"),
    # the container
    (
        "runs_as_root",
        'Error: container has runAsNonRoot and image will run as root (pod: "p", container: main)',
    ),
    (
        "runs_as_root",
        "Error: container has runAsNonRoot and image has non-numeric user (jovyan), cannot verify "
        "user is non-root",
    ),
    ("crashing", "back-off 10s restarting failed container=main pod=p_u-ana(9f)"),
    (
        "command_missing",
        'failed to create containerd task: exec: "jupyter": executable file not found',
    ),
    ("sandbox_failed", "Failed to create pod sandbox: rpc error: code = Unknown desc = cni"),
    # admission
    (
        "quota_exceeded",
        f"{POD}exceeded quota: compute, requested: limits.memory=8Gi, used: limits.memory=12Gi, "
        "limited: limits.memory=16Gi",
    ),
    (
        "quota_exceeded",
        f"{POD}exceeded quota: compute, requested: requests.nvidia.com/gpu=1, used: "
        "requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=0",
    ),
    ("quota_needs_limits", f"{POD}failed quota: compute: must specify limits.cpu for: main"),
    (
        "limit_exceeded",
        f"{POD}maximum memory usage per Container is 4Gi, but limit is 8Gi",
    ),
    (
        "pod_security",
        f'{POD}violates PodSecurity "restricted:latest": privileged (container "main" must not set '
        "securityContext.privileged=true), allowPrivilegeEscalation != false (container "
        '"main" must set securityContext.allowPrivilegeEscalation=false)',
    ),
    (
        "policy_refused",
        "services \"x\" is forbidden: ValidatingAdmissionPolicy 'autonoe-tenants' with binding "
        "'autonoe-tenants' denied request: a Service here is of type ClusterIP",
    ),
    (
        "account_missing",
        f'{POD}error looking up service account u-ana/nb: serviceaccount "nb" not found',
    ),
    (
        "namespace_ending",
        f"{POD}unable to create new content in namespace u-ana because it is being terminated",
    ),
    ("namespace_missing", 'namespaces "u-ana" not found'),
]


@pytest.mark.parametrize(("code", "message"), CORPUS)
def test_a_real_message_is_understood(code: str, message: str) -> None:
    found = explain(message)
    assert found is not None, "nothing was understood"
    assert found.code == code
    assert found.technical == message
    assert found.message
    assert found.hint
    assert not re.search(r"[{}]|\bNone\b|''", found.message + found.hint)


def test_the_corpus_meets_every_rule() -> None:
    from autonoe.kubernetes import words

    rules = {code for code, _, _ in words._RULES} - {"node_pressure"}
    assert rules - {code for code, _ in CORPUS} == set()


def test_an_unknown_message_is_not_guessed_at() -> None:
    assert explain("The flux capacitor is out of alignment.") is None


def test_a_quota_is_named_with_readable_amounts() -> None:
    found = explain(
        f"{POD}exceeded quota: compute, requested: limits.memory=8Gi,pods=1, used: "
        "limits.memory=12Gi,pods=4, limited: limits.memory=16Gi,pods=20"
    )
    assert found is not None
    assert found.message == (
        "Your quota 'compute' has 16 GiB; 12 GiB are in use, and this asks for 8 GiB, 1 pods."
    )


def test_the_violations_of_pod_security_are_listed_shortly() -> None:
    found = explain(CORPUS[[code for code, _ in CORPUS].index("pod_security")][1])
    assert found is not None
    assert "privileged, allowPrivilegeEscalation != false" in found.message


@pytest.mark.parametrize("code", texts.TEXTS)
def test_each_reason_speaks_both_languages(code: str) -> None:
    english, french = reason(code), reason(code, language="fr")
    assert english.message
    assert french.message
    assert english.message != french.message
    assert english.hint != french.hint or code == "running"
    # A language that is not there is no reason to say nothing.
    assert reason(code, language="de").message == english.message
