"""Keys by command line, their rates and quotas, and what their owners see of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from autonoe import apikeys
from autonoe.errors import NotFoundError
from autonoe_nace.serving.errors import LimitError
from autonoe_nace.serving.keys_cli import keys
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.usage import DAY_S, DAYS, Limits, UsageTable
from support.serving import BATCH, TEXT, new_key, running

NOON = 20_000 * DAY_S + DAY_S / 2


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = float(NOON)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(tmp_path: Path, clock: Clock) -> UsageTable:
    return UsageTable(tmp_path / "usage.json", clock=clock)


def refused(table: UsageTable, limits: Limits, *, key: str = "k", records: int = 0) -> LimitError:
    with pytest.raises(LimitError) as caught:
        (table.spend(key, limits, records) if records else table.admit(key, limits))
    return caught.value


def test_a_rate_lets_a_burst_through_and_then_its_rate(table: UsageTable, clock: Clock) -> None:
    limits = Limits(rate_per_s=2)
    for _ in range(4):
        table.admit("k", limits)
    error = refused(table, limits)
    assert (error.code, error.retry_after_s) == ("rate_limited", 1)
    table.admit("other", limits)
    clock.now += 0.5
    table.admit("k", limits)
    refused(table, limits)
    clock.now += 3_600
    for _ in range(4):
        table.admit("k", limits)
    refused(table, limits)
    assert table.today("k").refused == 3


def test_a_slow_rate_says_how_long_to_wait(table: UsageTable) -> None:
    limits = Limits(rate_per_s=0.01)
    table.admit("k", limits)
    assert refused(table, limits).retry_after_s == 100


def test_a_clock_that_goes_back_takes_nothing_away(table: UsageTable, clock: Clock) -> None:
    limits = Limits(rate_per_s=1, burst=3)
    table.admit("k", limits)
    clock.now -= 1_000
    table.admit("k", limits)
    table.admit("k", limits)
    refused(table, limits)


def test_a_quota_is_whole_requests_or_nothing_until_midnight(
    table: UsageTable, clock: Clock
) -> None:
    limits = Limits(records_per_day=100)
    table.spend("k", limits, 90)
    error = refused(table, limits, records=11)
    assert (error.code, error.retry_after_s) == ("quota_exceeded", DAY_S // 2)
    assert "10 are left" in error.message
    table.spend("k", limits, 10)
    clock.now += error.retry_after_s - 1
    refused(table, limits, records=1)
    clock.now += 1
    table.spend("k", limits, 100)


def test_a_month_is_remembered_and_no_more(table: UsageTable, clock: Clock) -> None:
    for _ in range(DAYS + 5):
        table.spend("k", Limits(), 7)
        clock.now += DAY_S
    days = table.days("k")
    assert len(days) in {DAYS - 1, DAYS}
    assert {day.records for day in days} == {7}
    assert [day.date for day in days] == sorted((day.date for day in days), reverse=True)


def test_a_restart_keeps_the_counts(table: UsageTable, clock: Clock, tmp_path: Path) -> None:
    table.admit("k", Limits())
    table.spend("k", Limits(), 5)
    table.save()
    path = tmp_path / "usage.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert UsageTable(path, clock=clock).days("k") == table.days("k")
    path.write_text("{broken")
    assert UsageTable(path, clock=clock).days("k") == []


def test_processes_that_count_at_once_lose_nothing(table: UsageTable) -> None:
    table.spend("k", Limits(), 1)
    children = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            try:
                for number in range(500):
                    table.spend("k", Limits(), 1)
                    table.admit(f"new-{number % 7}", Limits())
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    assert table.today("k").records == 2_001
    assert sum(table.today(f"new-{n}").requests for n in range(7)) == 2_000


@pytest.fixture
def options(small_model: Path, tmp_path: Path) -> ServingSettings:
    return ServingSettings(str(small_model), tmp_path / "state", key_file=tmp_path / "keys.json")


def ask(client: TestClient, key: str, count: int = 1) -> tuple[int, dict[str, str]]:
    answer = client.post(
        "/v1/predict",
        json={"records": [{"text": TEXT}] * count},
        headers={"authorization": f"Bearer {key}"},
    )
    code = answer.json().get("error", {}).get("code", "")
    return answer.status_code, {**answer.headers, "code": code}


def test_limits_are_answered_with_429_and_when_to_come_back(
    options: ServingSettings, tmp_path: Path
) -> None:
    slow = new_key(tmp_path / "keys.json", rate_per_s=0.01)
    small = new_key(tmp_path / "keys.json", records_per_day=10)
    free = new_key(tmp_path / "keys.json")
    with running(options) as client:
        assert ask(client, slow)[0] == 200
        status, headers = ask(client, slow)
        assert (status, headers["code"]) == (429, "rate_limited")
        assert 1 <= int(headers["retry-after"]) <= 100
        assert ask(client, small, 8)[0] == 200
        status, headers = ask(client, small, 3)
        assert (status, headers["code"]) == (429, "quota_exceeded")
        assert 1 <= int(headers["retry-after"]) <= DAY_S
        answer = client.post("/predict-batch", json=BATCH, headers={"x-api-key": small})
        assert answer.status_code == 200
        assert (
            client.post("/predict-batch", json=BATCH, headers={"x-api-key": small}).status_code
            == 429
        )
        assert ask(client, free, 100)[0] == 200


def test_the_servers_limits_hold_for_keys_without_their_own(
    options: ServingSettings, tmp_path: Path
) -> None:
    plain = new_key(tmp_path / "keys.json")
    own = new_key(tmp_path / "keys.json", records_per_day=1_000)
    with running(replace(options, records_per_day=5)) as client:
        assert ask(client, plain, 6)[0] == 429
        assert ask(client, own, 6)[0] == 200


def test_owners_see_their_own_use_and_no_other(options: ServingSettings, tmp_path: Path) -> None:
    first = new_key(tmp_path / "keys.json", label="register team", records_per_day=100)
    second = new_key(tmp_path / "keys.json")
    with running(options) as client:
        ask(client, first, 3)
        ask(client, first, 4)
        ask(client, second)
        use = client.get("/v1/usage", headers={"x-api-key": first}).json()
        assert (use["label"], use["records_left_today"]) == ("register team", 93)
        assert use["limits"] == {
            "requests_per_second": None,
            "burst": None,
            "records_per_day": 100,
        }
        (today,) = use["days"]
        assert (today["requests"], today["records"], today["refused"]) == (2, 7, 0)
        other = client.get("/v1/usage", headers={"x-api-key": second}).json()
        assert other["key_id"] != use["key_id"]
        assert [day["records"] for day in other["days"]] == [1]
    with running(options) as client:
        again = client.get("/v1/usage", headers={"x-api-key": first}).json()
        assert again["days"] == use["days"]


def invoke(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(keys, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document: dict[str, object] = json.loads(result.stdout)
    return document


def test_keys_are_created_listed_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "keys.json"
    place = ("--key-file", str(file))
    made = invoke("create", *place, "--label", "team", "--rate", "5", "--daily-quota", "1000")
    key = str(made["key"])
    assert key.startswith("ank_")
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    (entry,) = apikeys.read(file)
    assert apikeys.find((entry,), key) == entry
    invoke("create", *place)
    listed = invoke("list", *place)["keys"]
    assert isinstance(listed, list)
    assert [row["label"] for row in listed] == ["team", ""]
    assert (listed[0]["requests_per_second"], listed[0]["records_per_day"]) == (5, 1_000)
    assert key not in json.dumps(listed)
    assert invoke("revoke", str(made["id"]), *place) == {"revoked": made["id"]}
    assert [e.label for e in apikeys.read(file)] == [""]
    with pytest.raises(NotFoundError):
        CliRunner().invoke(keys, ["revoke", "ghost", *place], catch_exceptions=False)
    plain = CliRunner().invoke(keys, ["list", *place])
    assert "default" in plain.output


def test_keys_made_at_once_are_all_kept(tmp_path: Path) -> None:
    children = []
    for _ in range(6):
        pid = os.fork()
        if not pid:
            try:
                new_key(tmp_path / "keys.json")
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    assert len(apikeys.read(tmp_path / "keys.json")) == 6
