"""Write a trained model into MLflow as a run: parameters, metrics, hashes, native files.

The model is logged as plain artefacts (``model.bin``, ``model.json``, ``README.md``). There is no
pickle and no models-from-code, so nothing that is fetched later can run code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunInfo, RunTag
from mlflow.exceptions import MlflowException

from autonoe.errors import AutonoeError, NotFoundError, UnavailableError
from autonoe.names import slug
from autonoe_nace.model.manifest import (
    CARD_FILE,
    DATA_FILES,
    MANIFEST_FILE,
    FileEntry,
    Manifest,
)

MODEL_FILES = (*DATA_FILES, MANIFEST_FILE, CARD_FILE)
"""The files that every model has; those of a richer model are in its manifest."""
ARTIFACT_PATH = "model"
ID_TAG = "autonoe.model_id"
SHA_TAG = "autonoe.model_sha256"
MANIFEST_TAG = "autonoe.manifest_sha256"
"""SHA-256 of ``model.json``, which holds that of every other file: one hash pins the model."""
NOMENCLATURE_TAG = "autonoe.nomenclature"
_BATCH = 100


@dataclass(frozen=True)
class TrackedRun:
    """One finished MLflow run that holds a model."""

    run_id: str
    experiment_id: str
    model_id: str
    model_sha256: str
    artifacts: str
    """Address of the run's artefacts."""
    reused: bool = False
    """True when this very model had been tracked before and nothing was written."""

    @property
    def path(self) -> str:
        """Address of the run within MLflow's pages."""
        return f"#/experiments/{self.experiment_id}/runs/{self.run_id}"


def personal_name(stem: str = "nace", *, account: str | None = None) -> str:
    """Return ``stem-<account>``: registered models and experiments share one namespace.

    Parameters
    ----------
    stem : str
        What it is about.
    account : str, optional
        Name of the account; by default the one that this process works for.
    """
    known = account or os.environ.get("AUTONOE_ACCOUNT") or os.environ.get("JUPYTERHUB_USER")
    return f"{stem}-{slug(known)}" if known else stem


def track(
    model_dir: Path,
    metrics: Mapping[str, Any],
    *,
    experiment: str | None = None,
    run_name: str = "fasttext",
    tags: Mapping[str, str] | None = None,
) -> TrackedRun:
    """Log the model of ``model_dir`` with its evaluation as one MLflow run.

    The same model (by its id) with a finished run in the experiment is not logged twice.

    Parameters
    ----------
    model_dir : Path
        Folder as ``NaceModel.save`` writes it.
    metrics : mapping
        What ``evaluate`` returned; nested numbers become ``levels.4.top1.value`` and so on.
    experiment : str, optional
        Name of the experiment, made when missing; by default ``nace-<account>``.
    run_name : str
        Title of the run.
    tags : mapping, optional
        Further tags.

    Raises
    ------
    AutonoeError
        ``model_missing`` or ``model_damaged`` when the folder is no model; ``forbidden`` or
        ``unavailable`` from MLflow.
    """
    manifest = Manifest.read(model_dir)
    client = quiet_client()
    with mlflow_errors("log the run"):
        experiment_id = experiment_named(client, experiment or personal_name())
        known = client.search_runs(
            [experiment_id],
            f"tags.`{ID_TAG}` = '{manifest.id}' and attributes.status = 'FINISHED'",
            max_results=1,
        )
        if known:
            return _tracked(known[0].info, manifest, reused=True)
        run = client.create_run(experiment_id, run_name=run_name)
        run_id = run.info.run_id
        try:
            pinned = FileEntry.of(model_dir / MANIFEST_FILE).sha256
            _log(client, run_id, manifest, metrics, {**(tags or {}), MANIFEST_TAG: pinned})
            for name in (*manifest.files, MANIFEST_FILE, CARD_FILE):
                if (model_dir / name).exists():
                    client.log_artifact(run_id, str(model_dir / name), ARTIFACT_PATH)
            client.log_dict(run_id, dict(metrics), "evaluation.json")
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
    return _tracked(run.info, manifest)


