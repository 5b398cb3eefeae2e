"""KubeSpawner for tenants: a person's servers run in that person's namespace and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import kubespawner.spawner
from jupyterhub.utils import exponential_backoff
from kubernetes_asyncio.client.exceptions import ApiException
from kubespawner import KubeSpawner
from traitlets import Instance, default

from autonoe.errors import AutonoeError
from autonoe.kubernetes.errors import from_answer
from autonoe.kubernetes.labels import labels, owned_by
from autonoe.profiles.choice import Choice
from autonoe.profiles.compile import overrides, start_environment
from autonoe_hub import lifetime
from autonoe_hub.cluster import api, home, naming, pod, progress, reflectors
from autonoe_hub.cluster.capacity import Capacity, capacity_of
from autonoe_hub.cluster.environment import environment
from autonoe_hub.cluster.errors import SpawnError, shown
from autonoe_hub.cluster.places import site_files
from autonoe_hub.cluster.settings import ClusterSettings
from autonoe_hub.cluster.tenants import TenantClient, Wanted, projects_of
from autonoe_hub.free import Node
from autonoe_hub.profile_list import ProfileList, profile_list
from autonoe_hub.profile_spawner import ProfileSpawner, refusal_status

# Between two looks at a pod KubeSpawner waits up to 5 s, so that a ready server would stay unused
# for as long. The looks are at memory, not at the API server.
kubespawner.spawner.exponential_backoff = partial(exponential_backoff, max_wait=0.5)


_LEAD_S = 3.0
"""Seconds before JupyterHub's own deadline at which ours ends, so that the reason is told."""

_STATUS = {
    "conflict": 409,
    "foreign_object": 409,
    "owner_mismatch": 409,
    "forbidden": 403,
    "pod_security": 403,
    "limit_exceeded": 403,
    "policy_refused": 403,
    "quota_exceeded": 403,
    "tenant_refused": 403,
    "tenant_removing": 403,
    "tenant_not_ready": 503,
    "cluster_unavailable": 503,
    "unavailable": 503,
}

_ADDED_TO = ("node_selector", "extra_resource_limits", "extra_resource_guarantees", "tolerations")


