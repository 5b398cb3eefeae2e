"""A round of annotation: who codes which text, and how it comes to their page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from autonoe.errors import ConflictError, InvalidInputError
from autonoe_nace.annotation import page
from autonoe_nace.annotation.client import LabelStudio
from autonoe_nace.annotation.people import Person
from autonoe_nace.annotation.sampling import Sample, order
from autonoe_nace.annotation.service import Service
from autonoe_nace.annotation.store import AnnotationStore, check_round, describe, description
from autonoe_nace.nomenclature import Nomenclature

_IDEAS = 5

Key = tuple[str, int]
"""A text's name: its request and its place in it."""


@dataclass(frozen=True)
class Plan:
    """How a round is coded.

    Attributes
    ----------
    name : str
        Name of the round.
    overlap : float
        Share of the texts that two people code, in [0, 1].
    helped : bool
        People see the model's five best codes; False: they code blind.
    language : str
        Of the labelling page.
    level : int or None
        Finest level of the codes to choose from; None: that of the model's codes.
    """

    name: str
    overlap: float = 1.0
    helped: bool = False
    language: str = "en"
    level: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be coded."""
        check_round(self.name)
        page.words(self.language)
        if not 0 <= self.overlap <= 1:
            raise InvalidInputError(
                f"{self.overlap} is no share of texts.", hint="1 is all, 0.2 a fifth, 0 none."
            )


def push(
    service: Service,
    store: AnnotationStore,
    sample: Sample,
    plan: Plan,
    nomenclature: Nomenclature,
) -> dict[str, Any]:
    """Put a sample on the pages of the coders; safe to repeat after a failure.

    Parameters
    ----------
    service : Service
        It must run and have two coders, or one when nothing overlaps.
    store : AnnotationStore
        Keeps the sample with its probabilities: without them the labels are worth little.
    sample : Sample
        From :func:`autonoe_nace.annotation.sampling.draw`.
    plan : Plan
        Name, overlap, help.
    nomenclature : Nomenclature
        What is chosen from.

    Returns
    -------
    dict
        Tasks of each coder and of the round.

    Raises
    ------
    ConflictError
        If the round exists with other texts.
    InvalidInputError
        If there are too few coders.
    UnavailableError
        If Label Studio or the store does not answer.
    """
    coders = service.people.having("coder")
    names = [person.name for person in coders]
    shared = assign(sample.rows.num_rows, names, overlap=plan.overlap)
    rows = sample.rows.append_column("coders", pa.array(shared, pa.list_(pa.string())))
    document = {
        **sample.summary(),
        "nomenclature": nomenclature.name,
        "overlap": plan.overlap,
        "helped": plan.helped,
        "language": plan.language,
        "level": plan.level or model_level(sample.rows["codes"].to_pylist(), nomenclature),
    }
    rows = _keep(store, plan.name, describe(rows, document))
    tasks = [_task(row, plan, nomenclature) for row in rows.to_pylist()]
    side = any(task["side"] for task in tasks)
    look = {"helped": plan.helped, "language": plan.language, "level": document["level"]}
    config = page.build(nomenclature, side=side, **look)
    given: dict[str, int] = {}
    assigned = rows["coders"].to_pylist()
    for person in coders:
        mine = [t for t, names in zip(tasks, assigned, strict=True) if person.name in names]
        given[person.name] = give(service, person, plan.name, mine, config, plan.language)
    return {
        "round": plan.name,
        "texts": rows.num_rows,
        "twice": sum(len(names) > 1 for names in assigned),
        "tasks": given,
        "url": service.url,
        "sample": document,
    }


def model_level(codes: Sequence[Sequence[str] | None], nomenclature: Nomenclature) -> int:
    """Return the level that most of the model's first codes have; the finest without any."""
    found = Counter(
        nomenclature.level(some[0]) for some in codes if some and some[0] in nomenclature.nodes
    )
    return found.most_common(1)[0][0] if found else max(nomenclature.levels)


