"""What has to be true before anything is changed: found out first, and told all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autonoe.errors import AutonoeError, NotFoundError, UnavailableError
from autonoe.kubernetes.client import Cluster
from autonoe.platform.catalogue import LEVELS, Catalogue
from autonoe.platform.helm import Helm
from autonoe.platform.plan import Step
from autonoe.platform.site import Site

_ENFORCE = "pod-security.kubernetes.io/enforce"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_RELEASE = "meta.helm.sh/release-name"
_RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"

# What charts of this kind make. Whoever may do all of it is an administrator of the cluster; a
# narrower role that names these verbs is enough.
_RIGHTS = (
    ("create", "", "namespaces"),
    ("create", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("create", "rbac.authorization.k8s.io", "clusterroles"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("create", "apps", "deployments"),
    ("create", "apps", "statefulsets"),
    ("create", "", "secrets"),
    ("list", "", "secrets"),
    ("create", "", "services"),
    ("create", "", "serviceaccounts"),
)


@dataclass(frozen=True)
class Finding:
    """One condition: met or not, in words."""

    what: str
    met: bool
    detail: str
    hint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {"what": self.what, "met": self.met, "detail": self.detail, "hint": self.hint}


def check(
    catalogue: Catalogue, site: Site, steps: Iterable[Step], cluster: Cluster, helm: Helm
) -> list[Finding]:
    """Return all conditions of an installation, met or not.

    Raises
    ------
    AutonoeError
        If the cluster or Helm cannot even be asked.
    """
    changing = [step for step in steps if step.action != "keep"]
    return [
        _helm_version(catalogue, helm),
        *_kubernetes_version(catalogue, changing, cluster),
        *_rights(cluster),
        *_storage(site, changing, cluster),
        *_pod_security(changing, cluster),
        *_definitions(changing, cluster),
    ]


def refuse_unmet(findings: Iterable[Finding]) -> None:
    """Stop when a condition is not met.

    Raises
    ------
    AutonoeError
        ``preconditions``, with every unmet condition and what to do about the first.
    """
    unmet = [finding for finding in findings if not finding.met]
    if unmet:
        raise AutonoeError(
            "Nothing was changed. " + " ".join(f.detail for f in unmet),
            hint=" ".join(dict.fromkeys(f.hint for f in unmet if f.hint)),
            code="preconditions",
        )


def version_tuple(text: str) -> tuple[int, ...]:
    """Return ``"v1.37.2+x"`` as (1, 37, 2)."""
    numbers = text.lstrip("v").split("+")[0].split("-")[0].split(".")
    return tuple(int("".join(c for c in number if c.isdigit()) or 0) for number in numbers)


def server_version(cluster: Cluster) -> str:
    """Return the API server's version, such as ``v1.37.2``.

    Raises
    ------
    UnavailableError
        If it does not answer.
    """
    import urllib3
    from kubernetes import client

    try:
        answer = client.VersionApi(cluster.api).get_code(_request_timeout=cluster.timeout_s)
    except (client.ApiException, urllib3.exceptions.HTTPError, OSError) as error:
        raise UnavailableError(
            f"The cluster does not answer ({type(error).__name__}).",
            hint="Check KUBECONFIG, and that the cluster runs.",
            code="cluster_unavailable",
        ) from error
    return str(answer.git_version)


def _helm_version(catalogue: Catalogue, helm: Helm) -> Finding:
    found = helm.version()
    text = ".".join(str(number) for number in found)
    met = found >= version_tuple(catalogue.helm)
    return Finding(
        "Helm",
        met,
        f"Helm {text} is there." if met else f"Helm is {text}; {catalogue.helm} is needed.",
        "" if met else "Install a newer Helm, or set AUTONOE_HELM to one.",
    )


def _kubernetes_version(
    catalogue: Catalogue, steps: Iterable[Step], cluster: Cluster
) -> list[Finding]:
    version = server_version(cluster)
    least = max(
        [catalogue.kubernetes, *(s.wanted.part.kubernetes for s in steps)], key=version_tuple
    )
    met = version_tuple(version)[:2] >= version_tuple(least)[:2]
    detail = f"Kubernetes {version}." if met else f"Kubernetes is {version}; {least} is needed."
    return [Finding("Kubernetes", met, detail, "" if met else "Upgrade the cluster first.")]


def _rights(cluster: Cluster) -> list[Finding]:
    missing = []
    for verb, group, resource in _RIGHTS:
        answer = cluster.ask(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {
                    "resourceAttributes": {"verb": verb, "group": group, "resource": resource}
                },
            }
        )
        if not answer.get("status", {}).get("allowed"):
            missing.append(f"{verb} {resource}")
    if missing:
        return [
            Finding(
                "Rights",
                False,
                f"This login may not {', '.join(missing)}.",
                "Log in as an administrator of the cluster, or ask one for these rights.",
            )
        ]
    return [Finding("Rights", True, "This login may make all that the charts hold.")]


def _storage(site: Site, steps: Iterable[Step], cluster: Cluster) -> list[Finding]:
    asking = [step.wanted.part.name for step in steps if step.wanted.part.storage]
    if not asking:
        return []
    classes = cluster.list("StorageClass")
    names = [found["metadata"]["name"] for found in classes]
    if site.storage_class:
        met = site.storage_class in names
        detail = f"Storage class {site.storage_class}" + (" is there." if met else " is not there.")
    else:
        defaults = [
            found["metadata"]["name"]
            for found in classes
            if (found["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
        ]
        met = bool(defaults)
        detail = (
            f"Volumes come from {defaults[0]}."
            if met
            else f"{', '.join(asking)} need volumes, and no storage class is the default."
        )
    hint = f"Name one in the site's file (storage_class). There are: {', '.join(names) or 'none'}."
    return [Finding("Storage", met, detail, "" if met else hint)]


def _pod_security(steps: Iterable[Step], cluster: Cluster) -> list[Finding]:
    findings = []
    for step in steps:
        part, namespace = step.wanted.part, step.wanted.namespace
        found = cluster.find("Namespace", namespace)
        level = ((found or {}).get("metadata", {}).get("labels") or {}).get(_ENFORCE, "")
        if level in LEVELS and LEVELS.index(level) > LEVELS.index(part.pod_security):
            findings.append(
                Finding(
                    f"Pod Security of {part.name}",
                    False,
                    f"The namespace {namespace} enforces {level}; {part.name} needs "
                    f"{part.pod_security}.",
                    f"kubectl label namespace {namespace} {_ENFORCE}={part.pod_security} "
                    "--overwrite, or choose another namespace in the site's file.",
                )
            )
    return findings


def _definitions(steps: Iterable[Step], cluster: Cluster) -> list[Finding]:
    """Find resource definitions that another release made: two owners would fight."""
    findings = []
    for step in steps:
        for name in step.wanted.part.health.definitions:
            try:
                found: Mapping[str, Any] = cluster.get("CustomResourceDefinition", name)
            except NotFoundError:
                continue
            notes = found["metadata"].get("annotations") or {}
            owner = (notes.get(_RELEASE_NAMESPACE, ""), notes.get(_RELEASE, ""))
            if owner[1] and owner != (step.wanted.namespace, step.wanted.release):
                findings.append(
                    Finding(
                        f"Definitions of {step.wanted.part.name}",
                        False,
                        f"{name} belongs to the Helm release {owner[0]}/{owner[1]} already.",
                        f"Turn {step.wanted.part.name} off in the site's file to use that one.",
                    )
                )
                break
    return findings
