"""Every Dockerfile: not root, labelled, pinned, nothing fetched past the package managers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.images.catalogue import FOLDERS, INTERNAL, Image, images

from autonoe.embedded import ports

REPOSITORY = Path(__file__).parents[2]
CATALOGUE = images(REPOSITORY)
EVERY = pytest.mark.parametrize("image", CATALOGUE.values(), ids=lambda image: image.name)


def instructions(image: Image) -> list[tuple[str, str]]:
    """Return name and arguments of each instruction, continuation lines joined."""
    lines = image.dockerfile.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    found = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in found]


def last_stage(image: Image) -> list[tuple[str, str]]:
    """Return the instructions after the last FROM: what is in the image."""
    every = instructions(image)
    start = max(number for number, (name, _) in enumerate(every) if name == "FROM")
    return every[start:]


def test_the_images_that_profiles_and_values_name_exist() -> None:
    published = {name for name, image in CATALOGUE.items() if image.kind == "published"}
    assert published == {
        "agent", "base", "hub", "jupyter-gpu", "jupyter-pyspark", "jupyter-python", "jupyter-r",
        "mlflow", "serving", "spark-worker", "tenants", "worker",
    }  # fmt: skip
    tests = {name for name, image in CATALOGUE.items() if image.kind == "test"}
    assert {"openbao", "postgres", "proxy", "seaweedfs"} <= tests


@EVERY
def test_it_runs_as_1000(image: Image) -> None:
    users = [rest for name, rest in last_stage(image) if name == "USER"]
    assert users
    assert users[-1] == "1000:1000"


@EVERY
def test_it_says_what_it_is(image: Image) -> None:
    labels = " ".join(rest for name, rest in last_stage(image) if name == "LABEL")
    assert f'org.opencontainers.image.title="autonoe/{image.name}"' in labels
    assert "org.opencontainers.image.description=" in labels
    text = image.dockerfile.read_text(encoding="utf-8")
    assert text.startswith("# "), "a comment says what it is for"
    if image.kind == "test" or image.name in INTERNAL:
        assert "never published" in text.lower()


@EVERY
def test_nothing_is_fetched_past_the_package_managers(image: Image) -> None:
    for name, rest in instructions(image):
        assert name != "ADD", "COPY says what it does"
        if name in ("RUN", "COPY"):
            assert not re.search(r"\b(curl|wget)\s+-|https?://|git clone", rest)


@EVERY
def test_it_stands_on_our_base_and_names_no_latest(image: Image) -> None:
    every = instructions(image)
    assert ":latest" not in image.dockerfile.read_text(encoding="utf-8")
    for name, rest in every:
        if name == "FROM":
            assert rest == "scratch" or rest.startswith("${"), "bases are build arguments"
    if image.name != "base":
        assert image.parents


@EVERY
def test_every_python_and_node_package_is_locked_with_hashes(image: Image) -> None:
    runs = [rest for name, rest in instructions(image) if name == "RUN"]
    for run in runs:
        if re.search(r"\bpip install\b", run):
            our_wheel = "--no-deps" in run and "/wheel/" in run
            assert "--require-hashes" in run or our_wheel
        assert not re.search(r"\bnpm\S* (install|i)\b", run)
    installer = (REPOSITORY / "images/tools/install-venv").read_text(encoding="utf-8")
    assert "--require-hashes" in installer


@EVERY
def test_what_installs_hands_nothing_of_the_machine_on(image: Image) -> None:
    """Settings come as secrets of one instruction; an argument or variable would stay."""
    for name, rest in instructions(image):
        if name in ("ARG", "ENV"):
            assert not re.search(r"proxy|index|cert|mirror", rest, re.IGNORECASE)
        if name == "RUN" and re.search(r"install-(venv|packages)", rest):
            assert "--mount=type=secret,id=machine-ca" in rest


@EVERY
def test_build_tools_stay_outside(image: Image) -> None:
    """The last stage mounts or copies from other stages; it installs no compiler and no pip."""
    for name, rest in last_stage(image):
        if name == "RUN" and image.name != "builder":
            assert not re.search(r"build-essential|gcc|python3-(pip|venv|dev)|maven", rest)


def test_every_folder_with_a_dockerfile_is_in_the_catalogue_after_its_parents() -> None:
    folders = {
        path.parent.name
        for folder in FOLDERS.values()
        for path in REPOSITORY.glob(f"{folder}/*/Dockerfile")
    }
    assert folders == set(CATALOGUE)
    order = list(CATALOGUE)
    for image in CATALOGUE.values():
        for parent in image.parents:
            assert order.index(parent) < order.index(image.name)


@EVERY
def test_what_it_copies_is_there(image: Image) -> None:
    missing = [s for s in image.sources if s != "wheel" and not (REPOSITORY / s).exists()]
    assert not missing


def test_options_after_the_serving_image_reach_the_server(tmp_path: Path) -> None:
    """``docker run IMAGE --model DIR``: arguments replace CMD, so the program is no part of it."""
    commands = {
        name: json.loads(rest)
        for name, rest in last_stage(CATALOGUE["serving"])
        if name in ("ENTRYPOINT", "CMD")
    }
    assert commands == {
        "ENTRYPOINT": ["python", "-m", "autonoe_nace.serving"],
        "CMD": ["--help"],
    }
    program = [sys.executable, *commands["ENTRYPOINT"][1:]]
    said = subprocess.run([*program, *commands["CMD"]], capture_output=True, text=True, check=True)
    assert "--model" in said.stdout
    options = ["--model", "/nothing", "--port", str(ports.choose(1)[0]), "--state-dir", tmp_path]
    wrong = subprocess.run([*program, *options], capture_output=True, text=True, check=False)
    assert "There is no model" in wrong.stderr
