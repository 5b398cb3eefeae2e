"""Introduce OpenBao to the cluster and to the services whose keys it keeps: once, after it is open.

It can be repeated: what is in place changes nothing. The administrator's token comes from the
environment, is used here and nowhere kept.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Literal

from autonoe.errors import NotFoundError
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.cluster import service_keys_path
from autonoe.identity.cluster_openbao import ClusterIdentity, openbao_requests
from autonoe.identity.openbao_requests import apply_requests
from autonoe.kubernetes.client import Cluster
from autonoe.platform.site import Site

_Service = Literal["s3", "mlflow"]
_KEYS: dict[_Service, tuple[str, dict[str, str]]] = {
    "s3": (
        "object-store",
        {"access_key": "platform-access-key", "secret_key": "platform-secret-key"},
    ),
    "mlflow": ("mlflow-admin", {"username": "username", "password": "password"}),
}
"""Service to the Secret with its administrator's keys, and which of its entries they are."""


def identity(
    site: Site,
    openbao_url: str,
    prefixes: tuple[str, str],
    *,
    kubernetes_host: str = "",
    kubernetes_ca: str = "",
) -> ClusterIdentity:
    """Return what OpenBao has to know about this installation.

    Parameters
    ----------
    site : Site
        Its names.
    openbao_url : str
        Address of OpenBao within the cluster.
    prefixes : tuple of str
        With which the namespaces of people and of projects begin.
    kubernetes_host, kubernetes_ca : str
        Address of the API server and its authority's certificate (PEM), for an OpenBao or Vault
        outside of this cluster; one inside finds both in its own pod.
    """
    known = ClusterIdentity(openbao_url)
    if kubernetes_host:
        known = replace(
            known,
            kubernetes_host=kubernetes_host,
            kubernetes_config={"kubernetes_ca_cert": kubernetes_ca, "disable_local_ca_jwt": True},
        )
    return replace(
        known,
        tenant_namespaces=tuple(f"{prefix}*" for prefix in prefixes),
        controller_namespace=f"{site.instance}-tenants",
        platform_namespace=f"{site.instance}-platform",
    )


def connect(client: OpenBaoClient, cluster: Cluster, known: ClusterIdentity) -> tuple[str, ...]:
    """Write OpenBao's settings, and the keys of the services that this platform installed.

    Parameters
    ----------
    client : OpenBaoClient
        With an administrator's token.
    cluster : Cluster
        Where the services' Secrets are.
    known : ClusterIdentity
        Of :func:`identity`.

    Returns
    -------
    tuple of str
        The services whose keys were written.

    Raises
    ------
    ForbiddenError
        If the token has too few rights.
    UnavailableError
        If OpenBao does not answer, or is sealed.
    """
    apply_requests(client, openbao_requests(known))
    written = []
    for service, (secret, names) in _KEYS.items():
        try:
            data = cluster.get("Secret", secret, known.platform_namespace)["data"]
        except NotFoundError:
            continue  # the site brings its own, and its operator writes the keys
        keys = {key: base64.b64decode(data[name]).decode() for key, name in names.items()}
        client.write(service_keys_path(service), {"data": keys})
        written.append(service)
    return tuple(written)
