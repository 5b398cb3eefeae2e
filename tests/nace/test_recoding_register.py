"""A labelled register recoded by table, model and people."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autonoe.errors import AutonoeError, ConflictError, InvalidInputError
from autonoe_nace.recoding import Correspondence, load_correspondence
from autonoe_nace.recoding.decide import Rules
from autonoe_nace.recoding.recode import Plan, recode
from autonoe_nace.recoding.recoded import Effort, RecodedRegister
from autonoe_nace.recoding.register import Columns
from support.doubly_coded import COLUMNS, PLAN, DoublyCoded, rows_of


def test_a_register_is_recoded_by_table_model_and_people(
    doubly: DoublyCoded, recoded: RecodedRegister, forward: Correspondence
) -> None:
    rows = rows_of(recoded)
    assert list(rows.row) == list(range(1, 2 * len(doubly.texts) + 1))
    rows["truth"] = doubly.new * 2
    by_table = rows[rows.status == "table"]
    assert (by_table.target == by_table.truth).mean() > 0.98
    assert (by_table.source.map(lambda s: len(forward.at(4).targets(s))) == 1).all()
    ambiguous = rows[rows.candidates.map(len) > 1]
    # knowing the old code must help the model, and its probabilities must mean what they say
    free = [
        p.candidates[0].code if p.candidates else ""
        for p in doubly.new_model.predict(list(ambiguous.text), 1)
    ]
    assert (ambiguous.target == ambiguous.truth).mean() > (free == ambiguous.truth).mean() + 0.15
    right = (ambiguous.target == ambiguous.truth).mean()
    assert abs(ambiguous.probability.mean() - right) < 0.12
    automatic = ambiguous[ambiguous.status == "model"]
    assert (automatic.target == automatic.truth).mean() > right
    assert (automatic.confidence >= 0.6).all()
    review = ambiguous[ambiguous.status == "review"]
    assert set(review.reason) <= {"unsure", "misfit", "no_usable_word", "unknown_to_model"}
    allowed = set(forward.links)
    assert all((s, t) in allowed for s, t in zip(rows.source, rows.target, strict=True))


def test_the_queue_begins_with_what_is_worth_most(recoded: RecodedRegister) -> None:
    cases = recoded.queue(1_000)
    gains = [case["gain_per_minute"] for case in cases]
    assert gains == sorted(gains, reverse=True)
    rows = rows_of(recoded)
    review = rows[rows.status == "review"]
    assert sum(case["rows"] for case in cases) == len(review)
    assert len({case["item"] for case in cases}) == len(cases) == review.item.nunique()
    first = cases[0]
    same = review[review.item == first["item"]]
    # one decision serves all rows of the case
    assert first["weight"] == pytest.approx(same.weight.sum())
    expected = same.weight.sum() * (1 - same.probability.iloc[0])
    assert first["gain_per_minute"] == pytest.approx(expected)
    careful = recoded.queue(1_000, Effort(minutes=0.5, minutes_per_candidate=0.5))
    assert {case["item"] for case in careful} == {case["item"] for case in cases}
    assert [c["item"] for c in careful] != [c["item"] for c in cases]
    gain = recoded.summary()["review"]["gain"]
    assert [part["minutes_share"] for part in gain] == [0.1, 0.25, 0.5, 1.0]
    saved = [part["saved"] for part in gain]
    assert saved == sorted(saved)
    assert saved[2] > 0.5 * saved[3], "the first half of the minutes does more than half"


def test_decisions_of_people_win_and_the_series_follow(
    doubly: DoublyCoded, forward: Correspondence, register: Path, tmp_path: Path
) -> None:
    done = recode(str(register), forward, doubly.new_model, str(tmp_path / "out"), plan=PLAN)
    file = tmp_path / "queue.csv"
    assert done.write_queue(str(file), limit=5) == 5
    with file.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    wanted = {line["item"]: line["candidates"].split("; ")[-1].split(" ")[0] for line in lines[:3]}
    for line in lines:
        line["code"] = wanted.get(line["item"], "")
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    assert done.apply(str(file)) == {"applied": 3, "outside_table": 0}
    rows = rows_of(done)
    people = rows[rows.status == "person"]
    assert dict(zip(people.item, people.target, strict=True)) == wanted
    assert not set(wanted) & {case["item"] for case in done.queue(1_000)}
    item = next(iter(wanted))
    assert done.apply({item: "46.89"})["outside_table"] == 1
    assert set(rows_of(done).query("item == @item").target) == {"46.89"}
    for bad in ({"no-such-case": "46.89"}, {item: "99.77"}):
        with pytest.raises(InvalidInputError) as refused:
            done.apply(bad)
        assert refused.value.code == "unknown_decision"


def test_an_interrupted_run_goes_on_where_it_stopped(
    doubly: DoublyCoded,
    forward: Correspondence,
    register: Path,
    recoded: RecodedRegister,
    tmp_path: Path,
) -> None:
    output = str(tmp_path / "out")
    seen: list[float] = []

    def stop(stage: str, share: float) -> None:
        seen.append(share)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recode(str(register), forward, doubly.new_model, output, plan=PLAN, progress=stop)
    with pytest.raises(InvalidInputError) as unfinished:
        RecodedRegister(output)
    assert unfinished.value.code == "incomplete"
    parts = {p.name: p.stat().st_mtime_ns for p in Path(output).glob("part-*.parquet")}
    assert len(parts) == 2
    done = recode(str(register), forward, doubly.new_model, output, plan=PLAN)
    assert done.recipe["parts_reused"] == 2
    assert all((Path(output) / name).stat().st_mtime_ns == t for name, t in parts.items())
    pd.testing.assert_frame_equal(rows_of(done), rows_of(recoded))
    other = Plan(COLUMNS, Rules(threshold=0.9), chunk_rows=150)
    with pytest.raises(ConflictError, match="another rules"):
        recode(str(register), forward, doubly.new_model, output, plan=other)
    fresh = Plan(COLUMNS, Rules(threshold=0.9), chunk_rows=150, fresh=True)
    again = recode(str(register), forward, doubly.new_model, output, plan=fresh)
    assert again.recipe["parts_reused"] == 0


def test_a_csv_register_gives_the_samerows_of(
    doubly: DoublyCoded,
    forward: Correspondence,
    register: Path,
    recoded: RecodedRegister,
    tmp_path: Path,
) -> None:
    file = tmp_path / "register.csv"
    pd.read_parquet(register).to_csv(file, index=False, sep=";")
    done = recode(str(file), forward, doubly.new_model, str(tmp_path / "out"), plan=PLAN)
    pd.testing.assert_frame_equal(rows_of(done), rows_of(recoded))
    assert done.write(str(tmp_path / "all.parquet")) == len(rows_of(recoded))


def test_rows_that_nobody_can_recode_are_counted(doubly: DoublyCoded, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text(
        "text,code,w\nrice,01.12,5\nodd wares,46.89,x\nrice,,1\nrice,77.99,1\n???,95.10,2\n",
        encoding="utf-8",
    )
    back = load_correspondence("nace-rev2.1", "nace-rev2")
    plan = Plan(Columns(weight="w"))
    done = recode(str(file), back, doubly.old_model, str(tmp_path / "out"), plan=plan)
    rows = rows_of(done)
    assert list(rows.reason) == [
        "",
        "no_candidate",
        "unknown_code",
        "unknown_code",
        "no_usable_word",
    ]
    assert list(rows.weight) == [5, 0, 1, 1, 2]
    assert done.summary()["by_status"]["review"]["rows"] == 4
    unaided = recode(str(file), back, None, str(tmp_path / "without"), plan=plan)
    assert list(rows_of(unaided).status) == ["table", "review", "review", "review", "review"]


@pytest.mark.parametrize(
    ("content", "columns", "code"),
    [
        (None, Columns(), "invalid_input"),
        (b"text,codes\na,01.11\n", Columns(), "unknown_column"),
        (b'text,code\n"a,01.11\n', Columns(), "invalid_input"),
    ],
)
def test_a_register_that_cannot_be_read_says_why(
    forward: Correspondence, tmp_path: Path, content: bytes | None, columns: Columns, code: str
) -> None:
    file = tmp_path / "register.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AutonoeError) as refused:
        recode(str(file), forward, None, str(tmp_path / "out"), plan=Plan(columns))
    assert refused.value.code == code


def test_codes_kept_as_numbers_are_refused(forward: Correspondence, tmp_path: Path) -> None:
    file = tmp_path / "register.parquet"
    pq.write_table(pa.table({"text": ["a"], "code": [111]}), file)
    with pytest.raises(InvalidInputError, match="holds numbers"):
        recode(str(file), forward, None, str(tmp_path / "out"))


def test_another_folder_is_left_alone(forward: Correspondence, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text("text,code\nrice,01.12\n", encoding="utf-8")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(ConflictError):
        recode(str(file), forward, None, str(other))
    assert [p.name for p in other.iterdir()] == ["thesis.txt"]
