"""What every object of a tenant's namespace has in common."""

from __future__ import annotations

from typing import Any

from autonoe.kubernetes.labels import labels, owned_by
from autonoe.tenants.spec import TenantSpec
from autonoe.tenants.tenancy import Tenancy

Object = dict[str, Any]

COMPONENT = "tenant"
"""Component of everything that the controller keeps in a tenant's namespace."""


def tenant_labels(name: str, spec: TenantSpec, tenancy: Tenancy) -> dict[str, str]:
    """Return the labels of an object of ``spec``'s namespace that the controller keeps."""
    return labels(
        name,
        instance=tenancy.instance,
        component=COMPONENT,
        tenant=spec.kind,
        owner=spec.owner,
    )


def metadata(name: str, spec: TenantSpec, tenancy: Tenancy) -> Object:
    """Return the metadata of an object in the tenant's namespace."""
    return {
        "name": name,
        "namespace": tenancy.namespace(spec),
        "labels": tenant_labels(name, spec, tenancy),
        "annotations": owned_by(spec.owner),
    }
