"""The real annotation service in a test, and people who answer on their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autonoe_nace.annotation import page
from autonoe_nace.annotation.client import LabelStudio
from autonoe_nace.annotation.rounds import project_of
from autonoe_nace.annotation.service import Service

Answer = Callable[[dict[str, Any]], str]
"""From a task's data to a code, or to ``cannot_be_coded``, or to an empty string: not now."""


@contextmanager
def running(folder: Path, *, coders: list[str], arbiters: list[str]) -> Iterator[Service]:
    """Start the service in ``folder`` and end it afterwards."""
    service = Service(folder)
    try:
        service.start(coders=coders, arbiters=arbiters)
        yield service
    finally:
        service.stop()


def of(service: Service, name: str) -> LabelStudio:
    """Return what one person sees."""
    return LabelStudio(service.url, service.people.get(name).token)


def result(code: str, path: list[str] | None = None) -> list[dict[str, Any]]:
    """Return what the page sends for a code of the tree, or for "cannot be coded"."""
    if code == page.CANNOT:
        value = {"choices": [page.CANNOT]}
        return [{"from_name": page.ANSWER, "to_name": page.TEXT, "type": "choices", "value": value}]
    tree = {"taxonomy": [path or [code]]}
    return [{"from_name": page.CODE, "to_name": page.TEXT, "type": "taxonomy", "value": tree}]


def answer(service: Service, name: str, round_name: str, decide: Answer) -> int:
    """Let a person answer all open tasks of a round; return how many they answered."""
    studio = of(service, name)
    project = project_of(studio, round_name)
    if project is None:
        return 0
    done = 0
    for task in studio.tasks(project):
        code = "" if task["annotations"] else decide(task["data"])
        if code:
            studio.annotate(task["id"], result(code), lead_time_s=2.5)
            done += 1
    return done
