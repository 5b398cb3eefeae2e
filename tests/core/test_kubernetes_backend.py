"""Deployments as Kubernetes objects, and their state in words, without a cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from autonoe import apikeys
from autonoe.backends import kubernetes_state
from autonoe.backends.base import DeploymentRequest
from autonoe.backends.choice import backend
from autonoe.backends.kubernetes_objects import KEYS, REQUEST, Builder, KubernetesSettings, digest
from autonoe.backends.local import LocalBackend
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import InvalidInputError
from support.manifests import MINORS, check, check_labels

REQUESTED = DeploymentRequest("nace-api", "models:/nace@champion", threshold=0.7)
ACCOUNT = AgentSettings(
    account="ana",
    proof_file=Path("/unused"),
    openbao_url="http://openbao.platform.svc:8200",
    s3_url="http://s3.platform.svc:8333",
    mlflow_url="http://mlflow.platform.svc:5000",
)


def builder(**settings: Any) -> Builder:
    return Builder(KubernetesSettings(kubernetes_namespace="u-ana", **settings), ACCOUNT)


def objects(**settings: Any) -> dict[str, dict[str, Any]]:
    _, entry = apikeys.mint()
    return {found["kind"]: found for found in builder(**settings).objects(REQUESTED, (entry,))}


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("public", ["", "https://{name}-{namespace}.example.org"])
def test_objects_are_valid_and_labelled(minor: str, public: str) -> None:
    found = objects(deployment_url=public).values()
    check(found, minor)
    check_labels(found)
    for one in found:
        assert one["metadata"]["namespace"] == "u-ana"
        assert one["metadata"]["annotations"]["autonoe.dev/owner"] == "ana"


def test_pods_meet_restricted() -> None:
    pod = objects()["Deployment"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in (*pod["initContainers"], *pod["containers"]):
        security = {**pod["securityContext"], **container["securityContext"]}
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert set(container["resources"]) == {"requests", "limits"}
    assert {next(iter(set(v) - {"name"})) for v in pod["volumes"]} <= {
        *("emptyDir", "configMap", "projected")
    }


def test_the_deployment_selects_its_own_pods_only() -> None:
    found = objects()
    chosen = found["Deployment"]["spec"]["selector"]["matchLabels"]
    pods = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert chosen.items() <= pods.items()
    assert found["Service"]["spec"]["selector"] == chosen
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == chosen
    # labels that a newer version of Autonoe changes must not be in a selector: it is immutable
    assert "app.kubernetes.io/version" not in chosen


def test_keys_are_kept_as_hashes_and_a_new_one_makes_new_pods() -> None:
    key, entry = apikeys.mint()
    found = {o["kind"]: o for o in builder().objects(REQUESTED, (entry,))}
    (row,) = json.loads(found["ConfigMap"]["data"]["keys.json"])["keys"]
    assert row["sha256"] == entry.sha256
    assert key not in json.dumps(list(found.values()))
    template = found["Deployment"]["spec"]["template"]
    assert template["metadata"]["annotations"][KEYS] == digest((entry,))
    assert digest((entry,)) != digest((apikeys.mint()[1],))


def test_the_request_is_read_back_from_the_object() -> None:
    text = objects()["Deployment"]["metadata"]["annotations"][REQUEST]
    assert DeploymentRequest.from_dict(json.loads(text)) == REQUESTED


def test_the_server_is_told_what_was_asked() -> None:
    arguments = builder().arguments(REQUESTED)
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert pairs["--model"] == "models:/nace@champion"
    assert pairs["--threshold"] == "0.7"
    assert pairs["--port"] == "8000"
    assert pairs["--logs-to"] == "s3://user-ana/nace/logs/service=nace-api"
    assert "AUTONOE_POD_NAME" in pairs["--logs-part"], "two pods must not share a file"


def test_the_pods_command_goes_in_place_of_the_images_program() -> None:
    (server,) = objects()["Deployment"]["spec"]["template"]["spec"]["containers"]
    shell, option, script, name = server["command"]
    assert (shell, option, name) == ("/bin/sh", "-c", "serving")
    assert script.endswith('exec python -m autonoe_nace.serving "$@"')
    assert server["args"][:2] == ["--model", REQUESTED.model_uri]


def test_without_a_public_address_the_hubs_proxy_is_kept_out() -> None:
    labels = objects()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert "autonoe.dev/exposed" not in labels
    assert builder().settings.public_url("x") == "http://x.u-ana.svc:8000/"


def test_with_a_public_address_it_is_shown_and_let_in() -> None:
    made = builder(deployment_url="https://hub.example.org/services/{namespace}/{name}")
    assert made.settings.public_url("x") == "https://hub.example.org/services/u-ana/x/"
    assert made.settings.root_path("x") == "/services/u-ana/x"
    template = made.deployment(REQUESTED, "")["spec"]["template"]
    assert template["metadata"]["labels"]["autonoe.dev/exposed"] == "true"
    arguments = made.arguments(REQUESTED)
    assert arguments[arguments.index("--root-path") + 1] == "/services/u-ana/nace-api"


def test_the_yaml_form_is_what_is_applied_without_keys() -> None:
    forms = builder().equivalents(REQUESTED)
    found = list(yaml.safe_load_all(forms["yaml"]))
    assert [one["kind"] for one in found] == ["Deployment", "Service", "PodDisruptionBudget"]
    assert found[1] == builder().service("nace-api")
    assert "kubectl apply --server-side" in forms["kubectl"]
    assert forms["shell"] == REQUESTED.equivalents()["shell"]


def test_a_pod_of_ours_gets_the_cluster_and_a_laptop_the_supervisor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUTONOE_KUBERNETES_NAMESPACE", raising=False)
    assert isinstance(backend(), LocalBackend)
    monkeypatch.setenv("AUTONOE_KUBERNETES_NAMESPACE", "u-ana")
    for name, value in ACCOUNT.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(InvalidInputError) as caught:
        backend()
    assert caught.value.code == "no_cluster_login"


def _deployment(**status: Any) -> dict[str, Any]:
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "observedGeneration": 2}
    return {
        "metadata": {"name": "x", "generation": 2},
        "spec": {"replicas": 1},
        "status": {**counts, **status},
    }


def _pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x-1", "creationTimestamp": "2026-01-01"}, "status": status}


def test_ready_means_all_pods_of_this_version_and_no_others() -> None:
    assert kubernetes_state.state_of(_deployment(), []) == ("ready", "")
    for change in (
        {"readyReplicas": 0},
        {"updatedReplicas": 0},
        {"replicas": 2},
        {"observedGeneration": 1},
    ):
        state, detail = kubernetes_state.state_of(_deployment(**change), [_pod()])
        assert state == "starting"
        assert detail


def test_a_restarted_container_shows_as_restarting() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    pod = _pod(phase="Running", containerStatuses=[{"restartCount": 3, "state": waiting}])
    state, detail = kubernetes_state.state_of(_deployment(readyReplicas=0), [pod])
    assert state == "restarting"
    assert detail
    assert kubernetes_state.restarts_of([pod]) == 3


def test_a_pod_that_cannot_be_made_names_the_quota() -> None:
    message = (
        'pods "x-1" is forbidden: exceeded quota: compute, requested: limits.memory=1Gi, '
        "used: limits.memory=0, limited: limits.memory=100Mi"
    )
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    found = _deployment(readyReplicas=0, conditions=[{**failed, "message": message}])
    assert "compute" in kubernetes_state.state_of(found, [])[1]


def test_no_pods_is_stopped() -> None:
    found = _deployment()
    found["spec"]["replicas"] = 0
    assert kubernetes_state.state_of(found, [])[0] == "stopped"


def test_memory_is_the_sum_of_the_containers() -> None:
    usage = [{"usage": {"memory": "1Mi"}}, {"usage": {"memory": "512Ki"}}, {"usage": {}}]
    assert kubernetes_state.memory_mib([{"containers": usage}]) == 1.5


def test_a_key_file_of_a_volume_is_accepted_and_an_open_one_refused(tmp_path: Path) -> None:
    _, entry = apikeys.mint()
    path = tmp_path / "keys.json"
    apikeys.write(path, (entry,))
    assert apikeys.read(path) == (entry,)
    path.chmod(0o644)
    with pytest.raises(InvalidInputError, match="readable by other people"):
        apikeys.read(path)
    path.chmod(0o440)
    with pytest.raises(InvalidInputError, match="readable by other people"):
        apikeys.read(path)
    assert os.stat(path).st_mode & 0o777 == 0o440  # noqa: PTH116  what was asked for is there