def assign(texts: int, coders: Sequence[str], *, overlap: float) -> list[list[str]]:
    """Return who codes each text: pairs in turn for the overlap, one person in turn for the rest.

    The texts are in random order, so those coded twice are a random part.

    Raises
    ------
    InvalidInputError
        If nobody codes, or two are needed and there is one.
    """
    twice = round(texts * overlap)
    if not coders or (twice and len(coders) < 2):
        raise InvalidInputError(
            f"There are {len(coders)} coders; {2 if twice else 1} are needed.",
            hint="autonoe nace annotate start --coder NAME --coder NAME, or --overlap 0",
        )
    pairs = [[a, b] for i, a in enumerate(coders) for b in coders[i + 1 :]]
    alone = [[name] for name in coders]
    return [pairs[i % len(pairs)] if i < twice else alone[i % len(alone)] for i in range(texts)]


def give(
    service: Service,
    person: Person,
    name: str,
    tasks: Sequence[Mapping[str, Any]],
    config: str,
    language: str,
) -> int:
    """Add to a person's project of the round the tasks that it lacks; return how many it has."""
    studio = LabelStudio(service.url, person.token)
    project = project_of(studio, name)
    if project is None:
        said = page.words(language)
        project = studio.make_project(title(name), said.text, config, said.instruction)
    there = {task["data"].get("key") for task in studio.tasks(project)}
    studio.add_tasks(project, [dict(task) for task in tasks if task["key"] not in there])
    return len({task["key"] for task in tasks} | there)


def project_of(studio: LabelStudio, name: str) -> int | None:
    """Return the number of the round's project in this workspace, or None."""
    wanted = title(name)
    return next((p["id"] for p in studio.projects() if p["title"] == wanted), None)


def title(name: str) -> str:
    """Return the title of a round's projects."""
    return f"NACE {name}"


def key(row: Mapping[str, Any]) -> Key:
    """Return a text's name."""
    return str(row["request_id"]), int(row["position"])


def side_text(row: Mapping[str, Any]) -> str:
    """Return the side variables of a row as one line; empty without any."""
    features = dict(row.get("features") or ())
    return " · ".join(f"{name}: {value}" for name, value in sorted(features.items()) if value)


def _task(row: Mapping[str, Any], plan: Plan, nomenclature: Nomenclature) -> dict[str, Any]:
    task = {
        "key": "/".join(map(str, key(row))),
        page.TEXT: row["text"],
        "side": side_text(row),
    }
    if plan.helped:
        ideas = list(zip(row["codes"], row["probabilities"], strict=True))[:_IDEAS]
        task["ideas"] = [
            {"value": f"{code}  {nomenclature.title(code)}  ({100 * p:.0f} %)", "alias": code}
            for code, p in ideas
        ]
        task["ideas"].append(cannot(plan.language))
    return task


def cannot(language: str) -> dict[str, str]:
    """Return the choice that says that a text cannot be coded."""
    return {"value": page.words(language).cannot, "alias": page.CANNOT}


def _keep(store: AnnotationStore, name: str, rows: pa.Table) -> pa.Table:
    if name in store.rounds("samples"):
        earlier = store.read("samples", name)
        if _names(earlier) != _names(rows) or description(earlier) != description(rows):
            raise ConflictError(
                f"The round {name} exists with another sample.",
                hint="Give the new one another name; rounds are never changed.",
            )
        return earlier
    store.write("samples", name, rows)
    return rows


def _names(rows: pa.Table) -> list[Key]:
    pairs = zip(rows["request_id"].to_pylist(), rows["position"].to_pylist(), strict=True)
    return [(str(request), int(position)) for request, position in pairs]


def arbiter_task(
    row: Mapping[str, Any],
    answers: Sequence[tuple[str, str]],
    notes: Sequence[str],
    nomenclature: Nomenclature,
    plan: Plan,
) -> dict[str, Any]:
    """Return the task of the arbiter: what was said, in an order that hides who said it.

    Parameters
    ----------
    row : mapping
        The text, a row of the sample.
    answers : sequence of (status, code)
        Of the coders.
    notes : sequence of str
        What they remarked.
    nomenclature : Nomenclature
        Gives codes their titles.
    plan : Plan
        Of the round.
    """
    name = key(row)
    codes = sorted({code for status, code in answers if code}, key=lambda c: order(0, *name, c))
    ideas = [{"value": f"{code}  {nomenclature.title(code)}", "alias": code} for code in codes]
    said = [note for note in notes if note]
    parts = [side_text(row), *(f"“{note}”" for note in sorted(said))]
    return {
        "key": "/".join(map(str, name)),
        page.TEXT: row["text"],
        "side": " · ".join(part for part in parts if part),
        "ideas": [*ideas, cannot(plan.language)],
    }
