"""All objects of one tenant, in the order in which they are applied."""

from __future__ import annotations

from autonoe.tenants.access import namespace, role_bindings, service_accounts
from autonoe.tenants.common import Object
from autonoe.tenants.limits import limit_range, resource_quotas
from autonoe.tenants.network import network_policies
from autonoe.tenants.spec import TenantSpec
from autonoe.tenants.tenancy import Tenancy


def manifests(spec: TenantSpec, tenancy: Tenancy) -> list[Object]:
    """Return everything that the namespace of ``spec`` holds, the namespace itself first.

    Walls come before doors: whoever is let in by the RoleBindings at the end meets policies,
    quotas and Pod Security that stand already.
    """
    return [
        namespace(spec, tenancy),
        *network_policies(spec, tenancy),
        *resource_quotas(spec, tenancy),
        limit_range(spec, tenancy),
        *service_accounts(spec, tenancy),
        *role_bindings(spec, tenancy),
    ]
