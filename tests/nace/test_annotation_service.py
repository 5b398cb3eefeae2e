"""A round on the real Label Studio: accounts, walls, double coding, the arbiter, the gold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import urllib3

from autonoe.embedded import ports
from autonoe.errors import AutonoeError, ConflictError, InvalidInputError, UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace.annotation import page, rounds
from autonoe_nace.annotation.collecting import pull
from autonoe_nace.annotation.design import Design
from autonoe_nace.annotation.people import People
from autonoe_nace.annotation.rounds import Plan, push
from autonoe_nace.annotation.sampling import Sample, draw
from autonoe_nace.annotation.service import Service
from autonoe_nace.annotation.store import CODINGS, GOLD, AnnotationStore
from autonoe_nace.dashboard_gold import gold_page
from autonoe_nace.dashboard_html import figure, interval
from autonoe_nace.monitoring import ALL
from support import annotation as support
from support.annotated import LAST, TREE, population, store

pytestmark = pytest.mark.slow

AUTONOE = str(Path(sys.executable).with_name("autonoe"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("annotation")
    with support.running(folder, coders=["anna", "ben"], arbiters=["carla"]) as started:
        yield started


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return store(tmp_path_factory.mktemp("logs"), population(600))


@pytest.fixture
def sample(logs: str) -> Sample:
    return draw(logs, TREE, Design(24), until=LAST)


def truth(data: dict) -> str:  # type: ignore[type-arg]
    """Return the code on which everybody could agree: the text's number says which."""
    return f"{int(str(data['text']).split()[1]) % 30 + 1:02d}"


def ask(service: Service, person: str, method: str, path: str) -> urllib3.BaseHTTPResponse:
    token = service.people.get(person).token
    return urllib3.request(
        method,
        f"{service.url}{path}",
        headers={"Authorization": f"Token {token}"},
        timeout=60,
        retries=False,
    )


def test_a_round_trip_gives_gold_with_weights_agreement_and_the_models_accuracy(
    service: Service, sample: Sample, tmp_path: Path
) -> None:
    places = AnnotationStore(str(tmp_path))
    done = push(service, places, sample, Plan("trip"), TREE)
    assert (done["texts"], done["twice"], done["tasks"]) == (24, 24, {"anna": 24, "ben": 24})

    numbers = {text: i for i, text in enumerate(sample.rows["text"].to_pylist())}

    def ben(data: dict) -> str:  # type: ignore[type-arg]
        number = numbers[data["text"]]
        if number < 3:
            return "29" if truth(data) != "29" else "28"  # he errs
        return page.CANNOT if number == 3 else truth(data)

    def anna(data: dict) -> str:  # type: ignore[type-arg]
        return page.CANNOT if numbers[data["text"]] in {3, 4} else truth(data)

    assert support.answer(service, "anna", "trip", anna) == 24
    half = pull(service, places, "trip", TREE)
    assert (half["gold"], half["disputed"]) == (0, 0), "one answer of two is none yet"
    support.answer(service, "ben", "trip", ben)
    first = pull(service, places, "trip", TREE)
    # 0, 1, 2: two codes; 4: she could not code it, he could
    assert (first["disputed"], first["waiting_for_arbiter"], first["gold"]) == (4, 4, 20)
    assert first["cannot_be_coded"] == 1
    rows = sample.rows.to_pylist()
    said = [{"text": row["text"]} for row in rows]
    exact = _agreement(
        [(anna(one), ben(one), row["weight"]) for one, row in zip(said, rows, strict=True)]
    )
    agreed = first["agreement"]["division"]
    percent, kappa = agreed["percent"], agreed["kappa"]
    assert percent["low"] < percent["value"] < percent["high"]
    assert kappa["low"] < kappa["value"] < kappa["high"]
    assert (percent["n"], kappa["n"]) == (24, 24)
    assert (percent["value"], kappa["value"]) == (pytest.approx(exact[0]), pytest.approx(exact[1]))
    assert 0.5 < exact[1] < exact[0] < 1

    assert support.answer(service, "carla", "trip", truth) == 4
    final = pull(service, places, "trip", TREE)
    assert (final["gold"], final["waiting_for_arbiter"]) == (24, 0)
    assert final["agreement"] == first["agreement"], "the arbiter is no second opinion"
    _model_beside_people(str(tmp_path), rows, agreed, final["model"]["division"]["all"])
    gold = places.read("gold", "trip")
    assert gold.schema == GOLD
    assert gold["deployment"].to_pylist() == ["one"] * 24
    times = {row["text"]: row["time"] for row in rows}
    assert {row["text"]: row["time"] for row in gold.to_pylist()} == times
    decided = [row for row in gold.to_pylist() if row["arbiter"]]
    assert {row["arbiter"] for row in decided} == {"carla"}
    assert len(decided) == 4
    weights = dict(
        zip(sample.rows["request_id"].to_pylist(), sample.rows["weight"].to_pylist(), strict=True)
    )
    for row in gold.to_pylist():
        assert row["weight"] == pytest.approx(weights[row["request_id"]])
        assert row["coder"] == "anna+ben"
        assert row["code"] == ("" if row["status"] == page.CANNOT else truth(row))
    assert sum(gold["weight"].to_pylist()) == pytest.approx(600)
    codings = places.read("codings", "trip")
    assert codings.schema == CODINGS
    assert codings.num_rows == 24 + 24 + 4

    before = (tmp_path / "gold" / "trip.parquet").read_bytes()
    again = pull(service, places, "trip", TREE)
    assert (again, (tmp_path / "gold" / "trip.parquet").read_bytes()) == (final, before)


