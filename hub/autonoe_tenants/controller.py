"""The controller as a program: kopf follows the Tenant objects, threads follow what they own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from autonoe.errors import AutonoeError
from autonoe.kubernetes.client import Cluster
from autonoe.kubernetes.labels import GROUP
from autonoe.tenants.tenancy import Tenancy
from autonoe_tenants import capacity, metrics, watching
from autonoe_tenants.crd import FINALIZER, PLURAL, VERSION
from autonoe_tenants.enrolment import Enrolment
from autonoe_tenants.keeper import Keeper

log = logging.getLogger(__name__)

_RETRY_S = 5.0
_BEAT_S = 5.0
_LOGIN_S = 60


class Controller:
    """One running controller.

    Parameters
    ----------
    cluster : Cluster
        The API server, as the controller.
    tenancy : Tenancy
        The installation.
    enrolment : Enrolment, optional
        Who makes accounts outside of the cluster.
    """

    def __init__(
        self, cluster: Cluster, tenancy: Tenancy, enrolment: Enrolment | None = None
    ) -> None:
        self.tenancy = tenancy
        self.metrics = metrics.Metrics()
        self._cluster = cluster
        self._keeper = Keeper(cluster, tenancy, enrolment, self.metrics)
        self._events: dict[str, asyncio.Event] = {}
        self._stop = threading.Event()
        self.registry = self._registry()

    def run(self, *, host: str = "0.0.0.0", port: int = 8080) -> None:  # noqa: S104  the kubelet probes the pod's address
        """Run until a signal ends it; ``/healthz`` and ``/metrics`` answer on ``host:port``."""
        server = metrics.serve(self.metrics, host=host, port=port)
        try:
            kopf.run(
                registry=self.registry,
                standalone=True,
                namespaces=[self.tenancy.hub_namespace],
            )
        finally:
            self._stop.set()
            server.shutdown()

    # -- handlers ---------------------------------------------------------------------------

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        which: tuple[str, str, str] = (GROUP, VERSION, PLURAL)
        kopf.on.login(registry=registry)(self._on_login)
        kopf.on.startup(registry=registry)(self._on_start)
        kopf.on.cleanup(registry=registry)(self._on_end)
        kopf.on.event(*which, registry=registry)(self._on_event)
        kopf.on.delete(*which, registry=registry, id="remove")(self._on_delete)
        kopf.daemon(*which, registry=registry, id="keep", cancellation_timeout=10)(self._on_tenant)
        return registry

    def _on_login(self, **_: Any) -> kopf.ConnectionInfo:
        """Return the login of the other client, anew each minute: a pod's token is replaced."""
        found = self._cluster.api.configuration
        headers: dict[str, str] = {}
        self._cluster.api.update_params_for_auth(headers, {}, ["BearerToken"])
        scheme, _sep, token = headers.get("authorization", "").partition(" ")
        return kopf.ConnectionInfo(
            server=found.host,
            ca_path=found.ssl_ca_cert,
            scheme=scheme or None,
            token=token or None,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
            expiration=datetime.now(UTC) + timedelta(seconds=_LOGIN_S),
        )

    async def _on_start(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        # What is said, is said in the object's status: no Event objects, no look at other kinds.
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.networking.request_timeout = 30
        settings.watching.server_timeout = 240
        settings.persistence.finalizer = FINALIZER
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
        settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(
            prefix=GROUP, key="last-handled"
        )
        loop = asyncio.get_running_loop()

        def wake(name: str) -> None:
            loop.call_soon_threadsafe(self._wake, name)

        watching.start(self._cluster, self._keeper, wake, self._stop)
        capacity.start(self._cluster, self.tenancy, self._stop)
        self._heart = asyncio.create_task(self._beat())

    async def _on_end(self, **_: Any) -> None:
        self._stop.set()
        self._heart.cancel()

    async def _beat(self) -> None:
        while True:
            self.metrics.beat()
            await asyncio.sleep(_BEAT_S)

    async def _on_event(self, name: str, **_: Any) -> None:
        self._wake(name)

    async def _on_delete(self, body: kopf.Body, **_: Any) -> None:
        try:
            done = await asyncio.to_thread(self._keeper.finish, dict(body))
        except AutonoeError as error:
            raise kopf.TemporaryError(error.message, delay=_RETRY_S) from error
        if not done:
            raise kopf.TemporaryError("the namespace is still being deleted", delay=1)

    async def _on_tenant(self, name: str, stopped: kopf.DaemonStopped, **_: Any) -> None:
        event = self._events.setdefault(name, asyncio.Event())
        self.metrics.tenants += 1
        try:
            while not stopped:
                event.clear()
                pause = await self._visit(name)
                if pause is None:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), timeout=pause)
        finally:
            self.metrics.tenants -= 1
            self._events.pop(name, None)

    async def _visit(self, name: str) -> float | None:
        self.metrics.count("visits")
        try:
            return await asyncio.to_thread(self._keeper.visit, name)
        except AutonoeError as error:
            log.warning("%s: %s", name, error.message)
        except Exception:
            # One tenant's trouble must not end the care for the others.
            self.metrics.count("visits_failed")
            log.exception("visit to %s", name)
        return _RETRY_S

    def _wake(self, name: str) -> None:
        event = self._events.get(name)
        if event is not None:
            event.set()
