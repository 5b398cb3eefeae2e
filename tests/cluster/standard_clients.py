"""A secret and a run of MLflow through standard clients; knows nothing of Autonoe."""

import json
import os
import sys
import urllib.request
from pathlib import Path

import mlflow

ADDRESS = f"{os.environ['VAULT_ADDR']}/v1/kv/data/{os.environ['VAULT_TOP_DIR']}/db"


def vault(method: str, body: dict[str, object] | None = None) -> dict[str, object]:
    """Call the secrets store."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-Vault-Token": os.environ["VAULT_TOKEN"]}
    request = urllib.request.Request(ADDRESS, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


def main() -> None:
    """Write and read; print what came back."""
    vault("POST", {"data": {"password": "x"}})
    secret = vault("GET")["data"]
    mlflow.set_experiment(f"of {os.environ['AWS_BUCKET_NAME']} {os.uname().nodename}")
    with mlflow.start_run() as run:
        mlflow.log_metric("accuracy", 0.5)
        mlflow.log_text("hello", "hello.txt")
    text = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/hello.txt")
    sys.stdout.write(json.dumps({"secret": secret, "run": run.info.run_id, "text": text}))


if __name__ == "__main__":
    assert Path(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).exists()
    main()
