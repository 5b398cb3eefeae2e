"""Build the parts once; each lies in the cache below a name that changes with its inputs."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from . import node_images, toolchain
from .errors import TestbedError
from .places import cache
from .versions import HERE, PARTS, Part

PROGRESS_S = 30.0
"""Seconds between two signs of life of a long step."""

Say = Callable[[str], None]


def missing() -> list[str]:
    """Return the names of what ``build`` would have to make."""
    parts = [part.name for part in PARTS if not folder(part).exists()]
    return parts + [name for name in node_images.IMAGES if not node_images.archive(name).exists()]


def folder(part: Part) -> Path:
    """Return where the programs of a part lie once it is built."""
    return cache() / part.key()


def build(say: Say) -> None:
    """Build whatever the cache lacks; an interrupted run goes on with the part it was at.

    Raises
    ------
    TestbedError
        If a tool is missing or a part does not build; its log is named.
    """
    if not missing():
        return
    with _lock(say):
        wanted = [part for part in PARTS if not folder(part).exists()]
        if wanted or not all(node_images.archive(name).exists() for name in node_images.IMAGES):
            toolchain.install_packages(toolchain.BUILD_PACKAGES, "building the test cluster")
        go = toolchain.go() if wanted else None
        begun = time.monotonic()
        for position, part in enumerate(wanted, 1):
            assert go is not None
            step = f"[{position}/{len(wanted)}] {part.name} {part.version}"
            took = _build_part(part, go, partial(_say_step, say, step))
            say(f"{step}: built in {took:.0f} s ({time.monotonic() - begun:.0f} s in all)")
        for name in node_images.IMAGES:
            if not node_images.archive(name).exists():
                node_images.make(name)
                say(f"image {name}: written")


def _say_step(say: Say, step: str, text: str) -> None:
    say(f"{step}: {text}")


def _build_part(part: Part, go: Path, say: Say) -> float:
    """Build into a folder beside the final one, which appears only when all of it is there."""
    begun = time.monotonic()
    final = folder(part)
    working = cache() / f".{part.key()}.partial"
    shutil.rmtree(working, ignore_errors=True)
    (working / "bin").mkdir(parents=True)
    log = cache() / "logs" / f"{part.name}.log"
    log.parent.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PATH": f"{go.parent}:{os.environ['PATH']}",
        "GOBIN": str(working / "bin"),
        "GOFLAGS": "-buildvcs=false -trimpath -p=2",
        "CGO_ENABLED": "1" if part.cgo else "0",
    }
    say(f"building (log: {log})")
    with log.open("w") as output:
        for command, where in _commands(part, working):
            _run(command, where, environment, output.fileno(), part, log, say)
    shutil.rmtree(working / "source", ignore_errors=True)
    working.rename(final)
    return time.monotonic() - begun


def _commands(part: Part, working: Path) -> Iterator[tuple[list[str], Path]]:
    """Yield the Go commands of a part and where each runs."""
    flags = ["-ldflags", part.linker_flags, *(["-tags", part.tags] if part.tags else [])]
    if part.module is None:
        packages = [f"{package}@v{part.version}" for package in part.packages]
        yield ["go", "install", *flags, *packages], working
        return
    # A copy: the Go tool may add what it resolved to go.mod, and the repository must not change.
    source = working / "source"
    shutil.copytree(HERE / "go" / part.module, source)
    for package in part.packages:
        program = package.removesuffix("/v3").rsplit("/", 1)[-1]
        name = {"server": "etcd"}.get(program, program)
        yield (
            ["go", "build", "-mod=mod", *flags, "-o", f"{working}/bin/{name}", package],
            source,
        )


def _run(
    command: list[str],
    where: Path,
    environment: dict[str, str],
    output: int,
    part: Part,
    log: Path,
    say: Say,
) -> None:
    process = subprocess.Popen(
        ["nice", "-n", "10", *command],
        cwd=where,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    begun = time.monotonic()
    try:
        while True:
            try:
                status = process.wait(PROGRESS_S)
                break
            except subprocess.TimeoutExpired:
                say(f"still building, {time.monotonic() - begun:.0f} s")
    except BaseException:
        # Ctrl-C: compilers in the background would go on and hold the next run up.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise TestbedError(
            f"{part.name} {part.version} did not build (exit {status}):\n{tail}",
            hint=f"All of it: {log}. What is built already is kept.",
        )


@contextmanager
def _lock(say: Say) -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build of the test cluster is running; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
