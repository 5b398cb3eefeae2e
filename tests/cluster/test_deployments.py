"""A model of the cluster's registry, served from a pod in its tenant's namespace."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autonoe.backends.base import DeploymentRequest
from autonoe.backends.keys import KeyRequest
from autonoe.backends.kubernetes import KubernetesBackend
from autonoe.backends.kubernetes_objects import KubernetesSettings
from autonoe.errors import AutonoeError, ConflictError, NotFoundError, UnavailableError
from autonoe.identity.cluster import ClusterEnrolment
from autonoe.kubernetes.client import Cluster as Api
from autonoe.tenants.roles import MEMBER_RULES
from autonoe.waiting import wait_until
from support.cluster import Cluster
from support.manifests import check_labels
from support.places import REPOSITORY
from support.stack_companions import Companions
from support.tenant_pods import Tenant, tenant

HERE = Path(__file__).parent
TEXTS = ["Coltivazione di riso", "Produzione di software", "Allevamento di bovini"]
WAIT_S = 300
NO_MODEL = "models:/none@champion"
"""For what ends before a model is fetched."""
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def ana(companions: Companions, enrolment: ClusterEnrolment) -> Iterator[Tenant]:
    """Give a person with the rights that the tenant controller gives, and a pod to work in."""
    for image in ("serving", "agent", "jupyter-python"):
        companions.cluster.import_image(REPOSITORY / "build" / "images" / f"{image}.tar")
    with tenant(companions, enrolment, "ana") as made:
        where = {"name": "members", "namespace": made.namespace}
        subject = {"kind": "ServiceAccount", "name": "notebook", "namespace": made.namespace}
        made.cluster.apply(
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": where, "rules": MEMBER_RULES},
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": where,
                "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "members"},
                "subjects": [subject],
            },
        )
        pod = made.notebook("desk")
        (container,) = pod["spec"]["containers"]
        container["command"] = ["sleep", "infinity"]
        del container["readinessProbe"]
        made.start(pod, HERE / "train_small.py", HERE / "call_api.py")
        made.cluster.wait_ready(made.namespace, "desk", timeout_s=120)
        yield made


@pytest.fixture(scope="module")
def model_uri(ana: Tenant) -> str:
    """Train, track and register a model from the person's pod; returns its address."""
    name = f"deployed-{ana.name}"
    return ana.exec("desk", "python", "/scripts/train_small.py", name, timeout_s=500).strip()


@pytest.fixture(scope="module")
def backend(ana: Tenant) -> KubernetesBackend:
    """Return the backend with the rights of the person's own pods, and no others."""
    token = ana.cluster.kubectl(
        "create", "token", "notebook", f"--namespace={ana.namespace}", "--duration=1h"
    ).strip()
    settings = KubernetesSettings(
        kubernetes_namespace=ana.namespace, instance=ana.companions.names.instance
    )
    api = Api.connect(ana.cluster.kubeconfig, token=token)
    return KubernetesBackend(settings, ana.settings, api)


def ask(ana: Tenant, **asked: Any) -> Any:
    """Run ``call_api.py`` in the person's pod."""
    printed = ana.cluster.kubectl(
        *("exec", f"--namespace={ana.namespace}", "--stdin", "desk", "--"),
        *("python", "/scripts/call_api.py"),
        stdin=json.dumps(asked),
    )
    return json.loads(printed)


def predict(ana: Tenant, url: str, key: str, texts: list[str] | None = None) -> tuple[int, Any]:
    status, answer = ask(ana, url=url, key=key, texts=texts or TEXTS)
    return status, answer


def objects(ana: Tenant, name: str) -> list[dict[str, Any]]:
    """Return what a deployment consists of."""
    kinds = "deployments,replicasets,pods,services,poddisruptionbudgets,configmaps,secrets"
    where = (f"--namespace={ana.namespace}", f"--selector=app.kubernetes.io/name={name}")
    found: list[dict[str, Any]] = ana.cluster.get(kinds, *where)["items"]
    return found


