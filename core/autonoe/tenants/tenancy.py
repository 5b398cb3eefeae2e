"""What holds for all tenants of one installation: names, addresses, defaults. Data, no secret."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from autonoe.errors import InvalidInputError
from autonoe.names import slug
from autonoe.tenants.spec import Quota, TenantSpec
from autonoe.validation import mistakes

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
Prefix = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?-$", max_length=20)]
Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([a-zA-Z]i?)?$")]

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
"""Where clusters and machines live; a tenant's way to the Internet leaves them out."""
METADATA = ("169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32")
"""Where clouds hand out their machines' credentials, besides what is private already."""
PUBLIC6 = "2000::/3"
"""All public IPv6 addresses; private, link-local and mapped IPv4 ones lie outside."""
TUNNEL6 = ("2002::/16", "2001::/32")
"""Those of them that carry an IPv4 address inside."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Peer(_Part):
    """Something that tenants reach, or that reaches them: pods of a namespace, or addresses."""

    name: Label
    """What it is, for the reader of the policy."""
    ports: tuple[int, ...] = Field((), min_length=0)
    """TCP ports; none: all of them."""
    namespace: str = ""
    """Namespace of the pods."""
    labels: dict[str, str] = {}
    """Labels of the pods there; none: all of that namespace."""
    cidr: str = ""
    """Addresses, instead of pods, such as ``10.0.0.7/32``."""
    to: dict[str, str] = {}
    """Only for those who come in: labels of the tenant's pods that they reach; none: all."""

    @model_validator(mode="after")
    def _one_kind(self) -> Peer:
        if bool(self.namespace) == bool(self.cidr):
            raise ValueError("give either a namespace or a cidr")
        if self.cidr:
            ipaddress.ip_network(self.cidr)
        return self


class Defaults(_Part):
    """Shares of a tenant, where its Tenant object says nothing."""

    cpu: Amount = "8"
    memory: Amount = "32Gi"
    gpu: Amount = "0"
    storage: Amount = "100Gi"
    pods: Amount = "30"

    def quota(self) -> Quota:
        """Return them as a quota."""
        return Quota(**self.model_dump())


class ContainerDefaults(_Part):
    """What a container gets that asks for nothing."""

    cpu: Amount = "1"
    memory: Amount = "1Gi"
    request_cpu: Amount = "100m"
    request_memory: Amount = "256Mi"


