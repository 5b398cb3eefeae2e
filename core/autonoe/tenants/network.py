"""Who may talk to a tenant's pods, and whom they may talk to. Everything else is refused.

Pods can give themselves any label, so no rule here lets a pod of another namespace in or out by
its labels alone: a namespace is always named with them. Both directions and all fields are
written out, also the empty ones, so that an added rule is seen as a difference and removed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from autonoe.kubernetes.labels import EXPOSED
from autonoe.tenants.common import Object, metadata
from autonoe.tenants.spec import TenantSpec
from autonoe.tenants.tenancy import METADATA, PRIVATE, PUBLIC6, TUNNEL6, Peer, Tenancy


def network_policies(spec: TenantSpec, tenancy: Tenancy) -> list[Object]:
    """Return the policies of one namespace; they add up."""
    inside: Object = {"podSelector": {}}
    hub = _pods(tenancy.hub_namespace, tenancy.notebook_labels)

    def policy(name: str, pods: Object | None = None, **rules: list[Object]) -> Object:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(name, spec, tenancy),
            "spec": {
                "podSelector": pods or {},
                "policyTypes": [kind.capitalize() for kind in rules],
                **rules,
            },
        }

    return [
        policy("default-deny", ingress=[], egress=[]),
        policy("same-namespace", ingress=[{"from": [inside]}], egress=[{"to": [inside]}]),
        policy("dns", egress=[dns_rule(tenancy.dns)]),
        policy("notebook", ingress=[{"from": [hub], "ports": _ports(tenancy.notebook_port)}]),
        policy(
            "deployments",
            {"matchLabels": {EXPOSED: "true"}},
            ingress=[{"from": [hub], "ports": _ports(tenancy.serving_port)}],
        ),
        policy("platform", egress=_platform(tenancy)),
        policy("internet", egress=_internet(tenancy) if tenancy.internet else []),
        *(
            policy(
                f"from-{peer.name}",
                {"matchLabels": dict(peer.to)} if peer.to else None,
                ingress=[{"from": [_peer(peer)], **_on(peer)}],
            )
            for peer in tenancy.reached_by
        ),
    ]


def _platform(tenancy: Tenancy) -> list[Object]:
    hub = _pods(tenancy.hub_namespace, tenancy.hub_labels)
    rules = [{"to": [hub], "ports": _ports(tenancy.hub_port)}]
    return [*rules, *api_rules(tenancy), *(out(peer) for peer in tenancy.reaches)]


def api_rules(tenancy: Tenancy) -> list[Object]:
    """Return the way out to the API server, by its real addresses."""
    rules: list[Object] = []
    for server in tenancy.api_servers:
        address, _, port = server.rpartition(":")
        host = ipaddress.ip_address(address.strip("[]"))
        block = {"ipBlock": {"cidr": f"{host}/{host.max_prefixlen}"}}
        rules.append({"to": [block], "ports": _ports(int(port))})
    return rules


def out(peer: Peer) -> Object:
    """Return the way out to ``peer``."""
    return {"to": [_peer(peer)], **_on(peer)}


def dns_rule(peer: Peer) -> Object:
    """Return the way out to who answers names."""
    return {
        "to": [_peer(peer)],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }


def _internet(tenancy: Tenancy) -> list[Object]:
    """Return the way out: all public addresses, without those of clusters, machines and clouds."""
    extra = [ipaddress.ip_network(cidr) for cidr in tenancy.internet_except]
    closed4 = [*PRIVATE, *METADATA, "127.0.0.0/8", "0.0.0.0/8"]
    closed4 += [str(network) for network in extra if network.version == 4]
    closed6 = [*TUNNEL6, *(str(network) for network in extra if network.version == 6)]
    return [
        {
            "to": [
                {"ipBlock": {"cidr": "0.0.0.0/0", "except": closed4}},
                {"ipBlock": {"cidr": PUBLIC6, "except": closed6}},
            ]
        }
    ]


def _peer(peer: Peer) -> Object:
    if peer.cidr:
        return {"ipBlock": {"cidr": peer.cidr}}
    return _pods(peer.namespace, peer.labels)


def _pods(namespace: str, labels: dict[str, str]) -> Object:
    """Return pods of one namespace. Its name is a label that the API server itself sets."""
    found: Object = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    }
    if labels:
        found["podSelector"] = {"matchLabels": dict(labels)}
    return found


def _on(peer: Peer) -> Object:
    return {"ports": _ports(*peer.ports)} if peer.ports else {}


def _ports(*ports: int) -> list[Object]:
    return [{"protocol": "TCP", "port": port} for port in _unique(ports)]


def _unique(ports: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(ports))
