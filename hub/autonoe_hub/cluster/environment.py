"""What a person's pod is told: addresses and places. Nothing in it is a secret."""

from __future__ import annotations

from typing import Any

from autonoe.credentials.settings import AgentSettings
from autonoe_hub.cluster import pod
from autonoe_hub.cluster.settings import ClusterSettings


def environment(
    settings: ClusterSettings, account: str, groups: tuple[str, ...], namespace: str, mail: str = ""
) -> dict[str, str]:
    """Return the variables of the server of ``account``.

    Parameters
    ----------
    settings : ClusterSettings
        Where the companions are.
    account : str
        Its name.
    groups : tuple of str
        Its projects.
    namespace : str
        Its namespace.
    mail : str
        Its address, for the Git identity.
    """
    there = settings.addresses
    given: dict[str, Any] = {
        "account": account,
        "account_mail": mail,
        "groups": groups,
        "proof_file": f"{pod.OPENBAO_TOKEN}/token",
        "proof_kind": "kubernetes",
        "openbao_url": there.openbao,
        "openbao_role": there.openbao_role,
        "openbao_mount": there.openbao_mount,
        "s3_url": there.s3,
        "s3_region": there.s3_region,
        "s3_addressing": there.s3_addressing,
        "sts_url": there.sts,
        "mlflow_url": there.mlflow,
        "agent_dir": f"{pod.RUN}/agent",
    }
    if there.sts_role_arn is not None:
        given["sts_role_arn"] = there.sts_role_arn
    agent = AgentSettings(**given)
    return {
        **agent.environment(),
        "AUTONOE_KUBERNETES_NAMESPACE": namespace,
        "AUTONOE_INSTANCE": settings.instance,
        "KUBERNETES_NAMESPACE": namespace,
        "KUBERNETES_SERVICE_ACCOUNT": pod.SERVICE_ACCOUNT,
        "KUBECONFIG": pod.KUBECONFIG,
        "HOME": pod.HOME,
        # Small files that change all the time; the home may be full, or far away.
        "JUPYTER_RUNTIME_DIR": f"{pod.RUN}/jupyter",
        "IPYTHONDIR": f"{pod.HOME}/.ipython",
        "TMPDIR": "/tmp",  # noqa: S108  a volume of the pod's own
        **settings.environment,
    }
