"""Where folds run: a cluster of processes on this machine, or the Dask cluster at an address."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autonoe.errors import AutonoeError, UnavailableError
from autonoe_nace.search.fold_run import Result, lost, run_fold
from autonoe_nace.search.folds import Folded
from autonoe_nace.search.plan import SearchPlan

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CONNECT_S = 30
_GIB = 1024**3


@dataclass(frozen=True)
class Workers:
    """What runs the folds.

    Attributes
    ----------
    scheduler : str
        Address of a Dask scheduler, such as ``tls://dask:8786``; empty for processes of this
        machine. Its workers need this package; certificates come from Dask's own configuration.
    count : int
        Processes on this machine.
    memory_gib : float
        What one of them, and the training that it starts, may each use.
    threads : int
        Threads that one of them may use for linear algebra.
    """

    scheduler: str = ""
    count: int = 1
    memory_gib: float = 2.0
    threads: int = 1


class MemoryLimit:
    """A plugin of Dask's that bounds a worker, and whatever it starts, by the kernel."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def setup(self, worker: Any) -> None:
        """Set the limit; called by Dask in the worker."""
        del worker
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (self.limit, hard))


@contextmanager
def connected(workers: Workers) -> Iterator[Client]:
    """Yield a client of the cluster, and end what was started for it.

    Raises
    ------
    UnavailableError
        If the scheduler does not answer.
    """
    if workers.scheduler:
        try:
            client = _dask().Client(workers.scheduler, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UnavailableError(
                f"The Dask scheduler at {workers.scheduler} does not answer.",
                hint="Check the address; certificates are set in Dask's configuration.",
            ) from error
        with client:
            yield client
        return
    with _local(workers) as client:
        yield client


@contextmanager
def _local(workers: Workers) -> Iterator[Client]:
    """Start processes of this machine, which no other account of it can talk to."""
    import dask
    from distributed import WorkerPlugin

    class Limit(MemoryLimit, WorkerPlugin):
        """Dask takes only plugins of its own class."""

    limit = int(workers.memory_gib * _GIB)
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.nanny.pre-spawn-environ": dict.fromkeys(_THREADS, workers.threads),
        "distributed.worker.daemon": True,
        "distributed.comm.retry.count": 3,
        # The pages about the cluster would be open to every account of the machine.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with (
        dask.config.set(settings),
        _dask().LocalCluster(
            n_workers=workers.count,
            threads_per_worker=1,
            memory_limit=limit,
            processes=True,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            host="127.0.0.1",
            protocol="tls://",
            security=_dask().Security.temporary(),
            silence_logs=logging.ERROR,
        ) as cluster,
        _dask().Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(Limit(limit), name="memory-limit")
        yield client


def run_all(
    client: Client, plan: SearchPlan, material: Folded, pending: Sequence[tuple[int, int]]
) -> Iterator[Result]:
    """Yield the result of each pending (candidate, fold) as it comes.

    A worker that dies takes its fold along: its result is an error that ``resume`` tries again.

    Raises
    ------
    UnavailableError
        If the scheduler has no worker.
    """
    if not pending:
        return
    cluster: Any = client
    try:
        sent = cluster.scatter(material, broadcast=True, hash=False)
    except TimeoutError as error:
        raise UnavailableError(
            "The Dask scheduler has no worker that answers.",
            hint="Start one with `dask worker ADDRESS`, then autonoe nace search resume.",
        ) from error
    jobs = {}
    for candidate, fold in pending:
        params = plan.params(candidate).model_dump(mode="json")
        future = cluster.submit(
            run_fold,
            sent,
            params,
            candidate,
            fold,
            key=f"{plan.id}-c{candidate}-f{fold}",
            pure=False,
            # Candidates one after the other, so that whole ones are known early.
            priority=-candidate,
        )
        jobs[future] = (candidate, fold, params)
    for future in _dask().as_completed(list(jobs), loop=cluster.loop):
        candidate, fold, params = jobs.pop(future)
        result, problem = _ended(future)
        if result is not None:
            yield result
        elif problem is not None:
            log.warning("candidate %d, fold %d: %s", candidate, fold, type(problem).__name__)
            yield lost(candidate, fold, params, _told(problem))
        future.release()


def _dask() -> Any:
    """Return the module, whose functions have no types."""
    import distributed

    return distributed


def _ended(future: Any) -> tuple[Result | None, BaseException | None]:
    """Return the result of a fold, or why there is none."""
    try:
        error = future.exception()
        return (future.result(), None) if error is None else (None, error)
    except _dask().client.FutureCancelledError as cancelled:
        # with the last worker go the texts, and results that nobody fetched yet: Dask gives up
        return None, cancelled


def _told(error: BaseException) -> AutonoeError:
    """Return what happened to a fold in words; what the exception says may hold rows."""
    if type(error).__name__ == "KilledWorker":
        return AutonoeError(
            "The worker ended during this fold, most likely for memory.",
            hint="Raise --memory or lower --workers, then autonoe nace search resume.",
            code="worker_lost",
        )
    if type(error).__name__ == "FutureCancelledError":
        return AutonoeError(
            "The cluster lost its last worker, and the texts with it.",
            hint="Start a worker, then autonoe nace search resume.",
            code="worker_lost",
        )
    if isinstance(error, ModuleNotFoundError):
        return AutonoeError(
            "The workers have not got this package or one that it needs.",
            hint="Start them from the same environment, or from Autonoe's image.",
            code="fold_failed",
        )
    return AutonoeError(
        f"The fold ended with {type(error).__name__}.",
        hint="Try it again with autonoe nace search resume; the worker's log says more.",
        code="fold_failed",
    )
