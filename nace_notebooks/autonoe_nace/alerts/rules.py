"""What a rule file may say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autonoe.errors import InvalidInputError
from autonoe.validation import mistakes

RATES = ("automatic_rate", "error_rate", "lookup_rate")
AMOUNTS = ("latency_p50_ms", "latency_p99_ms", "predictions_per_day", "mean_index")


class Rule(BaseModel):
    """One rule.

    Attributes
    ----------
    name : str
        What the alert is called; unique in its file.
    metric : str
        ``automatic_rate``, ``error_rate``, ``lookup_rate``, ``latency_p50_ms``,
        ``latency_p99_ms``, ``predictions_per_day``, ``mean_index``, ``gold_accuracy`` or
        ``drift``.
    variable : str
        Of ``drift``: ``code``, ``confidence``, ``words``, ``feature:nature`` ...; of
        ``gold_accuracy``: ``auto``, ``manual`` or ``all``.
    window : str
        Days in question: ``7d``, or from and to; of ``gold_accuracy`` the predictions' days.
    reference : str
        What they are compared with: ``before`` (as long, right before), ``same_season`` (52 weeks
        earlier), or days.
    comparison : str
        ``above`` or ``below`` the effect; ``rose``, ``fell`` or ``moved`` by it since the
        reference.
    effect : float
        Smallest value, or smallest change, that matters: shares as 0.05, amounts as a share of
        the reference (0.5 is half as much again), ``drift`` as its distance.
    distance : str
        Of ``drift``.
    at : float
        Threshold of the index that ``automatic_rate`` is counted by.
    minimum_n : int
        Fewer predictions (or gold texts) than this raise no alert.
    severity : str
        ``info``, ``warning`` or ``critical``.
    action : str
        ``notify`` or ``retrain``.
    cooldown_days : float
        The action is not taken again within so many days.
    deployment : str
        Only this one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80, pattern=r"^[\w .:-]+$")
    metric: Literal[
        "automatic_rate",
        "error_rate",
        "lookup_rate",
        "latency_p50_ms",
        "latency_p99_ms",
        "predictions_per_day",
        "mean_index",
        "gold_accuracy",
        "drift",
    ]
    variable: str = ""
    window: str = "7d"
    reference: str = "before"
    comparison: Literal["above", "below", "rose", "fell", "moved"]
    effect: float = Field(ge=0)
    distance: Literal["hellinger", "bhattacharyya", "kullback_leibler", "cramers_v", "ks"] = (
        "hellinger"
    )
    at: float = Field(0.8, ge=0, le=1)
    minimum_n: int = Field(200, ge=1)
    severity: Literal["info", "warning", "critical"] = "warning"
    action: Literal["notify", "retrain"] = "notify"
    cooldown_days: float = Field(7.0, ge=0)
    deployment: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Rule:
        if self.metric == "drift" and (not self.variable or self.comparison != "above"):
            raise ValueError("drift needs a variable and the comparison 'above'")
        if self.metric == "gold_accuracy":
            if self.variable not in {"auto", "manual", "all"}:
                raise ValueError("gold_accuracy needs the variable auto, manual or all")
            if self.comparison not in {"above", "below"}:
                raise ValueError("gold_accuracy is compared by above or below")
        return self

    @property
    def cooldown(self) -> timedelta:
        """Time within which the action is not taken again."""
        return timedelta(days=self.cooldown_days)


class RuleFile(BaseModel):
    """A rule file: rules, and what a retraining starts from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: list[Rule] = Field(min_length=1)
    gold: str = ""
    """Gold standard, for ``gold_accuracy``: ``s3://…`` or a folder."""
    retrain: dict[str, Any] = {}
    """Fields of :class:`autonoe_nace.retraining.RetrainPlan`, for the action ``retrain``."""

    @model_validator(mode="after")
    def _fits(self) -> RuleFile:
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError("two rules have one name")
        if any(rule.action == "retrain" for rule in self.rules) and not self.retrain.get("gold"):
            raise ValueError("the action retrain needs 'retrain: {gold: …}'")
        if any(rule.metric == "gold_accuracy" for rule in self.rules) and not self.gold:
            raise ValueError("gold_accuracy needs 'gold: …'")
        return self


def load_rules(path: Path) -> RuleFile:
    """Read a rule file.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or says something that no rule can; each place is named.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return RuleFile.model_validate(document)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInputError(
            f"The rules {path} cannot be read: {type(error).__name__}.",
            hint="A rule file is YAML in UTF-8.",
        ) from error
    except ValidationError as error:
        raise InvalidInputError(
            f"The rules {path} say something that no rule can: {mistakes(error, whole='file')}.",
            hint="docs/guides/monitoring.md lists what a rule may say.",
        ) from error
