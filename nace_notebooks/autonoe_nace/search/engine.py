"""A search from its first to its last fold, and from wherever it was killed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autonoe.errors import AutonoeError
from autonoe_nace.search.fold_run import Result, run_fold, settled
from autonoe_nace.search.folds import Folded, gather
from autonoe_nace.search.plan import SearchPlan
from autonoe_nace.search.store import Store
from autonoe_nace.search.summary import candidate_row, summarise
from autonoe_nace.search.workers import Workers, connected, run_all

if TYPE_CHECKING:
    from autonoe_nace.search.runs import SearchRuns

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]


def search(
    store: Store,
    workers: Workers,
    *,
    material: Folded | None = None,
    track: bool = False,
    progress: Progress = lambda stage, share: None,
) -> dict[str, Any]:
    """Run the folds of a search that have not been run, and return what all of them say.

    Each fold is on disk before the next is waited for, so that a kill costs only the folds that
    were under way. MLflow can fail meanwhile: the search goes on, and writes the runs at its end.

    Parameters
    ----------
    store : Store
        The search's folder.
    workers : Workers
        What runs the folds.
    material : Folded, optional
        The texts, when the caller has read them already.
    track : bool
        Whether to write each fold into MLflow.
    progress : callable
        Gets the stage and the share done.

    Returns
    -------
    dict
        As :func:`autonoe_nace.search.summary.summarise` gives, and ``run``, the id of the MLflow
        run, or None.

    Raises
    ------
    ConflictError
        If another process runs this search.
    AutonoeError
        ``data_changed`` when the texts are others than at its beginning; ``unavailable`` when
        MLflow did not take the runs in the end: all folds are safe, and ``resume`` writes them.
    """
    with store.locked():
        progress("reading", 0.0)
        material = material or gather(store.plan)
        runs = _runs(store.plan) if track else None
        book = _Book(store, material.k, runs)
        pending = book.pending()
        total = material.k * len(store.plan.candidates)
        progress("searching", 1 - len(pending) / total)
        if pending:
            with connected(workers) as client:
                for done, result in enumerate(
                    run_all(client, store.plan, material, pending), start=1
                ):
                    book.add(result)
                    progress("searching", 1 - (len(pending) - done) / total)
        return book.close()


def run_one(
    plan: SearchPlan, candidate: int, *, store: Store | None = None, track: bool = False
) -> dict[str, Any]:
    """Run the folds of one candidate in this process, and return its row.

    For a container that runs one candidate of a search: folds that the folder or MLflow know of
    already are not run again.

    Parameters
    ----------
    plan : SearchPlan
        The search.
    candidate : int
        Number of the candidate, from 0.
    store : Store, optional
        A folder for the results.
    track : bool
        Whether to write each fold into MLflow.
    """
    params = plan.params(candidate).model_dump(mode="json")
    material = gather(plan)
    runs = _runs(plan) if track else None
    known: dict[tuple[int, int], Result] = runs.finished() if runs else {}
    if store is not None:
        known |= {(r["candidate"], r["fold"]): r for r in store.results() if settled(r)}
    results = []
    for fold in range(material.k):
        result = known.get((candidate, fold)) or run_fold(material, params, candidate, fold)
        results.append(result)
        if store is not None and (candidate, fold) not in known:
            store.save(result)
        if runs is not None:
            runs.record(result)
    row = candidate_row(plan, candidate, results, material.k)
    if runs is not None and row["whole"]:
        runs.close_candidate(row)
    return row


def open_or_close(plan: SearchPlan, *, close: bool) -> dict[str, Any]:
    """Make the MLflow run of a search whose candidates run elsewhere, or write its outcome.

    Candidates that began at the same time would each make a run for the search.

    Returns
    -------
    dict
        ``id`` and ``run``; after closing, what :func:`autonoe_nace.search.summary.summarise` gives
        of the folds that MLflow knows of, and ``run``.
    """
    runs = _runs(plan)
    if not close:
        return {"id": plan.id, "run": runs.run_id}
    results = list(runs.finished().values())
    folds = max((result["fold"] + 1 for result in results), default=plan.folds)
    found = summarise(plan, results, folds)
    runs.close(found)
    return {**found, "run": runs.run_id}


def overview(store: Store) -> dict[str, Any]:
    """Return what the folds that are done say, without running any."""
    results = store.results()
    folds = max((result["fold"] + 1 for result in results), default=store.plan.folds)
    if not store.plan.fold_column:
        folds = store.plan.folds
    return summarise(store.plan, results, folds)


class _Book:
    """Results on disk and in MLflow, and what is left to do."""

    def __init__(self, store: Store, folds: int, runs: SearchRuns | None) -> None:
        self.store = store
        self.folds = folds
        self.runs = runs
        self._missed = False
        self._results = {(r["candidate"], r["fold"]): r for r in store.results() if settled(r)}

    def pending(self) -> list[tuple[int, int]]:
        """Return what no result tells of, candidate by candidate."""
        every = range(len(self.store.plan.candidates))
        return [(c, f) for c in every for f in range(self.folds) if (c, f) not in self._results]

    def add(self, result: Result) -> None:
        """Keep a result: first on disk, then in MLflow."""
        self.store.save(result)
        self._results[result["candidate"], result["fold"]] = result
        if self.runs is None or self._missed:
            return
        try:
            self._track(result["candidate"], result)
        except AutonoeError as error:
            self._missed = True
            log.warning("%s The search goes on; its runs are written at the end.", error.message)

    def close(self) -> dict[str, Any]:
        """Write what MLflow lacks and return the summary."""
        results = [self._results[key] for key in sorted(self._results)]
        found = summarise(self.store.plan, results, self.folds)
        if self.runs is not None:
            for result in results:
                self._track(result["candidate"], result)
            self.runs.close(found)
        return {**found, "run": self.runs.run_id if self.runs else None}

    def _track(self, candidate: int, result: Result) -> None:
        assert self.runs is not None  # noqa: S101  both callers looked
        self.runs.record(result)
        mine = [r for (c, _), r in sorted(self._results.items()) if c == candidate]
        row = candidate_row(self.store.plan, candidate, mine, self.folds)
        if row["whole"]:
            self.runs.close_candidate(row)


def _runs(plan: SearchPlan) -> SearchRuns:
    from autonoe_nace.search.runs import SearchRuns

    return SearchRuns(plan)
