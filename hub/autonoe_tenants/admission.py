"""Rules that the API server itself enforces, for what RBAC and Pod Security cannot say.

Both are ValidatingAdmissionPolicies: expressions inside the API server, no webhook that could be
down. One bounds tenants, the other bounds the controller, whose rights RBAC can only give for all
namespaces at once.
"""

from __future__ import annotations

import json

from autonoe.kubernetes.labels import COMPONENT, INSTANCE, labels
from autonoe.tenants import common
from autonoe.tenants.common import Object
from autonoe.tenants.tenancy import Tenancy

API = "admissionregistration.k8s.io/v1"


def policies(tenancy: Tenancy, *, account: str) -> list[Object]:
    """Return both policies and their bindings.

    Parameters
    ----------
    tenancy : Tenancy
        The installation.
    account : str
        The controller's ServiceAccount, in its namespace.
    """
    return [
        *_pair(tenancy, "tenants", _tenants(tenancy)),
        *_pair(tenancy, "tenants-controller", _controller(tenancy, account)),
    ]


def _bounds(tenancy: Tenancy) -> list[tuple[str, str, str]]:
    """Return what holds for tenants: the resource, what must be true of it, and why."""
    prefixes = (tenancy.user_prefix, tenancy.project_prefix)
    by_tenant = " || ".join(
        f"request.userInfo.username.startsWith('system:serviceaccount:{prefix}')"
        for prefix in prefixes
    )
    classes = json.dumps(list(tenancy.priority_classes))
    return [
        (
            "services",
            "object.spec.?type.orValue('ClusterIP') == 'ClusterIP'",
            "a Service here is of type ClusterIP; the hub's proxy is the way in",
        ),
        (
            "services",
            "object.spec.?externalIPs.orValue([]).size() == 0",
            "a Service may not claim externalIPs: it would catch other people's traffic",
        ),
        (
            "secrets",
            "object.?type.orValue('') != 'kubernetes.io/service-account-token'",
            "a token that never ends is not to be had; pods get short ones by projection",
        ),
        (
            "pods",
            "object.spec.?priorityClassName.orValue('') == '' || "
            f"object.spec.priorityClassName in {classes}",
            "this priorityClassName is not for tenants; the platform's setting "
            "priority_classes lists those that are",
        ),
        (
            "pods",
            "request.operation != 'CREATE' || object.spec.?nodeName.orValue('') == ''",
            "a pod may not choose its machine by nodeName; use a nodeSelector",
        ),
        (
            "pods",
            "object.spec.?tolerations.orValue([]).all(t, t.?key.orValue('') != '' && "
            "!t.key.startsWith('node-role.kubernetes.io/'))",
            "a pod may not tolerate every taint, nor those of the control plane",
        ),
        (
            "persistentvolumeclaims",
            "request.operation != 'CREATE' || object.spec.?volumeName.orValue('') == ''",
            "a claim may not name its volume, which may be somebody's old one",
        ),
        (
            "persistentvolumeclaims",
            f"request.operation != 'UPDATE' || !({by_tenant}) || "
            "object.spec.?volumeName.orValue('') == oldObject.spec.?volumeName.orValue('')",
            "a claim may not name its volume, which may be somebody's old one",
        ),
    ]


def _tenants(tenancy: Tenancy) -> Object:
    rows = _bounds(tenancy)
    core: Object = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"]}
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [{**core, "resources": sorted({row[0] for row in rows})}],
            "namespaceSelector": {
                "matchLabels": {INSTANCE: tenancy.instance, COMPONENT: common.COMPONENT}
            },
        },
        "validations": [
            {
                "expression": f"request.resource.resource != '{resource}' || ({expression})",
                "message": message,
                "reason": "Forbidden",
            }
            for resource, expression, message in rows
        ],
    }


def _controller(tenancy: Tenancy, account: str) -> Object:
    who = f"system:serviceaccount:{tenancy.controller_namespace}:{account}"
    where = "(request.resource.resource == 'namespaces' ? request.name : request.namespace)"
    prefixed = " || ".join(
        f"{where}.startsWith('{prefix}')"
        for prefix in (tenancy.user_prefix, tenancy.project_prefix)
    )
    rule: Object = {"apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"]}
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    **rule,
                    "apiGroups": [""],
                    "resources": ["limitranges", "namespaces", "resourcequotas", "serviceaccounts"],
                },
                {**rule, "apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"]},
                {**rule, "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"]},
            ]
        },
        "matchConditions": [
            {"name": "the-controller", "expression": f"request.userInfo.username == '{who}'"}
        ],
        "validations": [
            {
                "expression": prefixed,
                "message": "the tenant controller may only touch namespaces of tenants",
                "reason": "Forbidden",
            },
            {
                "expression": "request.resource.resource != 'namespaces' || "
                "request.operation == 'CREATE' || "
                f"oldObject.metadata.?labels['{INSTANCE}'].orValue('') == '{tenancy.instance}'",
                "message": "this namespace was made by another installation, or by hand",
                "reason": "Forbidden",
            },
        ],
    }


def _pair(tenancy: Tenancy, what: str, spec: Object) -> list[Object]:
    name = f"{tenancy.instance}-{what}"
    own = labels(what, instance=tenancy.instance, component="admission")
    return [
        {
            "apiVersion": API,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name, "labels": own},
            "spec": spec,
        },
        {
            "apiVersion": API,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name, "labels": own},
            "spec": {"policyName": name, "validationActions": ["Deny", "Audit"]},
        },
    ]
