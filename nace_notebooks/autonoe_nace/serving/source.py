"""Where the served model comes from: a folder, or the registry with a last good copy behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import urllib3

from autonoe.errors import AutonoeError, UnavailableError
from autonoe_nace.model import NaceModel
from autonoe_nace.model.canary import check_in_child
from autonoe_nace.model.manifest import Manifest
from autonoe_nace.model_uri import PREFIX, ModelUri
from autonoe_nace.recoding.dual import DualCoder
from autonoe_nace.serving.dual import coder_for
from autonoe_nace.serving.schema import ModelOut
from autonoe_nace.serving.settings import ServingSettings

_LAST_GOOD = "last-good.json"
_ASK_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Source:
    """A model's folder on this machine, and what the registry calls it."""

    folder: str
    name: str
    version: str


@dataclass(frozen=True)
class ServedModel:
    """A loaded model and what answers say about it."""

    model: NaceModel
    out: ModelOut
    raw: msgspec.Raw
    """``out`` in JSON, so that no answer writes it anew."""
    dual: DualCoder | None = None
    """Answers in two versions; None on a server without a correspondence."""

    def marked(self, *, stale: bool) -> ServedModel:
        """Return the same model with its mark of staleness set or taken away."""
        out = msgspec.structs.replace(self.out, stale=stale)
        return replace(self, out=out, raw=msgspec.Raw(msgspec.json.encode(out)))


def find(settings: ServingSettings) -> Source:
    """Return the model that ``settings.model`` names, fetched and checked, but not loaded.

    Raises
    ------
    AutonoeError
        If it cannot be fetched, or does not pass its checks.
    """
    if not settings.model.startswith(PREFIX):
        folder = Path(settings.model)
        source = Source(str(folder), folder.resolve().name, "0")
        check(source, settings)
        return source
    fetched = _fetch(settings)
    source = Source(fetched["folder"], fetched["name"], fetched["version"])
    check(source, settings)
    cache = settings.state_dir / "models"
    partial = cache / f".{_LAST_GOOD}"
    partial.write_text(json.dumps({"uri": settings.model, **asdict(source)}))
    partial.replace(cache / _LAST_GOOD)
    return source


def find_last_good(settings: ServingSettings) -> Source | None:
    """Return the model that served here before under the same name, checked again, or None."""
    try:
        record = json.loads((settings.state_dir / "models" / _LAST_GOOD).read_text())
        if record["uri"] != settings.model:
            return None
        source = Source(record["folder"], record["name"], record["version"])
        check(source, settings)
    except (OSError, ValueError, KeyError, AutonoeError):
        return None
    return source


def check(source: Source, settings: ServingSettings) -> None:
    """Compare the files with their hashes, and let a child process load and try the model.

    A server with a correspondence takes no model of another version either.

    Raises
    ------
    AutonoeError
        If the model does not pass.
    """
    folder = Path(source.folder)
    Manifest.read(folder).check_files(folder)
    check_in_child(folder)
    if settings.correspondence:
        # loaded here for a moment: which codes a model knows stands in none of its small files
        coder_for(NaceModel.load(folder, check=False), settings)


def open_model(source: Source, settings: ServingSettings) -> ServedModel:
    """Load a model that passed its checks into this process.

    Raises
    ------
    AutonoeError
        If its files changed since, or the correspondence did.
    """
    folder = Path(source.folder)
    model = NaceModel.load(folder, check=False)
    manifest = Manifest.read(folder)
    out = ModelOut(
        name=source.name,
        version=source.version,
        sha256=manifest.hashes["model"],
        id=manifest.id,
        nomenclature=manifest.nomenclature,
        stale=False,
    )
    raw = msgspec.Raw(msgspec.json.encode(out))
    return ServedModel(model, out, raw, coder_for(model, settings))


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
