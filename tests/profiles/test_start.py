"""The start wrapper as a real process: what it prepares, what it tells, and that it always ends."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from autonoe.profiles.start.report import PAGE
from autonoe.waiting import wait_until
from support.https import Https, commit, publish, repository

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@dataclass
class Started:
    """How one start ended."""

    env: dict[str, str]
    """Variables that the command saw."""
    steps: list[dict[str, Any]]
    """The report."""
    took_s: float

    def step(self, name: str) -> dict[str, Any]:
        (found,) = [step for step in self.steps if step["step"] == name]
        return found


Start = Callable[..., Started]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.fixture
def start(home: Path, https: Https) -> Start:
    """Return a function that runs the wrapper with AUTONOE_PROFILE_* variables."""

    def run(variables: dict[str, str] | None = None, **profile: str) -> Started:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_PROXY": "localhost",
            "JUPYTERHUB_API_TOKEN": "the-servers-own",
            **https.trust,
            **(variables or {}),
            **{f"AUTONOE_PROFILE_{name.upper()}": value for name, value in profile.items()},
        }
        command = [sys.executable, "-P", "-m", "autonoe.profiles.start", "--"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, sys.executable, "-c", SHOW],
            env=env,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        report = seen.get("AUTONOE_START_REPORT")
        steps = json.loads(Path(report).read_text())["steps"] if report else []
        return Started(seen, steps, time.monotonic() - began)

    return run


def script(https: Https, text: str) -> dict[str, str]:
    """Publish an init script and return the variables that ask for it."""
    (https.folder / "init.sh").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"init_script": f"{https.url}/init.sh", "init_script_sha256": digest}


@pytest.fixture
def course(https: Https, tmp_path: Path) -> tuple[Path, str]:
    """Return a repository and its public address."""
    source = repository(tmp_path / "source", {"lesson.ipynb": "1"})
    return source, publish(https, source, "course.git")


def test_with_nothing_to_do_it_becomes_the_command_and_leaves_nothing(
    start: Start, home: Path
) -> None:
    done = start()
    assert done.steps == []
    assert list(home.iterdir()) == []
    assert done.env["JUPYTERHUB_API_TOKEN"] == "the-servers-own"


def test_a_repository_is_cloned_and_lab_opens_there(
    start: Start, home: Path, course: tuple[Path, str]
) -> None:
    done = start(repository=course[1])
    assert (home / "work/course/lesson.ipynb").read_text() == "1"
    assert done.step("repository")["state"] == "ok"
    assert done.env["JUPYTERHUB_DEFAULT_URL"] == "/lab/tree/work/course"
    assert [p.name for p in (home / "work").iterdir()] == ["course"]


def test_a_deep_link_is_not_turned_away(start: Start, course: tuple[Path, str]) -> None:
    done = start({"JUPYTERHUB_DEFAULT_URL": "/lab/tree/x.ipynb"}, repository=course[1])
    assert done.env["JUPYTERHUB_DEFAULT_URL"] == "/lab/tree/x.ipynb"


def test_a_clean_clone_is_brought_up_to_date(
    start: Start, home: Path, https: Https, course: tuple[Path, str]
) -> None:
    start(repository=course[1])
    commit(course[0], {"lesson.ipynb": "2"})
    publish(https, course[0], "course.git")
    done = start(repository=course[1])
    assert (home / "work/course/lesson.ipynb").read_text() == "2"
    assert "up to date" in done.step("repository")["message"]


def test_a_persons_work_is_left_alone(
    start: Start, home: Path, https: Https, course: tuple[Path, str]
) -> None:
    start(repository=course[1])
    lesson = home / "work/course/lesson.ipynb"
    lesson.write_text("mine")
    commit(course[0], {"lesson.ipynb": "2"})
    publish(https, course[0], "course.git")
    done = start(repository=course[1])
    assert lesson.read_text() == "mine"
    assert "changes of yours" in done.step("repository")["message"]
    # Committed work that went another way than the server's is no less a person's.
    commit(home / "work/course", {"lesson.ipynb": "mine"})
    done = start(repository=course[1])
    assert lesson.read_text() == "mine"
    assert done.step("repository")["state"] == "failed"


def test_a_folder_that_is_no_clone_or_another_one_is_left_alone(
    start: Start, home: Path, course: tuple[Path, str]
) -> None:
    place = home / "work/course"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    assert "is no clone" in start(repository=course[1]).step("repository")["message"]
    shutil.rmtree(place)
    repository(place, {"notes.txt": "mine"})
    found = start(repository=course[1]).step("repository")
    assert found["state"] == "failed"
    assert (place / "notes.txt").read_text() == "mine"


def test_a_branch_and_one_that_is_not_there(
    start: Start, home: Path, https: Https, course: tuple[Path, str]
) -> None:
    from support.https import git

    git(course[0], "checkout", "--quiet", "-b", "winter")
    commit(course[0], {"lesson.ipynb": "winter"})
    publish(https, course[0], "course.git")
    missing = start(repository=course[1], branch="summer").step("repository")
    assert "could not be cloned" in missing["message"]
    assert "summer" in missing["detail"]
    assert not (home / "work/course").exists()
    start(repository=course[1], branch="winter")
    assert (home / "work/course/lesson.ipynb").read_text() == "winter"


def test_a_failure_is_told_on_a_page_that_goes_when_it_is_mended(
    start: Start, home: Path, https: Https, course: tuple[Path, str]
) -> None:
    done = start({"JUPYTERHUB_DEFAULT_URL": "/lab"}, repository=f"{https.url}/none.git")
    text = (home / PAGE).read_text()
    assert "could not be cloned" in text
    assert "Next:" in text
    assert done.env["JUPYTERHUB_DEFAULT_URL"] == f"/lab/tree/{PAGE}"
    start(repository=course[1])
    assert not (home / PAGE).exists()


def test_a_page_of_that_name_that_a_person_wrote_stays(start: Start, home: Path) -> None:
    (home / PAGE).write_text("my own notes")
    start()
    assert (home / PAGE).read_text() == "my own notes"


def test_a_git_server_that_never_answers_costs_its_time_and_no_more(
    start: Start, home: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}/x.git"
        done = start(repository=url, repository_timeout_s="2")
    assert "more than 2 s" in done.step("repository")["message"]
    assert done.took_s < 20
    assert list((home / "work").iterdir()) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"repository": "ext::sh -c 'touch $HOME/harm'"},
        {"repository": "--upload-pack=touch harm"},
        {"repository": "file:///etc"},
        {"repository": "https://localhost:1/x", "branch": "--upload-pack=x"},
        {"init_script": "http://localhost/x", "init_script_sha256": "a" * 64},
        {"init_script": "https://localhost/x"},
        {"packages": '["--index-url=https://localhost:1"]'},
        {"packages": "{"},
    ],
)
def test_what_breaks_the_rules_is_not_run_even_here(
    start: Start, home: Path, variables: dict[str, str]
) -> None:
    done = start(**variables)
    assert [step["state"] for step in done.steps] == ["failed"]
    assert not (home / "harm").exists()


def test_the_init_script_runs_in_the_home_and_keeps_its_log(
    start: Start, home: Path, https: Https
) -> None:
    done = start(**script(https, "pwd; echo told >&2; touch made; env > seen\n"))
    assert done.step("script")["state"] == "ok"
    assert (home / "made").exists()
    log = home / ".autonoe/init.log"
    assert log.read_text().split() == [str(home), "told"]
    assert log.stat().st_mode & 0o777 == 0o600
    assert "the-servers-own" not in (home / "seen").read_text(), "a script needs no hub token"


def test_a_script_in_another_language(start: Start, home: Path, https: Https) -> None:
    start(**script(https, f"#!{sys.executable}\nprint(6 * 7)\n"))
    assert (home / ".autonoe/init.log").read_text() == "42\n"


def test_a_changed_script_is_not_run(start: Start, home: Path, https: Https) -> None:
    asked = script(https, "touch first\n")
    (https.folder / "init.sh").write_text("touch second\n")
    found = start(**asked).step("script")
    assert "checksum" in found["message"]
    assert asked["init_script_sha256"] in found["detail"]
    assert not (home / "second").exists()


def test_a_failing_script_is_told_with_the_end_of_its_log(start: Start, https: Https) -> None:
    found = start(**script(https, "echo the reason; exit 3\n")).step("script")
    assert "exit code 3" in found["message"]
    assert "the reason" in found["detail"]


def test_an_endless_script_is_ended_with_all_its_children(
    start: Start, home: Path, https: Https
) -> None:
    asked = script(https, "sleep 300 & echo $! > child; while :; do sleep 300; done\n")
    done = start(**asked, init_script_timeout_s="2")
    assert "ended after 2 s" in done.step("script")["message"]
    assert done.took_s < 20
    child = Path("/proc", (home / "child").read_text().strip())
    wait_until(lambda: not _runs(child), timeout_s=10, what="the script's child to end")


def _runs(process: Path) -> bool:
    try:
        return process.joinpath("stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_daemon_of_the_script_does_not_hold_the_start_up(start: Start, https: Https) -> None:
    done = start(**script(https, "sleep 15 & echo started\n"))
    assert done.step("script")["state"] == "ok"
    assert done.took_s < 12


def test_a_flood_of_output_does_not_fill_the_disk(start: Start, home: Path, https: Https) -> None:
    start(**script(https, "head -c 30000000 /dev/zero\n"))
    assert (home / ".autonoe/init.log").stat().st_size <= 2 << 20


def _wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """Write a wheel with one module."""
    import zipfile

    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder of wheels and the variables that make it the only index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder, {
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }


def test_packages_come_beside_those_of_the_image(
    start: Start, home: Path, index: tuple[Path, dict[str, str]]
) -> None:
    _wheel(index[0], "somewhat", "1.0", "click")
    _wheel(index[0], "click", "99.0")
    done = start(index[1], packages='["somewhat>=1"]')
    # click is there in the image's version; the newer one must not come in front of it.
    assert done.step("packages")["state"] == "failed"
    _wheel(index[0], "click", version("click"))
    done = start(index[1], packages='["somewhat>=1"]')
    assert done.step("packages")["state"] == "ok", done.step("packages")["detail"]
    (place,) = done.env["PYTHONPATH"].split(os.pathsep)
    assert sorted(p.name for p in Path(place).glob("*.py")) == ["somewhat.py"]
    seen = subprocess.run(
        [sys.executable, "-c", "import somewhat, click; print(somewhat.VERSION)"],
        env={"PYTHONPATH": place},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert seen.stdout == "1.0\n"


def test_a_package_that_would_change_the_image_is_told(
    start: Start, index: tuple[Path, dict[str, str]]
) -> None:
    _wheel(index[0], "click", "99.0")
    found = start(index[1], packages='["click>=99"]').step("packages")
    assert found["state"] == "failed"
    assert "click" in found["detail"]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """Return a home without a byte left; for those who may not mount, one they cannot write to."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid():
        place.chmod(0o500)
        yield place
        return
    size = ["-o", "size=1m,mode=0700"]
    subprocess.run(["mount", "-t", "tmpfs", *size, "tmpfs", str(place)], check=True, timeout=10)
    try:
        with (place / "data.bin").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=10)


def test_a_full_home_sends_what_jupyter_writes_elsewhere(
    start: Start, full: Path, https: Https
) -> None:
    before = sorted(full.iterdir())
    asked = {**script(https, "echo ran"), "repository": f"{https.url}/x.git"}
    done = start({"HOME": str(full)}, **asked)
    message = done.step("home")["message"]
    assert ("full" if os.geteuid() == 0 else "cannot be written to") in message
    assert "du -sh" in done.step("home")["next"]
    assert done.step("repository")["state"] == "failed"
    assert done.step("script")["state"] == "ok"
    assert done.env["HOME"] == str(full)
    assert sorted(full.iterdir()) == before, "nothing half-written is left"
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        place = Path(done.env[name])
        assert not place.is_relative_to(full)
        (place / "probe").write_text("x")
    assert str(full / ".jupyter") in done.env["JUPYTER_CONFIG_PATH"]
    shutil.rmtree(done.env["TMPDIR"])


def test_a_command_that_is_not_there(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autonoe.profiles.start", "--", "/no/such/command"],
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 127
    assert "/no/such/command" in done.stderr
