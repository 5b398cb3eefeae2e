"""``autonoe doctor``: each thing that can be wrong, in words, with the next step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import urllib3

from autonoe.embedded import machine_checks, ports, process_table
from autonoe.embedded.findings import Finding, healthy, ok, problem, show, warning
from autonoe.embedded.generated import SEAL_KEY
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import WILDCARDS, PlatformFile
from autonoe.embedded.starting import running_status
from autonoe.errors import AutonoeError, UnavailableError

__all__ = ["component_state", "examine", "healthy", "sealed", "show"]

_SEAL_KEY_BYTES = 32
_TIMEOUT_S = 3.0


def examine(layout: Layout) -> list[Finding]:
    """Return one finding per check; it changes nothing and needs nothing to run."""
    findings = [
        *machine_checks.components(),
        machine_checks.data_folder(layout),
        machine_checks.disk(layout),
        machine_checks.memory(),
        machine_checks.proxy_variables(),
        machine_checks.clock(layout),
    ]
    if not layout.platform_file.exists():
        return [*findings, ok("platform", f"none was started in {layout.root} yet")]
    if not os.access(layout.secrets, os.R_OK | os.X_OK):
        return findings  # another user's: the finding about the data folder says so
    findings.extend(_secret_files(layout))
    try:
        platform = PlatformFile.load(layout)
    except AutonoeError as error:
        return [*findings, problem("platform", error.message, error.hint)]
    return [*findings, *_running(layout, platform)]


def _secret_files(layout: Layout) -> Iterator[Finding]:
    open_ones = [
        path for path in layout.secrets.rglob("*") if path.is_file() and path.stat().st_mode & 0o077
    ]
    if open_ones:
        yield problem(
            "secret files",
            f"{len(open_ones)} can be read by other users, such as {open_ones[0]}.",
            f"chmod -R go= {layout.secrets}",
        )
    else:
        yield ok("secret files", "readable by you alone")
    key = layout.secret(SEAL_KEY)
    initialised = (layout.component("openbao") / "initialised").exists()
    if initialised and (not key.exists() or key.stat().st_size != _SEAL_KEY_BYTES):
        yield problem(
            "seal key",
            f"{key} is missing or damaged: the secrets store cannot be opened without it.",
            "Restore it from a backup of the data folder; nothing else can open the store.",
        )


def _running(layout: Layout, platform: PlatformFile) -> Iterator[Finding]:
    try:
        status = running_status(layout)
    except UnavailableError as error:
        yield problem("supervisor", error.message, "`autonoe down`, then `autonoe up`.")
        return
    ours = set(process_table.of_platform(layout))
    yield from _ports(platform, ours)
    if status is None:
        if ours:
            yield warning(
                "supervisor",
                f"{len(ours)} processes of the platform run without supervision.",
                "`autonoe up` takes them over; `autonoe down` ends them.",
            )
        else:
            yield ok("supervisor", "not running; `autonoe up` starts the platform")
        return
    yield ok("supervisor", f"runs at {platform.public_url}")
    for row in status["components"]:
        yield component_state(row)
    yield sealed(platform)


def _ports(platform: PlatformFile, ours: set[int]) -> Iterator[Finding]:
    taken = False
    for name, number in {"public": platform.port, **platform.internal_ports}.items():
        host = platform.host if name == "public" and platform.host not in WILDCARDS else "127.0.0.1"
        if ports.is_free(number, host):
            continue
        holder = ports.holder(number)
        if holder is not None and holder.pid in ours:
            continue
        taken = True
        yield problem(
            "ports",
            f"Port {number} ({name}) is taken by {holder or 'a process of another user'}.",
            "`autonoe up --port OTHER`."
            if name == "public"
            else "Stop that process; the platform's data depends on this internal port.",
        )
    if not taken:
        yield ok("ports", "free, or held by the platform")


def component_state(row: dict[str, Any]) -> Finding:
    """Judge one row of the supervisor's report."""
    check = f"state of {row['name']}"
    if row["state"] == "ready" and row["restarts"] < 3:
        return ok(check, "ready")
    if row["state"] == "ready":
        return warning(
            check,
            f"ready, after {row['restarts']} restarts: {row['detail']}.",
            f"See {row['log']}.",
        )
    return problem(
        check, f"{row['state']}: {row['detail'] or 'not ready yet'}.", f"See {row['log']}."
    )


def sealed(platform: PlatformFile) -> Finding:
    """Ask OpenBao whether it can read its own store."""
    check = "secrets store"
    try:
        answer = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S).request(
            "GET", f"{platform.openbao_url}/v1/sys/seal-status"
        )
        state = json.loads(answer.data)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        return problem(check, f"does not answer: {error}", "`autonoe status` shows its log.")
    if state.get("sealed") is False and state.get("initialized"):
        return ok(check, "unsealed")
    return problem(
        check,
        "is sealed: nobody can read a secret or renew a session.",
        "`autonoe down`, then `autonoe up`: it unseals itself with secrets/openbao-seal.key.",
    )
