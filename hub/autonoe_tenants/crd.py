"""The definition of the kind Tenant, checked by the API server itself."""

from __future__ import annotations

from autonoe.kubernetes.labels import GROUP, labels
from autonoe.tenants.common import Object

VERSION = "v1alpha1"
PLURAL = "tenants"
FINALIZER = f"{GROUP}/tenant"
"""Keeps a Tenant object until what it stands for is gone."""

_NAMES: Object = {
    "type": "array",
    "maxItems": 500,
    "items": {"type": "string", "minLength": 1, "maxLength": 255},
    "x-kubernetes-list-type": "set",
}
_AMOUNT: Object = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)?([a-zA-Z]i?)?$",
    "maxLength": 20,
}
_FIXED = "cannot be changed: remove this tenant and make another one"


def definition(instance: str) -> Object:
    """Return the CustomResourceDefinition; several installations on one cluster share it."""
    columns = [
        ("Kind", ".spec.kind"),
        ("Owner", ".spec.owner"),
        ("Namespace", ".status.namespace"),
        ("Phase", ".status.phase"),
        ("Message", ".status.message"),
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{PLURAL}.{GROUP}",
            "labels": labels("tenants", instance=instance, component="tenants"),
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "plural": PLURAL,
                "singular": "tenant",
                "kind": "Tenant",
                "listKind": "TenantList",
                "categories": ["autonoe"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _schema()},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": "string", "jsonPath": path} for name, path in columns
                    ],
                }
            ],
        },
    }


def _schema() -> Object:
    return {
        "type": "object",
        "description": "A person or a project that gets a namespace of its own.",
        "required": ["spec"],
        "properties": {"spec": _spec(), "status": _status()},
    }


def _spec() -> Object:
    return {
        "type": "object",
        "required": ["kind", "owner"],
        # A tenant that changed hands would hand its volumes over too.
        "x-kubernetes-validations": [
            {"rule": f"self.{field} == oldSelf.{field}", "message": f"{field} {_FIXED}"}
            for field in ("kind", "owner")
        ],
        "properties": {
            "kind": {"type": "string", "enum": ["user", "project"]},
            "owner": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "description": "Name of the person or project.",
            },
            "mail": {"type": "string", "maxLength": 320},
            "groups": {**_NAMES, "description": "Projects that the person is a member of."},
            "members": {**_NAMES, "description": "People who work in the project's namespace."},
            "quota": {
                "type": "object",
                "description": "Shares of the cluster; what is left out has the default.",
                "properties": dict.fromkeys(("cpu", "memory", "gpu", "storage", "pods"), _AMOUNT),
            },
            "removeAfter": {
                "type": "string",
                "format": "date-time",
                "nullable": True,
                "description": "Remove everything after this time; null takes it back.",
            },
        },
    }


def _status() -> Object:
    text: Object = {"type": "string"}
    return {
        "type": "object",
        "properties": {
            "phase": {**text, "enum": ["Pending", "Ready", "Removing", "Refused"]},
            "namespace": text,
            "message": text,
            "observedGeneration": {"type": "integer", "format": "int64"},
            "enrolled": {"type": "boolean"},
            "removalRequestedAt": {**text, "format": "date-time", "nullable": True},
            "removalDueAt": {**text, "format": "date-time", "nullable": True},
        },
    }
