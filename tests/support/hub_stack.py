"""A hub and its proxy as real processes, while object store and secrets store are down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import requests

from autonoe.accounts import Account
from autonoe.embedded import generated, links, secret_makers
from autonoe.embedded.files import write_json
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.ports import choose
from autonoe.names import normalise_name, slug
from autonoe.waiting import wait_until

OWNER = "owner"
START_S = 120
"""Generous: the machine may be busy with other tests."""


class HubStack:
    """One data folder with traefik and the hub running on it."""

    def __init__(self, root: Path, **variables: str) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.platform = PlatformFile.create(host="127.0.0.1", port=choose(1)[0], owner=OWNER)
        self.platform.save(self.layout)
        secret_makers.ensure(self.layout)
        self.env = {**os.environ, "AUTONOE_DATA_DIR": str(root), **variables}
        self.proxy: subprocess.Popen[bytes] | None = None
        self.hub: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Public address without a slash at the end."""
        return self.platform.public_url

    def start(self) -> HubStack:
        """Start the proxy, then the hub, and wait until it answers."""
        self.start_proxy()
        self.start_hub()
        return self

    def start_proxy(self) -> None:
        """Write traefik's settings and start it, as the supervisor does."""
        subprocess.run(self._launcher("proxy-config"), env=self.env, check=True, timeout=60)
        settings = self.layout.component("traefik") / "traefik.toml"
        traefik = Path(sys.executable).with_name("traefik")
        self.proxy = self._run([str(traefik), f"--configfile={settings}"], "traefik")

    def start_hub(self) -> None:
        """Start the hub and wait until it answers through the proxy."""
        self.hub = self._run(self._launcher("hub", "-f", str(self.config_file())), "hub")
        wait_until(self._healthy, timeout_s=START_S, what="the hub", ignoring=(OSError,))

    def config_file(self) -> Path:
        """Return the hub's configuration file."""
        import autonoe_hub

        return Path(autonoe_hub.__file__).with_name("jupyterhub_config.py")

    def _healthy(self) -> bool:
        assert self.hub is not None
        assert self.hub.poll() is None, self.log("hub")[-4000:]
        return requests.get(f"{self.url}/hub/health", timeout=5).status_code == 200

    def _launcher(self, *args: str) -> list[str]:
        return [sys.executable, "-P", "-m", "autonoe_hub.launcher", *args]

    def _run(self, argv: list[str], name: str) -> subprocess.Popen[bytes]:
        with self.layout.log(name).open("ab") as log:
            return subprocess.Popen(
                argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def log(self, name: str) -> str:
        """Return what a component wrote so far."""
        return self.layout.log(name).read_text(errors="replace")

    def kill_hub(self) -> None:
        """End the hub as a crash would: at once, and without a word to what it started."""
        assert self.hub is not None
        self.hub.kill()
        self.hub.wait(timeout=10)

    def stop(self) -> list[psutil.Process]:
        """End the hub politely, then the proxy; return the processes that are left."""
        for process in (self.hub, self.proxy):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(timeout=10)
        return self.processes()

    def processes(self) -> list[psutil.Process]:
        """Return the processes that run for this folder."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("AUTONOE_DATA_DIR") == str(self.layout.root)
                if ours and process.pid != os.getpid():
                    found.append(process)
            except psutil.Error:
                continue
        return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    def record(self, name: str) -> str:
        """Make an account that can log in, as ``autonoe users add`` would record it."""
        account = Account(normalise_name(name), slug(name), None, None, (), "")
        folder = self.layout.account(name)
        folder.mkdir(exist_ok=True)
        write_json(folder / "account.json", asdict(account))
        return account.name

    def ticket(self, account: str = OWNER, **options: Any) -> str:
        """Return a new one-time ticket."""
        return links.mint(self.layout, account, **options)

    def session(self) -> requests.Session:
        """Return a browser without cookies."""
        session = requests.Session()
        session.headers["Sec-Fetch-Mode"] = "navigate"
        return session

    def login(self, account: str = OWNER) -> requests.Session:
        """Return a browser in which ``account`` is signed in; no server is started."""
        session = self.session()
        answer = session.get(
            f"{self.url}/hub/link",
            params={"ticket": self.ticket(account), "next": "/hub/home"},
            timeout=30,
        )
        assert answer.url == f"{self.url}/hub/home", (answer.status_code, answer.url)
        return session

    def open_server(self, session: requests.Session, name: str = OWNER) -> str:
        """Start the account's server in this browser, and return its address when it answers."""
        answer = session.get(f"{self.url}/hub/spawn/{name}", timeout=60)
        home = f"{self.url}/user/{name}/"
        deadline = time.monotonic() + START_S
        while not answer.url.startswith(home) and time.monotonic() < deadline:
            assert answer.status_code < 400, answer.text
            time.sleep(0.2)
            answer = session.get(f"{self.url}/hub/spawn-pending/{name}", timeout=60)
        assert answer.url.startswith(home), (answer.url, self.log("hub")[-3000:])
        assert answer.status_code == 200
        return home

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call the hub's API as the platform's service."""
        token = generated.read(self.layout, generated.HUB_SUPERVISOR_TOKEN)
        return requests.request(
            method,
            f"{self.platform.hub_api_url}/{path}",
            headers={"Authorization": f"token {token}"},
            timeout=30,
            **options,
        )

    def server_process(self, name: str = OWNER) -> psutil.Process:
        """Return the process of the account's server."""
        prefix = f"/user/{name}/"
        for process in self.processes():
            if process.environ().get("JUPYTERHUB_SERVICE_PREFIX") == prefix:
                parent = process.parent()
                if parent is None or "singleuser" not in " ".join(parent.cmdline()):
                    return process
        raise AssertionError(f"No server of {name} runs")


def xsrf(session: requests.Session, path: str) -> str:
    """Return the token that a page below ``path`` would send back."""
    for cookie in session.cookies:
        if cookie.name == "_xsrf" and cookie.path == path:
            return str(cookie.value)
    raise AssertionError(f"no _xsrf cookie for {path}: {json.dumps(session.cookies.get_dict())}")
