"""The whole loop on real processes, from the first model to its successor and back."""

from __future__ import annotations

import http.client
import json
import random
import re
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
import yaml

from autonoe.credentials import session
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded import ports
from autonoe.names import user_bucket
from autonoe.waiting import wait_until
from autonoe_nace import registry, tracking
from autonoe_nace.annotation.store import AnnotationStore
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.evaluation import evaluate
from autonoe_nace.model import NaceModel
from autonoe_nace.nomenclature import load_nomenclature
from support import annotation
from support.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.slow, pytest.mark.timeout(1_500)]

AUTONOE = str(Path(sys.executable).with_name("autonoe"))
REQUESTS = 20_000
DRIFTED = 3_000
CLIENTS = 4
NEW_SECTIONS = frozenset("IPQRS")
"""What the first model never saw and what the economy then turns to."""
SAMPLE = 300
PARAMS = {"dim": 30, "epoch": 15, "bucket": 20_000, "titles": False}
TRAINING = ["--dim", "30", "--epoch", "15", "--bucket", "20000", "--no-titles"]


class Api:
    """The served model as a process of its own, and clients that keep their connections."""

    def __init__(self, model: str, state: Path, port: int) -> None:
        command = [AUTONOE, "nace", "serve", "--model", model, "--state-dir", str(state)]
        command += ["--port", str(port), "--refresh", "1", "--deployment", "loop"]
        self.port, self.state = port, state
        self.log = (state.parent / "serve.log").open("wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def ready(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        try:
            return _get(self.port, "/health/ready")[0] == 200
        except OSError:
            return False

    def version(self) -> str:
        """Return the version of the model that answers now."""
        status, body = _post(self.connect(), ["ristorante"])
        assert status == 200, body
        return str(body["model"]["version"])

    def send(self, texts: Sequence[str], *, at_once: int = 1) -> Counter[int]:
        """Send texts in requests of ``at_once`` by several clients; return the statuses."""
        requests = [texts[i : i + at_once] for i in range(0, len(texts), at_once)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            parts = pool.map(self._client, (requests[i::CLIENTS] for i in range(CLIENTS)))
            return sum(parts, Counter())

    def _client(self, requests: Sequence[Sequence[str]]) -> Counter[int]:
        connection = self.connect()
        statuses: Counter[int] = Counter()
        for texts in requests:
            statuses[_post(connection, texts)[0]] += 1
        connection.close()
        return statuses

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.log.close()


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _post(connection: http.client.HTTPConnection, texts: Sequence[str]) -> tuple[int, Any]:
    body = json.dumps({"records": [{"text": text} for text in texts], "top_k": 5})
    connection.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def cli(*args: str, code: int = 0) -> Any:
    """Run ``autonoe nace ARGS --json`` in this environment and return its document."""
    command = [AUTONOE, "nace", *args, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1_200, check=False)
    assert done.returncode == code, f"{args}: {done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def write(path: Path, data: Dataset) -> str:
    pa.csv.write_csv(pa.table({"text": data.texts, "code": data.codes}), path)
    return str(path)


def lines(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in (folder / "logs").glob("*.jsonl"))


def age(folder: Path, today: date, days: int) -> None:
    """Spread what the server logged just now over ``days`` days that end three days ago."""
    for file in (folder / "logs").glob("*.jsonl"):
        out = []
        for line in file.read_bytes().splitlines():
            record = json.loads(line)
            back = 3 + int(record["request_id"].replace("-", "")[-6:], 16) % days
            moment = datetime.fromisoformat(record["time"]).timetz()
            past = datetime.combine(today - timedelta(days=back), moment)
            record["time"] = past.isoformat()
            out.append(json.dumps(record, ensure_ascii=False).encode())
        file.write_bytes(b"\n".join(out) + b"\n")


@pytest.fixture
def account(platform: Platform) -> Iterator[str]:
    with session(AgentSettings.for_account(platform.layout, platform.owner)):
        yield platform.owner


def test_the_loop(account: str, tmp_path: Path) -> None:
    name = f"loop-{uuid.uuid4().hex[:10]}"
    place = f"s3://{user_bucket(account)}/{name}"
    logs, marks = f"{place}/logs", f"{place}/annotation"
    tree = load_nomenclature("ateco2025")
    everything = ateco()
    order = random.Random(11)
    known = [i for i, c in enumerate(everything.codes) if tree.ancestor(c, 1) not in NEW_SECTIONS]
    new = [i for i, c in enumerate(everything.codes) if tree.ancestor(c, 1) in NEW_SECTIONS]
    order.shuffle(known)
    order.shuffle(new)
    truth = dict(zip(everything.texts, everything.codes, strict=True))

    # train -> promote: the first champion knows little, and nothing of the new sections
    first_data = everything.subset(known[:1_200])
    held = everything.subset(known[1_200:1_500])
    base = write(tmp_path / "base.csv", first_data)
    trained = cli("train", "--data", base, "--output", str(tmp_path / "first"), *TRAINING)
    model = NaceModel.load(tmp_path / "first")
    assert model.id == trained["id"]
    scores = evaluate(model, held)
    tracked = tracking.track(tmp_path / "first", scores, experiment=name)
    first = registry.register(tracked, name=name).version
    judges = write(tmp_path / "held.csv", held)
    assert cli("models", "promote", name, first, "--gold", judges)["moved"]

    # serve -> 20,000 requests
    state = tmp_path / "state"
    state.mkdir()
    api = Api(f"models:/{name}@champion", state, ports.choose(1)[0])
    try:
        wait_until(api.ready, timeout_s=120, what="the server")
        assert api.version() == first
        pool = [everything.texts[i] for i in [*known[1_500:], *new[: len(new) // 10]]]
        usual = [order.choice(pool) for _ in range(REQUESTS)]
        assert api.send(usual) == {200: REQUESTS}
        sent = REQUESTS + 1
        wait_until(lambda: lines(state) >= sent, timeout_s=120, what="the log of all requests")

        _dashboard_sees(state, logs, sent, tmp_path)
        gold = _annotate(tmp_path, name, logs, marks, tree, truth)
        assert gold == SAMPLE

        # drift injected
        shifted = [everything.texts[order.choice(new)] for _ in range(DRIFTED)]
        assert api.send(shifted, at_once=50) == {200: DRIFTED // 50}
        wait_until(lambda: lines(state) >= DRIFTED, timeout_s=120, what="the log of the drift")
        assert cli("etl", "--from", str(state / "logs"), "--to", logs)["new"] >= DRIFTED
        labels = write(tmp_path / "labels.csv", everything.subset([*known[1_500:], *new]))
        rules = _rules(tmp_path, {"name": name, "gold": marks, "data": base, "labels": [labels]})
        lost: Counter[int] = Counter()
        going = threading.Event()
        asking = threading.Thread(target=lambda: _ask_until(api, going, lost))
        asking.start()
        try:
            _alert_retrains(api, tmp_path, rules, logs, held, scores)
            # rollback
            back = cli("models", "rollback", name, "--reason", "the end of the test")
            assert back["moved"]
            assert (back["decision"]["kind"], back["decision"]["version"]) == ("rollback", first)
            wait_until(lambda: api.version() == first, timeout_s=180, what="the first champion")
        finally:
            going.set()
            asking.join()
        assert set(lost) == {200}
        assert lost[200] > 20, "requests went on through the swap and back"
        kinds = [decision.kind for decision in registry.history(name)]
        assert kinds == ["promote", "promote", "rollback"]
    finally:
        api.stop()


def _alert_retrains(
    api: Api, scratch: Path, rules: str, logs: str, held: Dataset, scores: dict[str, Any]
) -> None:
    """Alert -> retrain -> promote, while clients go on asking."""
    journal = ["--journal", str(scratch / "journal")]
    found = cli("alerts", "check", "--rules", rules, "--from", logs, *journal, code=1)
    assert found["alerts"] == 1, found["findings"]
    (action,) = found["actions"]
    assert action["state"] == "taken", action
    done = action["result"]
    assert done["promoted"], done["message"]
    assert done["gate"]["difference"]["low"] > 0
    assert done["because"].startswith("alert the economy turns")
    assert Path(done["report"]).stat().st_size > 100_000
    again = cli("alerts", "check", "--rules", rules, "--from", logs, *journal, code=1)
    assert again["actions"][0]["state"] == "cooling down"
    wait_until(lambda: api.version() == done["version"], timeout_s=180, what="the new champion")
    challenger = NaceModel.load(scratch / "work" / done["id"] / "model")
    better = evaluate(challenger, held)["levels"]["4"]["top1"]["low"]
    assert better > scores["levels"]["4"]["top1"]["value"], "on texts neither learned"


def _ask_until(api: Api, done: threading.Event, statuses: Counter[int]) -> None:
    """Ask fifty times a second: the agent that leads to the registry lives in this process too."""
    connection = api.connect()
    while not done.wait(0.02):
        statuses[_post(connection, ["ristorante"])[0]] += 1
    connection.close()


def _dashboard_sees(state: Path, logs: str, sent: int, scratch: Path) -> None:
    """ETL -> queries and the page."""
    from autonoe_nace.monitoring import PredictionStatistics

    age(state, datetime.now(UTC).date(), 28)
    report = cli("etl", "--from", str(state / "logs"), "--to", logs)
    assert (report["new"], report["corrupt"]) == (sent, 0)
    assert cli("etl", "--from", str(state / "logs"), "--to", logs)["new"] == 0
    statistics = PredictionStatistics(logs)
    days = statistics.per_day()
    assert len(days) == 28
    assert sum(day["predictions"] for day in days) == sent
    some, more = (statistics.automatic(threshold) for threshold in (0.6, 0.3))
    assert 0 < some.value < more.value < 1
    assert some.low < some.value < some.high
    page = scratch / "dashboard.html"
    shown = cli("dashboard", "--from", logs, "--html", str(page))
    assert (shown["predictions"], shown["days"]) == (sent, 28)
    assert "<html" in page.read_text(encoding="utf-8")


def _annotate(
    scratch: Path, name: str, logs: str, marks: str, tree: Any, truth: dict[str, str]
) -> int:
    """Sample -> Label Studio -> gold; people err now and then, and the arbiter decides."""
    folder = scratch / "label-studio"
    with annotation.running(folder, coders=["anna", "ben"], arbiters=["carla"]) as service:
        drawn = cli(
            *("annotate", "push", "--round", name, "--logs", logs, "--to", marks),
            *("--size", str(SAMPLE), "--months", "2", "--folder", str(folder)),
        )
        assert drawn["tasks"] == {"anna": SAMPLE, "ben": SAMPLE}
        codes = sorted(set(truth.values()))

        def person(errs: int) -> annotation.Answer:
            def decide(data: dict[str, Any]) -> str:
                number = int.from_bytes(data["key"].encode()[-8:], "big")
                if number % 13 == errs:
                    return codes[number % len(codes)]
                return truth[data["text"]]

            return decide

        for coder, errs in (("anna", 0), ("ben", 1)):
            assert annotation.answer(service, coder, name, person(errs)) == SAMPLE
        half = cli("annotate", "pull", "--round", name, "--to", marks, "--folder", str(folder))
        assert half["waiting_for_arbiter"] == half["disputed"] > 0
        arbiter = annotation.answer(service, "carla", name, lambda data: truth[data["text"]])
        assert arbiter == half["disputed"]
        done = cli("annotate", "pull", "--round", name, "--to", marks, "--folder", str(folder))
    assert done["waiting_for_arbiter"] == 0
    agreement = done["agreement"]["class"]
    assert 0.7 < agreement["percent"]["value"] < 1
    assert agreement["kappa"]["low"] < agreement["kappa"]["value"]
    rows = AnnotationStore(marks).read("gold", name)
    assert sum(rows["weight"].to_pylist()) == pytest.approx(drawn["sample"]["population"])
    assert all(row["code"] == truth[row["text"]] for row in rows.to_pylist() if row["arbiter"])
    _page_shows_gold(scratch / "with-gold.html", logs, marks)
    return int(done["gold"])


def _page_shows_gold(page: Path, logs: str, marks: str) -> None:
    """Compare what the page holds with the rows of the gold standard, counted here."""
    cli("dashboard", "--from", logs, "--html", str(page), "--gold", marks)
    written = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', written, re.DOTALL)
    assert found is not None
    document = json.loads(found[1])
    assert len(document["days"]) == 28
    (name,) = AnnotationStore(marks).rounds("gold")
    rows = AnnotationStore(marks).read("gold", name).to_pylist()
    assert len(rows) == SAMPLE
    shown = document["gold"]["at"]["60"]
    auto = {row["request_id"] for row in rows if row["model_confidence"] >= 0.6 - 1e-9}
    assert (shown["auto"]["n"], shown["manual"]["n"]) == (len(auto), SAMPLE - len(auto))
    assert 0 < len(auto) < SAMPLE
    coded = [row for row in rows if row["status"] == "coded"]
    right = sum(row["weight"] for row in coded if row["code"] == row["model_code"])
    rate = right / sum(row["weight"] for row in coded)
    assert 0 < rate < 1
    assert shown["all"]["levels"]["code"]["value"] == pytest.approx(rate, abs=1e-6)


def _rules(scratch: Path, plan: dict[str, Any]) -> str:
    """Write a rule file: an alert when the coded divisions move, and what it retrains."""
    document = {
        "rules": [
            {
                "name": "the economy turns",
                "metric": "drift",
                "variable": "code",
                "window": "2d",
                "reference": "28d",
                "comparison": "above",
                "effect": 0.1,
                "action": "retrain",
            }
        ],
        "retrain": {**plan, "work": str(scratch / "work"), "params": PARAMS},
    }
    path = scratch / "rules.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)
