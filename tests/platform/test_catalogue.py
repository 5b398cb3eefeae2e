"""The list of companions, and what a site may say about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from autonoe.errors import InvalidInputError
from autonoe.platform import catalogue
from autonoe.platform.catalogue import Catalogue, Part, in_order
from autonoe.platform.plan import wanted
from autonoe.platform.site import Site, chosen, load_site
from support.helm_charts import COMPANIONS, make_chart, part, write_list


@pytest.fixture(scope="module")
def ours() -> Catalogue:
    return catalogue.load(COMPANIONS)


def test_our_list_pins_every_chart_and_says_where_it_was_seen(ours: Catalogue) -> None:
    for one in ours.parts:
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", one.version), one.name
        assert one.confirmed, one.name
        assert one.why.endswith("."), one.name
        assert one.next_step, one.name


def test_our_list_has_what_a_hub_rests_on(ours: Catalogue) -> None:
    names = {one.name for one in ours.parts}
    needed = "openbao object-store postgres mlflow dask-operator spark-operator ingress"
    assert set(f"{needed} cert-manager monitoring hub".split()) <= names


def test_every_part_comes_after_what_it_needs(ours: Catalogue) -> None:
    before: set[str] = set()
    for one in chosen(ours, Site(parts={"spark-operator": {"enabled": True}})):  # type: ignore[dict-item]
        assert set(one.needs) <= before, one.name
        before.add(one.name)


def test_mlflow_asks_for_a_password_and_is_checked_for_it(ours: Catalogue) -> None:
    mlflow = ours.part("mlflow")
    values = wanted(mlflow, Site(), COMPANIONS).values
    assert values["auth"]["enabled"] is True
    assert values["auth"]["defaultPermission"] == "NO_PERMISSIONS"
    (page,) = mlflow.health.http
    assert page.expect == (401,)


def test_layers_hold_no_secret(ours: Catalogue) -> None:
    word = re.compile(r"(password|secretkey|accesskey|token)$", re.IGNORECASE)

    def texts(values: Any, path: str = "") -> list[str]:
        if isinstance(values, dict):
            return [t for k, v in values.items() for t in texts(v, f"{path}.{k}")]
        names_a_secret = "existingSecret" in path  # or a key within one
        found = isinstance(values, str) and values and word.search(path)
        return [path] if found and not names_a_secret else []

    for one in ours.parts:
        assert not texts(wanted(one, Site(), COMPANIONS).values), one.name


def test_every_layer_says_why(ours: Catalogue) -> None:
    for one in ours.parts:
        for layer in one.values:
            assert (COMPANIONS / layer).read_text().startswith("#"), layer


def test_order_keeps_the_lists_own_where_nothing_else_decides() -> None:
    parts = tuple(Part(**part(n, needs=needs)) for n, needs in (("a", ["c"]), ("b", []), ("c", [])))
    assert [one.name for one in in_order(parts)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"needs": ["b"]}, "needs b: unknown"),
        ({"needs": ["a"]}, "needs itself"),
        ({"repository": "ftp://example.org"}, "https:// or oci://"),
        ({"colour": "red"}, "parts.0.colour"),
        ({"version": 1}, "parts.0.version"),
    ],
)
def test_a_wrong_list_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    write_list(tmp_path / "list", part("a", **change))
    with pytest.raises(InvalidInputError, match=re.escape(says)):
        catalogue.load(tmp_path / "list")


def test_parts_in_a_circle_are_refused(tmp_path: Path) -> None:
    write_list(tmp_path / "list", part("a", needs=["b"]), part("b", needs=["a"]))
    with pytest.raises(InvalidInputError, match="need one another"):
        catalogue.load(tmp_path / "list")


def test_a_layer_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_list(tmp_path / "list", part("a", values=["none.yaml"]))
    with pytest.raises(InvalidInputError, match=r"a: none\.yaml"):
        catalogue.load(folder)


def test_yaml_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text("parts:\n  - {name: a\n")
    with pytest.raises(InvalidInputError, match="is no YAML"):
        catalogue.load(tmp_path)


def test_a_site_changes_names_values_and_charts(tmp_path: Path) -> None:
    folder = write_list(tmp_path / "list", part("a"), a={"word": "x", "deep": {"one": 1, "two": 2}})
    make_chart(tmp_path, "a", version="1.2.3")
    (tmp_path / "own.yaml").write_text("deep: {two: 3}\n")
    site_file = tmp_path / "platform.yaml"
    document = {"instance": "i", "parts": {"a": {"chart": "a-1.2.3", "values": ["own.yaml"]}}}
    site_file.write_text(yaml.safe_dump(document))
    known, site = catalogue.load(folder), load_site(site_file)
    want = wanted(chosen(known, site)[0], site, folder)
    assert (want.release, want.namespace, want.chart.version) == ("i-a", "i-parts", "1.2.3")
    assert want.values == {"word": "x", "deep": {"one": 1, "two": 3}}


def test_a_copy_of_another_chart_is_refused(tmp_path: Path) -> None:
    folder = write_list(tmp_path / "list", part("a"))
    chart = make_chart(tmp_path, "b")
    known = catalogue.load(folder)
    site = Site().with_part("a", chart=str(chart))
    with pytest.raises(InvalidInputError, match="is the chart b, not a"):
        wanted(known.parts[0], site, folder)


def test_a_value_that_only_the_site_knows_is_asked_for(tmp_path: Path) -> None:
    folder = write_list(tmp_path / "list", part("a", required_values=["host.name"]))
    with pytest.raises(InvalidInputError, match=r"host\.name") as caught:
        wanted(catalogue.load(folder).parts[0], Site(), folder)
    assert "--values a=FILE" in caught.value.hint


def test_turning_off_what_another_needs_is_refused(ours: Catalogue) -> None:
    site = Site().with_part("postgres", enabled=False)
    with pytest.raises(InvalidInputError, match="mlflow needs postgres"):
        chosen(ours, site)


@pytest.mark.parametrize(
    "text", ["instance: Not a name", "parts: {a: {colour: red}}", "[]", "x: 1"]
)
def test_a_wrong_site_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(InvalidInputError, match=r"site\.yaml"):
        load_site(tmp_path / "site.yaml")


def test_a_site_that_names_an_unknown_part_is_refused(ours: Catalogue) -> None:
    with pytest.raises(InvalidInputError, match="no part tpyo"):
        chosen(ours, Site().with_part("tpyo", enabled=False))
