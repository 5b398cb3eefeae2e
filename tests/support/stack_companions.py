"""OpenBao, SeaweedFS, PostgreSQL and MLflow in a cluster, wired as an operator would wire them."""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autonoe.credentials.proof import KubernetesProof
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded import generated, secret_makers
from autonoe.embedded.layout import Layout
from autonoe.identity import enrolment
from autonoe.identity.buckets import Storage
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.cluster import ClusterEnrolment, EnrolmentSettings, service_keys_path
from autonoe.identity.cluster_openbao import (
    AUDIENCE,
    LOGIN_PROVIDER,
    LoginClient,
    login_requests,
)
from autonoe.identity.mlflow_server import auth_config, s3_credentials
from autonoe.identity.openbao_policies import CONTROLLER, OPERATOR
from autonoe.identity.openbao_requests import Request, apply_requests
from autonoe.identity.seaweedfs import iam_config, s3_config
from autonoe.kubernetes.pods import PROOF_FILE
from autonoe.names import normalise_name, slug
from support import companions_parts as parts
from support.cluster import Cluster
from support.companions_parts import Names
from support.companions_policies import policies
from support.forwarding import Forward

READY_WITHIN_S = 300
"""Generous: the machine may be busy with other tests. On a quiet one it takes 45 s."""
REPOSITORY = Path(__file__).resolve().parents[2]
PEOPLE = {"alice": ("statisticians", "census"), "bob": ("statisticians",)}
"""Who can log in, and to which groups they belong."""
HUB_CLIENT = "hub"


@dataclass(frozen=True)
class Login:
    """OpenBao as OIDC provider, for the hub: claims ``username``, ``email`` and ``groups``."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    passwords: dict[str, str] = field(repr=False)
    """Of each person, at the login form ``userpass``."""

    @property
    def discovery_url(self) -> str:
        """Address of the provider's own description."""
        return f"{self.issuer}/.well-known/openid-configuration"


class Companions:
    """The companions of one instance, and ways to them from the test's own process.

    Parameters
    ----------
    cluster : Cluster
        Where they run.
    names : Names
        Names of the installation.
    """

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self.cluster = cluster
        self.names = names
        self.openbao_url = names.url("openbao", parts.OPENBAO_PORT)
        self.s3_url = names.url("seaweedfs", parts.S3_PORT)
        self.s3_admin_url = names.url("seaweedfs", parts.S3_ADMIN_PORT)
        self.mlflow_url = names.url("mlflow", parts.MLFLOW_PORT)
        self.login: Login | None = None
        self.ready_after_s = 0.0
        """Seconds from the first object to the last companion ready."""
        self.generated: dict[str, dict[str, str]] = {}
        """Administrators' keys: ``s3``, ``mlflow``."""
        self._forwards: dict[tuple[str, int], Forward] = {}

    # -- for other parts of the installation -------------------------------------------------

    def controller_environment(self) -> dict[str, str]:
        """Return the variables of the tenant controller's container."""
        return {
            "AUTONOE_OPENBAO_URL": self.openbao_url,
            "AUTONOE_OPENBAO_ROLE": CONTROLLER,
            "AUTONOE_PROOF_FILE": PROOF_FILE,
            "AUTONOE_S3_URL": self.s3_url,
            "AUTONOE_S3_ADMIN_URL": self.s3_admin_url,
            "AUTONOE_MLFLOW_URL": self.mlflow_url,
        }

    def agent_settings(self, account: str, **changes: Any) -> AgentSettings:
        """Return what the agent in a pod of ``account`` is told."""
        values: dict[str, Any] = {
            "account": normalise_name(account),
            "proof_kind": "kubernetes",
            "proof_file": PROOF_FILE,
            "openbao_url": self.openbao_url,
            "s3_url": self.s3_url,
            "mlflow_url": self.mlflow_url,
        }
        return AgentSettings(**values | changes)

    # -- from the test's own process ---------------------------------------------------------

    def local(self, service: str, port: int) -> str:
        """Return an address of this machine that leads to a companion."""
        key = (service, port)
        if key not in self._forwards:
            self._forwards[key] = Forward(self.cluster, self.names.platform, service, port)
        return self._forwards[key].url

    @property
    def local_openbao(self) -> str:
        """OpenBao from here."""
        return self.local("openbao", parts.OPENBAO_PORT)

    @property
    def local_s3(self) -> str:
        """The object store from here."""
        return self.local("seaweedfs", parts.S3_PORT)

    @property
    def local_mlflow(self) -> str:
        """MLflow from here."""
        return self.local("mlflow", parts.MLFLOW_PORT)

    def pod_token(self, account: str, namespace: str, *, audience: str = AUDIENCE) -> str:
        """Have the API server make a token of a service account, bound to no pod."""
        arguments = [f"--namespace={namespace}", "--duration=10m"]
        if audience:
            arguments.append(f"--audience={audience}")
        return self.cluster.kubectl("create", "token", account, *arguments).strip()

    def log_in(self, token: str, role: str) -> OpenBaoClient:
        """Return a client of OpenBao that is logged in with a token of Kubernetes."""
        # A key of RSA takes seconds on a machine that is busy with other tests.
        client = OpenBaoClient(self.local_openbao, timeout_s=60)
        KubernetesProof(token, role).login(client)
        return client

    def operator(self) -> OpenBaoClient:
        """Return OpenBao as its administrator sees it, for ten minutes."""
        account = self.names.identity.operator_account
        return self.log_in(self.pod_token(account, self.names.platform), OPERATOR)

    def storage(self) -> Storage:
        """Return the object store as its administrator sees it."""
        return Storage(self.local_s3, self.generated["s3"])

    def enrolment(self, folder: Path) -> ClusterEnrolment:
        """Return the tenant controller's own work, done from here with its own rights.

        Parameters
        ----------
        folder : Path
            For the controller's token.
        """
        identity = self.names.identity
        _ensure_account(self.cluster, identity.controller_account, identity.controller_namespace)
        proof = folder / "controller-token"
        token = self.pod_token(identity.controller_account, identity.controller_namespace)
        proof.write_text(token)
        return ClusterEnrolment(
            EnrolmentSettings(
                openbao_url=self.local_openbao,
                proof_file=proof,
                s3_url=self.local_s3,
                s3_admin_url=self.local("seaweedfs", parts.S3_ADMIN_PORT),
                mlflow_url=self.local_mlflow,
            ),
            # Patience for a machine that is busy with other tests.
            timeout_s=60,
        )

    def close(self) -> None:
        """Close the ways from here; the companions stay."""
        for forward in self._forwards.values():
            forward.close()
        self._forwards.clear()

    def remove(self) -> None:
        """Remove the companions from the cluster."""
        self.close()
        _remove(self.cluster, self.names)


