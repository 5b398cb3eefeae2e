"""A Kubernetes cluster as tests see it: ours (tests/testbed), or the one that KUBECONFIG names."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until
from testbed import node as nodes
from testbed import reach
from testbed.places import REPOSITORY, Node

IMPORT_VARIABLE = "AUTONOE_IMAGE_IMPORT"
"""Command that loads an archive into a cluster that is not ours; ``{}`` stands for the path."""
COMMAND_TIMEOUT_S = 120.0
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


class Cluster:
    """One cluster, with administrator's rights.

    Parameters
    ----------
    kubeconfig : Path
        Of an administrator.
    node : Node, optional
        The node of tests/testbed that this is; without it, a cluster of someone else's.
    """

    def __init__(self, kubeconfig: Path, node: Node | None = None) -> None:
        self.kubeconfig = kubeconfig
        self.node = node
        self.notes: list[str] = []
        """What namespaces of failed tests held when they were removed."""
        self._loaded: set[Path] = set()

    @staticmethod
    def is_own_chosen() -> bool:
        """Tell whether tests run on our own node: KUBECONFIG names no other cluster."""
        chosen = os.environ.get("KUBECONFIG")
        return not chosen or Path(chosen).absolute() == Node().kubeconfig

    @classmethod
    def connect(cls) -> Cluster:
        """Return the cluster that KUBECONFIG names, else ours, which is started if need be.

        Raises
        ------
        AutonoeError
            If ours cannot be started.
        """
        own = Node()
        if not cls.is_own_chosen():
            return cls(Path(os.environ["KUBECONFIG"]))
        command = [REPOSITORY / ".venv/bin/python", "-m", "tests.testbed", "up"]
        if not nodes.running(own):
            subprocess.run(command, cwd=REPOSITORY, check=True, timeout=3600)
        return cls(own.kubeconfig, own)

    @property
    def is_ours(self) -> bool:
        """Tell whether faults may be put into it: restarts, a second node beside it."""
        return self.node is not None

    def tool(self, name: str) -> str:
        """Return the path of ``kubectl`` or ``helm``: the cluster's own, else the machine's.

        Raises
        ------
        UnavailableError
            If there is none.
        """
        if self.node is not None and (self.node.programs / name).exists():
            return str(self.node.programs / name)
        found = shutil.which(name)
        if found is None:
            raise UnavailableError(f"{name} is not on PATH.", hint="Install it.")
        return found

    def environment(self) -> dict[str, str]:
        """Return an environment in which ``kubectl`` and ``helm`` mean this cluster."""
        programs = f"{self.node.programs}:" if self.node is not None else ""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{programs}{os.environ['PATH']}",
        }

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        check: bool = True,
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> str:
        """Run ``kubectl`` and return what it prints; with ``check`` off, its complaints too.

        Raises
        ------
        UnavailableError
            If it fails and ``check`` is on.
        """
        answer = subprocess.run(
            [self.tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        if check and answer.returncode:
            raise UnavailableError(f"kubectl {' '.join(arguments)}: {answer.stderr.strip()}")
        return answer.stdout if check else answer.stdout + answer.stderr

    def get(self, *arguments: str) -> Any:
        """Return what ``kubectl get`` finds, as plain data."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def apply(self, *objects: dict[str, Any], namespace: str = "") -> None:
        """Create or change objects, as field manager ``kubectl``."""
        where = [f"--namespace={namespace}"] if namespace else []
        self.kubectl("apply", *where, "--filename=-", stdin=yaml.safe_dump_all(objects))

    @cached_property
    def api(self) -> Any:
        """Return the dynamic client of the official library."""
        from kubernetes import config, dynamic  # takes a second: only for those who use it

        return dynamic.DynamicClient(config.new_client_from_config(str(self.kubeconfig)))

    @cached_property
    def node_address(self) -> str:
        """Return the first node's address, where node ports and (ours) the API server listen."""
        addresses = self.get("nodes")["items"][0]["status"]["addresses"]
        return next(each["address"] for each in addresses if each["type"] == "InternalIP")

    @cached_property
    def api_servers(self) -> list[tuple[str, int]]:
        """Return address and port of the API servers, as network policies have to name them."""
        subsets = self.get("endpointslices", "--namespace=default", "kubernetes")
        port = subsets["ports"][0]["port"]
        return [(a, port) for each in subsets["endpoints"] for a in each["addresses"]]

    @contextmanager
    def namespace(
        self, prefix: str = "test", *, labels: dict[str, str] | None = None
    ) -> Iterator[str]:
        """Give a new namespace, ``restricted`` unless ``labels`` say otherwise; remove it after.

        Its removal takes Kubernetes five seconds and more, which are not waited for.
        """
        name = f"{prefix}-{secrets.token_hex(4)}"
        metadata = {"name": name, "labels": RESTRICTED if labels is None else labels}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.kubectl(
            "wait", "--for=create", f"--namespace={name}", "serviceaccount/default", "--timeout=30s"
        )
        try:
            yield name
        except BaseException:
            self.notes.append(f"Namespace {name} when the test failed:\n{self.diagnose(name)}")
            raise
        finally:
            self.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")

    def import_image(self, archive: Path) -> None:
        """Load the images of an OCI archive, unless the cluster holds them already.

        Raises
        ------
        AutonoeError
            If the cluster refuses it, or nobody said how a cluster that is not ours takes images.
        """
        archive = archive.absolute()
        if self.node is not None:
            reach.import_image(self.node, archive)
            return
        if archive in self._loaded:
            return
        command = os.environ.get(IMPORT_VARIABLE)
        if not command:
            raise UnavailableError(
                f"{archive.name} must get into the cluster of {self.kubeconfig}.",
                hint=f'Say how: {IMPORT_VARIABLE}="kind load image-archive {{}}"',
            )
        words = [word.replace("{}", str(archive)) for word in shlex.split(command)]
        subprocess.run(words, check=True, capture_output=True, timeout=600)
        self._loaded.add(archive)

    def restart_api_server(self) -> float:
        """Kill the API server; return the seconds until its successor answered.

        Raises
        ------
        UnavailableError
            If the cluster is not ours.
        """
        if self.node is None:
            raise UnavailableError("Only the API server of the test cluster may be killed.")
        return reach.restart_api_server(self.node)

    def kill_container(self, namespace: str, pod: str, container: str) -> None:
        """Kill a container of a pod as a crash would; the kubelet starts it again.

        Raises
        ------
        UnavailableError
            If the cluster is not ours.
        """
        if self.node is None:
            raise UnavailableError("Only containers of the test cluster may be killed.")
        status = self.get("pod", pod, f"--namespace={namespace}")["status"]
        found = {each["name"]: each["containerID"] for each in status["containerStatuses"]}
        reach.kill_container(self.node, found[container])

    def wait_ready(self, namespace: str, *pods: str, timeout_s: float = 60.0) -> None:
        """Wait until pods are Ready; a failure tells their states and events.

        Raises
        ------
        UnavailableError
            If they are not in time.
        """
        names = [f"pod/{name}" for name in pods]
        where = f"--namespace={namespace}"
        try:
            for name in names:  # a pod may be about to be made
                self.kubectl("wait", "--for=create", where, name, f"--timeout={timeout_s:g}s")
                self.kubectl(
                    *("wait", "--for=condition=Ready", where, name, f"--timeout={timeout_s:g}s"),
                    timeout_s=timeout_s + 10,
                )
        except UnavailableError as error:
            raise UnavailableError(f"{error.message}\n{self.diagnose(namespace)}") from error

    def wait_gone(self, kind: str, name: str, namespace: str, *, timeout_s: float = 60.0) -> None:
        """Wait until an object is gone for good."""
        listing = ("get", kind, name, f"--namespace={namespace}", "--ignore-not-found")
        wait_until(
            lambda: not self.kubectl(*listing).strip(),
            timeout_s=timeout_s,
            what=f"{kind} {name} to go",
            interval_s=0.2,
        )

    def diagnose(self, namespace: str = "") -> str:
        """Return pod states, events and the last log lines of pods that are not well."""
        where = [f"--namespace={namespace}"] if namespace else ["--all-namespaces"]
        report = [
            self.kubectl("get", "pods", *where, "--output=wide", check=False),
            self.kubectl(
                *("get", "events", *where, "--sort-by=.lastTimestamp"),
                *("--field-selector=type!=Normal",),
                check=False,
            )[-6000:],
        ]
        for pod in self.get("pods", *where)["items"]:
            if _is_well(pod):
                continue
            meta = pod["metadata"]
            for previous in ("false", "true"):
                log = self.kubectl(
                    *("logs", f"--namespace={meta['namespace']}", meta["name"], "--tail=25"),
                    *("--all-containers", "--prefix", f"--previous={previous}"),
                    check=False,
                )
                report.append(f"--- {meta['namespace']}/{meta['name']}\n{log}")
        return "\n".join(report)


def _is_well(pod: dict[str, Any]) -> bool:
    if pod["status"].get("phase") == "Succeeded":
        return True
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"
