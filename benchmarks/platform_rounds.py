"""Second start, idle memory, and the way from the link to a usable Lab, on one platform."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.support.browser import chromium, wait_for_lab

from autonoe.embedded import links, ports
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from benchmarks.measurement import Measurement, median
from benchmarks.peers import PlainHub, PlainLab, PlainMlflow
from benchmarks.processes import resident_mb, wait_for_page

AUTONOE = str(Path(sys.executable).with_name("autonoe"))


class OurPlatform:
    """The embedded platform in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.layout = Layout(folder)
        self.port = ports.choose(1)[0]

    def up(self) -> float:
        """Run ``autonoe up --detach`` and return its seconds: it ends when the link is printed."""
        return self._timed("up", "--detach", "--json", "--port", str(self.port))

    def down(self) -> None:
        """Run ``autonoe down``."""
        self._timed("down")

    def link(self) -> str:
        """Return an unused login link."""
        file = PlatformFile.load(self.layout)
        return links.link(file.public_url, links.mint(self.layout, file.owner))

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor and all that it runs: the processes that know the data folder."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                mine = str(self.layout.root) in " ".join(process.cmdline())
                if mine and process.pid != os.getpid():
                    family = [process, *process.children(recursive=True)]
                    found |= {member.pid: member for member in family}
            except psutil.Error:
                continue
        return list(found.values())

    def _timed(self, *arguments: str) -> float:
        begun = time.monotonic()
        command = [AUTONOE, *arguments, "--data-dir", str(self.layout.root)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}\n{done.stderr}")
        return time.monotonic() - begun


@dataclass
class Rounds:
    """The raw figures, one entry per round."""

    start: list[float]
    memory: list[float]
    lab: list[float]


def _seconds_to_lab(address: str) -> float:
    with chromium() as browser:
        begun = time.monotonic()
        browser.page.goto(address)
        wait_for_lab(browser.page)
        return time.monotonic() - begun


def _our_round(platform: OurPlatform, rounds: Rounds) -> None:
    rounds.start.append(platform.up())
    try:
        rounds.memory.append(resident_mb(platform.processes()))
        rounds.lab.append(_seconds_to_lab(platform.link()))
    finally:
        platform.down()


def _peer_round(hub: PlainHub, lab: PlainLab, rounds: Rounds) -> None:
    with hub.running() as (seconds, processes):
        rounds.start.append(seconds)
        rounds.memory.append(resident_mb(processes))
    with chromium() as browser:
        begun = time.monotonic()
        with lab.running() as address:
            wait_for_page(address)  # a person waits for the address to be printed
            browser.page.goto(address)
            wait_for_lab(browser.page)
            rounds.lab.append(time.monotonic() - begun)


def measure(folder: Path, *, pairs: int) -> list[Measurement]:
    """Return the three figures of an idle platform and of its first user."""
    platform = OurPlatform(folder / "platform")
    hub, lab, mlflow = (
        PlainHub(folder / "hub"),
        PlainLab(folder / "lab"),
        PlainMlflow(folder / "mlflow"),
    )
    platform.up()  # the first start generates secrets; it is the second that is measured
    platform.down()
    with hub.running(), mlflow.running() as processes:
        mlflow_mb = resident_mb(processes)
    ours, peers = Rounds([], [], []), Rounds([], [], [])
    for _ in range(pairs):
        _our_round(platform, ours)
        _peer_round(hub, lab, peers)
    return [
        Measurement("second start to link", "s", median(ours.start), median(peers.start), hub.name),
        Measurement("link to usable Lab", "s", median(ours.lab), median(peers.lab), lab.name),
        Measurement(
            "idle memory, resident",
            "MB",
            round(median(ours.memory)),
            round(median(peers.memory) + mlflow_mb),
            f"{hub.name} + {mlflow.name}",
        ),
    ]