def import_images(cluster: Cluster, *images: str) -> None:
    """Load images of ``make images`` into the cluster."""
    for name in images:
        cluster.import_image(REPOSITORY / "build" / "images" / f"{name}.tar")


def deploy(
    cluster: Cluster,
    instance: str,
    *,
    user_prefix: str = "",
    project_prefix: str = "",
    redirect_uris: tuple[str, ...] = ("http://127.0.0.1/hub/oauth_callback",),
) -> Companions:
    """Deploy the companions of ``instance`` anew, and wait until they are set up.

    Parameters
    ----------
    cluster : Cluster
        Gets the images that it needs.
    instance : str
        Prefix of the namespaces.
    user_prefix, project_prefix : str, optional
        Of tenant namespaces; default ``u-`` and ``p-``, after the instance unless that is
        ``autonoe``.
    redirect_uris : tuple of str, optional
        Where OpenBao, as OIDC provider, may send people who log in to the hub.
    """
    stem = "" if instance == "autonoe" else f"{instance}-"
    names = Names(instance, user_prefix or f"{stem}u-", project_prefix or f"{stem}p-")
    _remove(cluster, names)
    import_images(cluster, "openbao", "seaweedfs", "postgres", "mlflow")
    began = time.monotonic()
    companions = Companions(cluster, names)
    with tempfile.TemporaryDirectory() as folder:
        made = _secrets(names, Path(folder), companions)
    cluster.apply(parts.namespace(names))
    cluster.apply(
        *parts.token_review(names),
        *made,
        *policies(names, cluster.api_servers[0]),
        *parts.openbao(names),
        *parts.seaweedfs(names),
        *parts.postgres(names),
        *parts.mlflow(names),
    )
    _wait(cluster, names, "openbao", "seaweedfs")
    client = companions.operator()
    for service in ("s3", "mlflow"):
        client.write(service_keys_path(service), {"data": companions.generated[service]})
    companions.storage().ensure_bucket("mlflow", "mlflow")
    companions.login = _login(companions, client, redirect_uris)
    _wait(cluster, names, "postgres", "mlflow")
    companions.ready_after_s = time.monotonic() - began
    return companions


