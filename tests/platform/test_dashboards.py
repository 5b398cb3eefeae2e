"""Grafana's dashboards: ours is what its script writes, and none asks for what nobody measures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from scripts import dashboard

from autonoe.platform import catalogue
from support.helm_charts import COMPANIONS

SHIPPED = [
    COMPANIONS / name for part in catalogue.load(COMPANIONS).parts for name in part.dashboards
]
# Read from kube-state-metrics, the kubelet's cAdvisor and the tenant controller.
KNOWN = re.compile(r"^(kube_[a-z_]+|container_[a-z_]+|autonoe_[a-z_]+)$")
FUNCTIONS = {
    *["sum", "count", "max", "min", "by", "on", "group_left", "increase", "rate", "label_values"]
}


def document(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def expressions(found: Any) -> list[str]:
    if isinstance(found, dict):
        own = [found["expr"]] if isinstance(found.get("expr"), str) else []
        return own + [text for value in found.values() for text in expressions(value)]
    return (
        [text for value in found for text in expressions(value)] if isinstance(found, list) else []
    )


def test_ours_is_what_the_script_writes() -> None:
    """A change by hand would be lost: ``python -m scripts.dashboard``."""
    assert document(dashboard.PLACE) == dashboard.dashboard()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_dashboard_is_one_that_grafana_takes(path: Path) -> None:
    found = document(path)
    assert found["title"]
    assert re.fullmatch(r"[\w-]{1,40}", found["uid"])
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids)
    assert expressions(found)


def test_dashboards_do_not_replace_one_another() -> None:
    uids = [document(path)["uid"] for path in SHIPPED]
    assert len(set(uids)) == len(uids)
    assert len({path.name for path in SHIPPED}) == len(SHIPPED)


def test_ours_asks_for_metrics_that_are_collected() -> None:
    for text in expressions(dashboard.dashboard()):
        without_labels = re.sub(r"\{[^}]*\}", "", text)
        without_labels = re.sub(r"(by|on|group_left) \([^)]*\)", "", without_labels)
        names = set(re.findall(r"[a-z_]{4,}", without_labels)) - FUNCTIONS
        assert names, text
        assert all(KNOWN.match(name) for name in names), names
        assert text.count("(") == text.count(")"), text
        assert text.count("{") == text.count("}"), text


def test_every_panel_of_ours_says_what_it_shows_and_stays_in_its_place() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.dashboard()["panels"]:
        assert panel["title"]
        assert panel["description"].endswith(".")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
