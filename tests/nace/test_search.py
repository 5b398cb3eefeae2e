"""Search: what is tried, how texts are folded, what workers may use, what survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from autonoe.cli import main
from autonoe.errors import AutonoeError, ConflictError, InvalidInputError, UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace.evaluation import evaluate
from autonoe_nace.search import Store, Workers, overview, run_one, search, space
from autonoe_nace.search.fold_run import lost, run_fold
from autonoe_nace.search.folds import gather
from autonoe_nace.search.plan import SearchPlan
from autonoe_nace.search.summary import summarise
from autonoe_nace.training import TrainingParams, train
from nace.search_material import OPTIONS, QUICK, make_plan, write_table

NOBODY = Workers(scheduler="tcp://127.0.0.1:9")
"""A scheduler that never answers: whoever needs a worker fails."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path)


def test_a_grid_is_every_combination() -> None:
    found = space.grid(["dim=20,50; lr=0.5", "titles=true,false"])
    assert len(found) == 4
    assert {(c["dim"], c["lr"], c["titles"]) for c in found} == {
        (20, 0.5, True),
        (20, 0.5, False),
        (50, 0.5, True),
        (50, 0.5, False),
    }


def test_random_candidates_keep_to_their_ranges_and_to_the_seed() -> None:
    spaces = ["lr=loguniform:0.1:1", "dim=int:10:12", "minn=uniform:1:2", "preset=fast,full"]
    found = space.sample(spaces[:2] + spaces[3:], 30, seed=3)
    assert found == space.sample(spaces[:2] + spaces[3:], 30, seed=3)
    assert found != space.sample(spaces[:2] + spaces[3:], 30, seed=4)
    assert all(0.1 <= c["lr"] <= 1 for c in found)
    assert {c["dim"] for c in found} == {10, 11, 12}
    assert {c["preset"] for c in found} == {"fast", "full"}
    assert len(space.sample(["dim=10,20"], 30, seed=1)) == 2, "no more than there are"


@pytest.mark.parametrize(
    "text",
    ["lr", "lr=", "speed=1", "lr=fast", "dim=1.5", "lr=uniform:0:1", "lr=0.1,"],
)
def test_a_space_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        space.grid([text])
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["lr=uniform:1:0", "lr=loguniform:0:1", "lr=uniform:a:b", "lr=int:1"]
)
def test_a_distribution_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        space.sample([text], 3, seed=1)


@pytest.mark.parametrize(
    "values",
    [
        {"candidates": []},
        {"candidates": [{"lr": 99}]},
        {"candidates": [{"level": 2}, {"level": 4}]},
        {"candidates": [{"speed": 2}]},
        {"material": {"data": "s3://ana:secret@host/x.csv", "nomenclature": "nace-rev2"}},
        {"material": {"data": "https://host/x?X-Amz-Signature=1", "nomenclature": "nace-rev2"}},
    ],
)
def test_a_plan_that_cannot_be_run_or_holds_a_secret_is_refused(values: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "kind": "grid",
        "material": {"data": "x.csv", "nomenclature": "nace-rev2"},
        "candidates": [{"lr": 0.5}],
    }
    assert SearchPlan.of(**good).id.startswith("search-")
    with pytest.raises(InvalidInputError):
        SearchPlan.of(**{**good, **values})


