"""Fixtures of the tests that run on a real cluster: ours, or the one that KUBECONFIG names."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from autonoe.identity.cluster import ClusterEnrolment
from support import stack as stacks
from support import stack_tenants
from support.attackers import Scene, scene
from support.cluster import Cluster
from support.places import REPOSITORY
from support.stack import Stack
from support.stack_companions import Companions, deploy


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Return the cluster; ours is started by whoever asks first, and stays up."""
    return Cluster.connect()


@pytest.fixture(scope="session")
def companions(cluster: Cluster) -> Iterator[Companions]:
    """Deploy OpenBao, SeaweedFS, PostgreSQL and MLflow once, for all tests.

    Whoever uses them starts pods of people beside them, so that those images come along.
    """
    for name in ("agent", "jupyter-python", "serving"):
        cluster.import_image(REPOSITORY / "build" / "images" / f"{name}.tar")
    found = deploy(cluster, os.environ.get("AUTONOE_TEST_INSTANCE", "autonoe"))
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(scope="session")
def stack(cluster: Cluster, companions: Companions) -> Iterator[Stack]:
    """Deploy controller and hub once, on top of the companions; people can log in and start."""
    found = stacks.deploy(cluster, companions)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(scope="session")
def enrolment(companions: Companions, tmp_path_factory: pytest.TempPathFactory) -> ClusterEnrolment:
    """Return who enrols tenants, with the tenant controller's rights."""
    return companions.enrolment(tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="session")
def stage(cluster: Cluster) -> Iterator[Scene]:
    """Give an attacker and a victim, tenants of an installation that has nothing else."""
    quota = {"cpu": "4", "memory": "4Gi", "storage": "1Gi", "pods": "12"}
    tenants = stack_tenants.deploy(cluster, stack_tenants.unique(), user_defaults=quota)
    yield scene(tenants)
    tenants.remove()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Give a ``restricted`` namespace to one test."""
    with cluster.namespace() as name:
        yield name


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what puts faults into the node itself when the cluster is someone else's."""
    if not any(item.get_closest_marker("own_node") for item in items) or Cluster.is_own_chosen():
        return
    foreign = [item for item in items if item.get_closest_marker("own_node")]
    config.hook.pytest_deselected(items=foreign)
    items[:] = [item for item in items if item not in foreign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the cluster says: pod states, events, last lines of logs."""
    report = yield
    found: Cluster | None = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and found is not None:
        report.sections.append(("cluster", "\n".join([*found.notes, found.diagnose()])))
        found.notes.clear()
    return report