def last_run(experiment: str | None = None) -> TrackedRun:
    """Return the newest finished run that holds a model.

    Parameters
    ----------
    experiment : str, optional
        Name of the experiment; by default ``nace-<account>``.

    Raises
    ------
    AutonoeError
        ``not_found`` when there is none yet; ``unavailable`` when MLflow does not answer.
    """
    name = experiment or personal_name()
    client = quiet_client()
    with mlflow_errors("find the last run"):
        found = client.get_experiment_by_name(name)
        runs = found and client.search_runs(
            [found.experiment_id],
            f"tags.`{ID_TAG}` != '' and attributes.status = 'FINISHED'",
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
    if not runs:
        raise NotFoundError(
            f"The experiment {name} holds no trained model yet.",
            hint="Train one with the notebook 02-train-and-track, or `autonoe nace train`.",
        )
    tags = runs[0].data.tags
    return TrackedRun(
        run_id=runs[0].info.run_id,
        experiment_id=runs[0].info.experiment_id,
        model_id=tags[ID_TAG],
        model_sha256=tags[SHA_TAG],
        artifacts=runs[0].info.artifact_uri,
        reused=True,
    )


def quiet_client() -> MlflowClient:
    """Return a client that prints neither bars nor links.

    The links would lead to the agent on loopback, which a browser may not use.
    """
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return MlflowClient()


class mlflow_errors:  # noqa: N801  reads as a verb at the call: with mlflow_errors("log the run")
    """Turn MLflow's failures into errors that say what was wanted and what to do next."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted

    def __enter__(self) -> None:
        """Start watching."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise the typed error for an MLflow error; let others pass."""
        if not isinstance(error, MlflowException):
            return
        code = getattr(error, "error_code", "")
        if code in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND"}:
            raise AutonoeError(
                f"MLflow has not got what was needed to {self.wanted}.",
                hint="See the names and versions on MLflow's page.",
                code="not_found",
            ) from error
        if code in {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}:
            raise AutonoeError(
                f"MLflow does not let this account {self.wanted}.",
                hint="The name may belong to another account; choose another.",
                code="forbidden",
            ) from error
        raise UnavailableError(
            f"MLflow could not {self.wanted} ({code or type(error).__name__}).",
            hint="autonoe status shows whether it runs.",
        ) from error


def experiment_named(client: MlflowClient, name: str) -> str:
    """Return the id of the experiment ``name``, made when missing."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name))


def log_in_batches(
    client: MlflowClient,
    run_id: str,
    metrics: Sequence[Metric],
    params: Sequence[Param],
    tags: Sequence[RunTag],
) -> None:
    """Write all of them to a run, as few at a time as MLflow takes."""
    for start in range(0, max(len(params), len(metrics), len(tags)), _BATCH):
        part = slice(start, start + _BATCH)
        client.log_batch(run_id, metrics=metrics[part], params=params[part], tags=tags[part])


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf of nested mappings as ``("a.b.c", value)``."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def _tracked(info: RunInfo, manifest: Manifest, *, reused: bool = False) -> TrackedRun:
    return TrackedRun(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        model_id=manifest.id,
        model_sha256=manifest.hashes["model"],
        artifacts=info.artifact_uri,
        reused=reused,
    )


def _log(
    client: MlflowClient,
    run_id: str,
    manifest: Manifest,
    metrics: Mapping[str, Any],
    tags: Mapping[str, str],
) -> None:
    params = [Param(key, str(value)[:500]) for key, value in flatten(manifest.params)]
    # What rules alone did in training stands beside the figures of every model.
    rules = {"lookup_held_out": manifest.training.get("lookup_held_out") or {}}
    numbers = [
        Metric(key, float(value), 0, 0)
        for key, value in flatten({**metrics, **rules})
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    marks = [RunTag(f"autonoe.{kind}_sha256", value) for kind, value in manifest.hashes.items()]
    marks += [RunTag(ID_TAG, manifest.id), RunTag(NOMENCLATURE_TAG, manifest.nomenclature)]
    marks += [RunTag(key, value) for key, value in tags.items()]
    log_in_batches(client, run_id, numbers, params, marks)
