"""Where the served model comes from: a folder, or the registry with a last good copy behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from autonoe.errors import AutonoeError, UnavailableError
from autonoe_nace.model import NaceModel
from autonoe_nace.model.manifest import Manifest
from autonoe_nace.model_uri import PREFIX, ModelUri
from autonoe_nace.serving.schema import ModelOut
from autonoe_nace.serving.settings import ServingSettings

_LAST_GOOD = "last-good.json"
_ASK_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class ServedModel:
    """A loaded model and what answers say about it."""

    model: NaceModel
    out: ModelOut


def load(settings: ServingSettings) -> ServedModel:
    """Return the model that ``settings.model`` names, checked and ready.

    Raises
    ------
    AutonoeError
        If it cannot be fetched, or does not pass its checks.
    """
    if not settings.model.startswith(PREFIX):
        folder = Path(settings.model)
        return _serve(folder, name=folder.resolve().name, version="0", stale=False)
    cache = settings.state_dir / "models"
    fetched = _fetch(settings)
    served = _serve(
        Path(fetched["folder"]), name=fetched["name"], version=fetched["version"], stale=False
    )
    partial = cache / f".{_LAST_GOOD}"
    partial.write_text(json.dumps({"uri": settings.model, **fetched}))
    partial.replace(cache / _LAST_GOOD)
    return served


def load_last_good(settings: ServingSettings) -> ServedModel | None:
    """Return the model that served here before under the same name, marked stale, or None."""
    try:
        record = json.loads((settings.state_dir / "models" / _LAST_GOOD).read_text())
        if record["uri"] != settings.model:
            return None
        return _serve(
            Path(record["folder"]), name=record["name"], version=record["version"], stale=True
        )
    except (OSError, ValueError, KeyError, AutonoeError):
        return None


def registry_version(uri: ModelUri) -> str:
    """Return the version that the alias of ``uri`` points to now, asked over MLflow's REST API.

    Raises
    ------
    UnavailableError
        If the registry does not answer with a version.
    """
    base = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    token = registry_token()
    try:
        answer = urllib3.request(
            "GET",
            f"{base}/api/2.0/mlflow/registered-models/alias",
            fields={"name": uri.name, "alias": uri.alias},
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_ASK_TIMEOUT_S,
            retries=False,
        )
        return str(answer.json()["model_version"]["version"])
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(
            "The model registry does not answer.", hint="autonoe status shows whether it runs."
        ) from error


def registry_token() -> str:
    """Return the pass of the registry: a file's beside an agent, which may start anew."""
    file = os.environ.get("AUTONOE_AGENT_TOKEN_FILE", "")
    if file:
        with suppress(OSError):
            return Path(file).read_text().strip()
    return os.environ.get("MLFLOW_TRACKING_TOKEN", "")


def _serve(folder: Path, *, name: str, version: str, stale: bool) -> ServedModel:
    model = NaceModel.load(folder)
    manifest = Manifest.read(folder)
    out = ModelOut(
        name=name,
        version=version,
        sha256=manifest.hashes["model"],
        id=manifest.id,
        nomenclature=manifest.nomenclature,
        stale=stale,
    )
    return ServedModel(model, out)


def _fetch(settings: ServingSettings) -> dict[str, Any]:
    """Fetch in a child process: a hanging or crashing client cannot take the server with it."""
    cache = settings.state_dir / "models"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        **os.environ,
    }
    if token := registry_token():
        environment["MLFLOW_TRACKING_TOKEN"] = token
    try:
        child = subprocess.run(
            [sys.executable, "-m", "autonoe_nace.registry", settings.model, str(cache)],
            capture_output=True,
            timeout=settings.registry_timeout_s,
            env=environment,
            check=False,
        )
        answer: dict[str, Any] = json.loads(child.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise UnavailableError(
            "The model could not be fetched from the registry.",
            hint="autonoe status shows whether MLflow runs.",
        ) from error
    if "error" in answer:
        detail = answer["error"]
        raise AutonoeError(detail["message"], hint=detail["hint"], code=detail["code"])
    return answer