def test_a_model_is_served_with_a_key_and_outlives_its_pod(
    ana: Tenant, backend: KubernetesBackend, model_uri: str
) -> None:
    request = DeploymentRequest("nace-api", model_uri, threshold=0.3)
    made = backend.deploy(request, wait_s=WAIT_S)
    assert (made.state, made.detail, made.threshold) == ("ready", "", 0.3)
    assert made.url == f"http://nace-api.{ana.namespace}.svc:8000/"
    assert made.api_key is not None
    assert made.api_key not in repr(made)

    status, answer = predict(ana, made.url, made.api_key)
    assert status == 200
    assert len(answer["results"]) == len(TEXTS)
    assert all(result["candidates"] for result in answer["results"])
    for key, code in (("", "missing_key"), ("ank_wrong", "unknown_key")):
        status, answer = predict(ana, made.url, key)
        assert (status, answer["error"]["code"]) == (401, code)

    again = backend.deploy(request, wait_s=WAIT_S)
    assert again.api_key is None, "an unchanged deployment keeps its key"
    (before,) = [o for o in objects(ana, "nace-api") if o["kind"] == "Pod"]
    ana.cluster.kubectl(
        *("delete", "pod", before["metadata"]["name"], f"--namespace={ana.namespace}"),
        *("--grace-period=0", "--force"),
    )
    wait_until(
        lambda: backend.get("nace-api").state != "ready",
        timeout_s=30,
        what="the loss of the pod to show",
    )
    wait_until(
        lambda: backend.get("nace-api").state == "ready",
        timeout_s=WAIT_S,
        what="another pod",
        interval_s=0.5,
    )
    assert predict(ana, made.url, made.api_key)[0] == 200
    backend.undeploy("nace-api")


def test_what_is_made_is_labelled_and_holds_no_secret(
    ana: Tenant, backend: KubernetesBackend, model_uri: str
) -> None:
    made = backend.deploy(DeploymentRequest("labels", model_uri), wait_s=WAIT_S)
    assert made.api_key is not None
    found = objects(ana, "labels")
    kinds = {found["kind"] for found in found}
    assert kinds == {
        *("ConfigMap", "Deployment", "Pod", "PodDisruptionBudget", "ReplicaSet", "Service")
    }
    check_labels(found)
    assert made.api_key not in json.dumps(found)
    (pod,) = [o for o in found if o["kind"] == "Pod"]
    assert pod["spec"]["serviceAccountName"] == "workload"
    assert pod["spec"]["automountServiceAccountToken"] is False
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        names = {entry["name"] for entry in container["env"]}
        assert not names & {"AWS_ACCESS_KEY_ID", "VAULT_TOKEN", "MLFLOW_TRACKING_TOKEN"}
    assert [one.name for one in backend.list()] == ["labels"]

    backend.undeploy("labels")
    wait_until(
        lambda: not objects(ana, "labels"), timeout_s=30, what="all objects to go", interval_s=0.2
    )
    assert backend.list() == []
    with pytest.raises(NotFoundError):
        backend.get("labels")
    with pytest.raises(NotFoundError):
        backend.undeploy("labels")


def test_a_new_key_replaces_the_old_one_and_settings_follow(
    ana: Tenant, backend: KubernetesBackend, model_uri: str
) -> None:
    first = backend.deploy(DeploymentRequest("keys", model_uri), wait_s=WAIT_S)
    changed = DeploymentRequest("keys", model_uri, threshold=0.0)
    second = backend.deploy(changed, rotate_key=True, wait_s=WAIT_S)
    assert first.api_key
    assert second.api_key
    assert first.api_key != second.api_key
    assert predict(ana, second.url, first.api_key)[0] == 401
    status, answer = predict(ana, second.url, second.api_key)
    assert (status, answer["threshold"]) == (200, 0.0)

    third = backend.add_key("keys", KeyRequest("register", records_per_day=len(TEXTS)))
    assert third.api_key
    assert predict(ana, second.url, third.api_key)[0] == 200
    status, answer = predict(ana, second.url, third.api_key)
    assert (status, answer["error"]["code"]) == (429, "quota_exceeded")
    assert predict(ana, second.url, second.api_key)[0] == 200, "each key has its own quota"
    assert [key.label for key in backend.keys("keys")] == [ana.settings.account, "register"]
    backend.revoke_key("keys", third.id)
    assert predict(ana, second.url, third.api_key)[0] == 401
    with pytest.raises(NotFoundError):
        backend.revoke_key("keys", third.id)
    backend.undeploy("keys")


