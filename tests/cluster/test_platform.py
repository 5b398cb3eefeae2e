"""``autonoe platform`` with the real Helm on a real cluster."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autonoe.errors import AutonoeError
from autonoe.platform import catalogue
from autonoe.platform.helm import ChartRef, Helm
from autonoe.platform.plan import wanted
from autonoe.platform.site import Site
from autonoe.waiting import wait_until
from support.cluster import Cluster
from support.helm_charts import (
    COMPANIONS,
    dask_operator_chart,
    make_chart,
    part,
    write_list,
)
from support.manifests import MINORS, check
from support.places import REPOSITORY

ARCHIVES = REPOSITORY / "build" / "images"


class Platform:
    """The command line, for one instance of its own."""

    def __init__(self, cluster: Cluster, instance: str) -> None:
        self.cluster = cluster
        self.instance = instance
        self.options: list[str] = []
        self.environment = {
            **cluster.environment(),
            "AUTONOE_HELM": cluster.tool("helm"),
            "KUBECONFIG": str(cluster.kubeconfig),
        }

    def command(self, verb: str, *arguments: str) -> list[str]:
        own = [*self.options, "--instance", self.instance, *arguments]
        return [sys.executable, "-m", "autonoe", "platform", verb, *own]

    def run(self, verb: str, *arguments: str, expect: int = 0) -> str:
        """Run a subcommand; return both its outputs."""
        done = subprocess.run(
            self.command(verb, *arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, verb: str, *arguments: str, expect: int = 0) -> Any:
        """Run a subcommand with ``--json``; return its document."""
        done = subprocess.run(
            self.command(verb, "--json", *arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return json.loads(done.stdout)

    def actions(self, *arguments: str) -> dict[str, str]:
        """Return what the plan would do, by part."""
        return {step["part"]: step["action"] for step in self.json("plan", *arguments)["steps"]}

    def revisions(self) -> dict[str, int]:
        """Return the revision of each release of the instance."""
        helm = Helm(Path(self.environment["AUTONOE_HELM"]), kubeconfig=str(self.cluster.kubeconfig))
        own = f"{self.instance}-"
        return {
            one.name.removeprefix(own): one.revision
            for one in helm.releases().values()
            if one.name.startswith(own)
        }

    def status(self, name: str) -> str:
        """Return what Helm calls a release; empty when there is none."""
        helm = Helm(Path(self.environment["AUTONOE_HELM"]), kubeconfig=str(self.cluster.kubeconfig))
        found = helm.releases().get((f"{self.instance}-parts", f"{self.instance}-{name}"))
        return found.status if found else ""


@pytest.fixture
def platform(cluster: Cluster) -> Iterator[Platform]:
    cluster.import_image(ARCHIVES / "agent.tar")
    made = Platform(cluster, f"g{secrets.token_hex(3)}")
    yield made
    with contextlib.suppress(AutonoeError):
        for suffix in ("parts", "operators"):
            name = f"{made.instance}-{suffix}"
            cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
        role = f"{made.instance}-dask-operator-dask-kubernetes-operator"
        for kind in ("clusterrole", "clusterrolebinding"):
            for suffix in ("", "-cluster"):
                cluster.kubectl("delete", kind, f"{role}{suffix}", "--ignore-not-found")


def use_list(platform: Platform, folder: Path, *parts: dict[str, Any], **values: Any) -> Path:
    """Have the platform use a list of tiny charts."""
    write_list(folder, *parts, **values)
    platform.options = ["--folder", str(folder)]
    for entry in parts:
        chart = folder.parent / f"{entry['name']}-1.0.0"
        if not chart.exists():
            make_chart(folder.parent, entry["name"])
        platform.options += ["--chart", f"{entry['name']}={chart}"]
    return folder


def test_dask_operator_from_plan_to_uninstall(
    cluster: Cluster, platform: Platform, tmp_path: Path
) -> None:
    cluster.import_image(ARCHIVES / "dask-operator.tar")
    image = tmp_path / "image.yaml"
    image.write_text("image: {name: localhost/autonoe/dask-operator, tag: dev}\n")
    platform.options = [
        *("--only", "dask-operator", "--values", f"dask-operator={image}"),
        *("--chart", f"dask-operator={dask_operator_chart()}"),
    ]
    document = platform.json("plan")
    assert all(condition["met"] for condition in document["conditions"])
    (step,) = document["steps"]
    assert (step["action"], step["installed"]) == ("install", None)
    assert platform.revisions() == {}, "a plan must change nothing"
    assert platform.json("check", expect=1)["parts"][0]["state"] == "missing"

    said = platform.run("install")
    assert "dask-operator: install" in said
    namespace = f"{platform.instance}-operators"
    labels = cluster.get("namespace", namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert platform.json("check")["parts"][0]["state"] == "healthy"
    definition = cluster.get("crd", "daskclusters.kubernetes.dask.org")
    assert definition["spec"]["group"] == "kubernetes.dask.org"

    assert platform.json("install")["changed"] == []
    assert platform.revisions() == {"dask-operator": 1}

    cluster.kubectl("delete", "deployment", "--all", f"--namespace={namespace}")
    (health,) = platform.json("check", expect=1)["parts"]
    assert health["state"] == "unhealthy"
    assert "is gone" in health["details"][0]
    assert namespace in health["next_step"]

    assert platform.json("uninstall", "--yes")["removed"] == ["dask-operator"]
    assert platform.revisions() == {}


def test_a_failure_half_way_is_told_and_the_next_run_goes_on(
    platform: Platform, tmp_path: Path
) -> None:
    parts = [part("one"), part("two", needs=["one"], timeout_s=10), part("three", needs=["two"])]
    broken = {"word": "two", "pods": 1, "readyPath": "/not-there"}
    folder = use_list(platform, tmp_path / "list", *parts, two=broken)

    said = platform.run("install", expect=1)
    assert "one: done" in said
    assert "helm upgrade failed" in said
    assert "it goes on where it stopped" in said
    assert platform.actions() == {"one": "keep", "two": "install", "three": "install"}

    (folder / "two.yaml").write_text(yaml.safe_dump({**broken, "readyPath": "/"}))
    said = platform.run("install")
    assert "one: It is installed as wanted." in said
    assert platform.actions() == dict.fromkeys(("one", "two", "three"), "keep")
    assert platform.revisions() == {"one": 1, "two": 1, "three": 1}
    assert {row["state"] for row in platform.json("check")["parts"]} == {"healthy"}


def test_a_failed_upgrade_leaves_what_ran_before(
    cluster: Cluster, platform: Platform, tmp_path: Path
) -> None:
    folder = use_list(platform, tmp_path / "list", part("one", timeout_s=20))
    (folder / "one.yaml").write_text(yaml.safe_dump({"word": "before", "pods": 1}))
    platform.run("install")
    broken = {"word": "after", "pods": 1, "readyPath": "/not-there"}
    (folder / "one.yaml").write_text(yaml.safe_dump(broken))
    assert platform.actions() == {"one": "upgrade"}
    platform.run("install", expect=1)
    word = cluster.get(
        "configmap", f"{platform.instance}-one-word", f"--namespace={platform.instance}-parts"
    )
    assert word["data"]["word"] == "before"
    assert platform.json("check", expect=0)["parts"][0]["state"] == "healthy"


def test_an_installation_whose_helm_was_killed_is_repaired(
    platform: Platform, tmp_path: Path
) -> None:
    slow = {"word": "one", "pods": 1, "readyPath": "/not-there"}
    folder = use_list(platform, tmp_path / "list", part("one", timeout_s=120), one=slow)
    running = subprocess.Popen(
        platform.command("install"),
        env=platform.environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: platform.status("one") == "pending-install",
            timeout_s=60,
            what="Helm to be at work",
            interval_s=0.2,
        )
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(10)
    assert platform.actions() == {"one": "repair"}
    (folder / "one.yaml").write_text(yaml.safe_dump({**slow, "readyPath": "/"}))
    said = platform.run("install")
    assert "removed what an interrupted installation left" in said
    assert platform.actions() == {"one": "keep"}


def test_secrets_are_made_once_and_never_shown(
    cluster: Cluster, platform: Platform, tmp_path: Path
) -> None:
    keys = {"user": "admin", "password": "random:40"}
    secret = {"name": "login", "why": "the first login", "keys": keys}
    use_list(platform, tmp_path / "list", part("one", secrets=[secret]))
    where = ("secret", "login", f"--namespace={platform.instance}-parts")

    said = platform.run("plan") + platform.run("install")
    made = cluster.get(*where)
    password = cluster.kubectl(
        "get", *where, "--output=go-template={{.data.password|base64decode}}"
    )
    assert len(password) == 40
    assert password not in said
    assert "made the secret login" in said

    again = platform.run("install") + platform.run("plan", "--json") + platform.run("check")
    assert cluster.get(*where)["metadata"]["uid"] == made["metadata"]["uid"]
    assert password not in again


def test_nothing_is_changed_when_a_condition_is_not_met(
    cluster: Cluster, platform: Platform, tmp_path: Path
) -> None:
    with cluster.namespace() as namespace:
        use_list(
            platform,
            tmp_path / "list",
            part("one"),
            part("two", needs=["one"], namespace=namespace, pod_security="privileged"),
        )
        said = platform.run("install", expect=1)
        assert "Nothing was changed." in said
        assert f"The namespace {namespace} enforces restricted; two needs privileged." in said
        assert "kubectl label namespace" in said
        assert platform.revisions() == {}


def test_a_login_without_rights_is_told_which(
    cluster: Cluster, platform: Platform, namespace: str, tmp_path: Path
) -> None:
    use_list(platform, tmp_path / "list", part("one"))
    token = cluster.kubectl("create", "token", "default", f"--namespace={namespace}").strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    weak = tmp_path / "kubeconfig"
    weak.write_text(yaml.safe_dump(config))
    weak.chmod(0o600)
    answer = platform.json("plan", "--kubeconfig", str(weak), expect=1)
    assert answer["error"]["code"] == "helm_failed"
    assert "secrets is forbidden" in answer["error"]["message"]
    assert token not in json.dumps(answer)


def test_a_page_that_must_be_closed_and_is_open_is_told(platform: Platform, tmp_path: Path) -> None:
    page = {
        "service": f"{platform.instance}-one",
        "port": 80,
        "path": "/",
        "expect": [401],
        "meaning": "it must ask for a password.",
    }
    values = {"word": "one", "pods": 1}
    use_list(platform, tmp_path / "list", part("one", health={"http": [page]}), one=values)
    platform.run("install")
    (health,) = platform.json("check", expect=1)["parts"]
    assert health["state"] == "unhealthy"
    assert health["details"] == [
        f"{platform.instance}-one answers 200 at /: it must ask for a password."
    ]


def test_uninstall_asks_first(platform: Platform, tmp_path: Path) -> None:
    use_list(platform, tmp_path / "list", part("one"))
    platform.run("install")
    platform.run("uninstall", expect=1)
    assert platform.revisions() == {"one": 1}


@pytest.mark.parametrize("minor", MINORS)
def test_the_dask_operators_values_fit_its_chart_and_restricted(
    cluster: Cluster, minor: str
) -> None:
    want = wanted(
        catalogue.load(COMPANIONS).part("dask-operator"),
        Site().with_part("dask-operator", chart=str(dask_operator_chart())),
        COMPANIONS,
    )
    helm = Helm(Path(cluster.tool("helm")))
    objects = helm.template("release", "somewhere", want.chart, want.values)
    check(objects, minor)
    (deployment,) = (found for found in objects if found["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["runAsNonRoot"] is True


def test_a_value_that_a_chart_refuses_is_told_without_secrets(
    cluster: Cluster, tmp_path: Path
) -> None:
    chart = make_chart(tmp_path, "one")
    template = chart / "templates" / "word.yaml"
    template.write_text('{{ fail (printf "bad %s" .Values.password) }}')
    helm = Helm(Path(cluster.tool("helm")))
    with pytest.raises(AutonoeError, match="helm template failed") as caught:
        helm.template("r", "n", ChartRef("one", path=chart), {"password": "hunter22"})
    assert "bad" in caught.value.message
    assert "hunter22" not in caught.value.message
