"""The configuration of a hub on a cluster, on top of the chart's or, without it, of ``plain``."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from autonoe.errors import InvalidInputError
from autonoe_hub import brand, oidc
from autonoe_hub.cluster import plain
from autonoe_hub.cluster.login import TenantAuthenticator
from autonoe_hub.cluster.places import site_files, writable
from autonoe_hub.cluster.settings import ClusterSettings, OidcValues
from autonoe_hub.cluster.spawner import TenantSpawner
from autonoe_hub.profile_list import profile_list
from autonoe_hub.settings import OidcSettings


def configure(c: Any, settings: ClusterSettings, values: dict[str, Any]) -> None:
    """Fill in ``c`` for a hub on a cluster.

    Parameters
    ----------
    c : traitlets.config.Config
        The hub's configuration; the chart's own comes first.
    settings : ClusterSettings
        What stands under ``custom.autonoe``.
    values : dict
        All values, for a hub that the chart did not configure.
    """
    if "api_url" not in c.ConfigurableHTTPProxy:
        plain.configure(c, values)
    namespace = os.environ.get("POD_NAMESPACE", "default")
    hub = c.JupyterHub
    hub.spawner_class = TenantSpawner
    # Pods of tenants are in other namespaces, where the hub's short name does not resolve.
    hub.hub_connect_url = _full_address(hub.hub_connect_url, namespace, settings.cluster_domain)
    # The chart's 0 answers before a start is refused, so that a script is told "accepted".
    given = hub.get("tornado_settings")
    hub.tornado_settings = {**(given if isinstance(given, dict) else {}), "slow_spawn_timeout": 1}
    c.TenantSpawner.cluster = settings
    brand.configure(c, profile_list(*site_files()))
    # One namespace per person, made by the tenant controller; True would make KubeSpawner ask for
    # the right to make namespaces and to see every pod of the cluster.
    c.KubeSpawner.enable_user_namespaces = False
    c.KubeSpawner.storage_pvc_ensure = False
    # Our own progress reads the events of one pod while somebody waits for it.
    c.KubeSpawner.events_enabled = False
    # A slow API server took the pod and answered late: at 3 s KubeSpawner asks again, is told that
    # the pod is there, and ends what was just started.
    c.KubeSpawner.k8s_api_request_timeout = 10
    c.KubeSpawner.k8s_api_request_retry_timeout = 60
    # One watch per namespace: a full list each 10 s, as is the default, is 100 a second for 1,000.
    c.ResourceReflector.timeout_seconds = 60
    c.ResourceReflector.restart_seconds = 60
    c.ResourceReflector.request_timeout = 75
    if settings.oidc is not None:
        _login(c, settings, settings.oidc, namespace)


def _full_address(url: str, namespace: str, domain: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or "hub"
    if "." not in host:
        host = f"{host}.{namespace}.svc.{domain}"
    return f"{parts.scheme}://{host}:{parts.port or 8081}"


def _login(c: Any, settings: ClusterSettings, values: OidcValues, namespace: str) -> None:
    try:
        secret = values.client_secret_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidInputError(
            f"The client secret for login is not at {values.client_secret_file}.",
            hint="Mount the Secret there with hub.extraVolumes, or name its place in "
            "custom.autonoe.oidc.clientSecretFile.",
        ) from error
    oidc.configure(
        c,
        OidcSettings(
            client_secret=SecretStr(secret),
            **values.model_dump(exclude={"client_secret_file", "mail_claim", "ignored_groups"}),
        ),
        cache=writable("oidc-endpoints.json"),
    )
    c.JupyterHub.authenticator_class = TenantAuthenticator
    c.TenantAuthenticator.cluster = settings
    c.TenantAuthenticator.mail_claim = values.mail_claim
    c.TenantAuthenticator.ignored_groups = set(values.ignored_groups)
    c.TenantAuthenticator.hub_namespace = namespace