def test_predictions_reach_the_bucket_by_themselves(
    ana: Tenant, backend: KubernetesBackend, model_uri: str
) -> None:
    made = backend.deploy(DeploymentRequest("logged", model_uri, pseudonymise=True), wait_s=WAIT_S)
    assert made.log_folder == f"s3://{ana.bucket}/nace/logs/service=logged"
    assert made.api_key
    assert predict(ana, made.url, made.api_key)[0] == 200

    wait_until(
        lambda: ask(ana, logs=made.log_folder) == len(TEXTS),
        timeout_s=60,
        what="the logs in the bucket",
        ignoring=(UnavailableError,),  # no file yet
        interval_s=1,
    )
    assert predict(ana, made.url, made.api_key)[0] == 200
    # ended right after the answer: the pod sends its last lines before it goes
    backend.undeploy("logged")
    assert ask(ana, logs=made.log_folder) == 2 * len(TEXTS)


def test_why_it_does_not_start_is_told_in_words(ana: Tenant, backend: KubernetesBackend) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "compute", "namespace": ana.namespace},
        "spec": {"hard": {"limits.memory": "100Mi"}},
    }
    ana.cluster.apply(quota)
    try:
        with pytest.raises(AutonoeError, match="compute") as caught:
            backend.deploy(DeploymentRequest("too-large", NO_MODEL), wait_s=20)
    finally:
        ana.cluster.kubectl("delete", "resourcequota", "compute", f"--namespace={ana.namespace}")
    assert caught.value.code == "deployment_failed"
    backend.undeploy("too-large")


def test_something_else_of_that_name_is_left_alone(ana: Tenant, backend: KubernetesBackend) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken", "namespace": ana.namespace},
        "spec": {"ports": [{"port": 80}]},
    }
    ana.cluster.apply(service)
    with pytest.raises(ConflictError, match="taken"):
        backend.deploy(DeploymentRequest("taken", NO_MODEL), wait_s=0)
    assert [o["kind"] for o in objects(ana, "taken")] == []


def test_the_kubectl_form_makes_the_same(
    ana: Tenant, backend: KubernetesBackend, model_uri: str, tmp_path: Path, cluster: Cluster
) -> None:
    request = DeploymentRequest("by-hand", model_uri)
    forms = backend.equivalents(request)
    assert set(forms) == {"python", "shell", "yaml", "kubectl"}
    (tmp_path / "by-hand.yaml").write_text(forms["yaml"])
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = ana.namespace
    own = tmp_path / "kubeconfig"
    own.write_text(yaml.safe_dump(config))
    own.chmod(0o600)
    subprocess.run(
        ["bash", "-euc", forms["kubectl"] + '\nprintf %s "$KEY" > key'],
        cwd=tmp_path,
        env={**cluster.environment(), "KUBECONFIG": str(own), "PATH": _path(cluster)},
        check=True,
        timeout=WAIT_S,
    )
    made = backend.get("by-hand")
    assert made.state == "ready"
    assert made.model_uri == model_uri
    assert predict(ana, made.url, (tmp_path / "key").read_text())[0] == 200

    where = ("deployment", "by-hand", f"--namespace={ana.namespace}")
    by_hand = cluster.get(*where)["spec"]
    backend.deploy(request, wait_s=WAIT_S)
    by_call = cluster.get(*where)["spec"]
    for spec in (by_hand, by_call):
        # which key it was started with
        del spec["template"]["metadata"]["annotations"]["autonoe.dev/keys"]
    assert by_hand == by_call
    backend.undeploy("by-hand")


def _path(cluster: Cluster) -> str:
    return f"{Path(cluster.tool('kubectl')).parent}:{os.environ['PATH']}"
