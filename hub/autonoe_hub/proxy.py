"""The hub's side of traefik: routes in a file, and a sandbox around the pages of deployments."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy
from traitlets import default

from autonoe_hub.proxy_config import SANDBOX_MIDDLEWARE


class AutonoeProxy(TraefikFileProviderProxy):  # type: ignore[misc]  # the base publishes no types
    """traefik with a file of routes, started and restarted by the platform's supervisor."""

    @default("dynamic_config")
    def _load_dynamic_config(self) -> Any:
        # A machine that lost power can leave half a file, and the hub would fail at every start.
        # The routes are then rebuilt from the hub's database.
        path = Path(self.dynamic_config_file)
        try:
            tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except ValueError:
            self.log.warning("The file of routes cannot be read; writing it again: %s", path)
            path.unlink()
        return super()._load_dynamic_config()

    def _dynamic_config_for_route(
        self, routespec: str, target: str, data: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        traefik, hub = super()._dynamic_config_for_route(routespec, target, data)
        if routespec.startswith("/services/"):
            for router in traefik["http"]["routers"].values():
                router["middlewares"] = [SANDBOX_MIDDLEWARE]
        return traefik, hub
