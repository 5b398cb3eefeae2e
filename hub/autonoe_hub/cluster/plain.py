"""What the chart's own ``jupyterhub_config.py`` sets, for a hub that was installed without it.

Same values, same meaning, fewer of them: whatever is not read here is not supported without the
chart. Names of Services are fixed: ``hub``, ``proxy-api``, ``proxy-public``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from autonoe_hub.cluster.values import lookup, values_file

CULLER = "jupyterhub-idle-culler"

CULLER_SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]


def configure(c: Any, values: dict[str, Any]) -> None:
    """Fill in ``c`` from the chart's values.

    Parameters
    ----------
    c : traitlets.config.Config
        The hub's configuration.
    values : dict
        What the hub was installed with.
    """
    secrets = values_file().parent
    _hub(c, values, secrets)
    _servers(c, values)
    c.JupyterHub.services, c.JupyterHub.load_roles = _services(values, secrets)
    # Last, so that it wins, as it does in the chart.
    for section, options in lookup(values, "hub.config", {}).items():
        c[section].update(options)


def _hub(c: Any, values: dict[str, Any], secrets: Path) -> None:
    hub, proxy = c.JupyterHub, c.ConfigurableHTTPProxy
    proxy.api_url = f"http://proxy-api:{os.environ.get('PROXY_API_SERVICE_PORT', 8001)}"
    proxy.should_start = False
    hub.hub_bind_url = "http://:8081"
    hub.hub_connect_url = "http://hub:8081"
    # Servers outlive the hub; that is what makes an upgrade unnoticeable.
    hub.cleanup_servers = False
    hub.last_activity_interval = 60
    hub.tornado_settings = {"slow_spawn_timeout": 0}
    hub.db_url = lookup(values, "hub.db.url", "sqlite:///jupyterhub.sqlite")
    hub.upgrade_db = lookup(values, "hub.db.type", "sqlite-pvc") == "sqlite-pvc"
    if lookup(values, "hub.db.type") == "sqlite-memory":
        hub.db_url = "sqlite://"
    hub.concurrent_spawn_limit = lookup(values, "hub.concurrentSpawnLimit", 64)
    hub.allow_named_servers = lookup(values, "hub.allowNamedServers", False)
    for option, key in (
        ("named_server_limit_per_user", "namedServerLimitPerUser"),
        ("active_server_limit", "activeServerLimit"),
        ("redirect_to_server", "redirectToServer"),
    ):
        if (value := lookup(values, f"hub.{key}")) is not None:
            hub[option] = value
    hub.cookie_secret = bytes.fromhex(_secret(secrets, "hub.config.JupyterHub.cookie_secret"))
    c.CryptKeeper.keys = _secret(secrets, "hub.config.CryptKeeper.keys").split(";")


def _servers(c: Any, values: dict[str, Any]) -> None:
    spawner = c.KubeSpawner
    spawner.namespace = os.environ.get("POD_NAMESPACE", "default")
    spawner.start_timeout = lookup(values, "singleuser.startTimeout", 300)
    spawner.extra_labels = lookup(values, "singleuser.extraLabels", {})
    spawner.node_selector = lookup(values, "singleuser.nodeSelector", {})
    spawner.tolerations = lookup(values, "singleuser.extraTolerations", [])
    for option, key in (("image_pull_policy", "image.pullPolicy"), ("environment", "extraEnv")):
        if (value := lookup(values, f"singleuser.{key}")) is not None:
            spawner[option] = value
    c.Spawner.cmd = lookup(values, "singleuser.cmd", "jupyterhub-singleuser")
    c.Spawner.consecutive_failure_limit = lookup(values, "hub.consecutiveFailureLimit", 5)


def _services(
    values: dict[str, Any], secrets: Path
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    services: list[dict[str, Any]] = []
    roles: list[dict[str, Any]] = []
    cull = lookup(values, "cull", {})
    if cull.get("enabled", True):
        services.append({"name": CULLER, "command": _culler(cull)})
        roles.append({"name": CULLER, "services": [CULLER], "scopes": CULLER_SCOPES})
    for name, service in lookup(values, "hub.services", {}).items():
        given = {key: value for key, value in service.items() if key != "apiToken"}
        token = _secret(secrets, f"hub.services.{name}.apiToken")
        services.append({"name": name, **given, "api_token": token})
    for name, role in lookup(values, "hub.loadRoles", {}).items():
        roles.append({"name": name, **role})
    return services, roles


def _culler(cull: dict[str, Any]) -> list[str]:
    options = {
        "timeout": cull.get("timeout", 3600),
        "cull-every": cull.get("every", 600),
        "concurrency": cull.get("concurrency", 10),
        "max-age": cull.get("maxAge", 0),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterhub_idle_culler",
        "--url=http://localhost:8081/hub/api",
    ]
    return [*command, *(f"--{name}={value}" for name, value in options.items() if value)]


def _secret(secrets: Path, key: str) -> str:
    return (secrets / key).read_text(encoding="utf-8").strip()
