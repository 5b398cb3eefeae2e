"""JupyterHub's configuration, as functions that a test can call.

Three places run it. The embedded platform names its data folder in ``AUTONOE_DATA_DIR``; there
everything is set. A hub on a cluster finds ``custom.autonoe`` in the values that it was installed
with, or ``AUTONOE_HUB_MODE=kubernetes``; what the z2jh chart configured before stays, roles and
services included. In any other hub only what is the same everywhere is set.
"""

from __future__ import annotations

import os
from typing import Any

import jupyterhub.log
from traitlets.config.loader import LazyConfigValue

from autonoe.embedded.layout import Layout, default_data_dir
from autonoe_hub import oidc
from autonoe_hub.cluster.settings import read_settings
from autonoe_hub.cluster.values import read_values
from autonoe_hub.scrub import LOGGING_CONFIG
from autonoe_hub.settings import HubSettings, read_oidc

HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


def configure(c: Any, layout: Layout | None = None) -> None:
    """Fill in ``c``, the configuration object of a hub.

    Parameters
    ----------
    c : traitlets.config.Config
        From ``get_config()``.
    layout : Layout, optional
        Data folder of an embedded platform; default that of ``AUTONOE_DATA_DIR``, if set.
    """
    if layout is None and os.environ.get("AUTONOE_DATA_DIR"):
        layout = Layout(default_data_dir())
    everywhere(c)
    values = {} if layout is not None else read_values()
    if (cluster_settings := read_settings(values)) is not None:
        # Nothing below may be imported on a laptop, which need not have KubeSpawner.
        from autonoe_hub.cluster import config as cluster

        cluster.configure(c, cluster_settings, values)
    elif layout is not None:
        # Nothing below may be imported under the chart, whose image holds no traefik and no data
        # folder.
        from autonoe_hub import embedded

        embedded.configure(c, layout, HubSettings())
    elif (settings := read_oidc(None)) is not None:
        oidc.configure(c, settings)


def everywhere(c: Any) -> None:
    """Set what holds for each hub of ours."""
    if "ticket" not in jupyterhub.log.SCRUB_PARAM_KEYS:
        jupyterhub.log.SCRUB_PARAM_KEYS = (*jupyterhub.log.SCRUB_PARAM_KEYS, "ticket")
    c.JupyterHub.logging_config = {**LOGGING_CONFIG, **_present(c, "logging_config", {})}
    if not c.Spawner.get("default_url"):
        c.Spawner.default_url = "/lab"
    settings = dict(_present(c, "tornado_settings", {}))
    settings["headers"] = {**HEADERS, **settings.get("headers", {})}
    c.JupyterHub.tornado_settings = settings


def append(c: Any, option: str, entries: list[dict[str, Any]]) -> None:
    """Add ``entries`` to a list option of ``c.JupyterHub``: what the chart put there stays."""
    c.JupyterHub[option] = [*_present(c, option, []), *entries]


def _present(c: Any, option: str, empty: Any) -> Any:
    """Return what an option holds so far; ``c.X.y.append(…)`` on an unset one leaves a promise."""
    value = c.JupyterHub.get(option, empty)
    return value.get_value(empty) if isinstance(value, LazyConfigValue) else value
