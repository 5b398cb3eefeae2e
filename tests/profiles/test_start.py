"""The start wrapper as a real process: what it prepares, what it tells, and that it always ends."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from autonoe.profiles.start.report import PAGE
from autonoe.waiting import wait_until
from profiles.starting import Start, script
from support.https import Https, commit, publish, repository


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