def _model_beside_people(
    place: str, rows: list[dict[str, Any]], agreed: dict[str, Any], accuracy: dict[str, float]
) -> None:
    """Count the model's accuracy, and compare what the dashboard shows of the round."""
    coded = [row for number, row in enumerate(rows) if number != 3]  # nobody could code that text
    right = sum(row["weight"] for row in coded if row["codes"][0] == truth(row))
    assert accuracy["value"] == pytest.approx(right / sum(row["weight"] for row in coded))
    assert accuracy["n"] == 23
    assert gold_page(place, 0.8, TREE, ALL).endswith(
        f"<tr><td class='text'>division</td><td>{interval(agreed['percent'])}</td>"
        f"<td>{figure(agreed['kappa'])}</td><td>{interval(accuracy)}</td></tr></tbody></table>"
    )


def _agreement(said: list[tuple[str, str, float]]) -> tuple[float, float]:
    """Return the weighted share of equal answers, and Cohen's kappa by its definition."""
    total = sum(weight for *_, weight in said)
    equal = sum(weight for first, second, weight in said if first == second) / total
    marginals: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    for first, second, weight in said:
        for counter, answer in zip(marginals, (first, second), strict=True):
            counter[answer] += weight / total
    chance = sum(marginals[0][answer] * marginals[1][answer] for answer in marginals[0])
    return equal, (equal - chance) / (1 - chance)


def test_an_unfinished_round_weighs_what_is_there_up_to_its_strata(
    service: Service, sample: Sample, tmp_path: Path
) -> None:
    places = AnnotationStore(str(tmp_path))
    push(service, places, sample, Plan("half", overlap=0), TREE)
    shown = iter(range(24))
    support.answer(service, "anna", "half", lambda data: truth(data) if next(shown) < 9 else "")
    done = pull(service, places, "half", TREE)
    gold = places.read("gold", "half")
    assert done["gold"] == gold.num_rows == 9
    by_stratum: dict[str, float] = {}
    for row in gold.to_pylist():
        by_stratum[row["stratum"]] = by_stratum.get(row["stratum"], 0) + row["weight"]
        assert (row["coder"], row["arbiter"]) == ("anna", "")
    populations = {s.name(sample.design): s.population for s in sample.strata}
    assert by_stratum == {name: pytest.approx(populations[name]) for name in by_stratum}


def test_push_can_be_repeated_and_another_sample_is_refused(
    service: Service, sample: Sample, logs: str, tmp_path: Path
) -> None:
    places = AnnotationStore(str(tmp_path))
    assert push(service, places, sample, Plan("again"), TREE)["tasks"] == {"anna": 24, "ben": 24}
    assert push(service, places, sample, Plan("again"), TREE)["tasks"] == {"anna": 24, "ben": 24}
    studio = support.of(service, "anna")
    project = rounds.project_of(studio, "again")
    assert project is not None
    assert len(list(studio.tasks(project))) == 24
    other = draw(logs, TREE, Design(24, seed=9), until=LAST)
    with pytest.raises(ConflictError):
        push(service, places, other, Plan("again"), TREE)


