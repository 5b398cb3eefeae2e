"""What a pod gets so that it acts in an account's name: valid, closed, and with nothing secret."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from autonoe.credentials.settings import AgentSettings
from autonoe.errors import InvalidInputError
from autonoe.kubernetes.pods import AGENT_CONTAINER, notebook_fragment, with_agent
from support.manifests import MINORS, check

IMAGE = "localhost/autonoe/agent:dev"


@pytest.fixture
def settings(tmp_path: Any) -> AgentSettings:
    return AgentSettings(
        account="Ana María",
        groups=("census",),
        proof_file=tmp_path / "proof",
        openbao_url="http://openbao:8200",
        s3_url="http://s3:8333",
        mlflow_url="http://mlflow:5000",
    )


def _template(**container: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "example.org/somebody/else:1", **container}
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [main]}}


def _variables(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


@pytest.mark.parametrize("minor", MINORS)
def test_a_deployment_of_such_a_pod_is_valid(settings: AgentSettings, minor: str) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {
            "selector": {"matchLabels": {"app": "x"}},
            "template": with_agent(_template(), settings, IMAGE),
        },
    }
    check([deployment], minor)
    ours = notebook_fragment(settings)
    container = {"name": "notebook", "image": "x", "env": ours.env, "volumeMounts": ours.mounts}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [container], "volumes": ours.volumes},
    }
    check([pod], minor)


def test_the_sidecar_starts_first_and_is_closed(settings: AgentSettings) -> None:
    spec = with_agent(
        {"spec": {**_template()["spec"], "initContainers": [{"name": "fetch", "image": "x"}]}},
        settings,
        IMAGE,
    )["spec"]
    agent, fetch = spec["initContainers"]
    assert (agent["name"], agent["restartPolicy"]) == (AGENT_CONTAINER, "Always")
    security = agent["securityContext"]
    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    # Only the sidecar gets the proof; the others read its folder.
    mounts = {c["name"]: [m["name"] for m in c["volumeMounts"]] for c in (agent, fetch)}
    assert mounts == {
        "autonoe-agent": ["autonoe-openbao", "autonoe-agent"],
        "fetch": ["autonoe-agent"],
    }
    (main,) = spec["containers"]
    assert [m["readOnly"] for m in main["volumeMounts"]] == [True]
    assert spec["serviceAccountName"] == "workload"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_each_account_logs_in_where_its_alias_is(settings: AgentSettings) -> None:
    def mount(template: dict[str, Any]) -> str:
        spec = with_agent(template, settings, IMAGE)["spec"]
        return _variables(spec["initContainers"][0])["AUTONOE_OPENBAO_MOUNT"]

    of_notebook = _template()
    of_notebook["spec"]["serviceAccountName"] = "notebook"
    assert mount(_template()) == "kubernetes-workload"
    assert mount(of_notebook) == "kubernetes"
    ours = {entry["name"]: entry["value"] for entry in notebook_fragment(settings).env}
    assert ours["AUTONOE_OPENBAO_MOUNT"] == "kubernetes"


def test_the_settings_reach_the_sidecar_whole(
    settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = with_agent(_template(), settings, IMAGE)["spec"]["initContainers"][0]
    for name, value in _variables(agent).items():
        monkeypatch.setenv(name, value)
    read = AgentSettings()
    assert (read.account, read.groups, read.agent_port) == ("Ana María", ("census",), 8765)
    assert read.proof_kind == "kubernetes"


def test_nothing_secret_is_in_the_template(settings: AgentSettings) -> None:
    template = with_agent(_template(), settings, IMAGE)
    names = set(_variables(template["spec"]["containers"][0]))
    assert not names & {
        "VAULT_TOKEN",
        "BAO_TOKEN",
        "MLFLOW_TRACKING_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
    }
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" in names
    assert "secretKeyRef" not in json.dumps(template)


def test_the_template_that_was_given_is_not_changed(settings: AgentSettings) -> None:
    given = _template(env=[{"name": "AWS_REGION", "value": "eu-west-1"}])
    before = copy.deepcopy(given)
    got = with_agent(given, settings, IMAGE)
    assert given == before
    # What the container says itself wins.
    assert _variables(got["spec"]["containers"][0])["AWS_REGION"] == "eu-west-1"


@pytest.mark.parametrize(
    "template",
    [
        {"spec": {"containers": []}},
        _template(env=[{"name": "AWS_ACCESS_KEY_ID", "value": "x"}]),
        {"spec": {"containers": [{"name": "autonoe-agent", "image": "x"}]}},
        {"spec": {"containers": [{"name": "a"}], "volumes": [{"name": "autonoe-openbao"}]}},
    ],
)
def test_what_would_break_it_is_refused(settings: AgentSettings, template: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        with_agent(template, settings, IMAGE)
