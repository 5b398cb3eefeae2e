"""The hub in a cluster: with the z2jh chart where a copy is at hand, else through our renderer."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from autonoe.kubernetes.hub_access import hub_access
from autonoe.kubernetes.labels import labels
from support.cluster import RESTRICTED, Cluster
from support.forwarding import Forward
from support.hub_session import Hub
from support.places import REPOSITORY
from support.stack_companions import Companions
from support.z2jh_renderer import merged, render

LAYERS = tuple(
    REPOSITORY / "helm-values" / "hub" / f"{name}.yaml" for name in ("base", "security", "profiles")
)
READY_WITHIN_S = 300
PROXY_PORT = 8000
"""Where the proxy's pods listen."""
SERVICE = "tests"

SCOPES = [
    "admin:users",
    "admin:servers",
    "access:servers",
    "list:users",
    "read:hub",
    "read:metrics",
    "shutdown",
]
"""What the tests may do through the hub's REST API, beside what people do."""

CATALOGUE = {
    "profiles": {
        "small": {
            "title": "Small",
            "description": "What the tests start.",
            "image": "localhost/autonoe/jupyter-python:dev",
            "kernels": ["autonoe-python"],
            "default": True,
            "resources": {
                "cpu": {"default": 0.5, "ceiling": 2},
                "memory_gib": {"default": 0.75, "ceiling": 64},
                "disk_gib": {"default": 1, "ceiling": 5},
                "gpu": {"default": 0, "ceiling": 1},
                "cpu_reserved": 0.2,
            },
            "options": {
                "repository": {"offered": True},
                "environment": {"offered": True},
                "persistent_home": {"offered": True},
            },
        },
        "other": {
            "title": "Other",
            "description": "Another one on the same home.",
            "image": "localhost/autonoe/jupyter-python:dev",
            "resources": {
                "cpu": {"default": 0.4, "ceiling": 1},
                "memory_gib": {"default": 0.6, "ceiling": 1},
                "disk_gib": {"default": 1, "ceiling": 1},
                "cpu_reserved": 0.2,
            },
        },
        "closed": {
            "title": "Closed",
            "description": "Not for everyone.",
            "image": "localhost/autonoe/jupyter-python:dev",
            "groups": ["nobody"],
        },
        "nowhere": {
            "title": "Nowhere",
            "description": "For a kind of machine that there is not.",
            "image": "localhost/autonoe/jupyter-python:dev",
            "node_selector": {"autonoe.dev/no-such-machine": "yes"},
            "resources": {
                "cpu": {"default": 0.2, "ceiling": 1},
                "memory_gib": {"default": 0.5, "ceiling": 1},
                "cpu_reserved": 0.2,
            },
        },
        "short": {
            "title": "Short",
            "description": "Ends by itself.",
            "image": "localhost/autonoe/jupyter-python:dev",
            "resources": {
                "cpu": {"default": 0.4, "ceiling": 1},
                "memory_gib": {"default": 0.6, "ceiling": 1},
                "cpu_reserved": 0.2,
            },
            # 45 s.
            "lifetime": {"total_hours": 0.0125},
        },
    }
}


def chart() -> Path | None:
    """Return the copy of the z2jh chart that ``AUTONOE_Z2JH_CHART`` names, if any."""
    named = os.environ.get("AUTONOE_Z2JH_CHART")
    return Path(named) if named else None


def deploy(
    cluster: Cluster,
    instance: str,
    companions: Companions,
    *,
    values: Mapping[str, Any] | None = None,
    catalogue: Mapping[str, Any] | None = None,
) -> Hub:
    """Deploy hub and proxy of ``instance``, and wait until they answer.

    Parameters
    ----------
    cluster : Cluster
        Its images ``hub``, ``proxy`` and ``jupyter-python`` are imported already, and the tenant
        controller of ``instance`` is there or comes.
    instance : str
        Name of the installation, and of the hub's namespace.
    companions : Companions
        What people log in with, and what their pods use.
    values : mapping, optional
        One more layer, on top of all others.
    catalogue : mapping, optional
        Profiles; default those that the tests start.
    """
    assert companions.login is not None
    token = f"t-{secrets.token_hex(24)}"
    own = labels("hub", instance=instance, component="namespace")
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": instance, "labels": {**own, **RESTRICTED}},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "autonoe-oidc", "namespace": instance},
            "stringData": {"client-secret": companions.login.client_secret},
        },
        *hub_access(instance, instance),
    )
    site = site_values(cluster, instance, companions, token, catalogue or CATALOGUE)
    layers = [*LAYERS, site, *([values] if values else [])]
    if (copy := chart()) is not None:
        _install(cluster, instance, copy, layers)
    else:
        objects = render(merged(layers), release=instance, namespace=instance)
        cluster.apply(*objects)
    wait(cluster, instance)
    forward = Forward(cluster, instance, "proxy-public", PROXY_PORT)
    forward.wait()
    return Hub(cluster, instance, forward, token, companions)


