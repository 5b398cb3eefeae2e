"""Alert rules: what raises an alert, what does not, and a retraining that is started once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from benchmarks.log_rows import FIRST, write_year

from autonoe.cli import main
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import ConflictError, InvalidInputError
from autonoe_nace.alerts import check, load_rules
from autonoe_nace.alerts.journal import ALERTS, Journal
from autonoe_nace.alerts.schedule import objects
from autonoe_nace.monitoring import Logs
from autonoe_nace.retraining.plan import RetrainPlan
from support.manifests import MINORS, check_labels
from support.manifests import check as check_manifests

DAYS = 63
LAST = FIRST + timedelta(days=DAYS - 1)
SHIFT = {"name": "index moved", "metric": "drift", "variable": "confidence", "window": "14d"}
SHIFT |= {"reference": f"{FIRST}..{FIRST + timedelta(days=29)}", "comparison": "above"}
SHIFT |= {"effect": 0.1, "severity": "critical"}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return logs whose last 30 days are worse."""
    place = tmp_path_factory.mktemp("alerts") / "logs"
    write_year(place, 12_000, days=DAYS)
    return place


@pytest.fixture(scope="module")
def logs(folder: Path) -> Logs:
    return Logs(str(folder))


def rules(place: Path, *listed: dict[str, Any], **more: Any) -> Path:
    path = place / "rules.yaml"
    path.write_text(yaml.safe_dump({"rules": list(listed), **more}), encoding="utf-8")
    return path


def found(place: Path, logs: Logs, *listed: dict[str, Any]) -> dict[str, Any]:
    return check(load_rules(rules(place, *listed)), logs, Journal(place / "journal"))


def rule(name: str, metric: str, comparison: str, effect: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "metric": metric,
        "comparison": comparison,
        "effect": effect,
        "minimum_n": 50,
        **more,
    }


def test_what_moved_raises_an_alert_with_its_figures(tmp_path: Path, logs: Logs) -> None:
    month = f"{FIRST}..{FIRST + timedelta(days=29)}"
    fell = rule("rate fell", "automatic_rate", "fell", 0.05, window="14d", reference=month, at=0.5)
    document = found(tmp_path, logs, SHIFT, fell)
    assert document["today"] == str(LAST)
    assert document["alerts"] == 2
    drift, rate = document["findings"]
    assert drift["value"] > 0.1 > drift["reference"]
    assert drift["details"]["baseline"]["drawn"] == "days"
    assert rate["change"]["high"] < 0
    assert rate["value"] == pytest.approx(rate["reference"] + rate["change"]["value"])
    assert rate["n"] > 50
    lines = Journal(tmp_path / "journal").entries()
    assert [line["rule"] for line in lines] == ["index moved", "rate fell"]
    assert lines[1]["change"] == rate["change"]
    assert (tmp_path / "journal" / ALERTS).stat().st_mode & 0o077 == 0


def test_what_is_as_usual_raises_none(tmp_path: Path, logs: Logs) -> None:
    quiet = [
        {**SHIFT, "name": "codes", "variable": "code"},
        {**SHIFT, "name": "texts", "variable": "words", "effect": 0.15},
        rule("errors", "error_rate", "above", 0.05),
        rule("slow", "latency_p99_ms", "above", 1_000),
        rule("silence", "predictions_per_day", "fell", 0.9),
        rule("index", "mean_index", "below", 0.01),
        rule("rules engine", "lookup_rate", "moved", 0.3),
    ]
    document = found(tmp_path, logs, *quiet)
    assert {row["state"] for row in document["findings"]} == {"quiet"}
    assert document["alerts"] == 0
    assert Journal(tmp_path / "journal").entries() == []


def test_amounts_are_compared_too(tmp_path: Path, logs: Logs) -> None:
    loud = [
        rule("errors", "error_rate", "below", 0.5),
        rule("slow", "latency_p50_ms", "above", 0.1),
        rule("index", "mean_index", "fell", 0.05, window="20d"),
    ]
    assert found(tmp_path, logs, *loud)["alerts"] == 3


