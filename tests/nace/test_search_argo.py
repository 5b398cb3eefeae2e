"""The search as an Argo Workflow: valid by Argo's published models, restricted, free of secrets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hera.workflows.models import Workflow

from autonoe.cli import main
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import InvalidInputError
from autonoe_nace.search import argo
from autonoe_nace.search.argo import Containers, workflow
from autonoe_nace.search.plan import SearchPlan
from nace.search_material import OPTIONS, make_plan, write_table

CANDIDATES = [{"lr": 0.3}, {"lr": 0.6}, {"lr": 0.9}]


@pytest.fixture
def plan() -> SearchPlan:
    return make_plan("s3://user-ana/texts.csv", CANDIDATES, sha256={"data": "0" * 64})


def _unknown(given: Any, known: Any, path: str = "") -> list[str]:
    """Return the fields of ``given`` that did not come through Argo's models."""
    if isinstance(given, dict):
        if not isinstance(known, dict):
            return [path]
        return [
            found
            for key, value in given.items()
            for found in (
                _unknown(value, known[key], f"{path}.{key}") if key in known else [f"{path}.{key}"]
            )
        ]
    if isinstance(given, list):
        if not isinstance(known, list) or len(given) != len(known):
            return [path]
        pairs = zip(given, known, strict=True)
        return [f for i, (a, b) in enumerate(pairs) for f in _unknown(a, b, f"{path}[{i}]")]
    return [] if str(given) == str(known) else [path]


def check_by_argo(manifest: dict[str, Any]) -> list[str]:
    """Return the fields that Argo's published models do not know; raise where a value is wrong."""
    read = Workflow.model_validate(manifest)
    return _unknown(manifest, json.loads(read.model_dump_json(by_alias=True, exclude_none=True)))


def test_the_manifest_is_valid_by_argos_models(plan: SearchPlan) -> None:
    manifest = workflow(plan, Containers(image="registry.example/nace:1", namespace="u-ana"))
    assert check_by_argo(manifest) == []
    again = yaml.safe_load(argo.as_yaml(manifest))
    assert again == manifest
    # The check itself can fail.
    wrong = json.loads(json.dumps(manifest))
    wrong["spec"]["templates"][1]["container"]["workers"] = 4
    assert check_by_argo(wrong) == [".spec.templates[1].container.workers"]
    wrong = json.loads(json.dumps(manifest))
    wrong["spec"]["parallelism"] = "many"
    with pytest.raises(ValueError, match="parallelism"):
        check_by_argo(wrong)


def test_there_is_one_container_a_candidate(plan: SearchPlan) -> None:
    manifest = workflow(plan, Containers(image="i"))
    templates = {template["name"]: template for template in manifest["spec"]["templates"]}
    begin, candidates, end = (step[0] for step in templates["search"]["steps"])
    assert (begin["template"], end["template"]) == ("begin", "end")
    sequence = candidates["withSequence"]
    assert int(sequence["end"]) - int(sequence["start"]) + 1 == len(CANDIDATES)
    assert manifest["spec"]["serviceAccountName"] == "workload"
    assert manifest["spec"]["arguments"]["parameters"] == [{"name": "image", "value": "i"}]


