"""MLflow: experiments and the model registry, with accounts, on loopback; artefacts go to S3."""

from __future__ import annotations

import asyncio
import shutil
import sys
from functools import partial
from pathlib import Path

from autonoe.embedded import generated, nursery, probes
from autonoe.embedded.components.base import Component, Context, private_folder
from autonoe.embedded.components.seaweedfs import MLFLOW_BUCKET
from autonoe.embedded.files import write_atomic
from autonoe.embedded.processes import ProcessSpec
from autonoe.identity.mlflow_server import auth_config, s3_credentials

NAME = "mlflow"
NURSERY = "mlflow-nursery"

# Optional libraries that the server's own code never needs; together 65 MB and a second.
_ABSENT = ("IPython", "matplotlib", "polars", "pyarrow", "pygments", "scipy", "sklearn")


def components(context: Context) -> tuple[Component, Component]:
    """Return the nursery, which imports MLflow, and the server, a child of it."""
    layout = context.layout
    folder = layout.component(NAME)
    config = folder / "nursery.json"
    socket = layout.run / f"{NURSERY}.sock"
    return (
        Component(
            spec=ProcessSpec(
                name=NURSERY,
                argv=(sys.executable, "-m", "autonoe.embedded.nursery", str(config)),
                env=_environment(context, folder),
                log=layout.log(NURSERY),
                probe=partial(nursery.probe, socket),
                cwd=folder,
                depends_on=(str(config), str(folder / "auth.ini")),
                stop_within_s=2.0,
            ),
            address="",
            distribution="mlflow",
            prepare=partial(_prepare, context, folder, config, socket),
            listed=False,
        ),
        _server(context, folder, config, socket),
    )


def _server(context: Context, folder: Path, config: Path, socket: Path) -> Component:
    initialised = folder / "initialised"
    health = probes.http(context.platform.mlflow, "/health")

    async def probe() -> bool:
        ready = await health()
        if ready and not initialised.exists():
            write_atomic(initialised, "")
        return ready

    async def launch(_: ProcessSpec) -> int:
        return await asyncio.to_thread(nursery.request_child, socket)

    return Component(
        spec=ProcessSpec(
            name=NAME,
            # What a person would type; the nursery's child does the same without the import.
            argv=("mlflow", "server", "--app-name", "basic-auth"),
            env=_environment(context, folder),
            log=context.layout.log(NAME),
            probe=probe,
            cwd=folder,
            depends_on=(str(config), str(folder / "auth.ini")),
            stop_within_s=5.0,
        ),
        address=context.platform.mlflow_url,
        distribution="mlflow",
        after=(NURSERY,),
        launch=launch,
        helpers=(NURSERY,),
    )


def _environment(context: Context, folder: Path) -> dict[str, str]:
    platform = context.platform
    names = {"127.0.0.1", "localhost", platform.host, platform.public_name}
    hosts = sorted(f"{name}{suffix}" for name in names for suffix in ("", ":*"))
    database = f"sqlite:///{folder / 'data' / 'mlflow.db'}"
    return context.environment(
        HOME=str(folder),
        # What `mlflow server` hands to its workers (mlflow/server/constants.py, MLflow 3.17).
        _MLFLOW_SERVER_FILE_STORE=database,
        _MLFLOW_SERVER_REGISTRY_STORE=database,
        _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
        _MLFLOW_SERVER_ARTIFACT_DESTINATION=f"s3://{MLFLOW_BUCKET}/artifacts",
        _MLFLOW_SERVER_SERVE_ARTIFACTS="true",
        _MLFLOW_SGI_NAME="uvicorn",
        _MLFLOW_IN_JOB_EXECUTOR="false",
        MLFLOW_AUTH_CONFIG_PATH=str(folder / "auth.ini"),
        MLFLOW_SERVER_ALLOWED_HOSTS=",".join(hosts),
        MLFLOW_SERVER_CORS_ALLOWED_ORIGINS=platform.public_url,
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        MLFLOW_ENABLE_ASSISTANT="false",
        MLFLOW_DISABLE_TELEMETRY="true",
        DO_NOT_TRACK="true",
        MLFLOW_S3_ENDPOINT_URL=platform.s3_url,
        AWS_SHARED_CREDENTIALS_FILE=str(folder / "s3-credentials"),
        AWS_CONFIG_FILE=str(folder / "s3-config"),
        AWS_EC2_METADATA_DISABLED="true",
        # glibc keeps one arena per thread otherwise, 60 MB in a server that is idle.
        MALLOC_ARENA_MAX="2",
    )


def _prepare(context: Context, folder: Path, config: Path, socket: Path) -> None:
    layout, platform = context.layout, context.platform
    private_folder(folder)
    data = folder / "data"
    if not (folder / "initialised").exists():
        shutil.rmtree(data, ignore_errors=True)
    private_folder(data)
    admin = generated.read_document(layout, generated.MLFLOW_ADMIN)
    keys = generated.read_document(layout, generated.S3_MLFLOW)
    write_atomic(
        folder / "auth.ini",
        auth_config(admin, database_uri=f"sqlite:///{data / 'accounts.db'}"),
    )
    write_atomic(folder / "s3-credentials", s3_credentials(keys))
    write_atomic(folder / "s3-config", "[default]\nregion = us-east-1\n")
    database = f"sqlite:///{data / 'mlflow.db'}"
    settings = nursery.NurseryConfig(
        socket=socket,
        app="mlflow.server.auth:create_app",
        port=platform.mlflow,
        before=(
            (
                "mlflow.server.handlers:initialize_backend_stores",
                {
                    "backend_store_uri": database,
                    "registry_store_uri": database,
                    "default_artifact_root": "mlflow-artifacts:/",
                },
            ),
        ),
        absent=_ABSENT,
        secret_env={"MLFLOW_FLASK_SERVER_SECRET_KEY": layout.secret(generated.MLFLOW_FLASK)},
        log=layout.log(NAME),
    )
    write_atomic(config, settings.model_dump_json(indent=2))
