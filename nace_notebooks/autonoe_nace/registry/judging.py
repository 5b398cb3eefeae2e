"""The judge of a promotion: checks and compares one version, and records a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from autonoe.errors import AutonoeError, ConflictError, InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.model import NaceModel
from autonoe_nace.model.manifest import Manifest
from autonoe_nace.registry import decisions
from autonoe_nace.registry.checks import (
    CheckLimits,
    CheckReport,
    check_and_fetch,
    default_cache,
)
from autonoe_nace.registry.decisions import Decision
from autonoe_nace.registry.fetching import fetch
from autonoe_nace.registry.gating import GateReport, gate
from autonoe_nace.registry.versions import nomenclature_of
from autonoe_nace.tracking import NOMENCLATURE_TAG

_UNREADABLE = {"model_damaged", "model_missing", "model_format", "not_found", "invalid_input"}
"""Errors of a champion that cannot be had whole: the registry tells what it codes to."""


@dataclass
class Judge:
    """Checks and compares one version; the checks are made once, the comparison per champion."""

    client: MlflowClient
    name: str
    version: str
    alias: str
    reason: str
    """Why the version shall have the alias even if the gate stays closed; empty for no reason."""
    gold: Dataset | None
    weights: Sequence[float] | None
    limits: CheckLimits | None
    cache: Path | None
    check: CheckReport | None = None
    gate: GateReport | None = None
    folder: Path = Path()
    """Where the version was fetched to."""
    run_id: str = ""

    def decide(self, champion: str) -> tuple[Decision, dict[str, Any]]:
        """Return the decision to move the alias and its report, or record the refusal and raise it.

        Raises
        ------
        AutonoeError
            ``check_failed`` or ``gate_closed``.
        """
        uri = f"models:/{self.name}/{self.version}"
        if self.check is None:
            self.check, self.folder = check_and_fetch(uri, limits=self.limits, cache=self.cache)
        if not self.check.passed:
            raise AutonoeError(
                self._refusal(champion, self.check.problem),
                hint="The alias was not moved. Register a whole model, or widen the limits.",
                code="check_failed",
            )
        if champion:
            self._check_nomenclature(champion)
        if self.gold is not None:
            self.gate = self._compare(champion, self.gold)
        passed = self.gate is not None and self.gate.passed
        if not passed and not self.reason and self.gate is not None:
            raise AutonoeError(
                self._refusal(champion, self.gate.sentence()),
                hint="The alias was not moved. --force-reason TEXT moves it and is recorded.",
                code="gate_closed",
            )
        decision = decisions.new(
            "promote" if passed else "force",
            alias=self.alias,
            version=self.version,
            previous=champion,
            reason=self.reason,
            figures=figures(self.check, self.gate),
            run_id=self.run_id,
        )
        return decision, self._report()

    def _check_nomenclature(self, champion: str) -> None:
        """Refuse a version that codes to another nomenclature: no reason can force that.

        Whoever follows the alias would get codes of another meaning from one answer to the next. A
        champion whose nomenclature nobody knows is no way around that.
        """
        mine, theirs = Manifest.read(self.folder).nomenclature, self._nomenclature_of(champion)
        if mine == theirs:
            return
        problem = f"It codes to {mine}, and the champion, version {champion}, to {theirs}."
        hint = "Register it under a name of its own."
        if not theirs:
            problem = (
                f"What the champion, version {champion}, codes to is not known: its files cannot "
                "be had, and the registry does not say."
            )
            hint = (
                "Roll back to a version that is whole, or give the champion's version its tag "
                f"{NOMENCLATURE_TAG} in MLflow."
            )
        raise AutonoeError(
            self._refusal(champion, problem),
            hint=f"The alias was not moved. {hint}",
            code="check_failed",
        )

    def _nomenclature_of(self, champion: str) -> str:
        """Return what the champion codes to: its manifest's word, else the registry's."""
        try:
            folder, _ = fetch(f"models:/{self.name}/{champion}", self.cache or default_cache())
            return Manifest.read(folder).nomenclature
        except AutonoeError as error:
            if error.code not in _UNREADABLE:
                raise
        return nomenclature_of(self.client, self.client.get_model_version(self.name, champion))

    def _compare(self, champion: str, gold: Dataset) -> GateReport | None:
        challenger = NaceModel.load(self.folder, check=False)  # its check was a moment ago
        holder: NaceModel | None = None
        if champion:
            try:
                uri = f"models:/{self.name}/{champion}"
                found, folder = check_and_fetch(uri, cache=self.cache)
                if not found.passed:
                    raise AutonoeError(found.problem, code="check_failed")
                holder = NaceModel.load(folder, check=False)
            except AutonoeError as error:
                if error.code not in {"check_failed", "not_found", "invalid_input"}:
                    raise
                if not self.reason:
                    raise ConflictError(
                        f"The champion, version {champion}, cannot be compared: {error.message}",
                        hint="Force the promotion with a reason: --force-reason TEXT.",
                    ) from error
                return None
        try:
            return gate(challenger, holder, gold, weights=self.weights)
        except InvalidInputError:
            if not self.reason:
                raise
            return None

    def _refusal(self, champion: str, problem: str) -> str:
        """Record that the version was refused, and return that as a sentence."""
        decision = decisions.new(
            "refuse",
            alias=self.alias,
            version=self.version,
            previous=champion,
            reason=problem,
            figures=figures(self.check, self.gate),
            run_id=self.run_id,
        )
        decision = decisions.log_report(self.client, self.name, decision, self._report())
        decisions.record(self.client, self.name, decision)
        return f"Version {self.version} of {self.name} was not promoted. {problem}"

    def _report(self) -> dict[str, Any]:
        return {
            "check": self.check.to_dict() if self.check else None,
            "gate": self.gate.to_dict() if self.gate else None,
        }


def figures(check: CheckReport | None, compared: GateReport | None) -> dict[str, float | str]:
    """Return the numbers that a decision rests on, by name."""
    found: dict[str, float | str] = {}
    if check is not None:
        found |= {key: check.figures[key] for key in check.figures}
    if compared is not None:
        found |= {
            "difference": compared.difference.value,
            "low": compared.difference.low,
            "high": compared.difference.high,
            "n": compared.n,
            "challenger_top1": compared.challenger,
            "champion_top1": compared.champion,
            "against": compared.against,
            "gold_sha256": compared.gold_sha256,
            "left_out": compared.left_out,
        }
        learned = {
            "learned_by_challenger": compared.learned_by_challenger,
            "learned_by_champion": compared.learned_by_champion,
        }
        found |= {key: n for key, n in learned.items() if n is not None}
    return found
