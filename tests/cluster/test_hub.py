"""People's servers on a real cluster: started through the hub, in their owners' namespaces."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from autonoe.waiting import wait_until
from support.hub_session import Hub
from support.stack import Stack

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def hub(stack: Stack) -> Hub:
    return stack.hub


def _ready_at(stack: Stack, namespace: str, pod: str, found: list[float]) -> threading.Thread:
    """Record the moment at which a pod becomes ready, as the API server tells it."""

    def watch() -> None:
        for _, each in stack.tenants.api.watch("Pod", namespace, timeout_s=150):
            conditions = each.get("status", {}).get("conditions", [])
            ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
            if each["metadata"]["name"] == pod and ready:
                found.append(time.monotonic())
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_person_logs_in_and_gets_a_server_within_two_seconds_of_its_pod(
    stack: Stack, hub: Hub, record_property: Any
) -> None:
    session = hub.login("alice")
    page = session.get(f"{hub.url}/hub/home", timeout=30)
    assert page.ok
    assert "alice" in page.text
    hub.spawn("alice")  # the namespace, the volume and the image's pages are there from now on
    hub.stop("alice")
    pod_ready: list[float] = []
    namespace = hub.tenant("alice")
    thread = _ready_at(stack, namespace, "jupyter", pod_ready)
    answer = hub.start("alice")
    assert answer.status_code in {201, 202}, answer.text
    last = list(hub.progress("alice"))[-1]
    server_ready = time.monotonic()
    assert last.get("ready"), last
    thread.join(30)
    late = server_ready - pod_ready[0]
    record_property("server_ready_after_pod_ready_s", round(late, 2))
    assert late < 2.0
    lab = session.get(f"{hub.url}/user/alice/lab", timeout=60)
    assert lab.ok
    assert "JupyterLab" in lab.text


def test_the_pod_is_restricted_and_says_whose_it_is(stack: Stack, hub: Hub) -> None:
    hub.add_user("dora")
    hub.spawn("dora")
    pod = hub.pods("dora")[0]
    spec, metadata = pod["spec"], pod["metadata"]
    container = spec["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["serviceAccountName"] == "notebook"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert metadata["annotations"]["autonoe.dev/owner"] == "dora"
    assert metadata["labels"]["autonoe.dev/owner-slug"] == "dora"
    assert metadata["labels"]["app.kubernetes.io/part-of"] == "autonoe"
    tokens = [v for v in spec["volumes"] if "projected" in v]
    assert {v["name"] for v in tokens} == {"openbao-token", "kubernetes-token"}
    claim = stack.cluster.get("pvc", "home", f"--namespace={hub.tenant('dora')}")
    assert claim["metadata"]["annotations"]["autonoe.dev/owner"] == "dora"
    refused = hub.run("dora", "sh", "-c", "touch /opt/venv/x; echo $?", check=False)
    assert "Read-only" in refused
    listed = hub.run("dora", "kubectl", "get", "pods", "--output=name")
    assert listed.strip() == "pod/jupyter"
    hub.remove_user("dora")


def test_servers_share_the_home_and_a_restart_on_another_profile_keeps_it(
    stack: Stack, hub: Hub
) -> None:
    hub.add_user("erik")
    hub.spawn("erik")
    hub.spawn("erik", "second", profile="other")
    hub.run("erik", "sh", "-c", "mkdir -p work && echo kept > work/note")
    assert hub.run("erik", "cat", "work/note", name="second").strip() == "kept"
    first = stack.cluster.get("pvc", "home", f"--namespace={hub.tenant('erik')}")
    hub.stop("erik")
    assert [pod["metadata"]["name"] for pod in hub.pods("erik")] == ["jupyter-second"]
    hub.stop("erik", "second")
    assert hub.pods("erik") == []
    hub.spawn("erik", profile="other")
    assert hub.run("erik", "cat", "work/note").strip() == "kept"
    limits = hub.pods("erik")[0]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["cpu"] == "400m"
    hub.stop("erik")
    again = stack.cluster.get("pvc", "home", f"--namespace={hub.tenant('erik')}")
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    hub.remove_user("erik")


def _refusal(hub: Hub, user: str, **user_options: Any) -> str:
    """Ask for a server that must not start, and return what the hub says about it."""
    answer = hub.start(user, **user_options)
    if answer.status_code in {201, 202}:
        last = list(hub.progress(user))[-1]
        assert last.get("failed"), last
        return str(last["message"])
    assert answer.status_code in {400, 403}, answer.text
    return str(answer.json()["message"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"profile": "closed"}, "not open to you"),
        ({"profile": "no-such-profile"}, "does not exist"),
        ({"image": "registry.example.org/evil:1"}, "not one of this profile's"),
        ({"image": "localhost/autonoe/jupyter-python:dev\n"}, "not one of this profile's"),
        ({"cpu": 1e9}, "above what this profile allows"),
        ({"privileged": True}, "no option 'privileged'"),
        ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "no option 'volumes'"),
        ({"service_account": "default", "uid": 0}, "no option"),
        ({"namespace": "kube-system"}, "no option 'namespace'"),
        ({"environment": {"LD_PRELOAD": "x.so"}}, "LD_PRELOAD"),
        ({"environment": {"AUTONOE_ACCOUNT": "alice"}}, "AUTONOE_ACCOUNT"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_not_open_is_refused_through_the_rest_api(
    hub: Hub, options: dict[str, Any], said: str
) -> None:
    hub.add_user("fred")
    assert said in _refusal(hub, "fred", **options)
    assert hub.server("fred").get("ready") is not True
    assert hub.pods("fred") == []


def test_an_exceeded_quota_is_named(hub: Hub) -> None:
    hub.add_user("gina")
    said = _refusal(hub, "gina", memory_gib=60)
    assert "compute" in said
    assert "12" in said
    assert hub.pods("gina") == []


def test_a_server_that_waits_says_for_what_and_leaves_nothing_when_stopped(hub: Hub) -> None:
    hub.add_user("hans")
    answer = hub.start("hans", profile="nowhere")
    assert answer.status_code == 202, answer.text
    seen: list[dict[str, Any]] = []

    def read() -> None:
        for event in hub.progress("hans"):
            seen.append(event)  # noqa: PERF402  one by one: the test looks while it grows

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    wait_until(
        lambda: any(event.get("code") == "no_matching_node" for event in list(seen)),
        timeout_s=90,
        what="the reason why the pod waits",
    )
    assert hub.pods("hans")
    hub.api("DELETE", "/users/hans/server", ok=False)
    wait_until(lambda: not hub.pods("hans"), timeout_s=60, what="the pod to go")
    reader.join(60)
    told = next(event for event in seen if event.get("code") == "no_matching_node")
    assert told["message"].startswith("No machine is of the kind")
    assert "node" in told["technical"]


def test_a_profile_ends_its_server_after_its_lifetime(hub: Hub) -> None:
    hub.add_user("ines")
    hub.spawn("ines", profile="short")
    assert hub.pods("ines")[0]["spec"]["activeDeadlineSeconds"] == 45

    def over() -> bool:
        return all(pod["status"]["phase"] != "Running" for pod in hub.pods("ines"))

    wait_until(over, timeout_s=75, what="the end of the lifetime", interval_s=0.5)
    wait_until(lambda: not hub.server("ines"), timeout_s=90, what="the hub to see it")
    hub.remove_user("ines")