def site_values(
    cluster: Cluster,
    instance: str,
    companions: Companions,
    token: str,
    catalogue: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the layer that a site writes itself: addresses, login, its profiles."""
    assert companions.login is not None
    names = companions.names
    return {
        "custom": {
            "autonoe": {
                "instance": instance,
                "userPrefix": names.user_prefix,
                "projectPrefix": names.project_prefix,
                "projectGroups": ["census"],
                # The machine runs other tests as well.
                "tenantTimeoutS": 180,
                "addresses": {
                    "openbao": companions.openbao_url,
                    "s3": companions.s3_url,
                    "mlflow": companions.mlflow_url,
                },
                "oidc": {
                    "issuerUrl": companions.login.issuer,
                    "clientId": companions.login.client_id,
                    "usernameClaim": "username",
                    "scopes": ["openid", "user", "groups"],
                    "allowedGroups": ["statisticians"],
                },
            }
        },
        "hub": {
            "services": {SERVICE: {"apiToken": token}},
            "loadRoles": {SERVICE: {"scopes": SCOPES, "services": [SERVICE]}},
            "extraFiles": {
                "site": {
                    "mountPath": "/etc/autonoe/site.yaml",
                    "stringData": yaml.safe_dump(
                        {"catalogues": [{"directory": "/etc/autonoe/profiles"}]}
                    ),
                },
                "profiles": {
                    "mountPath": "/etc/autonoe/profiles/tests.yaml",
                    "stringData": yaml.safe_dump(dict(catalogue)),
                },
            },
            "extraEnv": {"AUTONOE_SITE_FILE": "/etc/autonoe/site.yaml"},
            "networkPolicy": {
                "egress": _hub_egress(cluster, names.platform),
            },
        },
        # Every image is on the test node already, and the pause image is not.
        "prePuller": {"continuous": {"enabled": False}},
        # How often a server tells the hub when it was last active, in seconds; else 300.
        "singleuser": {
            "startTimeout": 300,
            "extraEnv": {
                "JUPYTERHUB_ACTIVITY_INTERVAL": "2",
                # The forge of the tests has a certificate of nobody's (support.forge).
                "GIT_SSL_NO_VERIFY": "true",
            },
        },
        "cull": {"timeout": 3600},
    }


def _hub_egress(cluster: Cluster, platform: str) -> list[dict[str, Any]]:
    """Return where the hub may go: people's servers, OpenBao, and the API server's addresses."""
    tenants = {"namespaceSelector": {"matchLabels": {"autonoe.dev/tenant": "user"}}}
    servers = {"podSelector": {"matchLabels": {"component": "singleuser-server"}}}
    named = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": platform}}}
    return [
        {"to": [{**tenants, **servers}], "ports": [{"port": 8888}]},
        {"to": [named], "ports": [{"port": 8200}]},
        *(
            {"to": [{"ipBlock": {"cidr": f"{address}/32"}}], "ports": [{"port": port}]}
            for address, port in cluster.api_servers
        ),
    ]


def _install(
    cluster: Cluster, instance: str, copy: Path, layers: list[Path | Mapping[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, layer in enumerate(layers):
            if isinstance(layer, Path):
                files.append(layer)
                continue
            file = Path(folder) / f"{number}.yaml"
            file.write_text(yaml.safe_dump(dict(layer)))
            files.append(file)
        answer = subprocess.run(
            [
                *(cluster.tool("helm"), "upgrade", "--install", instance, str(copy)),
                *(f"--namespace={instance}", f"--kubeconfig={cluster.kubeconfig}"),
                *(f"--values={file}" for file in files),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_WITHIN_S,
        )
    assert answer.returncode == 0, answer.stderr


def wait(cluster: Cluster, instance: str) -> None:
    """Wait until hub and proxy of ``instance`` are ready."""
    for name in ("proxy", "hub"):
        answer = cluster.kubectl(
            *("rollout", "status", f"deployment/{name}", f"--namespace={instance}"),
            f"--timeout={READY_WITHIN_S}s",
            check=False,
            timeout_s=READY_WITHIN_S + 10,
        )
        assert "successfully rolled out" in answer, f"{answer}\n{cluster.diagnose(instance)}"
