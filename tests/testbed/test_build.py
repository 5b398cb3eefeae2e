"""Building the test cluster, without building it: what is kept, what is made anew, what is said."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autonoe.waiting import wait_until
from testbed import build, components, host, node_images, ociarchive, reach, toolchain, versions
from testbed.errors import TestbedError
from testbed.places import REPOSITORY, Node, cache
from testbed.versions import Part

GO = """#!/bin/sh
[ "$1" = version ] && { echo "go version go1.99.0 linux/amd64"; exit 0; }
echo "$@" >> "$CALLS"
case "$*" in
    *broken*) echo "main.go:1: no such thing" >&2; exit 1 ;;
    *slow*) sleep 600 & echo $! > "$CALLS.pid"; wait ;;
esac
touch "$GOBIN/program"
"""
"""A Go tool that knows the two commands in use."""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a Go tool on PATH, and return the file that lists its calls."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "go").write_text(GO)
    (tools / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("AUTONOE_TESTBED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(node_images, "IMAGES", {})
    monkeypatch.setattr(toolchain, "install_packages", lambda *_: None)
    return tmp_path / "calls"


def _parts(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    parts = tuple(Part(name, "1", (f"example.org/{name}",)) for name in names)
    monkeypatch.setattr(build, "PARTS", parts)


def test_what_is_built_is_kept_and_an_error_names_its_log(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    _parts(monkeypatch, "good", "broken")
    with pytest.raises(TestbedError, match="no such thing") as failure:
        build.build(said.append)
    assert str(cache() / "logs" / "broken.log") in failure.value.hint
    assert build.missing() == ["broken"]
    assert any(line.startswith("[1/2] good 1: built") for line in said)

    _parts(monkeypatch, "good", "other")
    build.build(said.append)
    assert not build.missing()
    assert sum("example.org/good@v1" in line for line in calls.read_text().splitlines()) == 1
    build.build(said.append)
    assert len(calls.read_text().splitlines()) == 3


def test_an_interrupted_build_ends_its_compilers_and_keeps_no_half(
    calls: Path, tmp_path: Path
) -> None:
    script = (
        "from testbed import build, node_images, __main__ as cli; import signal;"
        "from testbed.versions import Part;"
        "node_images.IMAGES.clear(); build.toolchain.install_packages = lambda *_: None;"
        "build.PARTS = (Part('slow', '1', ('example.org/slow',)),);"
        "signal.signal(signal.SIGTERM, cli._interrupt);"
        "build.build(print)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}/tests:{REPOSITORY}/core"}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, cwd=tmp_path)
    compiler = Path(f"{calls}.pid")
    wait_until(lambda: compiler.exists() and compiler.read_text(), timeout_s=30, what="a compiler")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20)
    running = Path(f"/proc/{compiler.read_text().strip()}/cmdline")
    wait_until(
        lambda: not running.exists() or not running.read_bytes(), timeout_s=10, what="its end"
    )
    assert not [path.name for path in cache().iterdir() if path.name.startswith("slow")]


def test_a_part_is_built_anew_when_anything_of_it_changes(tmp_path: Path) -> None:
    part = versions.part("netpol")
    changed = [
        dataclasses.replace(part, version="2"),
        dataclasses.replace(part, tags="x"),
        dataclasses.replace(part, link_values={"a": "b"}),
        dataclasses.replace(part, sources=part.sources[:1]),
    ]
    keys = {part.key(), *(each.key() for each in changed)}
    assert len(keys) == 5
    assert part.key() == dataclasses.replace(part).key()
    assert versions.part("hyperkube").key().startswith("hyperkube-1.37.2-")


def test_too_old_a_toolchain_is_passed_over(tmp_path: Path) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    old.chmod(0o755)
    assert not toolchain._new_enough(old)
    old.write_text("#!/bin/sh\necho go version go1.26.0 linux/amd64\n")
    assert toolchain._new_enough(old)


def test_two_nodes_share_no_name_and_no_address() -> None:
    first, second = Node(number=0), Node(number=255)
    for name in ("name", "cgroup", "outer_link", "inner_link", "address", "pods", "services"):
        assert getattr(first, name) != getattr(second, name)
    assert len(second.outer_link) <= 15, "the kernel takes no longer name of a link"
    with pytest.raises(ValueError, match="between 0 and 255"):
        Node(number=256)


def test_each_component_is_started_once_and_carries_no_secret() -> None:
    lines = components.command_lines(Node())
    assert set(lines) == set(components.NAMES)
    assert set(components.FIRST) < set(components.NAMES)
    assert all(argv[0] == name for name, argv in lines.items())
    assert "BEGIN" not in repr(lines)


def test_an_archive_is_the_same_bytes_each_time_and_says_what_it_holds(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"#!/bin/sh\n")
    image = ociarchive.Image(
        "localhost/example:1", {"/bin/program": program}, links={"/bin/sh": "program"}
    )
    for name in ("one.tar", "two.tar"):
        ociarchive.write(image, tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    held = ociarchive.described(tmp_path / "one.tar")
    assert list(held) == ["localhost/example:1"]
    assert held["localhost/example:1"].startswith("sha256:")


def test_an_image_that_would_fill_the_disk_is_refused_with_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "one.tar"
    ociarchive.write(ociarchive.Image("localhost/example:1", {"/file": b"x" * 300_000}), archive)
    loads: list[str] = []

    def inside(node: Node, *command: str) -> list[str]:
        loads.extend(command[-1:] if "import" in command else [])
        return ["true"]

    monkeypatch.setattr(reach, "inside", inside)
    usage = shutil.disk_usage(tmp_path)
    node = Node(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_001_000_000))
    with pytest.raises(TestbedError, match=r"one\.tar needs .* GB of disk, and 1\.0 GB is free"):
        reach.import_image(node, archive)
    assert not loads
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_002_000_000))
    assert reach.import_image(node, archive)
    assert loads == [str(archive)]


def test_with_a_cluster_of_ones_own_nothing_is_built(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "KUBECONFIG": str(tmp_path / "mine"),
        "AUTONOE_TESTBED_CACHE": str(tmp_path / "cache"),
    }
    answer = subprocess.run(
        [sys.executable, "-m", "tests.testbed", "up"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout.strip() == str(tmp_path / "mine")
    assert "nothing is built" in answer.stderr
    assert not (tmp_path / "cache").exists()


def test_a_cable_that_the_kernel_takes_first_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    node, run = Node(number=250), host.run
    peer = ("type", "veth", "peer", "name", node.inner_link)
    host.run("ip", "link", "add", node.outer_link, *peer)

    def too_late(*command: str) -> str:
        run(*command)
        return run(*command)  # what a node's end does between our look and our command

    monkeypatch.setattr(host, "run", too_late)
    host.disconnect(node)
    assert not Path(f"/sys/class/net/{node.outer_link}").exists()
    host.disconnect(node)
