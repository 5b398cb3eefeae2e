"""A hub whose people choose among profiles: as on a cluster, or as on one machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import requests
import yaml

from autonoe.profiles.sources import builtin_folder
from support.hub_stack import HubStack, xsrf

AS_ON_A_CLUSTER = """
import json
import os
from pathlib import Path

from autonoe_hub.config import configure
from autonoe_hub.spawner import AccountSpawner


class FormOfACluster(AccountSpawner):
    '''Offers images and amounts; the server itself is a process.'''

    mode = "kubernetes"

    async def free_nodes(self):
        return json.loads(Path(os.environ["AUTONOE_DATA_DIR"], "nodes.json").read_text())


configure(get_config())
c.JupyterHub.spawner_class = FormOfACluster
"""

GIB = 2**30


def node(name: str, cpu: float, memory_gib: float, gpu: int = 0, **more: Any) -> dict[str, Any]:
    """Return a machine of which a quarter is free, and one GPU."""
    total = {"cpu_millis": cpu * 1000, "memory_bytes": memory_gib * GIB, "gpu": gpu}
    free = {
        "cpu_millis": cpu * 250,
        "memory_bytes": memory_gib * GIB / 4,
        "gpu": min(gpu, 1),
    }
    labels = {"nvidia.com/gpu.present": "true"} if gpu else {}
    taints = [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}] if gpu else []
    found = {"name": name, "labels": labels, "taints": taints, "allocatable": total, "free": free}
    return {**found, **more}


def catalogue(folder: Path, *, runs_on: tuple[str, ...] = ("kubernetes",), **groups: Any) -> None:
    """Write the built-in catalogue to ``folder`` for these platforms.

    ``groups`` are lists by profile name, with an underscore for a hyphen.
    """
    folder.mkdir(exist_ok=True)
    for file in builtin_folder().glob("*.yaml"):
        document = yaml.safe_load(file.read_text())
        for name, profile in document.get("profiles", {}).items():
            profile["runs_on"] = list(runs_on)
            if name.replace("-", "_") in groups:
                profile["groups"] = groups[name.replace("-", "_")]
        (folder / file.name).write_text(yaml.safe_dump(document, allow_unicode=True))
    shutil.copytree(builtin_folder() / "pictures", folder / "pictures", dirs_exist_ok=True)


class ProfileHub(HubStack):
    """A hub with a catalogue of its own; ``cluster`` shows the form as a cluster does."""

    def __init__(self, root: Path, *, cluster: bool = False, **variables: str) -> None:
        super().__init__(root, **variables)
        self.cluster = cluster

    def site(self, **settings: Any) -> None:
        """Write the site's settings."""
        (self.layout.root / "site.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True))

    def nodes(self, *nodes: dict[str, Any]) -> None:
        """Write the counts of machines."""
        (self.layout.root / "nodes.json").write_text(json.dumps(nodes))

    def config_file(self) -> Path:
        """Return the hub's configuration file."""
        if not self.cluster:
            return super().config_file()
        file = self.layout.root / "as_on_a_cluster.py"
        file.write_text(AS_ON_A_CLUSTER)
        return file

    def start_by_api(self, name: str, options: Any) -> requests.Response:
        """Ask the hub's API for a server of ``name`` as that person would."""
        session = self.login(name)
        return session.post(
            f"{self.url}/hub/api/users/{name}/server",
            json=options,
            headers={"X-XSRFToken": xsrf(session, "/hub/"), "Sec-Fetch-Mode": "cors"},
            timeout=60,
        )
