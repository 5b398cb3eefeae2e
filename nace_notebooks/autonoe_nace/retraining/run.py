"""One retraining, step by step, each of which is found done when the run is started again."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autonoe.embedded.files import read_json, write_json
from autonoe.errors import AutonoeError, ConflictError
from autonoe_nace.model import NaceModel
from autonoe_nace.retraining.material import Material, gather
from autonoe_nace.retraining.plan import RetrainPlan
from autonoe_nace.training import TrainingParams, train

REFUSALS = {"gate_closed", "check_failed"}
"""Ends of a retraining that are no failures of it: the champion stays."""
_REPORT = "report.html"
_BECAUSE_TAG = "autonoe.because"

Say = Callable[[str], None]


def retrain(plan: RetrainPlan, *, say: Say = lambda _: None) -> dict[str, Any]:
    """Train a challenger on old and new labels and give it the alias if it is better on gold.

    Equal material and parameters are one run: a killed one goes on where it stopped, and a
    finished one is not repeated, so that a schedule without new labels does nothing.

    Parameters
    ----------
    plan : RetrainPlan
        Data, gold, parameters, name.
    say : callable, optional
        Is told each step.

    Returns
    -------
    dict
        ``id``, ``promoted``, ``repeated``, ``model``, ``version``, ``champion_before``, ``gate``
        (the comparison), ``report`` (path of the HTML page), ``counts``, ``message``.

    Raises
    ------
    ConflictError
        If another retraining works in the same folder.
    AutonoeError
        What a step needed and did not get. A challenger that is not better is no error.
    """
    from autonoe_nace.tracking import personal_name

    name = plan.name or personal_name()
    plan.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(plan.work, name):
        say("Gathering texts …")
        material = gather(plan)
        params = TrainingParams.of(**plan.params)
        recipe = json.dumps({**plan.recipe(), "name": name}, sort_keys=True, default=str)
        content = f"{recipe}\n{params.model_dump_json()}\n{material.sha256}"
        run = _Run(plan, name, params, material, hashlib.sha256(content.encode()).hexdigest()[:20])
        return run.finish(say)


class _Run:
    """A retraining with its folder, in which ``state.json`` says what is done."""

    def __init__(
        self,
        plan: RetrainPlan,
        name: str,
        params: TrainingParams,
        material: Material,
        identity: str,
    ) -> None:
        self.plan, self.name, self.params, self.material = plan, name, params, material
        self.id = identity
        self.folder = plan.work / identity
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self.state: dict[str, Any] = read_json(self.folder / "state.json") or {}

    def finish(self, say: Say) -> dict[str, Any]:
        """Do what is not done yet and return the outcome."""
        if "outcome" in self.state and not self.plan.force_reason:
            say("This very retraining was done before; nothing is new.")
            return {**self.state["outcome"], "repeated": True}
        model = self._model(say)
        scores = self._scores(model, say)
        if "version" not in self.state:
            say("Registering the challenger …")
            self._keep(version=self._register(scores))
        outcome = self._promote(model, say)
        self._keep(outcome=outcome)
        return outcome

    def _model(self, say: Say) -> NaceModel:
        folder = self.folder / "model"
        if folder.exists():
            try:
                return NaceModel.load(folder)
            except AutonoeError as error:
                if error.code not in {"model_damaged", "model_format", "model_missing"}:
                    raise
        say(f"Learning from {len(self.material.learned):,} texts …")
        model = train(
            self.material.learned, self.params, self.material.tree, extra=self.material.extra
        )
        model.save(folder)
        return NaceModel.load(folder)

    def _scores(self, model: NaceModel, say: Say) -> dict[str, Any]:
        from autonoe_nace.evaluation import Options, assess, write_report

        target = self.folder / "evaluation.json"
        known = read_json(target)
        if isinstance(known, dict) and (self.folder / _REPORT).exists():
            return known
        say(f"Judging on {len(self.material.gate):,} gold texts …")
        weights = list(self.material.gate_weights)
        scores = assess(model, self.material.gate, Options(weights=weights))
        write_report(
            scores,
            self.folder / _REPORT,
            nomenclature=model.nomenclature,
            source="gold standard, the part that is never learned",
        )
        write_json(target, scores)
        return scores

    def _register(self, scores: dict[str, Any]) -> str:
        from autonoe_nace import tracking
        from autonoe_nace.registry import register

        tracked = tracking.track(
            self.folder / "model",
            {"levels": scores["levels"]},
            experiment=self.name,
            run_name="retraining",
            tags={_BECAUSE_TAG: self.plan.because[:500]},
        )
        return str(register(tracked, name=self.name).version)

    def _promote(self, model: NaceModel, say: Say) -> dict[str, Any]:
        from autonoe_nace.registry import history, promote
        from autonoe_nace.registry.versions import alias_version
        from autonoe_nace.tracking import mlflow_errors, quiet_client

        version = self.state["version"]
        with mlflow_errors("see the champion"):
            before = alias_version(quiet_client(), self.name, self.plan.alias)
        found = {
            "id": self.id,
            "name": self.name,
            "model": model.id,
            "version": version,
            "champion_before": before,
            "report": str(self.folder / _REPORT),
            "counts": self.material.counts,
            "because": self.plan.because,
            "repeated": False,
        }
        left = any(
            d.kind == "rollback" and d.previous == version and d.alias == self.plan.alias
            for d in history(self.name)
        )
        if left and not self.plan.force_reason:
            message = f"Version {version} was rolled back by somebody; it is not promoted again."
            return {**found, "promoted": False, "code": "rolled_back", "message": message}
        say("Comparing with the champion …")
        try:
            moved = promote(
                self.name,
                version,
                gold=self.material.gate,
                weights=list(self.material.gate_weights),
                alias=self.plan.alias,
                force_reason=self.plan.force_reason or None,
            )
        except AutonoeError as error:
            if error.code not in REFUSALS:
                raise
            return {**found, "promoted": False, "code": error.code, "message": error.message}
        gate = moved.gate
        return {
            **found,
            "promoted": moved.moved,
            "code": moved.decision.kind,
            "message": gate.sentence() if gate else moved.decision.sentence(),
            "gate": asdict(gate) if gate else None,
        }

    def _keep(self, **done: Any) -> None:
        self.state |= done
        write_json(self.folder / "state.json", self.state)


@contextmanager
def _alone(work: Path, name: str) -> Iterator[None]:
    """Hold the lock of a model's retraining; the system frees it when the process dies."""
    file = work / f".{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"Another retraining of {name} is at work.",
                hint="Wait until it ends; it would have the same labels.",
            ) from error
        yield
