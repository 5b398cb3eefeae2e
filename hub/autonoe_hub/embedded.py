"""The hub of an embedded platform: all that it is told comes from the data folder."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import AutonoeError
from autonoe_hub import brand, oidc, proxy_config
from autonoe_hub.authenticator import LinkAuthenticator, OidcAuthenticator
from autonoe_hub.config import append
from autonoe_hub.profile_list import profile_list
from autonoe_hub.proxy import AutonoeProxy
from autonoe_hub.settings import HubSettings, read_oidc
from autonoe_hub.spawner import AccountSpawner

log = logging.getLogger(__name__)

PLATFORM_SERVICE = "autonoe-platform"
CULLER_SERVICE = "autonoe-culler"

PLATFORM_SCOPES = [
    "admin:services",
    "list:services",
    "read:services",
    "list:users",
    "read:users",
    "read:servers",
    "delete:servers",
    "delete:users",
    "proxy",
]
"""For the supervisor and ``autonoe users``: deployments' routes, ending an account's server."""

CULLER_SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]


def configure(c: Any, layout: Layout, settings: HubSettings) -> None:
    """Fill in ``c`` for the platform whose data folder is ``layout``."""
    platform = PlatformFile.load(layout)
    folder = layout.component("hub")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _hub(c, layout, platform, folder)
    _proxy(c, layout, platform)
    _login(c, layout, platform, folder)
    _servers(c, layout, settings)
    _services(c, layout, settings)


def _hub(c: Any, layout: Layout, platform: PlatformFile, folder: Path) -> None:
    hub = c.JupyterHub
    hub.bind_url = f"http://{proxy_config.bracketed(platform.host)}:{platform.port}/"
    hub.hub_bind_url = f"http://127.0.0.1:{platform.hub_api}"
    hub.db_url = f"sqlite:///{folder / 'hub.sqlite'}"
    hub.upgrade_db = True
    hub.cookie_secret_file = str(layout.secret("hub-cookie-secret"))
    hub.pid_file = ""
    brand.configure(c, profile_list(*layout.site))
    # A hub that is asked to stop takes the servers along (`autonoe down` leaves nothing); one that
    # crashes does not.
    hub.cleanup_servers = True
    hub.cleanup_proxy = False
    hub.last_activity_interval = 60


def _proxy(c: Any, layout: Layout, platform: PlatformFile) -> None:
    c.JupyterHub.proxy_class = AutonoeProxy
    c.Proxy.should_start = False
    traefik = c.TraefikProxy
    traefik.traefik_entrypoint = proxy_config.ENTRYPOINT
    traefik.traefik_api_entrypoint = proxy_config.API_ENTRYPOINT
    traefik.traefik_api_url = f"http://127.0.0.1:{platform.traefik_api}"
    traefik.traefik_api_username = proxy_config.API_USER
    traefik.traefik_api_password = layout.secret("hub-proxy-token").read_text().strip()
    traefik.extra_dynamic_config = {"http": {"middlewares": proxy_config.MIDDLEWARES}}
    c.TraefikFileProviderProxy.dynamic_config_file = str(proxy_config.rules_file(layout))


def _login(c: Any, layout: Layout, platform: PlatformFile, folder: Path) -> None:
    c.LinkAuthenticator.layout = layout
    c.JupyterHub.authenticator_class = LinkAuthenticator
    try:
        settings = read_oidc(layout)
        if settings is None:
            return
        oidc.configure(
            c,
            settings,
            callback_url=f"{platform.public_url}/hub/oauth_callback",
            cache=folder / "oidc-endpoints.json",
        )
    except AutonoeError as error:
        # Links keep working, so whoever has to mend the settings gets in.
        log.error("Login by OIDC is off: %s %s", error.message, error.hint)
        return
    c.JupyterHub.authenticator_class = OidcAuthenticator


def _servers(c: Any, layout: Layout, settings: HubSettings) -> None:
    c.JupyterHub.spawner_class = AccountSpawner
    c.JupyterHub.allow_named_servers = False
    c.AccountSpawner.layout = layout
    c.AccountSpawner.provision_timeout_s = settings.provision_timeout_s
    c.Spawner.start_timeout = settings.start_timeout_s
    c.Spawner.http_timeout = settings.start_timeout_s
    c.Spawner.ip = "127.0.0.1"
    c.LocalProcessSpawner.interrupt_timeout = 5
    c.LocalProcessSpawner.term_timeout = 5


def _services(c: Any, layout: Layout, settings: HubSettings) -> None:
    token = layout.secret("hub-supervisor-token").read_text().strip()
    services: list[dict[str, Any]] = [{"name": PLATFORM_SERVICE, "api_token": token}]
    roles: list[dict[str, Any]] = [
        {"name": PLATFORM_SERVICE, "services": [PLATFORM_SERVICE], "scopes": PLATFORM_SCOPES}
    ]
    if settings.idle_timeout_s:
        every_s = max(1, min(600, settings.idle_timeout_s // 2))
        command = [sys.executable, "-P", "-m", "autonoe_hub.launcher", "culler"]
        limits = [f"--timeout={settings.idle_timeout_s}", f"--cull-every={every_s}"]
        services.append(
            {
                "name": CULLER_SERVICE,
                "command": [*command, *limits],
                "cwd": str(layout.component("hub")),
                "environment": {"AUTONOE_DATA_DIR": str(layout.root)},
            }
        )
        roles.append(
            {"name": CULLER_SERVICE, "services": [CULLER_SERVICE], "scopes": CULLER_SCOPES}
        )
    append(c, "services", services)
    append(c, "load_roles", roles)
