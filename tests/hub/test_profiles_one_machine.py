"""Profiles on the embedded platform: no form where there is nothing to choose; real preparation."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autonoe.waiting import wait_until
from hub.conftest import stack
from support.https import publish, repository, serve
from support.hub_stack import OWNER, START_S
from support.profile_hub import ProfileHub


@contextmanager
def one_machine(**site: Any) -> Iterator[ProfileHub]:
    """Yield a running hub of the embedded platform with these settings of the site."""
    with stack() as plain:
        made = ProfileHub(plain.layout.root)
        profiles = site.pop("profiles", None)
        if profiles:
            folder = made.layout.root / "catalogue"
            folder.mkdir()
            for profile in profiles.values():
                profile["runs_on"] = ["embedded"]
            (folder / "a.yaml").write_text(json.dumps({"profiles": profiles}))
            site["catalogues"] = [{"directory": "catalogue"}]
        if site:
            made.site(**site)
        try:
            yield made
        finally:
            for process in made.stop():
                process.kill()


def test_with_one_profile_nobody_meets_a_form_unless_they_ask() -> None:
    with one_machine() as hub:
        hub.start()
        session = hub.login()
        page = session.get(f"{hub.url}/hub/spawn?form=1", timeout=30).text
        assert 'name="python--repository"' in page
        assert 'name="python--cpu"' not in page, "one machine has no limits to choose"
        assert "Free now" in page
        refused = hub.start_by_api(OWNER, {"cpu": 1})
        assert refused.status_code == 400
        assert "share one machine" in refused.json()["message"]
        server = hub.open_server(session)  # never a form on the way
        assert hub.server_process().environ()["AUTONOE_PROFILE_NAME"] == "python"
        view = session.get(f"{server}autonoe/profile", timeout=60).json()
        assert [profile["name"] for profile in view["offered"]["profiles"]] == ["python"]
        assert view["offered"]["free"]["fr"]["python"]["text"].startswith("Libre")
        assert view["running"]["profile"] == "python"


def test_profiles_are_told_to_people_and_to_nobody_else() -> None:
    with one_machine() as hub:
        hub.start()
        route = f"{hub.url}/hub/api/profiles"
        assert hub.session().get(route, timeout=30).status_code == 403
        assert hub.api("GET", "profiles").status_code == 403, "a service has no profiles"
        assert hub.login().get(route, timeout=30).json()["spawn_url"] == "/hub/spawn"


def test_repository_script_and_variables_are_there_when_the_server_is(tmp_path: Path) -> None:
    with serve(tmp_path) as https, one_machine() as hub:
        course = publish(https, repository(tmp_path / "r", {"lesson.ipynb": "1"}), "course.git")
        script = 'echo prepared by $USER; test -n "$MINE" && touch seen-$MINE\n'
        (https.folder / "i.sh").write_text(script)
        hub.env |= {**https.trust, "NO_PROXY": "localhost,127.0.0.1"}
        hub.start()
        answer = hub.start_by_api(
            OWNER,
            {
                "repository": course,
                "init_script": f"{https.url}/i.sh",
                "init_script_sha256": hashlib.sha256(script.encode()).hexdigest(),
                "environment": {"MINE": "word"},
            },
        )
        assert answer.status_code in (201, 202), answer.text
        session = hub.login()
        wait_until(
            lambda: session.get(f"{hub.url}/user/{OWNER}/api", timeout=30).status_code == 200,
            timeout_s=START_S,
            what="the server",
        )
        home = hub.layout.home(OWNER)
        assert (home / "work/course/lesson.ipynb").exists()
        assert (home / "seen-word").exists()
        assert "prepared by" in (home / ".autonoe/init.log").read_text()
        landing = session.get(f"{hub.url}/user/{OWNER}/", timeout=60)
        assert landing.url.endswith("/lab/tree/work/course")


def test_a_server_starts_with_a_full_home_and_says_so() -> None:
    with one_machine() as hub:
        home = hub.layout.home(OWNER)
        home.mkdir(mode=0o700)
        if os.geteuid() == 0:
            mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(home)]
            subprocess.run(mount, check=True, timeout=10)
            with (home / "data.bin").open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"x" * 65536)
        else:
            home.chmod(0o500)
        try:
            hub.start()
            session = hub.login()
            server = hub.open_server(session)
            lab = session.get(f"{server}lab", timeout=60)
            assert lab.status_code == 200
            env = hub.server_process().environ()
            assert env["HOME"] == str(home)
            report = session.get(f"{server}autonoe/profile", timeout=30).json()["start"]
            assert "home folder" in report["steps"][0]["message"]
        finally:
            hub.stop()
            if os.geteuid() == 0:
                subprocess.run(["umount", "--lazy", str(home)], check=True, timeout=10)
            else:
                home.chmod(0o700)


def test_a_temporary_home_goes_with_the_server() -> None:
    course = {"title": "Course", "options": {"persistent_home": {"default": False}}}
    with one_machine(profiles={"course": course}) as hub:
        hub.start()
        hub.open_server(hub.login())
        place = Path(hub.server_process().environ()["HOME"])
        assert place != hub.layout.home(OWNER)
        assert place.is_dir()
        hub.api("DELETE", f"users/{OWNER}/server")
        wait_until(lambda: not place.exists(), timeout_s=60, what="the home to go")


def test_a_profiles_lifetime_ends_the_server() -> None:
    short = {"title": "Short", "lifetime": {"total_hours": 0.002}}
    with one_machine(profiles={"short": short}) as hub:
        hub.start()
        assert hub.start_by_api(OWNER, {}).status_code in (201, 202)
        wait_until(
            lambda: "longest time is over" in hub.log("hub"), timeout_s=180, what="its time's end"
        )
        wait_until(
            lambda: hub.api("GET", f"users/{OWNER}").json()["servers"] == {},
            timeout_s=60,
            what="the server's end",
        )
        assert [p for p in hub.processes() if "JUPYTERHUB_SERVICE_PREFIX" in p.environ()] == []


def test_with_a_broken_catalogue_nothing_starts_and_the_log_says_why() -> None:
    with one_machine() as hub:
        (hub.layout.root / "site.yaml").write_text("brand:\n  color: '#000000'\n")
        hub.start()
        session = hub.login()
        page = session.get(f"{hub.url}/hub/spawn", timeout=30)
        assert page.status_code == 503
        answer = hub.start_by_api(OWNER, {})
        assert answer.status_code == 503
        assert "site.yaml:2: brand.color" in hub.log("hub")
