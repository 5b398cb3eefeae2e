"""The ETL by the clock: the line for cron does what it says, the CronJob is one of Kubernetes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from autonoe.cli import main
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import InvalidInputError
from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.schedule import cronjob
from autonoe_nace.logs.writer import PredictionLog
from support.manifests import MINORS, check_labels
from support.manifests import check as check_manifests

ON_A_VOLUME = ["--from", "state/logs", "--to", "s3://user-ana/nace/logs/service=own"]


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with pytest.raises(SystemExit) as done:
        main(["nace", "etl", *options])
    assert done.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a folder of three logged predictions."""
    folder = tmp_path / "50 % of it"
    log = PredictionLog(folder)
    log.add(
        LogRecord(
            request_id=f"r{number}",
            position=0,
            time=datetime(2026, 11, 20, 12, tzinfo=UTC),
            deployment="d",
            key_id="k",
            model_name="nace",
            model_version="1",
            model_sha256="0" * 64,
            text="coltivazione di riso",
            codes=["01.12"],
            probabilities=[0.75],
            confidence=0.5,
            threshold=0.8,
            auto=False,
            latency_ms=1.5,
            top_k=5,
            level=5,
        )
        for number in range(3)
    )
    log.flush()
    return folder


def test_the_line_for_cron_brings_the_logs_wherever_it_starts(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--from", logs.name, "--to", "store", "--schedule", "crontab"]
    line = printed(capsys, *options, "--cron", "*/5 * * * *").strip()
    assert not (tmp_path / "store").exists(), "printing brings nothing"
    when, command = line[:11], line[12:]
    assert when == "*/5 * * * *"
    assert command.startswith("autonoe nace etl --from ")
    (tmp_path / "home").mkdir()
    # cron gives the shell a % where the line says \%
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace(r"\%", "%")],
        cwd=tmp_path / "home",
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.startswith("3 new predictions from 1 files")
    (file,) = (tmp_path / "store").glob("date=2026-11-20/*.parquet")
    assert pq.ParquetFile(file).metadata.num_rows == 3


def test_the_line_for_a_deployment_asks_for_its_accounts_credentials(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--deployment", "nace-api", "--schedule", "crontab", "--account", "ana"]
    assert printed(capsys, *options) == (
        "5 * * * * autonoe credentials exec --account ana -- "
        "autonoe nace etl --deployment nace-api\n"
    )
    line = printed(capsys, *options[:4], "--to", "s3://user-ana/x").strip()
    assert line == "5 * * * * autonoe nace etl --deployment nace-api --to s3://user-ana/x"


@pytest.mark.parametrize("minor", MINORS)
def test_the_cron_job_reads_the_volume_and_holds_no_credentials(
    minor: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [*ON_A_VOLUME, "--schedule", "kubernetes", "--claim", "serving-state"]
    made = yaml.safe_load(printed(capsys, *wanted))
    settings = AgentSettings(
        account="anna",
        proof_file=tmp_path / "proof",
        openbao_url="http://openbao:8200",
        s3_url="http://s3:8333",
        mlflow_url="http://mlflow:5000",
    )
    beside = cronjob(
        "5 * * * *",
        claim="serving-state",
        folder="state/logs",
        target="s3://user-anna/logs",
        image="a/b:1",
        agent_image="c:1",
        settings=settings,
    )
    check_manifests([made, beside], minor)
    check_labels([made, beside])
    assert "password" not in json.dumps([made, beside]).lower()
    spec = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] == ["autonoe", "nace", "etl"]
    assert container["args"][:2] == ["--from", "/volume/state/logs"]
    assert container["args"][2:4] == ON_A_VOLUME[2:]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["logs"] == {"name": "logs", "mountPath": "/volume"}, "what was brought is moved"
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["logs"]["persistentVolumeClaim"]["claimName"] == "serving-state"
    assert made["spec"]["concurrencyPolicy"] == "Forbid"
    started = beside["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"]
    assert [one["image"] for one in started] == ["c:1"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--deployment", "nace-api", "--claim", "x"], "send their logs by themselves"),
        (ON_A_VOLUME, "on a volume only"),
        (["--from", "logs", "--to", "out", "--claim", "x"], "go with its pod"),
        ([*ON_A_VOLUME, "--claim", "x", "--cron", "60 * * * *"], "no cron expression"),
    ],
)
def test_what_cannot_run_by_the_clock_is_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["nace", "etl", *options, "--schedule", "kubernetes", "--json"])
    assert done.value.code == InvalidInputError.exit_code
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], said in error["message"]) == ("invalid_input", True)
    assert error["hint"]