def test_a_search_is_known_by_its_content_not_by_its_place(table: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.csv"
    moved.write_bytes(table.read_bytes())
    plan, same = (make_plan(path, [{"lr": 0.5}]) for path in (table, moved))
    assert plan.id == same.id
    assert plan.id != make_plan(table, [{"lr": 0.6}]).id
    moved.write_text(moved.read_text().replace("rice farm", "paddy"), encoding="utf-8")
    assert plan.id != make_plan(moved, [{"lr": 0.5}]).id


def test_folds_keep_near_duplicates_together_or_follow_a_column(table: Path) -> None:
    by_column = gather(make_plan(table, [{"lr": 0.5}]))
    assert by_column.k == 3
    assert by_column.fold[:4] == (0, 1, 2, 0)
    plan = make_plan(table, [{"lr": 0.5}], fold_column="", folds=2)
    by_group = gather(plan)
    assert (by_column.compared, by_group.compared) == ("", "characters")
    told = plan.model_copy(update={"compared": "words"})
    assert told.id == plan.id, "it follows from the texts and names no other search"
    assert SearchPlan.model_validate_json(told.text()).compared == "words"
    assert set(by_group.fold) == {0, 1}
    where: dict[str, set[int]] = {}
    for text, fold in zip(by_group.data.texts, by_group.fold, strict=True):
        where.setdefault(" ".join(sorted(text.split())), set()).add(fold)
    assert all(len(folds) == 1 for folds in where.values())
    learned, judged = by_group.split(0)
    assert len(learned) + len(judged) == len(by_group.data)
    assert not set(learned.rows) & set(judged.rows)


def test_other_texts_than_at_the_beginning_are_refused(table: Path) -> None:
    plan = make_plan(table, [{"lr": 0.5}])
    table.write_text(table.read_text().replace("01.12", "01.11"), encoding="utf-8")
    with pytest.raises(InvalidInputError) as caught:
        gather(plan)
    assert caught.value.code == "data_changed"


def test_a_fold_is_a_model_trained_without_it(table: Path) -> None:
    plan = make_plan(table, [{"lr": 0.5}])
    material = gather(plan)
    found = run_fold(material, plan.params(0).model_dump(mode="json"), 0, 1)
    learned, judged = material.split(1)
    model = train(learned, TrainingParams.of(**QUICK, lr=0.5))
    assert found["levels"] == evaluate(model, judged)["levels"]
    assert found["model"] == model.id
    assert (found["n"], found["n_learned"]) == (16, 32)
    assert sum(rank == 0 for rank in found["ranks"]) == round(
        found["levels"]["4"]["top1"]["value"] * 16
    )


def test_a_search_on_two_processes_stays_within_its_memory(table: Path, tmp_path: Path) -> None:
    candidates: list[dict[str, Any]] = [
        {"lr": 0.05},
        {"lr": 1.0},
        {"bucket": 19_000_000, "dim": 15},
    ]
    plan = make_plan(table, candidates)
    store = Store.create(tmp_path / "s", plan)
    shares: list[tuple[str, float]] = []
    workers = Workers(count=2, memory_gib=0.9)
    found = search(store, workers, progress=lambda *said: shares.append(said))
    assert (found["done"], found["failed"], found["total"]) == (6, 3, 9)
    assert shares[-1] == ("searching", 1.0)
    assert [share for _, share in shares] == sorted(share for _, share in shares)
    rows = {row["candidate"]: row for row in found["candidates"]}
    # 19 million slots of 15 numbers take 1.1 GB; a worker and its children have 0.9 GiB each.
    assert not rows[2]["whole"]
    assert {error["code"] for error in rows[2]["errors"]} == {"training_failed"}
    direct = run_fold(gather(plan), plan.params(1).model_dump(mode="json"), 1, 2)
    kept = next(r for r in store.results() if (r["candidate"], r["fold"]) == (1, 2))
    assert kept["levels"] == direct["levels"], "a worker trains the same model as this process"
    pooled = [r for r in store.results() if r["candidate"] == 1]
    right = sum(rank == 0 for r in pooled for rank in r["ranks"])
    assert rows[1]["top1"] == pytest.approx(right / 48)
    assert found["best"] == max((0, 1), key=lambda c: (rows[c]["top1"], -c))
    # Nothing is left, so nobody is needed; what the folder tells is the same.
    assert search(store, NOBODY)["candidates"] == found["candidates"]
    assert overview(store)["best"] == found["best"]


def test_a_scheduler_that_does_not_answer_is_named(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autonoe_nace.search.workers._CONNECT_S", 1)
    store = Store.create(tmp_path / "s", make_plan(table, [{"lr": 0.5}]))
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9"):
        search(store, NOBODY)


def test_a_candidate_that_cannot_be_trained_does_not_end_the_search(table: Path) -> None:
    text = table.read_text().splitlines()
    one_code = [line for line in text if ",01.12," in line and not line.endswith("f0")]
    other = [line for line in text if ",11.05," in line and line.endswith("f0")]
    table.write_text("\n".join([text[0], *one_code, *other]) + "\n", encoding="utf-8")
    plan = make_plan(table, [{"lr": 0.5}])
    material = gather(plan)
    params = plan.params(0).model_dump(mode="json")
    results = [run_fold(material, params, 0, fold) for fold in range(material.k)]
    assert results[0]["error"]["code"] == "invalid_input"
    assert "error" not in results[1]
    found = summarise(plan, results, material.k)
    assert found["best"] is None
    assert found["failed"] == 1
    assert found["candidates"][0]["errors"][0]["fold"] == 0


def test_a_lost_fold_is_tried_again_and_a_told_one_is_not(table: Path, tmp_path: Path) -> None:
    plan = make_plan(table, [{"lr": 0.5}])
    store = Store.create(tmp_path / "s", plan)
    params = plan.params(0).model_dump(mode="json")
    first = run_one(plan, 0, store=store)
    assert first["whole"]
    before = store.results()
    error = AutonoeError("It ended.", hint="Again.", code="worker_lost")
    store.save(lost(0, 1, params, error))
    again = run_one(plan, 0, store=store)
    assert again["top1"] == first["top1"]
    after = store.results()
    assert after[0] == before[0]
    assert after[2] == before[2]
    assert after[1]["levels"] == before[1]["levels"]
    assert after[1]["train_s"] != before[1]["train_s"], "the lost one was run again"


def test_a_folder_holds_one_search_and_one_runner(table: Path, tmp_path: Path) -> None:
    plan = make_plan(table, [{"lr": 0.5}])
    store = Store.create(tmp_path / "s", plan)
    assert Store.create(tmp_path / "s", plan).plan.id == plan.id
    with pytest.raises(ConflictError):
        Store.create(tmp_path / "s", make_plan(table, [{"lr": 0.7}]))
    with pytest.raises(ConflictError):
        Store.create(table.parent, plan)
    with store.locked(), pytest.raises(ConflictError, match="Another process"):
        search(Store.open(tmp_path / "s"), NOBODY)
    with pytest.raises(AutonoeError, match="no search") as caught:
        Store.open(tmp_path)
    assert caught.value.code == "not_found"


def _members(group: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def test_a_killed_search_leaves_nobody_and_goes_on_where_it_was(
    table: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    arguments = [sys.executable, "-m", "autonoe", "nace", "search"]
    arguments += ["grid", "--data", str(table), "--nomenclature", "nace-rev2"]
    arguments += ["--fold-column", "fold", "--vary", "lr=0.3,0.6", *OPTIONS]
    process = subprocess.Popen(
        [*arguments, "--output", str(folder)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        done = folder / "folds"
        wait_until(
            lambda: list(done.glob("c*.json")) if done.is_dir() else [],
            timeout_s=180,
            what="a finished fold",
        )
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        wait_until(
            lambda: not _members(process.pid), timeout_s=60, what="the workers to end by themselves"
        )
    finally:
        for left in _members(process.pid):
            left.kill()
    kept = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in done.glob("c*.json")}
    assert 1 <= len(kept) < 6, "it was killed on its way"
    resumed = subprocess.run(
        [*arguments[:5], "resume", str(folder), "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found = json.loads(resumed.stdout)
    assert (found["done"], found["total"]) == (6, 6)
    assert "searching" in resumed.stderr
    for name, before in kept.items():
        path = done / name
        assert (path.stat().st_mtime_ns, path.read_bytes()) == before, "not run again"
    assert sorted(p.name for p in done.glob("c*.json")) == [
        f"c{candidate:04d}-f{fold:02d}.json" for candidate in (0, 1) for fold in (0, 1, 2)
    ]


def _run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["nace", "search", *map(str, arguments)])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_the_command_line_searches_refits_and_shows(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, model = tmp_path / "s", tmp_path / "model"
    arguments = ["random", "--data", table, "--nomenclature", "nace-rev2", "--candidates", 1]
    arguments += ["--vary", "lr=uniform:0.4:0.8", "--folds", 2, *OPTIONS]
    code, out, err = _run(*arguments, "--output", folder, "--refit", model, "--json", capsys=capsys)
    assert code == 0
    found = json.loads(out)
    assert found["refit"]["path"] == str(model)
    assert (model / "model.json").is_file()
    assert found["run"] is None
    assert "48 of 48 rows used" in err
    code, out, _ = _run("show", folder, capsys=capsys)
    assert code == 0
    assert found["id"] in out
    code, out, _ = _run(
        "run-one", "--plan", folder / "plan.json", "--candidate", 7, "--json", capsys=capsys
    )
    assert code == 2
    assert json.loads(out)["error"]["hint"]
    code, out, _ = _run("resume", tmp_path / "none", "--json", capsys=capsys)
    assert (code, json.loads(out)["error"]["code"]) == (1, "not_found")
