"""Folds on a Dask cluster that somebody else started: the same figures, and a worker's death."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from autonoe.cli import main
from autonoe.embedded import ports
from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace.search import SearchPlan, Store, Workers, search
from nace.search_material import OPTIONS, make_plan, write_table

pytestmark = pytest.mark.slow
START_S = 120
DASK = str(Path(sys.executable).with_name("dask"))
CANDIDATES: list[dict[str, Any]] = [{"lr": 0.3}, {"lr": 0.6}]


@contextmanager
def running(*command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as stream:
        process = subprocess.Popen([DASK, *command], stdout=stream, stderr=stream)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a scheduler without a worker and yield its address once it answers."""
    port = ports.choose(1)[0]
    address = f"tcp://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("dask") / "scheduler.log"
    command = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with running(*command, log=log):
        wait_until(
            lambda: workers_of(address) == 0,
            timeout_s=START_S,
            what="the scheduler",
            ignoring=(OSError,),
        )
        yield address


def workers_of(address: str) -> int:
    client: Any = Client(address, timeout=5, set_as_default=False)  # type: ignore[no-untyped-call]
    with client:
        return len(client.scheduler_info()["workers"])


@contextmanager
def worker(address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the one worker of ``address``, without the nanny that would start it again."""
    command = ["worker", address, "--no-nanny", "--no-dashboard", "--nthreads", "1"]
    with running(
        *command, "--local-directory", str(folder / "dask"), log=folder / "worker.log"
    ) as process:
        wait_until(lambda: workers_of(address) == 1, timeout_s=START_S, what="the worker")
        yield process
    wait_until(lambda: workers_of(address) == 0, timeout_s=START_S, what="the worker's end")


def levels(store: Store) -> list[tuple[int, int, Any, Any]]:
    """Return what each fold found, without how long it took."""
    return sorted(
        ((r["candidate"], r["fold"], r.get("levels"), r.get("ranks")) for r in store.results()),
        key=lambda row: row[:2],
    )


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> SearchPlan:
    return make_plan(write_table(tmp_path_factory.mktemp("data")), CANDIDATES)


@pytest.fixture(scope="module")
def local(plan: SearchPlan, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return the same search, made by a process of this machine."""
    store = Store.create(tmp_path_factory.mktemp("local") / "search", plan)
    assert search(store, Workers())["done"] == 6
    return store


def test_any_dask_address_gives_the_figures_of_this_machine(
    scheduler: str,
    plan: SearchPlan,
    local: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = Store.create(tmp_path / "search", plan)
    with worker(scheduler, tmp_path):
        assert search(store, Workers(scheduler=scheduler))["done"] == 6
        assert levels(store) == levels(local)

        arguments = ["grid", "--data", plan.material.data, "--nomenclature", "nace-rev2"]
        arguments += ["--vary", "lr=0.3,0.6", "--fold-column", "fold", *OPTIONS, "--no-track"]
        arguments += ["--output", str(tmp_path / "typed"), "--scheduler", scheduler, "--json"]
        with pytest.raises(SystemExit) as left:
            main(["nace", "search", *arguments])
        said = capsys.readouterr()
        assert not left.value.code, said.out
        assert json.loads(said.out)["done"] == 6
        assert levels(Store.open(tmp_path / "typed")) == levels(local)


def test_a_scheduler_without_workers_is_named(
    scheduler: str, plan: SearchPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autonoe_nace.search.workers._CONNECT_S", 2)
    store = Store.create(tmp_path / "search", plan)
    with pytest.raises(UnavailableError, match="no worker") as caught:
        search(store, Workers(scheduler=scheduler))
    assert "resume" in caught.value.hint
    assert store.results() == []


def test_a_killed_worker_is_told_and_resume_goes_on(
    scheduler: str,
    plan: SearchPlan,
    local: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = Store.create(tmp_path / "search", plan)
    shares: list[float] = []
    with worker(scheduler, tmp_path) as process:

        def kill_once(stage: str, share: float) -> None:
            if stage == "searching":
                shares.append(share)
                if share > 0 and process.poll() is None:
                    process.kill()
                    process.wait(timeout=30)

        found = search(store, Workers(scheduler=scheduler), progress=kill_once)
    assert shares[-1] == 1.0, "the search comes to its end"
    assert 0 < found["done"] < 6
    errors = [error for row in found["candidates"] for error in row["errors"]]
    assert {error["code"] for error in errors} == {"worker_lost"}
    assert "lost its last worker" in errors[0]["message"]
    assert "resume" in errors[0]["hint"]
    kept = {f.name: f.stat().st_mtime_ns for f in (store.folder / "folds").glob("c0000-f00.json")}

    with worker(scheduler, tmp_path):
        arguments = ["resume", str(store.folder), "--scheduler", scheduler, "--no-track", "--json"]
        with pytest.raises(SystemExit) as left:
            main(["nace", "search", *arguments])
    found = json.loads(capsys.readouterr().out)
    assert (left.value.code or 0, found["done"], found["failed"]) == (0, 6, 0)
    assert levels(store) == levels(local)
    assert {
        f.name: f.stat().st_mtime_ns for f in (store.folder / "folds").glob("c0000-f00.json")
    } == kept
