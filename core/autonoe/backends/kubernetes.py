"""Deployments on Kubernetes: a Deployment, a Service and a budget in the account's own namespace.

The caller's own rights are all there is: what this does, the account could do with `kubectl`.
What a deployment is can be read from its objects; nothing is kept anywhere else.
"""

from __future__ import annotations

import builtins
import json
from contextlib import suppress
from functools import partial
from typing import Any

import urllib3

from autonoe import apikeys
from autonoe.backends import keys, kubernetes_state
from autonoe.backends.base import Deployment, DeploymentRequest
from autonoe.backends.keys import DeploymentKey, Entries, KeyRequest
from autonoe.backends.kubernetes_keys import (
    Change,
    Result,
    change_keys,
    entries_of,
    file_name,
)
from autonoe.backends.kubernetes_objects import (
    COMPONENT,
    REQUEST,
    Builder,
    KubernetesSettings,
    Object,
)
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import (
    AutonoeError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from autonoe.kubernetes.client import Cluster
from autonoe.kubernetes.labels import INSTANCE, MANAGED_BY, MANAGER, verify_owner
from autonoe.kubernetes.resources import Resource
from autonoe.waiting import wait_until

_METRICS = Resource("metrics.k8s.io/v1beta1", "PodMetrics", "pods")
_KINDS = ("PodDisruptionBudget", "Service", "Deployment", "ConfigMap")
_GONE_WITHIN_S = 60.0


class KubernetesBackend:
    """Deployments of one account on one cluster.

    Parameters
    ----------
    settings : KubernetesSettings
        Where they go and what they run.
    account : AgentSettings
        Whose they are.
    cluster : Cluster
        As whom the API server is asked: the pod's own account, or a kubeconfig.
    """

    def __init__(
        self, settings: KubernetesSettings, account: AgentSettings, cluster: Cluster
    ) -> None:
        self.settings = settings
        self.account = account
        self.cluster = cluster
        self.builder = Builder(settings, account)

    @classmethod
    def from_environment(cls) -> KubernetesBackend:
        """Return the backend of the pod that this process runs in.

        Raises
        ------
        InvalidInputError
            If there is no login to the cluster.
        """
        return cls(KubernetesSettings(), AgentSettings(), Cluster.connect())

    def deploy(
        self, request: DeploymentRequest, *, rotate_key: bool = False, wait_s: float = 120
    ) -> Deployment:
        """Start or change a deployment.

        Parameters
        ----------
        request : DeploymentRequest
            An existing deployment of that name takes its settings.
        rotate_key : bool
            Replace the API key of an existing deployment; its pods are replaced one by one.
        wait_s : float
            Seconds to wait until it answers as asked; 0 does not wait.

        Returns
        -------
        Deployment
            With ``api_key`` when one was made, which cannot be shown again.

        Raises
        ------
        ConflictError
            If something else has that name in the namespace.
        AutonoeError
            ``deployment_failed`` when it is not ready in time, with the reason.
        """
        key = self._write(request, partial(self._own_key, request.name, new=rotate_key))
        if wait_s > 0:
            self._wait(request.name, wait_s)
        made = self.get(request.name)
        return Deployment.from_dict({**made.to_dict(), "api_key": key})

    def get(self, name: str) -> Deployment:
        """Return one deployment of the account.

        Raises
        ------
        NotFoundError
            If the namespace has none of that name.
        """
        found = self.cluster.find("Deployment", name, self.settings.kubernetes_namespace)
        if found is None or not self._is_ours(found):
            raise NotFoundError(f"There is no deployment {name}.", hint="autonoe deploy list")
        return self._describe(found)

    def undeploy(self, name: str) -> None:
        """End a deployment and forget its key; its logs stay in the object store.

        Raises
        ------
        NotFoundError
            If the namespace has none of that name.
        """
        namespace = self.settings.kubernetes_namespace
        self.get(name)
        for kind in _KINDS:
            own_name = _name_of(kind, name)
            found = self.cluster.find(kind, own_name, namespace)
            if found is not None and self._is_ours(found):
                self.cluster.delete(kind, own_name, namespace)
        # the pods send their last logs; after a minute they end without
        with suppress(UnavailableError):
            wait_until(
                lambda: not self._pods(name),
                timeout_s=_GONE_WITHIN_S,
                what=f"the pods of {name} to end",
                interval_s=0.2,
            )

    def list(self) -> builtins.list[Deployment]:
        """Return the account's deployments by name."""
        found = self.cluster.list(
            "Deployment",
            self.settings.kubernetes_namespace,
            labels={**self._ours(), "app.kubernetes.io/component": COMPONENT},
        )
        return sorted((self._describe(one) for one in found), key=lambda one: one.name)

    def keys(self, name: str) -> builtins.list[DeploymentKey]:
        """Return who may call a deployment, the oldest key first.

        Raises
        ------
        NotFoundError
            If the namespace has none of that name.
        """
        return keys.shown(self._entries(name))

    def add_key(self, name: str, wanted: KeyRequest, *, wait_s: float = 120) -> DeploymentKey:
        """Let one more key call a deployment; its pods are replaced one by one.

        Parameters
        ----------
        name : str
            Of the deployment.
        wanted : KeyRequest
            Whose key it is, and how much it may ask.
        wait_s : float
            Seconds to wait until all pods know it; 0 does not wait.

        Raises
        ------
        NotFoundError
            If the namespace has no deployment of that name.
        ConflictError
            If the deployment has as many keys as it may.
        """
        return self._change_keys(name, lambda entries: keys.add(entries, wanted), wait_s)

    def revoke_key(self, name: str, key_id: str, *, wait_s: float = 120) -> None:
        """Take a key away; pods that know it are replaced one by one.

        Raises
        ------
        NotFoundError
            If the namespace has no such deployment, or that no such key.
        """
        self._change_keys(name, lambda entries: (keys.revoke(entries, key_id), None), wait_s)

    def _entries(self, name: str) -> Entries:
        """Return the hashed keys of a deployment of the account."""
        self.get(name)
        found = self.cluster.find("ConfigMap", file_name(name), self.settings.kubernetes_namespace)
        return entries_of(found)

    def _change_keys(self, name: str, change: Change[Result], wait_s: float) -> Result:
        self.get(name)
        found = self.cluster.find("Deployment", name, self.settings.kubernetes_namespace)
        if found is None:
            raise NotFoundError(f"There is no deployment {name}.", hint="autonoe deploy list")
        result = self._write(_request(found), change)
        if wait_s > 0:
            self._wait(name, wait_s)
        return result

    def equivalents(self, request: DeploymentRequest) -> dict[str, str]:
        """Return ``request`` as ``python``, ``shell``, ``yaml`` and ``kubectl``."""
        return self.builder.equivalents(request)

    def _own_key(self, name: str, entries: Entries, *, new: bool) -> tuple[Entries, str | None]:
        """Return the keys of a deployment by those there are, and the one that was made, if any."""
        there = self.cluster.find("Deployment", name, self.settings.kubernetes_namespace)
        # keys without a deployment are of a first try that failed: nobody was shown theirs
        if entries and there is not None and not new:
            return entries, None
        key, entry = apikeys.mint(label=self.account.account)
        return (entry,), key

    def _write(self, request: DeploymentRequest, change: Change[Result]) -> Result:
        """Write the keys that ``change`` makes of those there are, then all other objects.

        The Deployment owns the others, so that they end with it.
        """
        namespace = self.settings.kubernetes_namespace
        for kind in _KINDS:
            existing = self.cluster.find(kind, _name_of(kind, request.name), namespace)
            if existing is not None:
                self._verify(existing)
        # before the pods, which mount them
        key_file, told = change_keys(self.cluster, self.builder, request.name, change)
        _, deployment, *others = self.builder.objects(request, entries_of(key_file))
        owner = self.cluster.apply(deployment)
        reference = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": request.name,
            "uid": owner["metadata"]["uid"],
        }
        owned = {"ownerReferences": [reference]}
        for found in others:
            self.cluster.apply({**found, "metadata": {**found["metadata"], **owned}})
        if key_file["metadata"].get("ownerReferences") != [reference]:
            # nothing else of the keys is touched: somebody may be changing them
            key_name = key_file["metadata"]["name"]
            self.cluster.merge("ConfigMap", key_name, {"metadata": owned}, namespace)
        return told

    def _wait(self, name: str, wait_s: float) -> None:
        last = ""

        def ready() -> bool:
            nonlocal last
            state = self.get(name)
            last = state.detail
            return state.state == "ready"

        try:
            wait_until(ready, timeout_s=wait_s, what=f"the deployment {name}", interval_s=0.2)
        except UnavailableError as error:
            raise AutonoeError(
                f"The deployment {name} is not ready after {wait_s:g} s. {last}",
                hint=f"`autonoe deploy list` and `kubectl describe deployment {name}` show its "
                "state; it goes on trying.",
                code="deployment_failed",
            ) from error

    def _ours(self) -> dict[str, str]:
        return {MANAGED_BY: MANAGER, INSTANCE: self.settings.instance}

    def _is_ours(self, found: Object) -> bool:
        own = found["metadata"].get("labels") or {}
        return own.get("app.kubernetes.io/component") == COMPONENT and all(
            own.get(key) == value for key, value in self._ours().items()
        )

    def _verify(self, found: Object) -> None:
        """Refuse to change what is not a deployment of this account."""
        if not self._is_ours(found):
            raise ConflictError(
                f"{found.get('kind')} {found['metadata']['name']} exists already and was not made "
                "as a deployment.",
                hint="Choose another name, or remove it with kubectl.",
                code="foreign_object",
            )
        verify_owner(found, self.account.account, instance=self.settings.instance)

    def _pods(self, name: str) -> builtins.list[Object]:
        return self.cluster.list(
            "Pod", self.settings.kubernetes_namespace, labels=self.builder.selector(name)
        )

    def _describe(self, found: Object) -> Deployment:
        request = _request(found)
        pods = self._pods(request.name)
        namespace = self.settings.kubernetes_namespace
        state, detail = kubernetes_state.state_of(found, pods)
        if state not in {"ready", "stopped"}:
            # only what is not well needs an explanation, and its parts cost two more calls
            names = {found["metadata"]["name"], *(pod["metadata"]["name"] for pod in pods)}
            events = [
                event
                for event in self.cluster.list("Event", namespace)
                if _about(event, names, request.name)
            ]
            quotas = self.cluster.list("ResourceQuota", namespace)
            state, detail = kubernetes_state.state_of(found, pods, events, quotas)
            detail = _own_words(self.settings.service_url(request.name), pods) or detail
        return Deployment(
            name=request.name,
            account=self.account.account,
            model_uri=request.model_uri,
            threshold=request.threshold,
            pseudonymise=request.pseudonymise,
            state=state,
            detail=detail,
            url=self.settings.public_url(request.name),
            local_url=self.settings.service_url(request.name),
            log_folder=self.builder.logs_uri(request.name),
            memory_mib=self._memory(request.name),
            restarts=kubernetes_state.restarts_of(pods),
        )

    def _memory(self, name: str) -> float:
        """Return the pods' memory in MiB; 0 where the cluster has no metrics server."""
        with suppress(AutonoeError):
            return kubernetes_state.memory_mib(
                self.cluster.list(
                    _METRICS,
                    self.settings.kubernetes_namespace,
                    labels=self.builder.selector(name),
                )
            )
        return 0.0


def _name_of(kind: str, name: str) -> str:
    return file_name(name) if kind == "ConfigMap" else name


def _request(found: Object) -> DeploymentRequest:
    text = (found["metadata"].get("annotations") or {}).get(REQUEST, "{}")
    try:
        return DeploymentRequest.from_dict(json.loads(text))
    except ValueError as error:
        raise InvalidInputError(
            f"The deployment {found['metadata']['name']} was changed by hand: its annotation "
            f"{REQUEST} is no request.",
            hint="Deploy it again, or remove it with kubectl.",
        ) from error


def _about(event: Object, names: set[str], name: str) -> bool:
    about = event.get("involvedObject") or {}
    replica_set = about.get("kind") == "ReplicaSet" and str(about.get("name", "")).startswith(
        f"{name}-"
    )
    return replica_set or about.get("name") in names


def _own_words(url: str, pods: builtins.list[Any]) -> str:
    """Return what the server itself says, once a container runs; empty when it does not answer."""
    if not any(pod.get("status", {}).get("phase") == "Running" for pod in pods):
        return ""
    try:
        answer = urllib3.request("GET", f"{url}health/ready", timeout=2, retries=False).json()
        return str(answer["error"]["message"])
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return ""