def gold_standard(place: Path, *, marked: bool = True) -> Path:
    """Write 240 gold texts: 30 of 120 answers of ``one`` are right lately, all others always."""
    rows = [
        {
            **{"request_id": f"{late}-{deployment}-{number}", "position": 0, "weight": 2.0},
            **{"code": "01.11", "stratum": "s", "model_version": "1", "auto": number % 2 == 0},
            "model_code": "01.12" if (late, deployment) == (1, "one") and number >= 30 else "01.11",
            **{"model_confidence": 0.9, "status": "coded", "annotated_at": NOW},
            **{"deployment": deployment, "time": datetime(2026, 2, 1 + 20 * late, tzinfo=UTC)},
        }
        for late in (0, 1)
        for deployment, n in (("one", 120), ("two", 60))
        for number in range(n)
    ]
    (place / "gold").mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    if not marked:
        table = table.drop_columns(["deployment", "time"])
    pq.write_table(table, place / "gold" / "q1.parquet")
    return place


def test_accuracy_on_gold_is_that_of_the_rules_days_and_deployment(
    tmp_path: Path, logs: Logs
) -> None:
    base = rule("lately", "gold_accuracy", "below", 0.5, variable="all")
    lately, before = "2026-02-15..2026-02-28", "2026-02-01..2026-02-14"
    listed = [
        {**base, "window": lately, "deployment": "one"},
        {**base, "name": "before", "window": before, "deployment": "one"},
        {**base, "name": "other", "window": lately, "deployment": "two"},
        {**base, "name": "both", "window": lately, "effect": 0.6},
        {**base, "name": "automatic", "window": lately, "deployment": "one", "variable": "auto"},
        {**base, "name": "never", "window": "2025-01-01..2025-12-31"},
    ]
    path = rules(tmp_path, *listed, gold=str(gold_standard(tmp_path / "marks")))
    document = check(load_rules(path), logs, Journal(tmp_path / "journal"))
    shown = [(row["rule"], row["state"], row["n"], row["value"]) for row in document["findings"]]
    assert shown == [
        ("lately", "alert", 120, 0.25),
        ("before", "quiet", 120, 1.0),
        ("other", "quiet", 60, 1.0),
        ("both", "alert", 180, 0.5),
        ("automatic", "alert", 60, 0.25),
        ("never", "too few", 0, None),
    ]
    assert [row["window"] for row in document["findings"][:2]] == [lately, before]
    assert document["alerts"] == 3


def test_gold_that_does_not_say_of_when_it_is_raises_no_alert_but_an_error(
    tmp_path: Path, logs: Logs
) -> None:
    base = rule("quality", "gold_accuracy", "below", 0.99, variable="all")
    marks = gold_standard(tmp_path / "marks", marked=False)
    with pytest.raises(InvalidInputError, match="when it was predicted") as refused:
        check(load_rules(rules(tmp_path, base, gold=str(marks))), logs, Journal(tmp_path / "j"))
    assert "annotate pull" in refused.value.hint


def test_too_few_rows_and_no_reference_raise_none_and_say_so(tmp_path: Path, logs: Logs) -> None:
    document = found(
        tmp_path,
        logs,
        rule("few", "error_rate", "above", 0.0, window="1d", minimum_n=10**6),
        rule("season", "automatic_rate", "fell", 0.0, reference="same_season"),
        rule("other", "automatic_rate", "below", 1.0, deployment="nobody's"),
    )
    states = [row["state"] for row in document["findings"]]
    assert states == ["too few", "no reference", "too few"]
    assert "1,000,000 are wanted" in document["findings"][0]["message"]


