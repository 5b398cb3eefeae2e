"""Second start, idle memory, and the way from the link to a usable Lab, on one platform."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.browser import chromium, wait_for_lab

from autonoe.embedded import links, ports, process_table
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

    def pids(self) -> list[int]:
        """Return the supervisor and all that it runs."""
        return process_table.of_platform(self.layout)

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

    start: list[float] = field(default_factory=list)
    """Seconds until the link, or the login page."""
    shared: list[float] = field(default_factory=list)
    """MB of the idle platform, pages that processes share counted once in all."""
    resident: list[float] = field(default_factory=list)
    """MB of the idle platform, shared pages counted in each process."""
    lab: list[float] = field(default_factory=list)
    """Seconds until Lab can be used."""

    def weigh(self, pids: Sequence[int]) -> None:
        """Note the memory of ``pids``."""
        self.shared.append(process_table.memory_bytes(pids) / 1e6)
        self.resident.append(resident_mb(pids))


def _seconds_to_lab(address: str) -> float:
    with chromium() as browser:
        begun = time.monotonic()
        browser.page.goto(address)
        wait_for_lab(browser.page)
        return time.monotonic() - begun


def _our_round(platform: OurPlatform, rounds: Rounds) -> None:
    rounds.start.append(platform.up())
    try:
        rounds.weigh(platform.pids())
        rounds.lab.append(_seconds_to_lab(platform.link()))
    finally:
        platform.down()


def _peer_round(hub: PlainHub, lab: PlainLab, rounds: Rounds) -> None:
    with hub.running() as (seconds, pids):
        rounds.start.append(seconds)
        rounds.weigh(pids)
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
    stock = Rounds()
    with mlflow.running() as pids:
        stock.weigh(pids)  # once: it takes half a minute to start and uses over 2 GB
    ours, peers = Rounds(), Rounds()
    for _ in range(pairs):
        _our_round(platform, ours)
        _peer_round(hub, lab, peers)
    both = f"{hub.name} + {mlflow.name}"
    return [
        Measurement("second start to link", "s", median(ours.start), median(peers.start), hub.name),
        Measurement("link to usable Lab", "s", median(ours.lab), median(peers.lab), lab.name),
        Measurement(
            "idle memory, shared pages once",
            "MB",
            median(ours.shared),
            median(peers.shared) + median(stock.shared),
            both,
        ),
        Measurement(
            "idle memory, resident in each process",
            "MB",
            median(ours.resident),
            median(peers.resident) + median(stock.resident),
            both,
        ),
    ]
