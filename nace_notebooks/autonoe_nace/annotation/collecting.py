"""From what people said on their pages to single codings and to the gold standard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from autonoe_nace.annotation import page
from autonoe_nace.annotation.agreement import report
from autonoe_nace.annotation.client import LabelStudio
from autonoe_nace.annotation.people import Person
from autonoe_nace.annotation.rounds import Key, Plan, arbiter_task, give, key, project_of
from autonoe_nace.annotation.service import Service
from autonoe_nace.annotation.store import CODINGS, GOLD, AnnotationStore, describe, description
from autonoe_nace.nomenclature import Nomenclature

CODED, CANNOT = "coded", page.CANNOT


@dataclass(frozen=True)
class Coding:
    """What one person said about one text."""

    key: Key
    coder: str
    role: str
    status: str
    code: str
    note: str
    lead_time_s: float
    annotated_at: datetime

    @property
    def answer(self) -> tuple[str, str]:
        """The part on which two people agree or not."""
        return self.status, self.code


def pull(
    service: Service,
    store: AnnotationStore,
    name: str,
    nomenclature: Nomenclature,
) -> dict[str, Any]:
    """Collect a round: disagreements go to the arbiter, settled texts become gold.

    It can be called at any time and again: both files are written anew from what Label Studio
    holds, so a repeated call changes nothing.

    Parameters
    ----------
    service : Service
        It must run.
    store : AnnotationStore
        Holds the round's sample; gets its codings and its gold standard.
    name : str
        Of the round.
    nomenclature : Nomenclature
        Codes of other nomenclatures are refused.

    Returns
    -------
    dict
        Counts, agreement and the model's accuracy, each with its interval.

    Raises
    ------
    NotFoundError
        If there is no such round.
    UnavailableError
        If Label Studio or the store does not answer.
    """
    sample = store.read("samples", name)
    document = description(sample)
    plan = Plan(
        name, document["overlap"], document["helped"], document["language"], document["level"]
    )
    rows = {key(row): row for row in sample.to_pylist()}
    said = [
        coding
        for person in service.people.having("coder")
        for coding in _of(service, person, name, nomenclature)
        if coding.key in rows and person.name in rows[coding.key]["coders"]
    ]
    by_text: dict[Key, list[Coding]] = defaultdict(list)
    for coding in said:
        by_text[coding.key].append(coding)
    disputed = {k: c for k, c in by_text.items() if len({coding.answer for coding in c}) > 1}
    verdicts = _arbitrate(service, plan, rows, disputed, nomenclature)
    gold = _gold(rows, by_text, verdicts, name)
    store.write("codings", name, _codings(said + list(verdicts.values())))
    figures = report(sample, said, gold, nomenclature)
    # beside the rows, so that the dashboard shows what was said here without computing it again
    place = store.write("gold", name, describe(gold, {"round": name, **figures}))
    waiting = sum(k not in verdicts for k in disputed)
    return {
        "round": name,
        "texts": len(rows),
        "codings": dict(Counter(coding.coder for coding in said)),
        "disputed": len(disputed),
        "waiting_for_arbiter": waiting,
        "arbiter_missing": bool(waiting) and not service.people.having("arbiter"),
        "gold": gold.num_rows,
        "cannot_be_coded": gold["status"].to_pylist().count(CANNOT),
        "to": place,
        **figures,
    }


def parse(annotation: Mapping[str, Any], nomenclature: Nomenclature) -> tuple[str, str, str] | None:
    """Return status, code and note of one annotation, or None when it says nothing.

    A chosen idea wins over the tree, as on the page, which hides the tree then.
    """
    if annotation.get("was_cancelled"):
        return None
    values = {part["from_name"]: part["value"] for part in annotation.get("result") or []}
    note = " ".join(values.get(page.NOTE, {}).get("text") or [])
    chosen = values.get(page.ANSWER, {}).get("choices") or []
    path = (values.get(page.CODE, {}).get("taxonomy") or [[]])[0]
    if chosen == [page.CANNOT]:
        return CANNOT, "", note
    raw = chosen[0] if chosen else (path[-1] if path else "")
    code = nomenclature.parse(raw) if raw else None
    return (CODED, code, note) if code else None


def _of(
    service: Service, person: Person, name: str, nomenclature: Nomenclature
) -> Iterator[Coding]:
    studio = LabelStudio(service.url, person.token)
    project = project_of(studio, name)
    if project is None:
        return
    for task in studio.tasks(project):
        request, _, position = str(task["data"].get("key", "")).rpartition("/")
        last = sorted(task["annotations"], key=lambda a: str(a["updated_at"]))
        for annotation in reversed(last):
            found = parse(annotation, nomenclature)
            if found is None or not position.isdigit():
                continue
            status, code, note = found
            yield Coding(
                (request, int(position)),
                person.name,
                person.role,
                status,
                code,
                note,
                float(annotation.get("lead_time") or 0),
                datetime.fromisoformat(annotation["updated_at"]),
            )
            break


def _arbitrate(
    service: Service,
    plan: Plan,
    rows: Mapping[Key, Mapping[str, Any]],
    disputed: Mapping[Key, Sequence[Coding]],
    nomenclature: Nomenclature,
) -> dict[Key, Coding]:
    arbiters = service.people.having("arbiter")
    if not arbiters:
        return {}
    if disputed:
        config = page.build(
            nomenclature,
            helped=True,
            language=plan.language,
            arbiter=True,
            side=True,
            level=plan.level,
        )
        tasks = [
            arbiter_task(
                rows[k], [c.answer for c in codings], [c.note for c in codings], nomenclature, plan
            )
            for k, codings in disputed.items()
        ]
        # one arbiter decides a round: two would need an arbiter of their own
        give(service, arbiters[0], plan.name, tasks, config, plan.language)
    found = _of(service, arbiters[0], plan.name, nomenclature)
    return {coding.key: coding for coding in found if coding.key in disputed}


def _gold(
    rows: Mapping[Key, Mapping[str, Any]],
    by_text: Mapping[Key, Sequence[Coding]],
    verdicts: Mapping[Key, Coding],
    name: str,
) -> pa.Table:
    settled: list[dict[str, Any]] = []
    for k, row in rows.items():
        codings = sorted(by_text.get(k, ()), key=lambda coding: coding.coder)
        if not codings or len(codings) < len(row["coders"]):
            continue  # one of the two has not answered yet
        agreed = len({coding.answer for coding in codings}) == 1
        final = codings[0] if agreed else verdicts.get(k)
        if final is None:
            continue
        settled.append(
            {
                "request_id": k[0],
                "position": k[1],
                "text": row["text"],
                "code": final.code,
                "coder": "+".join(coding.coder for coding in codings),
                "arbiter": "" if agreed else final.coder,
                "round": name,
                "inclusion_probability": row["inclusion_probability"],
                "stratum": row["stratum"],
                "model_code": (row["codes"] or [""])[0],
                "model_version": row["model_version"],
                "model_confidence": row["confidence"],
                "auto": row["auto"],
                "status": final.status,
                "annotated_at": final.annotated_at,
                "features": row["features"] or [],
                "deployment": row["deployment"],
                "time": row["time"],
            }
        )
    _weigh(rows, settled)
    columns = {field.name: [row[field.name] for row in settled] for field in GOLD}
    arrays = [pa.array(columns[field.name], type=field.type) for field in GOLD]
    return pa.table(arrays, schema=GOLD)


def _weigh(rows: Mapping[Key, Mapping[str, Any]], settled: list[dict[str, Any]]) -> None:
    """Give each settled text the texts of its stratum that are not settled yet, in equal parts.

    When all are settled this is 1 / inclusion probability. Until then it supposes that within a
    stratum the settled ones are like the others, which random order on the pages makes so.
    """
    drawn = Counter(str(row["stratum"]) for row in rows.values())
    done = Counter(str(row["stratum"]) for row in settled)
    for row in settled:
        stratum = str(row["stratum"])
        row["weight"] = drawn[stratum] / row["inclusion_probability"] / done[stratum]


def _codings(said: Sequence[Coding]) -> pa.Table:
    ordered = sorted(said, key=lambda coding: (coding.key, coding.role, coding.coder))
    columns: dict[str, list[Any]] = {
        "request_id": [coding.key[0] for coding in ordered],
        "position": [coding.key[1] for coding in ordered],
    }
    for field in CODINGS:
        if field.name not in columns:
            columns[field.name] = [getattr(coding, field.name) for coding in ordered]
    arrays = [pa.array(columns[field.name], type=field.type) for field in CODINGS]
    return pa.table(arrays, schema=CODINGS)