def test_pods_are_restricted_bounded_and_ended(plan: SearchPlan) -> None:
    manifest = workflow(plan, Containers(image="i", cpu="2", memory="3Gi", deadline_s=600))
    spec = manifest["spec"]
    assert spec["activeDeadlineSeconds"] > 600
    assert spec["ttlStrategy"]["secondsAfterCompletion"] > 0
    for template in spec["templates"][1:]:
        # by the JSON schema that Argo publishes, what may be a number or a string is a string
        assert template["activeDeadlineSeconds"] == "600"
        retries = template["retryStrategy"]
        assert (retries["limit"], retries["backoff"]["factor"]) == ("2", "2")
        container = template["container"]
        assert container["resources"]["limits"] == {"cpu": "2", "memory": "3Gi"}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {
                "containers": [container],
                "volumes": template["volumes"],
                "securityContext": spec["securityContext"],
            },
        }
        kubernetes_validate.validate(pod, "1.33", strict=True)
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["runAsNonRoot"] is spec["securityContext"]["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["securityContext"]["runAsUser"] > 0


def test_no_credential_of_the_environment_is_in_it(
    plan: SearchPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "very-secret-one",
        "AWS_SESSION_TOKEN": "very-secret-two",
        "MLFLOW_TRACKING_TOKEN": "very-secret-three",
        "VAULT_TOKEN": "very-secret-four",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    text = argo.as_yaml(workflow(plan, Containers(image="i")))
    assert "very-secret" not in text
    assert not re.search(r"SECRET|TOKEN|PASSWORD|ACCESS_KEY", text)


def test_the_agent_stands_beside_each_container(plan: SearchPlan, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    proof.write_text("very-secret-proof", encoding="utf-8")
    settings = AgentSettings(
        account="ana",
        proof_file=proof,
        openbao_url="http://openbao:8200",
        s3_url="http://s3:8333",
        mlflow_url="http://mlflow:5000",
    )
    manifest = workflow(plan, Containers(image="i"), agent=(settings, "agent:1"))
    assert check_by_argo(manifest) == []
    assert "very-secret" not in argo.as_yaml(manifest)
    for template in manifest["spec"]["templates"][1:]:
        (agent,) = template["initContainers"]
        assert (agent["image"], agent["restartPolicy"]) == ("agent:1", "Always")
        container = template["container"]
        assert "$AUTONOE_AGENT_ENVIRONMENT" in container["command"][2]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {
                "initContainers": [agent],
                "containers": [container],
                "volumes": template["volumes"],
            },
        }
        kubernetes_validate.validate(pod, "1.33", strict=True)


def test_data_of_this_machine_and_endless_plans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot read"):
        workflow(make_plan(write_table(tmp_path), [{"lr": 0.5}]), Containers(image="i"))
    many = [{"lr": 0.0001 * (i + 1)} for i in range(9_999)]
    big = make_plan("s3://user-ana/" + "x" * 1_000, many)
    monstrous = big.model_copy(update={"base": {"language": "x" * 400_000}})
    with pytest.raises(InvalidInputError, match="one manifest"):
        workflow(monstrous, Containers(image="i"))


def test_a_container_runs_its_candidate(tmp_path: Path) -> None:
    """Run what the manifest tells a container, with the file that Argo would put into it."""
    table = write_table(tmp_path)
    local = make_plan(table, CANDIDATES)
    remote = local.model_copy(
        update={"material": local.material.model_copy(update={"data": "s3://user-ana/texts.csv"})}
    )
    manifest = workflow(remote, Containers(image="i"))
    template = next(t for t in manifest["spec"]["templates"] if t["name"] == "candidate")
    (artifact,) = template["inputs"]["artifacts"]
    # The bucket is this folder here; all else is as in the container.
    content = artifact["raw"]["data"].replace("s3://user-ana/texts.csv", str(table))
    plan_file = tmp_path / "plan.json"
    plan_file.write_text(content, encoding="utf-8")
    filled = [
        {argo.PLAN_FILE: str(plan_file), "--track": "--no-track"}.get(
            argument, argument.replace("{{inputs.parameters.number}}", "1")
        )
        for argument in template["container"]["args"]
    ]
    assert template["container"]["command"] == ["autonoe"]
    done = subprocess.run(
        [sys.executable, "-m", "autonoe", *filled, "--output", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    row = json.loads(done.stdout)
    assert (row["candidate"], row["params"], row["whole"]) == (1, {"lr": 0.6}, True)
    assert row["n"] == 48
    files = sorted(p.name for p in (tmp_path / "out" / "folds").glob("*.json"))
    assert files == [f"c0001-f0{fold}.json" for fold in range(3)]


def test_the_command_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_table(tmp_path)
    # Reading is the data's own test; here the address must be one that containers reach.
    real = argo.workflow

    def from_bucket(plan: SearchPlan, *rest: Any, **more: Any) -> dict[str, Any]:
        material = plan.material.model_copy(update={"data": "s3://user-ana/texts.csv"})
        return real(plan.model_copy(update={"material": material}), *rest, **more)

    monkeypatch.setattr(argo, "workflow", from_bucket)
    target = tmp_path / "search.yaml"
    arguments = ["nace", "search", "argo", "--data", str(table), "--nomenclature", "nace-rev2"]
    arguments += ["--vary", "lr=0.3,0.6", *OPTIONS]
    monkeypatch.setenv("JUPYTER_IMAGE", "registry.example/jupyter-python:1")  # as KubeSpawner does
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--parallelism", "2", "--output", str(target), "--json"])
    said = capsys.readouterr()
    assert not left.value.code
    manifest = json.loads(said.out)
    assert manifest == yaml.safe_load(target.read_text(encoding="utf-8"))
    assert check_by_argo(manifest) == []
    assert manifest["spec"]["parallelism"] == 2
    image = {"name": "image", "value": "registry.example/jupyter-python:1"}
    assert manifest["spec"]["arguments"]["parameters"] == [image]
    assert str(tmp_path) not in target.read_text(encoding="utf-8")


def test_outside_of_the_hub_an_image_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTER_IMAGE", raising=False)
    arguments = ["nace", "search", "argo", "--data", "s3://user-ana/texts.csv"]
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--nomenclature", "nace-rev2", "--vary", "lr=0.3,0.6"])
    assert left.value.code == 2
    assert "--image" in capsys.readouterr().err
