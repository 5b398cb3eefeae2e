"""The layers of values for the hub, as the z2jh chart takes them, or without it our renderer.

Where ``AUTONOE_Z2JH_CHART`` names a copy of the chart, the layers are validated against its schema
and rendered by Helm itself; the same assertions hold for both renderings.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from autonoe.profiles.compile import profile_list_yaml
from autonoe.profiles.sources import load
from support.manifests import MINORS, check
from support.places import REPOSITORY
from support.stack_hub import LAYERS, chart
from support.z2jh_renderer import merged, render

FOLDER = REPOSITORY / "helm-values" / "hub"
EXTRA = ("gpu", "dask", "spark", "event", "prod")
COMBINATIONS = [(), ("gpu",), ("dask", "spark"), ("event",), ("prod",), EXTRA]


def _files(extra: tuple[str, ...]) -> list[Path]:
    return [*LAYERS, *(FOLDER / f"{name}.yaml" for name in extra)]


def _rendered(extra: tuple[str, ...]) -> list[dict[str, Any]]:
    if (copy := chart()) is None:
        return render(merged(_files(extra)), release="hub", namespace="autonoe")
    helm = shutil.which("helm")
    assert helm, "AUTONOE_Z2JH_CHART is set, so that helm is needed"
    answer = subprocess.run(
        [
            *(helm, "template", "hub", str(copy), "--namespace=autonoe"),
            *(f"--values={file}" for file in _files(extra)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    return [found for found in yaml.safe_load_all(answer.stdout) if found]


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda extra: "+".join(extra) or "plain")
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return _rendered(request.param)


def _of(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def _pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    kinds = {"Deployment", "DaemonSet", "StatefulSet", "Job"}
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in objects
        if each["kind"] in kinds
    }


TOP = {"custom", "hub", "proxy", "singleuser", "scheduling", "rbac", "prePuller", "cull"}


@pytest.mark.parametrize("extra", COMBINATIONS, ids=lambda extra: "+".join(extra) or "plain")
def test_the_values_fit_the_charts_schema(extra: tuple[str, ...]) -> None:
    values = merged(_files(extra))
    # The schema lets nothing else in at the top; without a copy of it, this much is known.
    assert set(values) <= TOP
    if (copy := chart()) is not None:
        # As Helm does: on top of the chart's own values.
        full = merged([copy / "values.yaml", *_files(extra)])
        jsonschema.validate(full, yaml.safe_load((copy / "values.schema.yaml").read_text()))


def test_the_hub_gets_no_right_from_the_chart(objects: list[dict[str, Any]]) -> None:
    kinds = {each["kind"] for each in objects}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


def test_every_container_is_restricted(objects: list[dict[str, Any]]) -> None:
    for name, pod in _pods(objects).items():
        shared = pod.get("securityContext") or {}
        assert not pod.get("hostNetwork"), name
        for volume in pod.get("volumes") or []:
            assert "hostPath" not in volume, name
        for container in [*pod["containers"], *(pod.get("initContainers") or [])]:
            own = {**shared, **(container.get("securityContext") or {})}
            assert own["runAsNonRoot"] is True, name
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert own["seccompProfile"] == {"type": "RuntimeDefault"}, name


def test_hub_and_proxy_write_nowhere_but_in_their_volumes(objects: list[dict[str, Any]]) -> None:
    pods = _pods(objects)
    for name in ("hub", "proxy"):
        assert pods[name]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
        assert pods[name]["containers"][0]["resources"]["limits"]["memory"]
    assert pods["proxy"]["automountServiceAccountToken"] is False
    mounts = {mount["mountPath"] for mount in pods["hub"]["containers"][0]["volumeMounts"]}
    assert {"/tmp", "/etc/autonoe/oidc"} <= mounts  # noqa: S108  a volume of the pod's own


def test_hub_and_proxy_reach_what_they_need_and_no_more(objects: list[dict[str, Any]]) -> None:
    policies = _of(objects, "NetworkPolicy")
    for name in ("hub", "proxy"):
        spec = policies[name]["spec"]
        assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
        for rule in spec["egress"]:
            blocks = [peer["ipBlock"] for peer in rule.get("to") or [] if "ipBlock" in peer]
            for block in blocks:
                # Only the API server, of which the site alone knows the address.
                assert name == "hub"
                assert block["except"] == ["169.254.0.0/16"]
                assert {port["port"] for port in rule["ports"]} == {443, 6443}
            assert rule.get("to"), f"{name} may go anywhere on {rule.get('ports')}"
            assert rule.get("ports"), f"{name} may use any port of {rule['to']}"
        for rule in spec["ingress"]:
            for peer in rule.get("from") or []:
                if "namespaceSelector" in peer:
                    assert peer["podSelector"]["matchLabels"], "a whole namespace is let in"


def test_nothing_is_reachable_from_outside_by_itself(objects: list[dict[str, Any]]) -> None:
    for service in _of(objects, "Service").values():
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_images_are_ours_and_have_tags(objects: list[dict[str, Any]]) -> None:
    for name, pod in _pods(objects).items():
        for container in [*pod["containers"], *(pod.get("initContainers") or [])]:
            image = container["image"]
            assert ":" in image.rsplit("/", 1)[-1], image
            # The puller's own container only waits; it comes with the chart.
            assert image.startswith("localhost/autonoe/") or container["name"] == "pause", (
                f"{name}: {image}"
            )


def test_the_pre_puller_fetches_every_image_that_a_profile_can_start() -> None:
    values = merged(_files(("dask", "spark")))
    listed = set()
    for profile in values["singleuser"]["profileList"]:
        listed.add(profile["kubespawner_override"]["image"])
        for option in (profile.get("profile_options") or {}).values():
            listed |= {c["kubespawner_override"]["image"] for c in option["choices"].values()}
    assert listed == set(load().images())
    assert (FOLDER / "profiles.yaml").read_text().endswith(profile_list_yaml(load())), (
        "helm-values/hub/profiles.yaml is not what `autonoe profiles values` prints"
    )
    if chart() is not None:
        puller = _pods(_rendered(("dask", "spark")))["continuous-image-puller"]
        pulled = {container["image"] for container in puller["initContainers"]}
        extra = {f"localhost/autonoe/{name}:dev" for name in ("worker", "spark-worker")}
        assert listed | extra <= pulled


@pytest.mark.parametrize("minor", MINORS)
def test_every_object_is_valid_for_the_newest_minors(
    objects: list[dict[str, Any]], minor: str
) -> None:
    check(objects, minor)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_each_layer_says_why(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[0].startswith("# "), "the first line says what the layer is for"
    if file.stem != "profiles":
        assert sum("#" in line for line in lines) >= 3