class TenantSpawner(ProfileSpawner, KubeSpawner):  # type: ignore[misc]  # no types there
    """Starts a server as a pod in the owner's namespace, once that is ready."""

    cluster = Instance(ClusterSettings, help="Settings under custom.autonoe.").tag(config=True)

    mode = "kubernetes"

    tenants: TenantClient
    capacity: Capacity
    pod_asked_for: bool | None = None
    """Whether this start has come as far as its pod; None when a hub before this one did it."""
    notice = ""
    """What the person should know although the server starts, such as a store that is down."""
    idle_s = 0.0
    """Seconds without activity after which the profile ends the server; 0: never."""
    _choice: Choice | None = None
    _mail = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        config = kwargs.get("config")
        given = config.KubeSpawner if config is not None else {}
        api.prepare_client(
            given.get("k8s_api_host", ""),
            given.get("k8s_api_ssl_ca_cert", ""),
            given.get("k8s_api_verify_ssl"),
        )
        super().__init__(*args, **kwargs)
        self.tenants = TenantClient(self._hub_namespace(), self.cluster.instance)
        self.capacity = capacity_of(self._hub_namespace())
        # A profile adds to these, and the next start begins with them again.
        self._configured = {name: getattr(self, name) for name in _ADDED_TO}
        self._http_timeout_s = int(self.http_timeout)
        self._place()

    # -- where ------------------------------------------------------------------------------

    def _place(self) -> None:
        """Set the names that follow from the owner and the server, whatever is configured."""
        self.namespace = naming.namespace(self.cluster.user_prefix, self.user.name)
        self.pod_name = naming.pod_name(self.name)
        self.dns_name = f"{self.pod_name}.{self.namespace}.pod"
        self.pvc_name = pod.HOME_CLAIM

    def _hub_namespace(self) -> str:
        return str(self._namespace_default())

    def _require_own_namespace(self) -> None:
        # A server that ran before this configuration keeps the namespace it had then, in the hub's
        # database: without this, it would be started there again, beside the hub itself.
        wanted = naming.namespace(self.cluster.user_prefix, self.user.name)
        if self.namespace != wanted:
            raise SpawnError(
                f"This server belongs to the namespace {self.namespace!r}, not to {wanted!r}.",
                hint="An administrator should delete this server and make it again.",
                code="foreign_namespace",
            )

    def clear_state(self) -> None:
        """Forget what a stopped server had, so that the next start follows the configuration."""
        super().clear_state()
        self._place()

    # -- starting ---------------------------------------------------------------------------

    async def _start(self) -> Any:
        self.pod_asked_for, self.notice = False, ""
        try:
            # JupyterHub gives up a moment later, and then without a reason.
            async with asyncio.timeout(max(self.start_timeout - _LEAD_S, 1)):
                return await self._start_in_tenant()
        except SpawnError as error:
            self.log.info("%s: %s", self._log_name, error.technical or error.code)
            raise shown(error, _STATUS.get(error.code, 500)) from None
        except AutonoeError as error:
            raise shown(error, _STATUS.get(error.code) or refusal_status(error)) from None
        except ApiException as error:
            said = str(error.body or error.reason)
            refused = from_answer(error.status or 0, said, "start your server")
            raise shown(refused, _STATUS.get(refused.code, 500)) from None
        except TimeoutError:
            raise shown(await progress.late(self), 504) from None

    async def _start_in_tenant(self) -> Any:
        self._require_own_namespace()
        # First of all: what is not open to the person must not leave a trace.
        self._choice = self.choose()
        self.idle_s = lifetime.limits(self._choice)[1]
        # The clone, the packages and the script come before the server answers.
        self.http_timeout = self._http_timeout_s + self._choice.preparation_s
        await self._tenant()
        await self._home(self._choice)
        self.pod_asked_for = True
        return await super()._start()

    async def _tenant(self) -> None:
        groups = self._groups()
        found = await self.tenants.ready(
            Wanted("user", self.user.name, groups),
            timeout_s=self.cluster.tenant_timeout_s,
            accounts_s=self.cluster.accounts_timeout_s,
        )
        status, self._mail = found["status"], str(found["spec"].get("mail") or "")
        if status.get("namespace", self.namespace) != self.namespace:
            raise SpawnError(
                f"The tenant controller made {status['namespace']!r} instead of "
                f"{self.namespace!r}.",
                hint="The prefixes of the hub and of the tenant controller differ.",
                code="foreign_namespace",
            )
        if status.get("phase") != "Ready":
            self.notice = str(status.get("message") or "")
        for project in projects_of(groups, self.cluster.project_groups):
            await self.tenants.ensure(self._project(project))

    def _project(self, name: str) -> Wanted:
        group = next(group for group in self.user.groups if group.name == name)
        return Wanted("project", name, members=tuple(user.name for user in group.users))

    async def _home(self, choice: Choice) -> None:
        if choice.persistent_home:
            wanted = home.claim(
                self.cluster.home,
                owner=self.user.name,
                namespace=self.namespace,
                instance=self.cluster.instance,
                capacity=f"{choice.amounts['disk_gib']:g}Gi",
            )
            await home.ensure(wanted, owner=self.user.name, instance=self.cluster.instance)

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Any:
        # `choose` takes them all, or refuses; JupyterHub would warn of each key at each start.
        return lambda _spawner, _options: None

    @default("profiles")
    def _default_profiles(self) -> ProfileList:
        return profile_list(*site_files())

    async def free_nodes(self) -> list[Node]:
        """Return the counts that the tenant controller publishes."""
        return list(await self.capacity.nodes())

    async def load_user_options(self) -> None:
        """Take over what was chosen, in place of KubeSpawner's own profile list."""
        self._choice = choice = self._choice or self.choose()
        reflectors.forget_failed(self.reflectors, self._get_reflector_key("pods"))
        for name, value in pod.traits(self.cluster, choice, port=self.port).items():
            setattr(self, name, value)
        chosen = overrides(choice)
        for name, value in self._configured.items():
            more = chosen.pop(name, type(value)())
            setattr(self, name, {**value, **more} if isinstance(value, dict) else [*value, *more])
        for name, value in chosen.items():
            # Variables go in after KubeSpawner has expanded its templates: a person's "{x}" is no
            # template of ours.
            if name not in ("environment", "storage_capacity"):
                setattr(self, name, value)

    async def _make_create_pod_request(self, manifest: Any, request_timeout: float) -> bool:
        """Create the pod; the base would log the whole of it, token included, when refused."""
        try:
            await asyncio.wait_for(
                self.api.create_namespaced_pod(self.namespace, manifest), request_timeout
            )
        except TimeoutError:
            return False
        except ApiException as error:
            if error.status != 409:
                raise
            self.log.info("%s: a pod of that name is there; ending it", self._log_name)
            # Not our own stop: the watch that it ends is the one that this start looks at.
            await KubeSpawner.stop(self, now=True)
            return False
        return True

    # -- the pod ----------------------------------------------------------------------------

    def get_env(self) -> dict[str, str]:
        """Return the variables of the server. Those of a person are never expanded as templates."""
        found = super().get_env()
        if self._choice is not None:
            found.update(start_environment(self._choice))
        # Last: a person's own variables must not turn the agent to another account or address.
        own = environment(
            self.cluster, self.user.name, self._groups(), self.namespace, mail=self._mail
        )
        found.update(own)
        return dict(found)

    def _groups(self) -> tuple[str, ...]:
        return tuple(sorted(group.name for group in self.user.groups))

    def _build_common_labels(self, extra_labels: dict[str, str]) -> dict[str, str]:
        return {**super()._build_common_labels(extra_labels), **self._labels("notebook")}

    def _build_pod_labels(self, extra_labels: dict[str, str]) -> dict[str, str]:
        return {**super()._build_pod_labels(extra_labels), **self._labels("notebook")}

    def _build_common_annotations(self, extra_annotations: dict[str, str]) -> dict[str, str]:
        found = super()._build_common_annotations(extra_annotations)
        return {**found, **owned_by(self.user.name)}

    def _labels(self, component: str) -> dict[str, str]:
        return labels(
            "notebook",
            instance=self.cluster.instance,
            component=component,
            tenant="user",
            owner=self.user.name,
        )

    # -- progress and watching --------------------------------------------------------------

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Say in plain words what the start is waiting for."""
        async for event in progress.events(self):
            yield event

    async def _start_watching_pods(self, replace: bool = False) -> Any:
        return await super()._start_watching_pods(
            replace=replace or reflectors.is_dead(self.pod_reflector)
        )

    def get_state(self) -> dict[str, Any]:
        """Save what the profile says about the server's end."""
        return {**super().get_state(), "idle_s": self.idle_s}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take a server up again that ran while the hub was away."""
        super().load_state(state)
        self.idle_s = float(state.get("idle_s", 0.0))

    async def poll(self) -> int | None:
        """Return None while the server runs; end it when it was idle for its profile's time.

        Its longest time is the kubelet's business (``activeDeadlineSeconds``), hub or no hub.
        """
        if self.pod_asked_for is False:
            return 1
        status: int | None = await super().poll()
        if status is None and self.ready:
            why = lifetime.over(0.0, self.idle_s, self.orm_spawner.last_activity)
            if why:
                self.log.info("Stopping %s: %s", self._log_name, why)
                await self.stop()
                return 0
        return status

    async def stop(self, now: bool = False) -> None:
        """End the pod, and stop watching a namespace in which nothing runs any more."""
        if self.pod_asked_for is False:
            # Refused before there was a pod, maybe before there was a namespace to look into.
            return
        await super().stop(now=now)
        await reflectors.release(self)
