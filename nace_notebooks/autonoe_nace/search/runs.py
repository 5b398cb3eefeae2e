"""A search in MLflow: one run for the search, below it one a candidate, below that one a fold.

Runs are known by tags, so that a search that goes on finds its runs again and doubles none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from autonoe_nace.search.fold_run import Result
from autonoe_nace.search.plan import SearchPlan
from autonoe_nace.tracking import (
    experiment_named,
    flatten,
    log_in_batches,
    mlflow_errors,
    personal_name,
    quiet_client,
)

SEARCH_TAG = "autonoe.search"
CANDIDATE_TAG = "autonoe.search_candidate"
FOLD_TAG = "autonoe.search_fold"
MODEL_TAG = "autonoe.fold_model_id"
"""Not the tag of tracked models: the model of a fold is judged and thrown away."""
_ERROR_TAG = "autonoe.error_"
_PARENT_TAG = "mlflow.parentRunId"
_PAGE = 1_000

Key = tuple[int | None, int | None]


class SearchRuns:
    """The runs of one search.

    Parameters
    ----------
    plan : SearchPlan
        The search; the MLflow server is the one that ``MLFLOW_TRACKING_URI`` names.

    Raises
    ------
    AutonoeError
        ``forbidden`` or ``unavailable`` from MLflow.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan
        self.client: MlflowClient = quiet_client()
        with mlflow_errors("find the search"):
            self.experiment = self._experiment()
            self._runs = self._known()
            self._parent = self._begin()

    @property
    def run_id(self) -> str:
        """Id of the search's own run."""
        return self._parent

    @property
    def path(self) -> str:
        """Address of the search's run within MLflow's pages."""
        return f"#/experiments/{self.experiment}/runs/{self._parent}"

    def finished(self) -> dict[tuple[int, int], Result]:
        """Return the folds that runs tell of already, without the rank of each text."""
        found = {}
        for (candidate, fold), run in self._runs.items():
            if candidate is not None and fold is not None and run.info.status == "FINISHED":
                found[candidate, fold] = _result(self.plan, candidate, fold, run)
        return found

    def record(self, result: Result) -> None:
        """Write a fold as a run; a fold that has one already is left as it is."""
        candidate, fold = int(result["candidate"]), int(result["fold"])
        with mlflow_errors("log a fold"):
            parent = self._run((candidate, None), self._parent, f"candidate {candidate:03d}")
            run = self._run((candidate, fold), parent.info.run_id, f"fold {fold}")
            told = run.data.tags.get(f"{_ERROR_TAG}code")
            if run.info.status == "FINISHED":
                return
            if "error" in result:
                if told != result["error"]["code"]:
                    tags = {f"{_ERROR_TAG}{key}": value for key, value in result["error"].items()}
                    self._log(run, {}, result["params"], tags)
                    self._end((candidate, fold), run, "FAILED")
                return
            for name in [tag for tag in run.data.tags if tag.startswith(_ERROR_TAG)]:
                self.client.delete_tag(run.info.run_id, name)  # it went well this time
            hidden = {"candidate", "fold", "params", "ranks", "model"}
            numbers = {key: value for key, value in result.items() if key not in hidden}
            self._log(run, numbers, result["params"], {MODEL_TAG: result["model"]})
            self._end((candidate, fold), run, "FINISHED")

    def close_candidate(self, row: Mapping[str, Any]) -> None:
        """Write the pooled figures of a candidate that has all its folds."""
        key = (int(row["candidate"]), None)
        with mlflow_errors("log a candidate"):
            run = self._run(key, self._parent, f"candidate {key[0]:03d}")
            if run.info.status == "FINISHED":
                return
            numbers = {
                name: value for name, value in row.items() if name not in {"candidate", "params"}
            }
            params = self.plan.params(key[0]).model_dump(mode="json")
            self._log(run, numbers, params, {})
            self._end(key, run, "FINISHED")

    def close(self, summary: Mapping[str, Any]) -> None:
        """Write the outcome of the search; its run ends unless ``mlflow run`` owns it."""
        with mlflow_errors("log the search"):
            best = next(
                (r for r in summary["candidates"] if r["candidate"] == summary["best"]), None
            )
            tags = {"autonoe.search_best": str(summary["best"])}
            numbers: dict[str, Any] = {"done": summary["done"], "failed": summary["failed"]}
            if best is not None:
                numbers["best"] = {
                    name: value
                    for name, value in best.items()
                    if isinstance(value, int | float) and not isinstance(value, bool)
                }
                tags |= {f"autonoe.best_{name}": str(v) for name, v in best["params"].items()}
            run = self.client.get_run(self._parent)
            self._log(run, numbers, {}, tags)
            self.client.log_dict(self._parent, dict(summary), "search.json")
            if os.environ.get("MLFLOW_RUN_ID") != self._parent:
                self.client.set_terminated(self._parent, "FINISHED")

    def _experiment(self) -> str:
        """Return where the runs go: to the run that `mlflow run` made, if there is one."""
        given = os.environ.get("MLFLOW_RUN_ID", "")
        if given:
            return str(self.client.get_run(given).info.experiment_id)
        return experiment_named(self.client, self.plan.experiment or personal_name())

    def _known(self) -> dict[Key, Run]:
        """Return the runs of this search by candidate and fold; (None, None) is its own."""
        found: dict[Key, Run] = {}
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment],
                f"tags.`{SEARCH_TAG}` = '{self.plan.id}'",
                max_results=_PAGE,
                page_token=token,
            )
            for run in page:
                tags = run.data.tags
                key = _number(tags.get(CANDIDATE_TAG)), _number(tags.get(FOLD_TAG))
                # A finished run wins over one that a kill left open.
                if key not in found or run.info.status == "FINISHED":
                    found[key] = run
            token = page.token
            if not token:
                return found

    def _begin(self) -> str:
        key = (None, None)
        given = os.environ.get("MLFLOW_RUN_ID", "")
        if key in self._runs:
            return str(self._runs[key].info.run_id)
        tags = {SEARCH_TAG: self.plan.id, "autonoe.search_kind": self.plan.kind}
        if given:  # `mlflow run` made a run for us
            run = self.client.get_run(given)
            self._log(run, {}, {}, tags)
        else:
            name = f"{self.plan.kind} search"
            run = self.client.create_run(self.experiment, tags=tags, run_name=name)
        self._runs[key] = run
        self.client.log_dict(run.info.run_id, self.plan.model_dump(mode="json"), "plan.json")
        return str(run.info.run_id)

    def _run(self, key: Key, parent: str, name: str) -> Run:
        """Return the run of ``key``; one that a kill or an error left is used again."""
        if key not in self._runs:
            tags = {SEARCH_TAG: self.plan.id, _PARENT_TAG: parent, CANDIDATE_TAG: str(key[0])}
            if key[1] is not None:
                tags[FOLD_TAG] = str(key[1])
            self._runs[key] = self.client.create_run(self.experiment, tags=tags, run_name=name)
        return self._runs[key]

    def _log(
        self,
        run: Run,
        numbers: Mapping[str, Any],
        params: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> None:
        metrics: Sequence[Metric] = [
            Metric(name, float(value), 0, 0)
            for name, value in flatten(numbers)
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        known = run.data.params
        fresh = [Param(n, str(v)[:500]) for n, v in flatten(params) if n not in known]
        marks = [RunTag(name, str(value)[:5_000]) for name, value in tags.items()]
        log_in_batches(self.client, run.info.run_id, metrics, fresh, marks)

    def _end(self, key: Key, run: Run, status: str) -> None:
        self.client.set_terminated(run.info.run_id, status)
        self._runs[key] = self.client.get_run(run.info.run_id)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _result(plan: SearchPlan, candidate: int, fold: int, run: Run) -> Result:
    """Return a fold's result from its metrics."""
    metrics = run.data.metrics
    levels: dict[str, dict[str, Any]] = {}
    for name, value in metrics.items():
        parts = name.split(".")
        if parts[0] != "levels":
            continue
        place = levels.setdefault(parts[1], {})
        for part in parts[2:-1]:
            place = place.setdefault(part, {})
        place[parts[-1]] = value
    return {
        "candidate": candidate,
        "fold": fold,
        "params": plan.params(candidate).model_dump(mode="json"),
        **{name: metrics[name] for name in ("train_s", "predict_ms", "bytes")},
        **{name: int(metrics[name]) for name in ("n", "n_learned", "level")},
        "levels": levels,
        "model": run.data.tags.get(MODEL_TAG, ""),
    }
