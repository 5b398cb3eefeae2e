"""Deployments on Kubernetes: a Deployment, a Service and a budget in the account's own namespace.

The caller's own rights are all there is: what this does, the account could do with `kubectl`.
What a deployment is can be read from its objects; nothing is kept anywhere else.
"""

from __future__ import annotations

import builtins
import json
from contextlib import suppress
from typing import Any

import urllib3

from autonoe import apikeys
from autonoe.apikeys import KeyEntry
from autonoe.backends import keys, kubernetes_state
from autonoe.backends.base import Deployment, DeploymentRequest
from autonoe.backends.keys import DeploymentKey, KeyRequest
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
        key, entries = self._keys(request.name, new=rotate_key)
        self._apply(request, entries)
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
            own_name = f"{name}-keys" if kind == "ConfigMap" else name
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
        entries, made = keys.add(self._entries(name), wanted)
        self._change_keys(name, entries, wait_s)
        return made

    def revoke_key(self, name: str, key_id: str, *, wait_s: float = 120) -> None:
        """Take a key away; pods that know it are replaced one by one.

        Raises
        ------
        NotFoundError
            If the namespace has no such deployment, or that no such key.
        """
        self._change_keys(name, keys.revoke(self._entries(name), key_id), wait_s)

    def _entries(self, name: str) -> tuple[KeyEntry, ...]:
        """Return the hashed keys of a deployment of the account."""
        self.get(name)
        found = self.cluster.find("ConfigMap", f"{name}-keys", self.settings.kubernetes_namespace)
        return _entries(found) if found is not None else ()

    def _change_keys(self, name: str, entries: tuple[KeyEntry, ...], wait_s: float) -> None:
        found = self.cluster.find("Deployment", name, self.settings.kubernetes_namespace)
        if found is None:
            raise NotFoundError(f"There is no deployment {name}.", hint="autonoe deploy list")
        self._apply(_request(found), entries)
        if wait_s > 0:
            self._wait(name, wait_s)

    def equivalents(self, request: DeploymentRequest) -> dict[str, str]:
        """Return ``request`` as ``python``, ``shell``, ``yaml`` and ``kubectl``."""
        return self.builder.equivalents(request)

    def _keys(self, name: str, *, new: bool) -> tuple[str | None, tuple[KeyEntry, ...]]:
        """Return the key that was made, if one was, and the hashes of all valid ones."""
        namespace = self.settings.kubernetes_namespace
        found = self.cluster.find("ConfigMap", f"{name}-keys", namespace)
        if found is not None:
            self._verify(found)
            entries = _entries(found)
            # keys without a deployment are of a first try that failed: nobody was shown theirs
            there = self.cluster.find("Deployment", name, namespace) is not None
            if entries and there and not new:
                return None, entries
        key, entry = apikeys.mint(label=self.account.account)
        return key, (entry,)

    def _apply(self, request: DeploymentRequest, entries: tuple[KeyEntry, ...]) -> None:
        """Apply all objects; the Deployment owns the others, so that they end with it."""
        objects = self.builder.objects(request, entries)
        namespace = self.settings.kubernetes_namespace
        for found in objects:
            existing = self.cluster.find(found["kind"], found["metadata"]["name"], namespace)
            if existing is not None:
                self._verify(existing)
        keys, deployment, *others = objects
        self.cluster.apply(keys)  # before the pods, which mount it
        owner = self.cluster.apply(deployment)
        reference = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": request.name,
            "uid": owner["metadata"]["uid"],
        }
        for found in (keys, *others):
            metadata = {**found["metadata"], "ownerReferences": [reference]}
            self.cluster.apply({**found, "metadata": metadata})

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


def _entries(found: Object) -> tuple[KeyEntry, ...]:
    try:
        rows = json.loads((found.get("data") or {}).get("keys.json", ""))["keys"]
        return tuple(KeyEntry(**row) for row in rows)
    except (ValueError, KeyError, TypeError):
        return ()


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
