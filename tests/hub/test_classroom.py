"""A classroom server: several accounts on one machine, kept apart by the system itself.

As root on a machine with a Python that everyone may run, the accounts are real, with UIDs of their
own. Everywhere else the platform must refuse to make a second one, and that is what is shown.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from autonoe.embedded import ports, roster, uids
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.waiting import wait_until
from support.hub_stack import START_S, xsrf
from support.kernels import evaluate, start_kernel
from support.platform import Platform, of_folder
from support.readable_python import readable_python

CAN_SEPARATE = os.geteuid() == 0


@dataclass
class Classroom:
    """A whole platform, run by a Python that accounts can run too."""

    layout: Layout
    python: Path
    sessions: dict[str, requests.Session] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.python), "-c", "from autonoe.cli import main; main()", *args],
            env={**os.environ, "AUTONOE_DATA_DIR": str(self.layout.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, (args, done.stdout, done.stderr)
        return done

    @property
    def platform(self) -> PlatformFile:
        return PlatformFile.load(self.layout)

    @property
    def url(self) -> str:
        return self.platform.public_url

    def server(self, name: str) -> str:
        return f"{self.url}/user/{name}/"

    def open(self, name: str) -> requests.Session:
        """Follow the link that ``users add`` printed, until the server answers."""
        session = requests.Session()
        session.headers["Sec-Fetch-Mode"] = "navigate"
        answer = session.get(self.links[name], timeout=60)
        assert answer.status_code == 200, answer.text
        wait_until(
            lambda: session.get(f"{self.url}/hub/spawn-pending/{name}", timeout=60).url.startswith(
                self.server(name)
            ),
            timeout_s=START_S,
            what=f"the server of {name}",
            interval_s=0.3,
        )
        self.sessions[name] = session
        return session

    def run_as(self, uid: int, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command as an account's process."""
        return subprocess.run(
            argv, user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    def process_of(self, uid: int) -> int:
        """Return the PID of the server that runs under ``uid``."""
        for process in psutil.process_iter(["uids", "cmdline"]):
            if process.info["uids"].real == uid and "singleuser" in (process.info["cmdline"] or ()):
                return int(process.pid)
        raise AssertionError(f"no server runs under {uid}")


@pytest.fixture(scope="module")
def classroom() -> Iterator[Classroom | None]:
    """Return a platform with the accounts ana and bea, or None where that cannot be."""
    root = Path(tempfile.mkdtemp(prefix="classroom-", dir=os.environ.get("AUTONOE_TEST_ROOT")))
    root.chmod(0o711)
    layout = Layout(root / "data")
    layout.create()
    python = readable_python(root / "python", layout) if CAN_SEPARATE else None
    if python is None:
        yield None
        shutil.rmtree(root)
        return
    room = Classroom(layout, python)
    port = str(ports.choose(1)[0])
    try:
        room.cli("up", "--detach", "--port", port)
        for name in ("ana", "bea"):
            made = json.loads(room.cli("users", "add", name, "--group", "stats", "--json").stdout)
            room.links[name] = made["link"]
        yield room
    finally:
        room.cli("down", check=False)
        left = of_folder(root)
        for process in left:
            process.kill()
        shutil.rmtree(root, ignore_errors=True)
        assert not left, left


def refused_here(platform: Platform) -> None:
    """Check that a second account is refused on this machine, and why."""
    done = platform.cli("users", "add", "ana", "--json", check=False)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == ("interpreter_unreadable" if CAN_SEPARATE else "needs_root")
    assert error["hint"]
    assert uids.recorded(platform.layout, "ana") is None
    assert [p["name"] for p in platform.json("users", "list")] == [platform.owner]


def uid_of(room: Classroom, name: str) -> int:
    uid = uids.recorded(room.layout, name)
    assert uid is not None
    return uid


def test_accounts_have_uids_of_their_own_or_do_not_exist(
    classroom: Classroom | None, request: pytest.FixtureRequest
) -> None:
    if classroom is None:
        refused_here(request.getfixturevalue("platform"))
        return
    people = json.loads(classroom.cli("users", "list", "--json").stdout)
    by_name = {p["name"]: p for p in people}
    assert set(by_name) == {"ana", "bea", classroom.platform.owner}
    assert by_name["ana"]["uid"] != by_name["bea"]["uid"]
    assert by_name[classroom.platform.owner]["uid"] is None
    assert by_name["ana"]["groups"] == ["stats"]


def test_the_platform_accepts_two_people_and_keeps_them_apart(
    classroom: Classroom | None, request: pytest.FixtureRequest
) -> None:
    if classroom is None:
        refused_here(request.getfixturevalue("platform"))
        return
    room = classroom
    for name in ("ana", "bea"):
        room.open(name)
    ana, bea = (uid_of(room, name) for name in ("ana", "bea"))

    # Their processes run as them.
    server = room.server("ana")
    kernel = start_kernel(room.sessions["ana"], server, xsrf(room.sessions["ana"], "/user/ana/"))
    code = (
        "import os; open('secret.txt', 'w').write('of ana')\n"
        "print(os.getuid(), os.getgid(), os.getgroups())"
    )
    assert evaluate(room.sessions["ana"], server, kernel, code) == f"{ana} {ana} []\n"
    _files(room, bea)
    _memory(room, ana, bea)
    _web(room)


def _files(room: Classroom, bea: int) -> None:
    """Nothing of ana's, and nothing of the platform's, is readable for bea."""
    home = room.layout.home("ana")
    closed = [
        home,
        home / "secret.txt",
        room.layout.proof("ana"),
        room.layout.account("ana") / "account.json",
        room.layout.proof(room.platform.owner),
        room.layout.home(room.platform.owner),
        room.layout.secret("hub-cookie-secret"),
        room.layout.tickets,
        room.layout.log("hub"),
        room.layout.log("server-ana"),
        room.layout.component("hub") / "hub.sqlite",
        room.layout.component("traefik") / "rules.toml",
        room.layout.root / "accounts" / "uids.json",
    ]
    for path in closed:
        assert path.exists() or path.parent.exists(), path
        assert room.run_as(bea, "cat", str(path)).returncode != 0, path
        assert room.run_as(bea, "ls", f"{path}/").returncode != 0, path
    for folder in (room.layout.root, room.layout.root / "homes", room.layout.root / "accounts"):
        assert room.run_as(bea, "ls", str(folder)).returncode != 0, folder
        assert room.run_as(bea, "touch", f"{folder}/planted").returncode != 0, folder
    # The control: her own she can read.
    assert room.run_as(bea, "ls", str(room.layout.home("bea"))).returncode == 0
    assert room.run_as(bea, "cat", str(room.layout.proof("bea"))).returncode == 0
    assert (home / "secret.txt").stat().st_mode & 0o077 == 0


def _memory(room: Classroom, ana: int, bea: int) -> None:
    """Bea can neither read nor signal ana's processes; nobody's arguments hold a secret."""
    pid = room.process_of(ana)
    for name in ("environ", "mem", "maps", "fd", "cwd/secret.txt"):
        assert room.run_as(bea, "cat", f"/proc/{pid}/{name}").returncode != 0, name
        assert room.run_as(bea, "ls", f"/proc/{pid}/{name}/").returncode != 0, name
    assert room.run_as(bea, "kill", "-0", str(pid)).returncode != 0
    assert room.run_as(bea, "cat", f"/proc/{room.process_of(bea)}/environ").returncode == 0
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    for secret in room.layout.secrets.iterdir():
        if secret.is_file():
            assert secret.read_bytes().strip() not in environment, secret.name


def _web(room: Classroom) -> None:
    """Bea's session and token are worth nothing on ana's server; ana's are."""
    bea, ana = room.sessions["bea"], room.sessions["ana"]
    other, own = room.server("ana"), room.server("ana")
    for path in ("api/contents", "api/contents/secret.txt", "files/secret.txt", "api/kernels",
                 "api/terminals", "lab", "tree", "autonoe/status", "mlflow/"):  # fmt: skip
        answer = bea.get(f"{other}{path}", timeout=60)
        assert answer.status_code == 403, (path, answer.status_code, answer.url)
        assert "of ana" not in answer.text
    token = xsrf(bea, "/user/bea/")
    changes = (
        ("POST", "api/kernels"),
        ("PUT", "api/contents/planted.txt"),
        ("DELETE", "api/contents/secret.txt"),
        ("POST", "api/terminals"),
    )
    for method, path in changes:
        answer = bea.request(method, f"{other}{path}", json={}, headers={"X-XSRFToken": token})
        assert answer.status_code == 403, path
    made = bea.post(
        f"{room.url}/hub/api/users/bea/tokens",
        json={},
        headers={"X-XSRFToken": xsrf(bea, "/hub/"), "Sec-Fetch-Mode": "cors"},
        timeout=30,
    ).json()["token"]
    header = {"Authorization": f"token {made}"}
    assert requests.get(f"{other}api/contents", headers=header, timeout=30).status_code == 403
    mine = requests.get(f"{room.server('bea')}api/contents", headers=header, timeout=30)
    assert mine.status_code == 200
    for method, path in (("DELETE", "users/ana/server"), ("GET", "users/ana"),
                         ("POST", "users/ana/tokens"), ("DELETE", "users/ana")):  # fmt: skip
        answer = requests.request(
            method, f"{room.url}/hub/api/{path}", headers=header, json={}, timeout=30
        )
        assert answer.status_code in (403, 404), path
    read = ana.get(f"{own}files/secret.txt", timeout=30)
    assert read.text == "of ana"


def test_a_removed_account_is_out_and_finds_its_files_when_it_returns(
    classroom: Classroom | None, request: pytest.FixtureRequest
) -> None:
    if classroom is None:
        refused_here(request.getfixturevalue("platform"))
        return
    room = classroom
    made = json.loads(room.cli("users", "add", "cleo", "--json").stdout)
    room.links["cleo"] = made["link"]
    unused = json.loads(room.cli("users", "link", "cleo", "--json").stdout)["link"]
    session = room.open("cleo")
    uid = uid_of(room, "cleo")
    kept = room.layout.home("cleo") / "kept.txt"
    kept.write_text("kept")
    os.chown(kept, uid, uid)
    proof = json.loads(room.layout.proof("cleo").read_text())
    login = f"{room.platform.openbao_url}/v1/auth/approle/login"
    body = {k: proof[k] for k in ("role_id", "secret_id")}
    assert requests.post(login, json=body, timeout=30).status_code == 200

    room.cli("users", "remove", "cleo")
    assert requests.post(login, json=body, timeout=30).status_code >= 400
    assert session.get(f"{room.url}/hub/home", allow_redirects=False).status_code == 302
    turned_away = session.get(f"{room.server('cleo')}api/contents", timeout=30)
    assert turned_away.url.startswith(f"{room.url}/hub/login")
    assert requests.get(unused, timeout=30).status_code == 403
    assert not [p for p in Path("/proc").glob("[0-9]*") if _owner(p) == uid]
    assert kept.read_text() == "kept"
    again = room.cli("users", "remove", "cleo", check=False)
    assert again.returncode == 1

    room.cli("users", "add", "cleo")
    assert uid_of(room, "cleo") == uid
    unsure = room.cli("users", "remove", "cleo", "--delete-data", "--confirm", "leo", check=False)
    assert unsure.returncode == 2
    assert kept.exists()
    room.cli("users", "remove", "cleo", "--delete-data", "--confirm", "cleo")
    assert not room.layout.home("cleo").exists()
    assert uids.recorded(room.layout, "cleo") is None


def _owner(process: Path) -> int:
    try:
        return process.stat().st_uid
    except OSError:
        return -1


def test_the_owner_stays(platform: Platform) -> None:
    done = platform.cli("users", "remove", platform.owner, "--json", check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "forbidden"


@pytest.mark.parametrize("name", ["a/b", "..", "", "<b>", "a\nb"])
def test_a_name_that_is_none_is_bad_input(platform: Platform, name: str) -> None:
    done = platform.cli("users", "add", "--json", "--", name, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "invalid_input"


def test_a_new_link_of_the_owner_lets_in(platform: Platform) -> None:
    made = platform.json("users", "link", platform.owner)
    session = requests.Session()
    answer = session.get(f"{made['link']}&next=/hub/home", timeout=60)
    assert answer.url == f"{platform.url}/hub/home"
    missing = platform.cli("users", "link", "nobody", "--json", check=False)
    assert json.loads(missing.stdout)["error"]["code"] == "not_found"


def test_a_new_start_keeps_the_owners_groups(platform: Platform) -> None:
    platform.json("users", "add", platform.owner, "--group", "surveys")
    try:
        assert platform.json("up")["already_running"] is True
        assert roster.refresh(platform.layout, platform.owner).groups == ("surveys",)
        assert platform.json("users", "list")[0]["groups"] == ["surveys"]
    finally:
        left = platform.json("users", "add", platform.owner, "--no-group")
    assert left["groups"] == []