def test_blind_tasks_hold_nothing_of_the_model_and_helped_ones_five_codes(
    service: Service, sample: Sample, tmp_path: Path
) -> None:
    places = AnnotationStore(str(tmp_path))
    push(service, places, sample, Plan("blind"), TREE)
    push(service, places, sample, Plan("helped", helped=True), TREE)
    studio = support.of(service, "anna")
    blind, helped = (
        list(studio.tasks(rounds.project_of(studio, name) or 0)) for name in ("blind", "helped")
    )
    assert {frozenset(task["data"]) for task in blind} == {frozenset({"key", "text", "side"})}
    assert not any(task["predictions"] for task in blind + helped)
    for task in helped:
        assert task["data"]["ideas"][-1]["alias"] == page.CANNOT
        assert 1 <= len(task["data"]["ideas"]) <= 6


def test_nobody_sees_or_changes_what_another_says(
    service: Service, sample: Sample, tmp_path: Path
) -> None:
    """Every address of the service that takes a number, asked for ben's things by anna."""
    push(service, AnnotationStore(str(tmp_path)), sample, Plan("walls"), TREE)
    support.answer(service, "ben", "walls", truth)
    bens = support.of(service, "ben")
    project = rounds.project_of(bens, "walls")
    assert project is not None
    task = next(iter(bens.tasks(project)))
    said = task["annotations"][0]["id"]
    secret = task["data"]["text"]
    schema = json.loads(ask(service, "ben", "GET", "/docs/api/schema/json/").data)
    numbers = {"task": task["id"], "annotation": said}
    leaks, asked = [], 0
    for path, verbs in schema["paths"].items():
        if "get" not in verbs:
            continue
        kind = next((k for k in numbers if f"/{k}" in path), "")
        for number in {project, numbers.get(kind, project)}:
            full = path
            for part in [p for p in path.split("/") if p.startswith("{")]:
                full = full.replace(part, str(number))
            for query in ("", f"?project={project}", f"?task={task['id']}"):
                answer = ask(service, "anna", "GET", full + query)
                asked += 1
                if secret.encode() in answer.data or (
                    b'"anna"' not in answer.data
                    and (f'"id": {said}'.encode() in answer.data and b"taxonomy" in answer.data)
                ):
                    leaks.append(full + query)
    assert asked > 150
    assert not leaks
    for method, path in (
        ("DELETE", f"/api/tasks/{task['id']}/"),
        ("PATCH", f"/api/tasks/{task['id']}/"),
        ("POST", f"/api/tasks/{task['id']}/annotations/"),
        ("DELETE", f"/api/annotations/{said}/"),
        ("PATCH", f"/api/annotations/{said}/"),
        ("DELETE", f"/api/projects/{project}/"),
        ("POST", f"/api/projects/{project}/import"),
        ("POST", f"/api/dm/actions?id=delete_tasks&project={project}"),
    ):
        assert ask(service, "anna", method, path).status in {403, 404}, (method, path)
    assert next(iter(bens.tasks(project)))["annotations"][0]["id"] == said


def test_doors_are_shut(service: Service) -> None:
    anonymous = urllib3.request("GET", f"{service.url}/api/projects/", timeout=30, retries=False)
    assert anonymous.status == 401
    signup = urllib3.request(
        "POST",
        f"{service.url}/user/signup/",
        fields={"email": "eve@example.org", "password": "12345678"},
        timeout=30,
        retries=False,
    )
    assert signup.status == 403
    rebound = urllib3.request(
        "GET", f"{service.url}/health", headers={"Host": "evil.example"}, timeout=30, retries=False
    )
    assert rebound.status == 400
    port = int(service.url.rsplit(":", 1)[1])
    listening = {
        c.laddr.ip for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port
    }
    assert listening == {"127.0.0.1"}


