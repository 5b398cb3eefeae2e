"""Errors of a catalogue name the file and the line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from autonoe.profiles.catalogue import Catalogue, read_folder
from autonoe.profiles.problems import CatalogueError
from profiles.conftest import Write

Read = Callable[[str], Catalogue]

GOOD = """\
profiles:
  python:
    title: Python
    image: registry.example/python:1.0
"""


@pytest.mark.parametrize(
    ("text", "line", "where", "says"),
    [
        ("profiles:\n  a:\n    title: A\n    imag: x:1\n", 4, "profiles.a.imag", "no key"),
        ("profiles:\n  a:\n    image: x:1\n", 2, "profiles.a.title", "missing"),
        ("profiles:\n  a:\n    title: A\n", 2, "profiles.a", "image is missing"),
        (GOOD + "    resources:\n      cpu: {default: 4, ceiling: 2}\n", 6, "cpu", "ceiling"),
        (GOOD + "    resources:\n      cpu: many\n", 6, "cpu", ""),
        (GOOD + "    resources:\n\n\n      gpu: 0.5\n", 5, "resources", "whole GPUs"),
        (GOOD + "    options:\n      repository: {url: 'file:///etc'}\n", 6, "repository", "https"),
        (GOOD + "    options:\n      init_script: {url: 'https://x.example/i'}\n", 6, "", "sha256"),
        (GOOD + "    options:\n      packages: {names: ['--index-url=x']}\n", 6, "", "package"),
        (
            GOOD + "    options:\n      environment:\n        values: {LD_PRELOAD: x}\n",
            7,
            "",
            "LD_",
        ),
        (GOOD + "    groups: nobody\n", 5, "groups", ""),
        (GOOD + "    picture: missing.svg\n", 5, "profiles.python.picture", "cannot be read"),
        (GOOD + "    picture: ../../x.svg\n", 5, "profiles.python.picture", "below"),
        (GOOD + "    title: Again\n", 5, "profiles.python.title", "twice"),
        ("profiles:\n  Bad_Name:\n    title: A\n    image: x:1\n", 2, "profiles.Bad_Name", ""),
        ("profiles:\n  a: &x {title: A, image: 'x:1'}\n  b: *x\n", 2, "", "anchors"),
        ("profiles:\n  a:\n    title: !!python/object:os.system A\n", 3, "a.title", "tag"),
        ("profiles:\n  a: [\n", 3, "", "not YAML"),
        ("- 1\n", 1, "", ""),
        ("profiles:\n  a:\n    title: A\n    image: no-tag\n", 4, "profiles.a.image", "no-tag"),
        ("profiles:\n  a:\n    title: A\n    image: 'x:1\\n'\n", 4, "profiles.a.image", ""),
    ],
)
def test_each_error_has_its_line(write: Write, text: str, line: int, where: str, says: str) -> None:
    if "'x:1\\n'" in text:
        text = text.replace("'x:1\\n'", '"x:1\\n"')
    with pytest.raises(CatalogueError) as caught:
        read_folder(write(text), source="catalogue")
    problem = caught.value.problems[0]
    assert (problem.file, problem.line) == ("catalogue/a.yaml", line)
    assert where in problem.where
    assert says in str(problem)
    assert f"catalogue/a.yaml:{line}: " in caught.value.message


def test_all_errors_of_all_files_are_told_at_once(write: Write) -> None:
    write("profiles:\n  a:\n    titel: A\n    image: x:1\n", "one")
    folder = write("profiles:\n  b: {title: B}\ncategory: x\n", "two")
    with pytest.raises(CatalogueError) as caught:
        read_folder(folder, source="c")
    lines = re.findall(r"c/(\w+)\.yaml:(\d+)", caught.value.message)
    assert lines == [("one", "2"), ("one", "3"), ("two", "2"), ("two", "3")]
    document = caught.value.as_dict()["error"]
    assert len(document["problems"]) == 4
    assert document["code"] == "invalid_catalogue"


def test_a_name_twice_in_one_catalogue_is_told_with_both_places(write: Write) -> None:
    write(GOOD, "one")
    with pytest.raises(CatalogueError, match=r"two\.yaml:2: .*also in c/one\.yaml:2"):
        read_folder(write(GOOD, "two"), source="c")


def test_a_bomb_and_a_giant_are_refused(write: Write) -> None:
    nested = "x: " + "[" * 5000 + "]" * 5000
    with pytest.raises(CatalogueError, match="deep"):
        read_folder(write(nested))
    with pytest.raises(CatalogueError, match="larger than"):
        read_folder(write("# " + "x" * 2_000_000))


def test_a_folder_without_catalogues_is_told(tmp_path: object, write: Write) -> None:
    folder = write(GOOD)
    (folder / "a.yaml").unlink()
    with pytest.raises(CatalogueError, match="no folder with catalogue files"):
        read_folder(folder)


@pytest.mark.parametrize(
    "svg",
    [
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>",
        "<html></html>",
        "<svg>" + "x" * 60_000 + "</svg>",
    ],
)
def test_an_active_or_large_picture_is_refused(write: Write, svg: str) -> None:
    folder = write(GOOD + "    picture: p.svg\n")
    (folder / "p.svg").write_text(svg)
    with pytest.raises(CatalogueError, match=r"a\.yaml:5: profiles\.python\.picture: the picture"):
        read_folder(folder)


def test_short_forms_mean_the_long_ones(read: Read) -> None:
    profile = read(GOOD + "    resources: {cpu: 2}\n").get("python").profile
    assert profile.title.to("fr") == "Python"
    assert (profile.resources.cpu.default, profile.resources.cpu.ceiling) == (2, 2)
