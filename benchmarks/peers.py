"""The stock tools that stand for "without Autonoe": a plain hub, a plain Lab, a plain MLflow."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autonoe.embedded import ports
from benchmarks.processes import family, server, wait_for_page

HUB_CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{public}/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.proxy_class = "traefik_file"
c.TraefikProxy.traefik_api_url = "http://127.0.0.1:{api}"
c.TraefikProxy.traefik_api_username = "api"
c.TraefikProxy.traefik_api_password = "{password}"
c.TraefikFileProviderProxy.static_config_file = "{folder}/traefik.toml"
c.TraefikFileProviderProxy.dynamic_config_file = "{folder}/rules.toml"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
"""
BIN = Path(sys.executable).parent


class PlainHub:
    """JupyterHub with SimpleLocalProcessSpawner, SQLite and a traefik that it starts itself."""

    name = "JupyterHub, simple spawner, SQLite"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        public, hub, api = ports.choose(3)
        self.url = f"http://127.0.0.1:{public}/hub/login"
        text = HUB_CONFIG.format(
            public=public, hub=hub, api=api, folder=folder, password="bench" * 4
        )
        (folder / "config.py").write_text(text, encoding="utf-8")

    @contextmanager
    def running(self) -> Iterator[tuple[float, list[int]]]:
        """Start it; yield the seconds until the login page answered, and its processes."""
        path = {"PATH": f"{BIN}:/usr/bin:/bin"}
        begun = time.monotonic()
        with server([str(BIN / "jupyterhub"), "-f", "config.py"], self.folder, path) as process:
            wait_for_page(self.url)
            yield time.monotonic() - begun, family(process.pid)


class PlainLab:
    """``jupyter lab`` as a person starts it, with its own settings folder."""

    name = "jupyter lab"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = ports.choose(1)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Start it and yield its address at once, without waiting for an answer."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        token = "bench" * 8
        command = [str(BIN / "jupyter"), "lab", "--no-browser", "--allow-root"]
        command += [f"--port={self.port}", "--ServerApp.port_retries=0"]
        with server(command, home, {"HOME": str(home), "JUPYTER_TOKEN": token}):
            yield f"http://127.0.0.1:{self.port}/lab?token={token}"


class PlainMlflow:
    """``mlflow server`` with its defaults on SQLite."""

    name = "mlflow server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = ports.choose(1)

    @contextmanager
    def running(self) -> Iterator[list[int]]:
        """Start it and yield its processes when it answers."""
        command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.sqlite"]
        with server(command, self.folder, {"PATH": f"{BIN}:/usr/bin:/bin"}) as process:
            wait_for_page(f"http://127.0.0.1:{self.port}/health")
            yield family(process.pid)
