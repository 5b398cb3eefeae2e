"""What stops a server, or keeps it from starting, and what the person is told."""

from __future__ import annotations

import os
import re

from autonoe.waiting import wait_until
from hub.conftest import running
from support.hub_stack import OWNER, START_S, HubStack, xsrf
from support.kernels import start_kernel


def servers_of(hub: HubStack, name: str = OWNER) -> object:
    return hub.api("GET", f"users/{name}").json()["servers"]


def test_a_server_without_activity_is_stopped_and_its_kernel_with_it() -> None:
    with running(AUTONOE_HUB_IDLE_TIMEOUT_S="20") as hub:
        session = hub.login()
        server = hub.open_server(session)
        start_kernel(session, server, xsrf(session, f"/user/{OWNER}/"))
        process = hub.server_process()
        below = process.children(recursive=True)
        assert below
        wait_until(lambda: not servers_of(hub), timeout_s=START_S, what="the culler")
        wait_until(
            lambda: not any(p.is_running() for p in [process, *below]),
            timeout_s=30,
            what="the processes to end",
        )


def test_who_cannot_get_a_server_is_told_why_and_what_next(own_hub: HubStack) -> None:
    own_hub.record("ana")
    # As root: her UID cannot reach her home. Otherwise: there is no UID for her at all.
    own_hub.layout.root.chmod(0o700)
    session = own_hub.login("ana")
    reason = "cannot use" if os.geteuid() == 0 else "needs a UID of its own"

    def answer() -> str:
        """Return the page that says why; "" while the start is still going on."""
        page = session.get(f"{own_hub.url}/hub/spawn", timeout=60).text
        return re.sub(r"\s+", " ", page) if reason in re.sub(r"\s+", " ", page) else ""

    text = wait_until(answer, timeout_s=START_S, what="the start to fail")
    if os.geteuid() == 0:
        assert "/opt/autonoe" in text
    assert "Traceback" not in text
    assert "Traceback" not in own_hub.log("hub")
    assert servers_of(own_hub, "ana") == {}