def test_secrets_are_in_one_file_only(service: Service) -> None:
    assert service.people.file.stat().st_mode & 0o777 == 0o600
    assert service.folder.stat().st_mode & 0o777 == 0o700
    secrets = [s for p in service.people.all() for s in (p.password, p.token)]
    assert len(set(secrets)) == len(secrets) >= 6
    for file in service.folder.glob("*.log"):
        text = file.read_text(errors="replace")
        assert not any(secret in text for secret in secrets), file
    for process in psutil.process_iter(["cmdline", "environ"]):
        if any(str(service.folder) in part for part in process.info["cmdline"] or ()):
            shown = repr((process.info["cmdline"], process.info["environ"]))
            assert not any(secret in shown for secret in secrets)
    assert not any(secret in json.dumps(service.status().to_dict()) for secret in secrets)
    assert all(secret not in repr(service.people.all()) for secret in secrets)


def test_it_comes_back_when_it_dies_and_starts_once(service: Service) -> None:
    url = service.url
    record = json.loads((service.folder / "run" / "label-studio.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)

    def another() -> bool:
        now = json.loads((service.folder / "run" / "label-studio.json").read_text())
        return now["pid"] != record["pid"] and service.status().state == "ready"

    wait_until(another, timeout_s=120, what="Label Studio to come back", ignoring=(OSError,))
    assert service.start().url == url
    keepers = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "autonoe_nace.annotation.keeper" in (process.info["cmdline"] or ())
        and str(service.folder) in process.info["cmdline"]
    ]
    assert len(keepers) == 1


def test_the_command_line_walks_the_whole_round(
    service: Service, logs: str, tmp_path: Path
) -> None:
    def run(*args: str, code: int = 0) -> dict:  # type: ignore[type-arg]
        command = [AUTONOE, "nace", "annotate", *args, "--folder", str(service.folder), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == code, done.stderr
        return dict(json.loads(done.stdout))

    to = ["--to", str(tmp_path / "out")]
    made = run(
        *("push", "--round", "cli", "--logs", logs, "--until", LAST.isoformat(), "--size", "12"),
        *("--nomenclature", "ateco2025", "--overlap", "0.5", "--seed", "5", *to),
    )
    assert (made["texts"], made["twice"]) == (12, 6)
    assert sum(made["tasks"].values()) == 18
    seen = run("status")
    assert seen["state"] == "ready"
    mine = [p for person in seen["people"] for p in person["projects"] if p["title"] == "NACE cli"]
    assert sum(project["tasks"] for project in mine) == 18
    assert run("pull", "--round", "cli", *to)["gold"] == 0
    assert pq.read_table(tmp_path / "out" / "gold" / "cli.parquet").num_rows == 0
    assert "error" in run("pull", "--round", "no-such", *to, code=1)
    assert "error" in run("push", "--round", "Bad Name", "--logs", logs, *to, code=2)


def test_what_cannot_be_is_said_before_anything_starts(tmp_path: Path) -> None:
    stopped = Service(tmp_path / "none")
    assert stopped.status().state == "stopped"
    stopped.stop()
    with pytest.raises(UnavailableError):
        _ = stopped.url
    for wrong in ("Anna", "", "a b", "-x"):
        with pytest.raises(InvalidInputError):
            People(tmp_path).add([wrong], "coder")
    People(tmp_path).add(["anna"], "coder")
    with pytest.raises(InvalidInputError):
        People(tmp_path).add(["anna"], "arbiter")
    for names, overlap in (([], 0.0), (["anna"], 0.5)):
        with pytest.raises(InvalidInputError):
            rounds.assign(10, names, overlap=overlap)
    with pytest.raises(InvalidInputError):
        Plan("ok", language="xx")
    with pytest.raises(AutonoeError):
        page.build(TREE, helped=True, language="xx")


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    import socket

    with socket.socket() as holder:
        port = ports.choose(1)[0]
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with pytest.raises(UnavailableError, match="taken"):
            Service(tmp_path / "taken").start(port=port)


def test_pairs_take_turns() -> None:
    given = rounds.assign(12, ["a", "b", "c"], overlap=0.5)
    assert [sorted(pair) for pair in given[:3]] == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert [len(names) for names in given] == [2] * 6 + [1] * 6
