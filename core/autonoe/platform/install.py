"""Do what the plan says, part by part; what is done stays done when a later part fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import yaml

from autonoe.errors import AutonoeError, ConflictError
from autonoe.kubernetes.client import Cluster, Object
from autonoe.kubernetes.labels import labels
from autonoe.platform import generated_secrets, health
from autonoe.platform.catalogue import Catalogue
from autonoe.platform.helm import Helm, Release
from autonoe.platform.plan import Step, Wanted, step, wanted
from autonoe.platform.site import Site, chosen
from autonoe.waiting import wait_until

log = logging.getLogger(__name__)

Tell = Callable[[str], None]
_ENFORCE = "pod-security.kubernetes.io/enforce"


class Platform:
    """The companions of one instance on one cluster.

    Parameters
    ----------
    catalogue : Catalogue
        The list.
    folder : Path
        Where its layers of values lie.
    site : Site
        What only the site knows.
    cluster : Cluster
        Where.
    helm : Helm
        With what.
    """

    def __init__(
        self, catalogue: Catalogue, folder: Path, site: Site, cluster: Cluster, helm: Helm
    ) -> None:
        self.catalogue = catalogue
        self.folder = folder
        self.site = site
        self.cluster = cluster
        self.helm = helm

    def wanted(self, only: tuple[str, ...] = ()) -> list[Wanted]:
        """Return the parts as they should be, in order; asks no cluster.

        Raises
        ------
        InvalidInputError
            If the list and the site do not fit together.
        """
        return [
            wanted(part, self.site, self.folder) for part in chosen(self.catalogue, self.site, only)
        ]

    def plan(self, only: tuple[str, ...] = ()) -> list[Step]:
        """Return what has to be done, in order; changes nothing."""
        wants = self.wanted(only)
        releases = self.helm.releases()
        return [self._step(want, releases) for want in wants]

    def install(self, steps: Iterable[Step], tell: Tell) -> list[Step]:
        """Do what ``steps`` say; returns those that changed something.

        Parameters
        ----------
        steps : iterable of Step
            Of :meth:`plan`.
        tell : callable
            Takes one line of progress.

        Raises
        ------
        AutonoeError
            At the first part that fails; the parts before it stay, and the next run goes on
            there.
        """
        done = []
        for one in steps:
            want = one.wanted
            missing = generated_secrets.missing(want, self.cluster) if one.installed else []
            if one.action == "keep" and not missing:
                tell(f"{want.part.name}: {one.reason}")
                continue
            started = time.monotonic()
            tell(f"{want.part.name}: {one.action}, {want.label} into {want.namespace} …")
            self._do(one, tell)
            tell(f"{want.part.name}: done in {time.monotonic() - started:.0f} s")
            done.append(one)
        return done

    def check(self, only: tuple[str, ...] = ()) -> list[health.PartHealth]:
        """Return the health of each part."""
        return health.check(self.plan(only), self.site, self.cluster, self.helm)

    def uninstall(self, steps: Iterable[Step], tell: Tell) -> list[str]:
        """Remove the releases of ``steps``, the last first; volumes and secrets stay.

        Returns
        -------
        list of str
            Names of the parts that were removed.
        """
        removed = []
        for one in reversed(list(steps)):
            if one.installed is not None:
                tell(f"{one.wanted.part.name}: removing {one.installed.name} …")
                self.helm.uninstall(one.installed, timeout_s=one.wanted.part.timeout_s)
                for found in self._objects(one.wanted):
                    self.cluster.delete(
                        found["kind"], found["metadata"]["name"], one.wanted.namespace
                    )
                removed.append(one.wanted.part.name)
        return removed

    def _step(self, want: Wanted, releases: dict[tuple[str, str], Release]) -> Step:
        installed = releases.get((want.namespace, want.release))
        if installed is None or installed.interrupted:
            return step(want, installed, None)
        return step(want, installed, self.helm.values(installed))

    def _do(self, one: Step, tell: Tell) -> None:
        want = one.wanted
        self._namespace(want)
        for secret in generated_secrets.missing(want, self.cluster):
            with suppress(ConflictError):
                generated_secrets.create(secret, want, self.site, self.cluster)
            tell(f"{want.part.name}: made the secret {secret.name}, {secret.why}")
        for found in self._objects(want):
            self.cluster.apply(found)
        if one.action == "repair" and one.installed is not None:
            tell(f"{want.part.name}: {self.helm.recover(one.installed)}")
        if one.action != "keep":
            if one.action == "upgrade":
                self._upgrade_definitions(want)
            self.helm.install(
                want.release,
                want.namespace,
                want.chart,
                want.values,
                timeout_s=want.part.timeout_s,
                wait=not want.part.health.waits_for_people,
            )
        self._dashboards(want)
        self._settled(want)
        if want.part.health.waits_for_people:
            waits = self.site.fill(want.part.health.waits_for_people, want.part)
            tell(f"{want.part.name}: {waits}")

    def _namespace(self, want: Wanted) -> None:
        if self.cluster.find("Namespace", want.namespace) is not None:
            return
        metadata = {
            "name": want.namespace,
            "labels": {
                **labels(want.part.name, instance=self.site.instance, component="platform"),
                _ENFORCE: self._level(want.namespace),
            },
        }
        with suppress(ConflictError):
            self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def _level(self, namespace: str) -> str:
        """Return the strictest Pod Security level that all parts of a namespace start under."""
        order = ("privileged", "baseline", "restricted")
        there = [
            part.pod_security
            for part in chosen(self.catalogue, self.site)
            if self.site.namespace(part) == namespace
        ]
        return min(there, key=order.index, default="restricted")

    def _upgrade_definitions(self, want: Wanted) -> None:
        """Bring the definitions of the chart's folder ``crds`` in line: Helm never does."""
        for found in self.helm.definitions(want.chart):
            self.cluster.apply(found)
            log.info("Applied the resource definition %s", found["metadata"]["name"])

    def _objects(self, want: Wanted) -> list[Object]:
        """Return the part's own manifests, labelled, in its namespace."""
        own = labels(want.part.name, instance=self.site.instance, component="platform")
        found = []
        for name in want.part.objects:
            text = (self.folder / name).read_text(encoding="utf-8")
            manifest = yaml.safe_load(self.site.fill(text, want.part))
            metadata = {
                **manifest["metadata"],
                "namespace": want.namespace,
                "labels": {**own, **manifest["metadata"].get("labels", {})},
            }
            found.append({**manifest, "metadata": metadata})
        return found

    def _dashboards(self, want: Wanted) -> None:
        for name in want.part.dashboards:
            path = self.folder / name
            own = labels(want.part.name, instance=self.site.instance, component="dashboard")
            self.cluster.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": f"{want.release}-{path.stem}",
                        "namespace": want.namespace,
                        # the label that Grafana's sidecar looks for
                        "labels": {**own, "grafana_dashboard": "1"},
                    },
                    "data": {path.name: path.read_text(encoding="utf-8")},
                }
            )

    def _settled(self, want: Wanted) -> None:
        """Wait until the definitions are in use: the next part may write such objects."""
        names = want.part.health.definitions
        if not names:
            return
        try:
            wait_until(
                lambda: not health.definitions(names, self.cluster),
                timeout_s=60,
                what=f"the resource definitions of {want.part.name}",
                interval_s=0.2,
            )
        except AutonoeError as error:
            raise AutonoeError(
                f"{want.part.name} is installed, but: "
                + " ".join(health.definitions(names, self.cluster)),
                hint=want.part.next_step or "Run the same command again.",
                code="part_not_ready",
            ) from error