def test_an_alert_retrains_once_and_again_after_its_time(tmp_path: Path, logs: Logs) -> None:
    path = rules(
        tmp_path,
        {**SHIFT, "action": "retrain", "cooldown_days": 3},
        rule("rate low", "automatic_rate", "below", 0.99, action="retrain", cooldown_days=3),
        retrain={"gold": "s3://bucket/nace", "name": "nace-ana", "labels": ["new.csv"]},
    )
    calls: list[RetrainPlan] = []

    def retrain(plan: RetrainPlan) -> dict[str, Any]:
        calls.append(plan)
        return {"promoted": True, "version": "7"}

    journal = Journal(tmp_path / "journal")
    clock = [NOW]

    def checked() -> dict[str, Any]:
        return check(load_rules(path), logs, journal, retrain=retrain, now=lambda: clock[0])

    (action,) = checked()["actions"]
    assert (action["state"], action["rule"]) == ("taken", "index moved, rate low")
    assert action["result"]["version"] == "7"
    assert (calls[0].gold, calls[0].labels) == ("s3://bucket/nace", ("new.csv",))
    assert calls[0].because.startswith("alert index moved, rate low: Confidence index")
    clock[0] += timedelta(days=2)
    (later,) = checked()["actions"]
    assert later["state"] == "cooling down"
    assert later["until"].startswith("2026-03-04")
    clock[0] += timedelta(days=2)
    assert checked()["actions"][0]["state"] == "taken"
    assert len(calls) == 2
    assert [e["state"] for e in journal.entries() if "result" in e] == ["taken", "taken"]