class Tenancy(_Part):
    """The settings of the tenant controller."""

    instance: Label = "autonoe"
    """Name of this installation; cluster-wide objects carry it, so that two can share a cluster."""
    hub_namespace: Label = "autonoe"
    """Where the hub, its proxy and the Tenant objects are. Others are never read."""
    controller_namespace: Label = "autonoe-tenants"
    """Where the controller runs."""
    platform_namespace: Label = "autonoe-platform"
    """Where OpenBao, the object store and MLflow run, if they do so in this cluster."""
    user_prefix: Prefix = "u-"
    """Namespaces of people begin with it."""
    project_prefix: Prefix = "p-"
    """Namespaces of projects begin with it."""
    hub_account: Label = "hub"
    """ServiceAccount of the hub, in its namespace."""
    hub_labels: dict[str, str] = {"app": "jupyterhub", "component": "hub"}
    """Labels of the hub's pod."""
    notebook_labels: dict[str, str] = {"hub.jupyter.org/network-access-singleuser": "true"}
    """Labels, in the hub's namespace, of the pods that may reach people's servers."""
    hub_port: int = 8081
    """Port of the hub's API, as the pod listens on it."""
    notebook_port: int = 8888
    """Port of a Jupyter server."""
    serving_port: int = 8000
    """Port of a deployment, as its pod listens on it."""
    api_servers: tuple[str, ...] = Field(min_length=1)
    """Real addresses of the API server, ``ADDRESS:PORT``: policies act after Services."""
    reaches: tuple[Peer, ...] = ()
    """What tenants reach beside hub, DNS and API server: OpenBao, the object store, MLflow ..."""
    reached_by: tuple[Peer, ...] = ()
    """Who reaches into tenants beside the hub's proxy: a Dask operator, Prometheus ..."""
    dns: Peer = Peer(name="dns", namespace="kube-system", labels={"k8s-app": "kube-dns"})
    """Who answers names, on port 53."""
    internet: bool = False
    """Let tenants out to public addresses; private ranges and cloud metadata stay closed."""
    internet_except: tuple[str, ...] = ()
    """Further address ranges that stay closed: public addresses of your own machines."""
    user_defaults: Defaults = Defaults()
    project_defaults: Defaults = Defaults()
    container_defaults: ContainerDefaults = ContainerDefaults()
    priority_classes: tuple[str, ...] = ()
    """PriorityClasses that tenants may use; with none, all their pods have the default one."""
    removal_wait_s: int = Field(7 * 86_400, ge=0)
    """Shortest time between the wish to remove a tenant and its removal, in seconds."""
    resync_s: int = Field(300, ge=1)
    """How often everything of a tenant is compared anew, in seconds; changes are seen at once."""
    capacity_s: int = Field(15, ge=1)
    """How often the free capacity is published for the hub, in seconds."""
    enrolment: dict[str, Any] | None = None
    """Settings of the accounts in OpenBao, S3 and MLflow; none: tenants get a namespace only."""

    @field_validator("api_servers")
    @classmethod
    def _addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            address, _, port = value.rpartition(":")
            ipaddress.ip_address(address.strip("[]"))
            if not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError(f"{value} is no ADDRESS:PORT")
        return values

    @model_validator(mode="after")
    def _apart(self) -> Tenancy:
        # "u-" and "u-p-" would lead a person named p-x and the project x to one namespace.
        one, other = self.user_prefix, self.project_prefix
        if one.startswith(other) or other.startswith(one):
            raise ValueError("user_prefix and project_prefix must not begin with one another")
        own = (self.hub_namespace, self.controller_namespace, self.platform_namespace)
        if any(name.startswith((one, other)) for name in (*own, "kube-system", "default")):
            raise ValueError("a namespace of the platform must not begin like one of a tenant")
        for cidr in self.internet_except:
            ipaddress.ip_network(cidr)
        return self

    @classmethod
    def from_dict(cls, document: Any) -> Tenancy:
        """Return checked settings.

        Raises
        ------
        InvalidInputError
            If a value cannot be used; the message names each.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise InvalidInputError(
                f"The tenants' settings cannot be used: {mistakes(error, whole='settings')}.",
                hint="The guide on tenants lists all settings.",
            ) from None

    @classmethod
    def load(cls, path: Path) -> Tenancy:
        """Return the settings of a YAML or JSON file.

        Raises
        ------
        InvalidInputError
            If the file cannot be read or a value cannot be used.
        """
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise InvalidInputError(f"{path} cannot be read: {error}") from error
        return cls.from_dict(document)

    # -- names ------------------------------------------------------------------------------

    def namespace(self, spec: TenantSpec) -> str:
        """Return the namespace of a tenant."""
        return self.namespace_of(spec.kind, spec.owner)

    def namespace_of(self, kind: str, owner: str) -> str:
        """Return the namespace of the person or project ``owner``."""
        prefix = self.user_prefix if kind == "user" else self.project_prefix
        return f"{prefix}{slug(owner)}"

    @property
    def member_role(self) -> str:
        """Name of the ClusterRole of people in their own namespace."""
        return f"{self.instance}-tenant-member"

    @property
    def hub_role(self) -> str:
        """Name of the ClusterRole of the hub in each tenant's namespace."""
        return f"{self.instance}-hub-in-tenant"

    def default_quota(self, spec: TenantSpec) -> Quota:
        """Return the tenant's quota with the installation's defaults filled in."""
        defaults = self.user_defaults if spec.kind == "user" else self.project_defaults
        return spec.quota.over(defaults.quota())
