"""Nothing secret lies in an object of a tenant's namespace, in an environment or in a log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autonoe.identity.cluster import ClusterEnrolment
from autonoe.kubernetes.pods import PROOF_FILE
from support.stack_companions import Companions
from support.tenant_pods import Tenant, tenant

SCRIPT = Path(__file__).with_name("boto3_loop.py")
_KEYS = """
import json, os, urllib.request
headers = {"Authorization": open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read()}
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
keys = json.load(urllib.request.urlopen(urllib.request.Request(url, headers=headers)))
print(json.dumps([keys["SecretAccessKey"], keys["Token"], headers["Authorization"]]))
"""
_OBJECTS = (
    "pods,configmaps,secrets,serviceaccounts,services,events,endpointslices,"
    "persistentvolumeclaims,roles,rolebindings,networkpolicies,resourcequotas,limitranges"
)


@pytest.mark.parametrize("role", ["worker", "notebook"])
def test_nothing_secret_can_be_read_outside_of_the_pod(
    companions: Companions, enrolment: ClusterEnrolment, role: str
) -> None:
    with tenant(companions, enrolment, "ana") as ana:
        pod = ana.worker(role, ["sleep", "600"]) if role == "worker" else ana.notebook(role)
        agent = "autonoe-agent" if role == "worker" else "notebook"
        ana.start(pod, SCRIPT, Path(__file__).with_name("in_notebook.py"))
        ana.cluster.wait_ready(ana.namespace, role, timeout_s=300)
        secrets = _secrets(ana, role, agent)
        assert all(len(secret) > 20 for secret in secrets), "there is something to be found"
        here = f"--namespace={ana.namespace}"
        places = {
            "objects": ana.cluster.kubectl("get", _OBJECTS, here, "--output=yaml"),
            "logs": ana.cluster.kubectl("logs", here, role, "--all-containers"),
            "environments": _environments(ana, role, agent),
            "arguments": _files_of_processes(ana, role, agent, "cmdline"),
        }
        if role == "worker":
            places["the other container's"] = _environments(ana, role, "main")
        found = [
            (place, number)
            for place, text in places.items()
            for number, secret in enumerate(secrets)
            if secret in text
        ]
        assert found == []
        kinds = ana.cluster.get("secrets", here)["items"]
        assert kinds == [], "a tenant's namespace needs no Secret of ours"


def test_only_the_sidecar_holds_the_proof(
    companions: Companions, enrolment: ClusterEnrolment
) -> None:
    with tenant(companions, enrolment, "ana") as ana:
        ana.start(ana.worker("worker", ["sleep", "600"]), SCRIPT)
        ana.cluster.wait_ready(ana.namespace, "worker", timeout_s=180)
        shown = ana.exec("worker", "sh", "-c", f"cat {PROOF_FILE} || echo none", container="main")
        assert shown.strip() == "none"
        # The shared folder gives way to whoever is in the pod, and to writers never.
        tried = ana.exec(
            "worker", "sh", "-c", "touch /run/autonoe/agent/x || echo no", container="main"
        )
        assert tried.strip() == "no"
        # What else a shell of the other container gets.
        script = '. "$AUTONOE_AGENT_ENVIRONMENT"; test -n "$VAULT_TOKEN" && echo "$VAULT_ADDR"'
        address = ana.exec("worker", "sh", "-c", script, container="main")
        assert address.strip() == "http://127.0.0.1:8765"


def _secrets(ana: Tenant, pod: str, agent: str) -> list[str]:
    """Return what must stay hidden: keys, session token, the agent's pass, the pod's proof."""
    proof = ana.exec(pod, "cat", PROOF_FILE, container=agent).strip()
    if pod == "worker":
        keys = ana.exec(pod, "python", "-c", _KEYS, container="main")
    else:
        # A kernel has the pass in its environment, where it opens this pod's agent only.
        code = "/tmp/keys.py"  # noqa: S108  the pod's own
        ana.exec(pod, "python", "-c", f"open({code!r}, 'w').write({_KEYS!r})")
        keys = ana.exec(pod, "python", "/scripts/in_notebook.py", code, "x")
        return [proof, *json.loads(keys)[:2]]
    return [proof, *json.loads(keys)]


def _environments(ana: Tenant, pod: str, container: str) -> str:
    return _files_of_processes(ana, pod, container, "environ")


def _files_of_processes(ana: Tenant, pod: str, container: str, name: str) -> str:
    script = f"for each in /proc/[0-9]*; do tr '\\0' '\\n' < $each/{name}; done"
    text = ana.exec(pod, "sh", "-c", f"{script}; true", container=container)
    assert name != "environ" or "PATH=" in text
    return text