def test_a_retraining_that_fails_is_recorded_and_waits_too(tmp_path: Path, logs: Logs) -> None:
    path = rules(tmp_path, {**SHIFT, "action": "retrain"}, retrain={"gold": "s3://bucket/nace"})
    calls = []

    def retrain(plan: RetrainPlan) -> dict[str, Any]:
        calls.append(plan)
        raise ConflictError("Another retraining is at work.")

    journal = Journal(tmp_path / "journal")
    for state in ("failed", "cooling down"):
        document = check(load_rules(path), logs, journal, retrain=retrain, now=lambda: NOW)
        assert document["actions"][0]["state"] == state
    assert len(calls) == 1
    assert (journal.last("retrain") or {})["result"]["code"] == "conflict"


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"rules": []}, "rules"),
        ({"rules": [rule("a", "drift", "above", 0.1)]}, "needs a variable"),
        ({"rules": [rule("a", "speed", "above", 0.1)]}, "metric"),
        ({"rules": [rule("a", "error_rate", "above", -1)]}, "effect"),
        ({"rules": [rule("a", "error_rate", "above", 1)] * 2}, "one name"),
        ({"rules": [rule("a", "error_rate", "above", 1, action="retrain")]}, "gold"),
        ({"rules": [rule("a", "gold_accuracy", "below", 1, variable="auto")]}, "gold"),
        ({"rules": [rule("a", "error_rate", "above", 1)], "unknown": 1}, "unknown"),
        ("just text", "file"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_name(
    tmp_path: Path, document: Any, named: str
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(InvalidInputError, match=named):
        load_rules(path)


def test_an_unknown_field_of_the_retraining_is_refused_first(tmp_path: Path, logs: Logs) -> None:
    listed = rules(tmp_path, {**SHIFT, "action": "retrain"}, retrain={"gold": "x", "speed": "fast"})
    with pytest.raises(InvalidInputError, match="speed"):
        check(load_rules(listed), logs, Journal(tmp_path / "journal"))


def test_the_command_tells_by_its_exit_code(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--from", str(folder), "--journal", str(tmp_path / "journal")]
    quiet = rules(tmp_path, rule("errors", "error_rate", "above", 0.5))
    with pytest.raises(SystemExit) as done:
        main(["nace", "alerts", "check", "--rules", str(quiet), *base])
    assert done.value.code == 0
    assert "errors" in capsys.readouterr().out
    loud = rules(tmp_path, SHIFT)
    with pytest.raises(SystemExit) as raised:
        main(["nace", "alerts", "check", "--rules", str(loud), *base, "--json"])
    assert raised.value.code == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["state"] == "alert"
    with pytest.raises(SystemExit) as listed:
        main(["nace", "alerts", "list", "--journal", str(tmp_path / "journal")])
    assert listed.value.code == 0
    assert "critical  index moved: Confidence index" in capsys.readouterr().out
    with pytest.raises(SystemExit) as wrong:
        main(["nace", "alerts", "check", "--rules", str(tmp_path / "none"), *base, "--json"])
    assert wrong.value.code == 2


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with pytest.raises(SystemExit) as done:
        main(["nace", "alerts", "check", *options])
    assert done.value.code == 0
    return capsys.readouterr().out


def test_the_line_for_cron_checks_the_rules_wherever_it_starts(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "50 % sure").mkdir()
    listed = rules(tmp_path / "50 % sure", SHIFT)
    journal = tmp_path / "journal"
    options = ["--rules", str(listed), "--from", str(folder), "--journal", str(journal)]
    line = printed(capsys, *options, "--schedule", "crontab", "--cron", "15 5 * * 1-5").strip()
    assert not journal.exists(), "printing checks nothing"
    when, command = line[:12], line[13:]
    assert when == "15 5 * * 1-5"
    assert command.startswith("autonoe nace alerts check --from ")
    # cron gives the shell a % where the line says \%
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace(r"\%", "%")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    assert "CRITICAL index moved" in done.stdout
    assert [entry["rule"] for entry in Journal(journal).entries()] == ["index moved"]
    as_ana = printed(capsys, *options, "--schedule", "crontab", "--account", "ana")
    assert as_ana.startswith("0 6 * * * autonoe credentials exec --account ana -- autonoe nace ")


@pytest.mark.parametrize("minor", MINORS)
def test_the_cron_job_keeps_the_journal_and_holds_no_credentials(
    minor: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = rules(tmp_path, SHIFT)
    options = ["--rules", str(listed), "--deployment", "nace-api", "--schedule", "kubernetes"]
    made = list(yaml.safe_load_all(printed(capsys, *options)))
    settings = AgentSettings(
        account="anna",
        proof_file=tmp_path / "proof",
        openbao_url="http://openbao:8200",
        s3_url="http://s3:8333",
        mlflow_url="http://mlflow:5000",
    )
    images = {"image": "a/b:1", "agent_image": "c:1"}
    beside = objects("0 6 * * *", [], rules="x", **images, settings=settings)
    for manifests in (made, beside):
        check_manifests(manifests, minor)
        check_labels(manifests)
        assert "password" not in json.dumps(manifests).lower()
    content, claim, job = made
    assert yaml.safe_load(content["data"]["rules.yaml"])["rules"][0]["name"] == "index moved"
    spec = job["spec"]["jobTemplate"]["spec"]
    assert (job["spec"]["schedule"], spec["backoffLimit"]) == ("0 6 * * *", 0)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["autonoe", "nace", "alerts", "check"]
    wanted = ["--deployment", "nace-api", "--rules", "/rules/rules.yaml"]
    assert container["args"] == wanted
    assert {"name": "HOME", "value": container["volumeMounts"][0]["mountPath"]} in container["env"]
    assert container["volumeMounts"][0]["name"] == "work"
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert volumes["work"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert volumes["rules"]["configMap"]["name"] == content["metadata"]["name"]


def test_wrong_rules_and_wrong_times_are_not_scheduled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = rules(tmp_path, SHIFT)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("rules: []", encoding="utf-8")
    for options in (["--rules", str(wrong)], ["--rules", str(listed), "--cron", "60 * * * *"]):
        with pytest.raises(SystemExit) as done:
            main(["nace", "alerts", "check", *options, "--schedule", "crontab", "--json"])
        assert done.value.code == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_input"
