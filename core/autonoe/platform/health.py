"""Whether what is installed works, in words, with the next step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from autonoe.errors import AutonoeError, NotFoundError
from autonoe.kubernetes.client import Cluster, Object
from autonoe.platform.catalogue import HttpCheck, Part
from autonoe.platform.helm import Helm, Release
from autonoe.platform.plan import Step
from autonoe.platform.site import Site

State = Literal["healthy", "waiting", "unhealthy", "missing"]
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class PartHealth:
    """One part: its state, what was found, and what to do."""

    part: str
    title: str
    state: State
    details: tuple[str, ...]
    next_step: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "part": self.part,
            "title": self.title,
            "state": self.state,
            "details": list(self.details),
            "next_step": self.next_step,
        }


def check(steps: Iterable[Step], site: Site, cluster: Cluster, helm: Helm) -> list[PartHealth]:
    """Return the health of each part."""
    return [_part(step, site, cluster, helm) for step in steps]


def _part(step: Step, site: Site, cluster: Cluster, helm: Helm) -> PartHealth:
    part, release = step.wanted.part, step.installed
    if release is None:
        return PartHealth(
            part.name,
            part.title,
            "missing",
            ("It is not installed.",),
            f"autonoe platform install --only {part.name}",
        )
    if release.interrupted:
        return PartHealth(
            part.name,
            part.title,
            "unhealthy",
            (f"The last change was interrupted ({release.status}).",),
            "autonoe platform install goes on with it.",
        )
    problems = _problems(part, release, cluster, helm)
    if problems:
        waiting = part.health.waits_for_people
        return PartHealth(
            part.name,
            part.title,
            "waiting" if waiting else "unhealthy",
            tuple(problems),
            site.fill(waiting or part.next_step, part),
        )
    details = [f"{release.chart}, revision {release.revision}"]
    if step.action != "keep":
        details.append(f"Not as wanted: {step.reason}")
    return PartHealth(part.name, part.title, "healthy", tuple(details))


def _problems(part: Part, release: Release, cluster: Cluster, helm: Helm) -> list[str]:
    problems = []
    if release.status != "deployed":
        problems.append(f"Helm calls the release {release.status}.")
    problems += workloads(helm.manifest(release), release.namespace, cluster)
    problems += definitions(part.health.definitions, cluster)
    for page in part.health.http:
        problems += _http(page, release.namespace, cluster)
    return problems


def workloads(objects: Iterable[Object], namespace: str, cluster: Cluster) -> list[str]:
    """Return what is wrong with the workloads among ``objects``, in words."""
    problems = []
    for found in objects:
        kind, name = str(found.get("kind")), str(found.get("metadata", {}).get("name"))
        if kind not in _WORKLOADS:
            continue
        where = found["metadata"].get("namespace") or namespace
        try:
            problems += _workload(cluster.get(kind, name, where))
        except NotFoundError:
            problems.append(f"{kind} {name} is gone.")
    return problems


def _workload(found: Object) -> list[str]:
    kind, name = found["kind"], found["metadata"]["name"]
    status, spec = found.get("status", {}), found.get("spec", {})
    if kind == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled", 0))
        ready = int(status.get("numberReady", 0))
    else:
        wanted = int(spec.get("replicas", 1))
        ready = int(status.get("readyReplicas", 0))
    if int(status.get("observedGeneration", 0)) < int(found["metadata"].get("generation", 0)):
        return [f"{kind} {name} is being changed."]
    if ready < wanted:
        return [f"{kind} {name}: {ready} of {wanted} pods are ready."]
    return []


def definitions(names: Iterable[str], cluster: Cluster) -> list[str]:
    """Return which resource definitions are not there or not in use yet."""
    problems = []
    for name in names:
        found = cluster.find("CustomResourceDefinition", name)
        conditions = (found or {}).get("status", {}).get("conditions", [])
        if found is None:
            problems.append(f"The resource definition {name} is missing.")
        elif not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            problems.append(f"The resource definition {name} is not in use yet.")
    return problems


def _http(page: HttpCheck, namespace: str, cluster: Cluster) -> list[str]:
    try:
        status = _ask(page, namespace, cluster)
    except AutonoeError as error:
        return [f"{page.service} does not answer: {error.message}"]
    if status in page.expect:
        return []
    return [f"{page.service} answers {status} at {page.path}: {page.meaning}"]


def _ask(page: HttpCheck, namespace: str, cluster: Cluster) -> int:
    """Ask through the API server, which reaches services that this machine does not."""
    import urllib3
    from kubernetes import client

    try:
        answer = client.CoreV1Api(cluster.api).connect_get_namespaced_service_proxy_with_path(
            f"http:{page.service}:{page.port}",
            namespace,
            page.path.lstrip("/"),
            _preload_content=False,
            _request_timeout=cluster.timeout_s,
        )
    except client.ApiException as error:
        return int(error.status or 0)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise AutonoeError(f"{type(error).__name__}.", code="cluster_unavailable") from error
    return int(answer.status)
