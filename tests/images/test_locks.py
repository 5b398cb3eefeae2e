"""The requirement files beside the Dockerfiles: hashed, without addresses, and of one mind."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from scripts.images.lock import NOTEBOOK

REPOSITORY = Path(__file__).parents[2]
LOCKS = sorted(
    path
    for folder in ("images", "tests/testbed/images")
    for path in (REPOSITORY / folder).glob("*/*.txt")
)
EVERY = pytest.mark.parametrize("lock", LOCKS, ids=lambda p: f"{p.parent.name}/{p.name}")
EXTRAS = sorted(
    path.stem
    for path in (REPOSITORY / "requirements").glob("*.txt")
    if path.stem not in ("dev", "label-studio")
)
OLDER_FOR_SPARK = {"pandas"}


def pins(lock: Path) -> dict[str, str]:
    """Return name to version of what ``lock`` pins for this Python on Linux."""
    found = {}
    for block in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip()):
        requirement = Requirement(block.split("\\")[0].strip())
        if requirement.marker is None or requirement.marker.evaluate():
            (only,) = requirement.specifier
            found[requirement.name] = only.version
    return found


@EVERY
def test_it_names_no_index_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"https?:|--(index|extra-index|find-links|trusted-host)| @ |file:", text)
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block.split("\\")[0]
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", block)


@EVERY
def test_a_version_means_the_same_as_in_the_lock_for_development(lock: Path) -> None:
    everything = pins(REPOSITORY / "requirements" / "dev.txt")
    different = {
        name: (version, everything[name])
        for name, version in pins(lock).items()
        if everything.get(name, version) != version
    }
    if lock.parent.name in ("spark", "jupyter-pyspark"):
        different = {k: v for k, v in different.items() if k not in OLDER_FOR_SPARK}
    if lock.name == "build.txt" or lock.parent.name == "jupyter-gpu":
        different.pop("setuptools", None)
    assert not different


def wanted(*extras: str) -> set[str]:
    """Return the names of what our package asks for with ``extras``, and with theirs."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names, lines = set(), list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    for requirement in map(Requirement, lines):
        if requirement.name == "autonoe":
            names |= wanted(*requirement.extras)
        else:
            names.add(canonicalize_name(requirement.name))
    return names


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("images/agent", ()),
        ("images/jupyter", NOTEBOOK),
        ("images/jupyter-pyspark", NOTEBOOK),
        *((f"requirements/{extra}.txt", (extra,)) for extra in EXTRAS),
    ],
    ids=str,
)
def test_it_holds_all_that_our_package_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    """A lock that was not made anew after a change of pyproject.toml fails in the pod only."""
    path = REPOSITORY / (lock if lock.endswith(".txt") else f"{lock}/requirements.txt")
    assert wanted(*extras) <= {canonicalize_name(name) for name in pins(path)}


def test_the_notebooks_with_and_without_spark_differ_in_what_spark_wants_only() -> None:
    plain = pins(REPOSITORY / "images/jupyter/requirements.txt")
    spark = pins(REPOSITORY / "images/jupyter-pyspark/requirements.txt")
    assert set(plain) <= set(spark) | {"tzdata"}
    changed = {name for name in plain if name in spark and plain[name] != spark[name]}
    assert changed <= OLDER_FOR_SPARK


def test_an_executor_has_the_versions_of_its_driver() -> None:
    driver = pins(REPOSITORY / "images/jupyter-pyspark/requirements.txt")
    executor = pins(REPOSITORY / "images/spark/requirements.txt")
    assert {name: driver[name] for name in executor} == executor
    assert "pyspark" in executor
