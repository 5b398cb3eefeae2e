"""The tenant controller on a cluster, as an administrator would install it."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autonoe.errors import AutonoeError
from autonoe.kubernetes.client import Cluster as Api
from autonoe.kubernetes.client import Object
from autonoe.kubernetes.labels import labels, owned_by
from autonoe.kubernetes.resources import Resource, identity
from autonoe.tenants.manifests import manifests as manifests_of
from autonoe.tenants.spec import TenantSpec, tenant_name
from autonoe.tenants.tenancy import Tenancy
from autonoe.waiting import wait_until
from autonoe_tenants.difference import differs
from autonoe_tenants.install import manifests
from autonoe_tenants.rights import ACCOUNT
from support.cluster import Cluster
from support.places import REPOSITORY

IMAGE = "localhost/autonoe/tenants:dev"
READY_WITHIN_S = 60
_CLUSTER_WIDE = (
    "ValidatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ClusterRoleBinding",
    "ClusterRole",
)


@dataclass
class Tenants:
    """The controller of one instance, and an administrator's view of its tenants."""

    cluster: Cluster
    tenancy: Tenancy
    api: Api
    """The API server, as the cluster's administrator."""

    def write(self, kind: str, owner: str, **spec: Any) -> Object:
        """Write the Tenant object of ``owner``, as the hub does."""
        return self.api.apply(tenant(self.tenancy, kind, owner, **spec))

    def get(self, kind: str, owner: str) -> Object | None:
        """Return the Tenant object of ``owner``, or None when there is none."""
        return self.api.find("Tenant", tenant_name(kind, owner), self.tenancy.hub_namespace)

    def wait(self, kind: str, owner: str, phase: str = "Ready", *, timeout_s: float = 60) -> Object:
        """Wait until the controller has seen the newest spec and says ``phase``; return the status.

        Raises
        ------
        UnavailableError
            If it does not in time; the status is in the message.
        """
        last: list[Any] = [None]

        def reached() -> Object | None:
            found = self.get(kind, owner) or {}
            status = found.get("status") or {}
            last[0] = status
            current = status.get("observedGeneration") == found.get("metadata", {}).get(
                "generation"
            )
            return dict(status) if current and status.get("phase") == phase else None

        try:
            return wait_until(reached, timeout_s=timeout_s, what=f"{phase} of {kind} {owner}")
        except AutonoeError as error:
            error.message += f" Its status is {last[0]}."
            raise

    def ensure(self, kind: str, owner: str, **spec: Any) -> str:
        """Make a tenant, wait until it is ready and return its namespace."""
        self.write(kind, owner, **spec)
        return str(self.wait(kind, owner)["namespace"])

    def token(self, namespace: str, account: str = "notebook") -> str:
        """Return a login of a ServiceAccount, as a pod of it has one."""
        return make_token(self.api, namespace, account)

    def as_account(self, namespace: str, account: str = "notebook") -> Api:
        """Return the API server as a ServiceAccount sees it."""
        return Api.connect(self.cluster.kubeconfig, token=self.token(namespace, account))

    def kubeconfig(self, folder: Path, namespace: str, account: str = "notebook") -> Path:
        """Write a kubeconfig with a ServiceAccount's login and nothing else; return its path."""
        document = yaml.safe_load(self.cluster.kubeconfig.read_text(encoding="utf-8"))
        name = document["contexts"][0]["name"]
        (used,) = (c for c in document["contexts"] if c["name"] == document["current-context"])
        cluster = used["context"]["cluster"]
        user = {"token": self.token(namespace, account)}
        context = {"cluster": cluster, "user": account, "namespace": namespace}
        document |= {
            "users": [{"name": account, "user": user}],
            "contexts": [{"name": name, "context": context}],
            "current-context": name,
        }
        path = folder / f"{namespace}-{account}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    def kubectl(self, kubeconfig: Path, *arguments: str) -> tuple[int, str]:
        """Run ``kubectl`` with a person's own kubeconfig; return exit status and all output."""
        answer = subprocess.run(
            [self.cluster.tool("kubectl"), f"--kubeconfig={kubeconfig}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return answer.returncode, answer.stdout + answer.stderr

    def wanted(self, spec: TenantSpec, kind: str, name: str) -> Object:
        """Return one object of a tenant as it should be."""
        for found in manifests_of(spec, self.tenancy):
            if found["kind"] == kind and (kind == "Namespace" or found["metadata"]["name"] == name):
                return found
        raise AssertionError(name)

    def is_right(self, wanted: Object) -> bool:
        """Tell whether an object is there and as it should be."""
        kind, namespace, name = identity(wanted)
        found = self.api.find(kind, name, namespace)
        return (
            found is not None
            and not found["metadata"].get("deletionTimestamp")
            and not differs(found, wanted)
        )

    def wait_right(self, wanted: Object, *, timeout_s: float = 10) -> None:
        """Wait until an object is as it should be.

        Raises
        ------
        UnavailableError
            If it is not in time.
        """
        kind, _, name = identity(wanted)
        wait_until(
            lambda: self.is_right(wanted), timeout_s=timeout_s, what=f"{kind} {name} as it was"
        )

    def remove(self) -> None:
        """Take the installation away, and all its tenants; the definition of Tenant stays."""
        remove(self.api, self.tenancy)


def unique() -> str:
    """Return a name for an installation that no other test uses."""
    return f"t{secrets.token_hex(3)}"


def tenant(tenancy: Tenancy, kind: str, owner: str, **spec: Any) -> Object:
    """Return the Tenant object that the hub would write."""
    own = labels("tenant", instance=tenancy.instance, component="tenant", tenant=kind, owner=owner)
    return {
        "apiVersion": "autonoe.dev/v1alpha1",
        "kind": "Tenant",
        "metadata": {
            "name": tenant_name(kind, owner),
            "namespace": tenancy.hub_namespace,
            "labels": own,
            "annotations": owned_by(owner),
        },
        "spec": {"kind": kind, "owner": owner, **spec},
    }


def make_token(api: Api, namespace: str, account: str) -> str:
    """Return an hour's login of a ServiceAccount."""
    accounts = Resource("v1", "ServiceAccount", f"serviceaccounts/{account}/token")
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    return str(api.post(accounts.path(namespace), request)["status"]["token"])


def tenancy_for(
    cluster: Cluster, instance: str, companions: Any = None, **settings: Any
) -> Tenancy:
    """Return the settings of ``instance`` on this cluster.

    Parameters
    ----------
    cluster : Cluster
        Where it is to run.
    instance : str
        Prefix of all its names.
    companions : Companions, optional
        With them, tenants get accounts in OpenBao, S3 and MLflow, and a way there.
    **settings
        Further fields of `Tenancy`.
    """
    stem = "" if instance == "autonoe" else f"{instance}-"
    given: dict[str, Any] = {
        "instance": instance,
        "hub_namespace": instance,
        "controller_namespace": f"{instance}-tenants",
        "platform_namespace": f"{instance}-platform",
        "user_prefix": f"{stem}u-",
        "project_prefix": f"{stem}p-",
        "api_servers": [f"{address}:{port}" for address, port in cluster.api_servers],
        "capacity_s": 2,
        # A machine for tests is small, and a quota of tests is to be met.
        "user_defaults": {"cpu": "6", "memory": "12Gi", "storage": "20Gi", "pods": "20"},
    }
    if companions is not None:
        variables = companions.controller_environment().items()
        given["enrolment"] = {
            key.removeprefix("AUTONOE_").lower(): str(value) for key, value in variables if value
        }
        given["reaches"] = [
            {
                "name": name,
                "namespace": given["platform_namespace"],
                "labels": {"app.kubernetes.io/name": name},
                "ports": [port],
            }
            for name, port in (("openbao", 8200), ("seaweedfs", 8333), ("mlflow", 5000))
        ]
        # A Git server, for the tests that start one (support.forge).
        forge = {"name": "forge", "namespace": f"{instance}-forge", "ports": [8443]}
        given["reaches"].append(forge)
    return Tenancy.from_dict(given | settings)


def deploy(cluster: Cluster, instance: str, companions: Any = None, **settings: Any) -> Tenants:
    """Install the controller of ``instance`` and wait until it is ready.

    Parameters
    ----------
    cluster, instance, companions, **settings
        As for `tenancy_for`.
    """
    cluster.import_image(REPOSITORY / "build" / "images" / "tenants.tar")
    tenancy = tenancy_for(cluster, instance, companions, **settings)
    api = Api.connect(cluster.kubeconfig)
    for found in manifests(tenancy, image=IMAGE):
        wait_until(
            lambda wanted=found: api.apply(wanted),
            timeout_s=30,
            what=f"{found['kind']} {found['metadata']['name']}",
            # An earlier namespace of this name may still be leaving, a new kind not be served yet.
            ignoring=(AutonoeError,),
        )
    tenants = Tenants(cluster, tenancy, api)
    wait_until(
        lambda: _rolled_out(api, tenancy),
        timeout_s=READY_WITHIN_S,
        what=f"the tenant controller of {instance}",
        interval_s=0.2,
    )
    return tenants


def remove(api: Api, tenancy: Tenancy) -> None:
    """Remove all objects of one installation's controller and tenants, and wait for nothing."""
    mine = {"app.kubernetes.io/instance": tenancy.instance}
    api.delete("Deployment", ACCOUNT, tenancy.controller_namespace)
    for found in api.list("Tenant", tenancy.hub_namespace):
        name = found["metadata"]["name"]
        with contextlib.suppress(AutonoeError):
            # Its controller is gone, so nobody else takes the finalizer off.
            api.merge("Tenant", name, {"metadata": {"finalizers": None}}, tenancy.hub_namespace)
        api.delete("Tenant", name, tenancy.hub_namespace)
    for found in api.list("Namespace", labels=mine):
        api.delete("Namespace", found["metadata"]["name"])
    for kind in _CLUSTER_WIDE:
        for found in api.list(kind, labels=mine):
            api.delete(kind, found["metadata"]["name"])


def _rolled_out(api: Api, tenancy: Tenancy) -> bool:
    found = api.get("Deployment", ACCOUNT, tenancy.controller_namespace)
    status = found.get("status") or {}
    return (
        status.get("observedGeneration") == found["metadata"]["generation"]
        and status.get("updatedReplicas") == 1
        and status.get("readyReplicas") == 1
        and status.get("replicas") == 1
    )