def _secrets(names: Names, folder: Path, companions: Companions) -> list[dict[str, Any]]:
    """Return the services' own secrets, made as the embedded platform makes its own."""
    layout = Layout(folder)
    layout.create()
    secret_makers.ensure(layout)

    def document(name: str) -> dict[str, str]:
        return generated.read_document(layout, name)

    admin, service = document(generated.S3_ADMIN), document(generated.S3_MLFLOW)
    companions.generated = {"s3": admin, "mlflow": document(generated.MLFLOW_ADMIN)}
    password = secrets.token_urlsafe(24)
    tls = layout.secret("tls")
    iam = iam_config(
        issuer=f"{names.identity.openbao_url}/v1/identity/oidc",
        sts_signing_key=generated.read(layout, generated.STS_SIGNING_KEY),
    )
    accounts = (
        f"postgresql+psycopg2://postgres:{password}@postgres:{parts.POSTGRES_PORT}/mlflow_accounts"
    )
    return [
        parts.secret(
            names,
            "openbao",
            {generated.SEAL_KEY: layout.secret(generated.SEAL_KEY).read_bytes()},
        ),
        parts.secret(
            names,
            "seaweedfs",
            {
                "s3.json": json.dumps(s3_config(admin=admin, services={"mlflow": service})),
                "door.json": json.dumps(s3_config(admin=admin, services={})),
                "iam.json": json.dumps(iam),
                **{path.name: path.read_bytes() for path in tls.iterdir()},
            },
        ),
        parts.secret(names, "seaweedfs-doors", document(generated.WEED_JWT_KEYS)),
        parts.secret(names, "postgres", {"password": password}),
        parts.secret(
            names,
            "mlflow",
            {
                "auth.ini": auth_config(companions.generated["mlflow"], database_uri=accounts),
                "s3-credentials": s3_credentials(service),
                "flask-secret": generated.read(layout, generated.MLFLOW_FLASK),
                "pgpass": f"*:*:*:postgres:{password}\n",
            },
        ),
    ]


def _login(companions: Companions, client: OpenBaoClient, redirect_uris: tuple[str, ...]) -> Login:
    """Have people log in to the hub through OpenBao, by name and password."""
    issuer = companions.openbao_url
    apply_requests(
        client,
        [
            Request("userpass", "sys/auth/userpass", {"type": "userpass"}),
            *login_requests(LoginClient(HUB_CLIENT, redirect_uris), issuer_base=issuer),
        ],
    )
    passwords, members = {}, dict[str, list[str]]()
    for person, groups in PEOPLE.items():
        passwords[person] = secrets.token_urlsafe(12)
        user = {"password": passwords[person], "token_policies": ["default"]}
        client.write(f"auth/userpass/users/{person}", user)
        # The same entity as the person's pods have.
        mail = f"{person}@example.org"
        entity = enrolment.ensure_entity(client, slug(person), normalise_name(person), mail)
        enrolment.ensure_alias(client, entity, mount="userpass", name=person)
        for group in groups:
            members.setdefault(group, []).append(entity)
    for group, entities in members.items():
        body = {"type": "internal", "member_entity_ids": entities}
        client.write(f"identity/group/name/{group}", body)
    made = client.read(f"identity/oidc/client/{HUB_CLIENT}") or {}
    return Login(
        issuer=f"{issuer}/v1/identity/oidc/provider/{LOGIN_PROVIDER}",
        client_id=made["client_id"],
        client_secret=made["client_secret"],
        passwords=passwords,
    )


def _ensure_account(cluster: Cluster, name: str, namespace: str) -> None:
    """Make a service account that another part of the installation has not made yet."""
    where = f"--namespace={namespace}"
    found = cluster.kubectl("get", "serviceaccount", name, where, "--ignore-not-found")
    if not found.strip():
        cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": name, "namespace": namespace},
            },
        )


def _wait(cluster: Cluster, names: Names, *deployments: str) -> None:
    for name in deployments:
        where = f"--namespace={names.platform}"
        answer = cluster.kubectl(
            "rollout", "status", f"deployment/{name}", where, f"--timeout={READY_WITHIN_S}s",
            check=False, timeout_s=READY_WITHIN_S + 10,
        )  # fmt: skip
        assert "successfully rolled out" in answer, f"{answer}\n{cluster.diagnose(names.platform)}"


def _remove(cluster: Cluster, names: Names) -> None:
    cluster.kubectl("delete", "namespace", names.platform, "--ignore-not-found", "--timeout=100s")
