"""Gold in two parts that never mix: one that judges, for ever, and one that is learned."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from autonoe.errors import InvalidInputError
from autonoe_nace.annotation.store import AnnotationStore
from autonoe_nace.data import Dataset, ateco, read_table
from autonoe_nace.data.conditions import Condition
from autonoe_nace.data.dataset import examine
from autonoe_nace.nomenclature import Nomenclature, load_nomenclature
from autonoe_nace.retraining.plan import RetrainPlan
from autonoe_nace.text import Preparation, load_rules, rules_for

_MOST_COPIES = 10
_DEFAULT = "ateco2025"
_SALT = "gate"


@dataclass(frozen=True)
class Material:
    """What one retraining works on.

    Attributes
    ----------
    tree : Nomenclature
        What the codes belong to.
    learned : Dataset
        Everything to train on; no text of it is in ``gate``.
    extra : tuple of Dataset
        Notes and the like.
    gate : Dataset
        Gold that judges; no text of it was ever learned by a model that was trained here.
    gate_weights : tuple of float
        Texts of the production that each stands for.
    counts : dict of str to int
        Texts by origin, and those left out because the gate holds them.
    """

    tree: Nomenclature
    learned: Dataset
    extra: tuple[Dataset, ...]
    gate: Dataset
    gate_weights: tuple[float, ...]
    counts: dict[str, int]

    @property
    def sha256(self) -> str:
        """Hash of all of it: equal material and parameters give the same model."""
        parts = [self.learned.sha256, *(part.sha256 for part in self.extra), self.gate.sha256]
        parts += [repr(self.gate_weights), self.tree.sha256]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def gather(plan: RetrainPlan) -> Material:
    """Read gold, labels and data, and keep the gate's texts out of what is learned.

    Which part a gold text belongs to follows from its words alone. So it judges in this retraining
    and in all later ones, whatever is annotated in between.

    Raises
    ------
    NotFoundError
        If there is no gold.
    InvalidInputError
        If a file cannot be used.
    """
    tree = load_nomenclature(plan.nomenclature, language=plan.params.get("language", ""))
    language = plan.params.get("language") or tree.language
    rules = load_rules(language) if plan.params.get("language") else rules_for(language)
    prepare = Preparation(rules)
    gold, weights = read_gold(plan.gold, tree, plan.features)
    prepared = prepare.all(gold.texts)
    judging = [belongs_to_gate(text, plan.gate_share) for text in prepared]
    gate = [i for i, judges in enumerate(judging) if judges]
    taught = [i for i, judges in enumerate(judging) if not judges]
    known = {prepared[i] for i in gate}
    sources = [("data", _base(plan, tree))]
    sources += [("labels", _read(plan, uri, tree)) for uri in plan.labels]
    counts = {"data": 0, "labels": 0, "left_out_for_the_gate": 0}
    parts = []
    for origin, data in sources:
        kept = [i for i, text in enumerate(prepare.all(data.texts)) if text not in known]
        counts[origin] += len(kept)
        counts["left_out_for_the_gate"] += len(data) - len(kept)
        parts.append(data.subset(kept))
    copies = _copies([weights[i] for i in taught], plan.weighting)
    parts.append(gold.subset(i for i, n in zip(taught, copies, strict=True) for _ in range(n)))
    counts |= {"gold_learned": len(taught), "gold_judging": len(gate)}
    extra = tuple(_extra(plan, uri, tree, prepare, known) for uri in plan.extra)
    return Material(
        tree=tree,
        learned=_together(parts, tree, plan.features, language),
        extra=extra,
        gate=gold.subset(gate),
        gate_weights=tuple(weights[i] for i in gate),
        counts=counts,
    )


def belongs_to_gate(prepared: str, share: float) -> bool:
    """Return whether a text judges: the same words give the same answer, now and ever.

    Examples
    --------
    >>> belongs_to_gate("riso", 0.5) == belongs_to_gate("riso", 0.5)
    True
    """
    digest = hashlib.sha256(f"{_SALT}|{prepared}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def read_gold(
    uri: str, tree: Nomenclature, features: Sequence[str] = ()
) -> tuple[Dataset, list[float]]:
    """Return the texts of all rounds that people could code, and what each stands for.

    A text that two rounds drew counts once, with its newest code.

    Raises
    ------
    NotFoundError
        If there is none.
    InvalidInputError
        If no text of it can be used.
    """
    store = AnnotationStore(uri)
    tables = [store.read("gold", name) for name in store.rounds("gold")]
    # rounds that an older version pulled lack the newest columns
    rows = pa.concat_tables(tables, promote_options="default").to_pylist() if tables else []
    newest = {}
    for row in sorted(rows, key=lambda row: row["annotated_at"]):
        newest[row["request_id"], row["position"]] = row
    usable = [row for row in newest.values() if row["status"] == "coded" and row["weight"] > 0]
    columns = {
        name: [dict(row["features"] or ()).get(name, "") for row in usable] for name in features
    }
    data = examine(
        [row["text"] for row in usable],
        [row["code"] for row in usable],
        tree,
        source="gold standard",
        features=columns,
    )
    if not len(data):
        raise InvalidInputError(
            f"There is no gold text at {uri} that can be used.",
            hint="Annotate a sample first: autonoe nace annotate.",
        )
    return data, [float(usable[number - 1]["weight"]) for number in data.rows]


def _base(plan: RetrainPlan, tree: Nomenclature) -> Dataset:
    if plan.data:
        return _read(plan, plan.data, tree)
    if tree.name != _DEFAULT:
        raise InvalidInputError(
            f"There is no default data for {tree.name}.", hint="Give a file with --data."
        )
    data = ateco()
    # the default data know no side variable: the columns are there and empty
    blank = {name: ("",) * len(data) for name in plan.features}
    return Dataset(**{**vars(data), "features": blank}) if blank else data


def _read(plan: RetrainPlan, uri: str, tree: Nomenclature) -> Dataset:
    return read_table(
        uri,
        nomenclature=tree,
        text_column=plan.text_column,
        code_column=plan.code_column,
        where=[Condition.parse(text) for text in plan.conditions] if uri == plan.data else (),
        language=plan.params.get("language", ""),
        feature_columns=plan.features,
    )


def _extra(
    plan: RetrainPlan, uri: str, tree: Nomenclature, prepare: Preparation, known: set[str]
) -> Dataset:
    conditions = [Condition.parse(text) for text in plan.extra_conditions]
    data = read_table(uri, nomenclature=tree, where=conditions)
    return data.subset(i for i, text in enumerate(prepare.all(data.texts)) if text not in known)


def _copies(weights: Sequence[float], weighting: str) -> list[int]:
    if weighting == "plain" or not weights:
        return [1] * len(weights)
    share = np.asarray(weights) / np.median(weights)
    return [int(n) for n in np.clip(np.rint(share), 1, _MOST_COPIES)]


def _together(
    parts: Sequence[Dataset], tree: Nomenclature, features: Sequence[str], language: str
) -> Dataset:
    return examine(
        [text for part in parts for text in part.texts],
        [code for part in parts for code in part.codes],
        tree,
        source=" and ".join(dict.fromkeys(part.source for part in parts if part.source)),
        language=language,
        features={
            name: [value for part in parts for value in part.features[name]] for name in features
        },
    )
