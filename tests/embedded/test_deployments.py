"""Deployments: who may have which, where their files lie, and that they come back."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from autonoe import apikeys
from autonoe.accounts import Account
from autonoe.backends import DeploymentRequest
from autonoe.embedded import routes, secret_makers
from autonoe.embedded.deployments import MAX_PER_ACCOUNT, Deployments
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.processes import ManagedProcess, ProcessSpec
from autonoe.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from autonoe.waiting import wait_until

MODEL = "models:/nace@champion"


class Sleeper(ManagedProcess):
    """A real supervised process that answers nothing: what is under test is who keeps it."""

    def __init__(self, spec: ProcessSpec, records: Path) -> None:
        self.wanted = spec
        quiet = ProcessSpec(
            name=spec.name,
            argv=("/bin/sleep", "600"),
            env={**spec.env, "SETTINGS": json.dumps(spec.argv)},
            log=spec.log,
            probe=_there,
            cwd=spec.cwd,
        )
        super().__init__(quiet, records)


async def _there() -> bool:
    return True


def _make_account(layout: Layout, name: str, uid: int | None = None) -> None:
    account = Account(name=name, slug=name, uid=uid, gid=uid, groups=(), mail="")
    layout.account(name).mkdir()
    (layout.account(name) / "account.json").write_text(json.dumps(asdict(account)))
    if uid is not None:
        (layout.root / "accounts" / "uids.json").write_text(json.dumps({name: uid}))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.create()
    layout.run.mkdir(exist_ok=True)
    PlatformFile.create(host="127.0.0.1", port=26_001, owner="ana").save(layout)
    secret_makers.ensure(layout)
    _make_account(layout, "ana")
    return layout


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Keep routes in a dictionary: the hub's own part is tested where the platform runs."""
    known: dict[str, str] = {}
    monkeypatch.setattr(routes, "add_route", lambda _layout, name, url: known.update({name: url}))
    monkeypatch.setattr(routes, "remove_route", lambda _layout, name: known.pop(name, None))
    return known


@pytest_asyncio.fixture
async def deployments(layout: Layout, no_hub: dict[str, str]) -> AsyncIterator[Deployments]:
    made = Deployments(layout, PlatformFile.load(layout), Sleeper)
    yield made
    await made.close()


def request(name: str = "nace-api", **changes: Any) -> dict[str, Any]:
    return {**DeploymentRequest(name, MODEL).to_dict(), **changes}


ME = os.geteuid()


@pytest.mark.asyncio
async def test_the_key_is_shown_once_and_kept_as_a_hash(
    deployments: Deployments, layout: Layout, no_hub: dict[str, str]
) -> None:
    made = await deployments.deploy(request(), ME)
    folder = layout.root / "deployments" / "ana" / "nace-api"
    entries = apikeys.read(folder / "keys.json")
    assert apikeys.find(entries, made["api_key"]) is not None
    everything = "".join(
        path.read_text(errors="replace") for path in layout.root.rglob("*") if path.is_file()
    )
    assert made["api_key"] not in everything
    assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "state").stat().st_mode) == 0o700
    again = await deployments.deploy(request(threshold=0.5), ME)
    assert "api_key" not in again
    assert apikeys.read(folder / "keys.json") == entries
    (shown,) = await deployments.list(ME)
    assert "api_key" not in shown
    assert shown["threshold"] == 0.5
    await asyncio.to_thread(
        wait_until, lambda: "ana.nace-api" in no_hub, timeout_s=10, what="the route"
    )
    assert no_hub["ana.nace-api"] + "/" == shown["local_url"]
    assert shown["url"].endswith("/services/ana.nace-api/")


@pytest.mark.asyncio
async def test_a_new_key_makes_the_old_one_worthless(
    deployments: Deployments, layout: Layout
) -> None:
    old = (await deployments.deploy(request(), ME))["api_key"]
    new = (await deployments.deploy(request(rotate_key=True), ME))["api_key"]
    entries = apikeys.read(layout.root / "deployments" / "ana" / "nace-api" / "keys.json")
    assert apikeys.find(entries, old) is None
    assert apikeys.find(entries, new) is not None


@pytest.mark.asyncio
async def test_no_secret_is_in_the_process_list(deployments: Deployments, layout: Layout) -> None:
    key = (await deployments.deploy(request(), ME))["api_key"]
    ((_, process),) = deployments._running.values()
    assert isinstance(process, Sleeper)
    assert key not in " ".join([*process.wanted.argv, *process.wanted.env.values()])
    assert process.wanted.env["AUTONOE_ACCOUNT"] == "ana"
    assert process.wanted.env["AUTONOE_PROOF_FILE"] == str(layout.proof("ana"))


@pytest.mark.asyncio
async def test_the_same_request_leaves_the_process_alone_and_another_replaces_it(
    deployments: Deployments,
) -> None:
    await deployments.deploy(request(), ME)
    ((_, first),) = deployments._running.values()
    await first.wait_ready(10)
    pid = first.pid
    await deployments.deploy(request(threshold=0.5), ME)
    ((_, second),) = deployments._running.values()
    await second.wait_ready(10)
    assert second.pid != pid


@pytest.mark.asyncio
async def test_undeploy_ends_it_and_keeps_the_logs(
    deployments: Deployments, layout: Layout, no_hub: dict[str, str]
) -> None:
    await deployments.deploy(request(), ME)
    ((_, process),) = deployments._running.values()
    await process.wait_ready(10)
    folder = layout.root / "deployments" / "ana" / "nace-api"
    (folder / "state" / "logs").mkdir()
    (folder / "state" / "logs" / "a.jsonl").write_text("{}\n")
    await deployments.undeploy("nace-api", ME)
    assert process.pids == []
    assert no_hub == {}
    assert not (folder / "keys.json").exists()
    assert (folder / "state" / "logs" / "a.jsonl").exists()
    assert await deployments.list(ME) == []
    with pytest.raises(NotFoundError):
        await deployments.undeploy("nace-api", ME)


@pytest.mark.asyncio
async def test_they_come_back_with_the_next_start(
    layout: Layout, no_hub: dict[str, str], deployments: Deployments
) -> None:
    made = await deployments.deploy(request(), ME)
    await deployments.close()
    bad = layout.root / "deployments" / "ana" / "broken"
    bad.mkdir()
    (bad / "request.json").write_text('{"account": "ana", "port": 1, "request": {"name": 5}}')
    later = Deployments(layout, PlatformFile.load(layout), Sleeper)
    await later.restore()
    try:
        (shown,) = await later.list(ME)
        assert {k: shown[k] for k in ("name", "url", "local_url", "model_uri")} == {
            k: made[k] for k in ("name", "url", "local_url", "model_uri")
        }
    finally:
        await later.close()


@pytest.mark.asyncio
async def test_an_account_has_a_limited_number(deployments: Deployments) -> None:
    for number in range(MAX_PER_ACCOUNT):
        await deployments.deploy(request(f"api-{number}"), ME)
    with pytest.raises(ConflictError, match="at most"):
        await deployments.deploy(request("one-more"), ME)
    await deployments.deploy(request("api-0", threshold=0.1), ME)


@pytest.mark.asyncio
async def test_a_stranger_gets_nothing(deployments: Deployments) -> None:
    await deployments.deploy(request(), ME)
    stranger = 61_000
    for attempt in (
        deployments.deploy(request(), stranger),
        deployments.undeploy("nace-api", stranger),
        deployments.list(stranger),
        deployments.keys({"name": "nace-api"}, stranger),
        deployments.add_key({"name": "nace-api"}, stranger),
        deployments.revoke_key({"name": "nace-api", "key_id": "0"}, stranger),
    ):
        with pytest.raises(ForbiddenError):
            await attempt


@pytest.mark.asyncio
async def test_an_account_sees_its_own_deployments_only(
    deployments: Deployments, layout: Layout
) -> None:
    await deployments.deploy(request(), ME)
    _make_account(layout, "bo", 61_001)
    assert await deployments.list(61_001) == []
    for name in ("nace-api", "../ana/nace-api"):
        for attempt in (
            deployments.undeploy(name, 61_001),
            deployments.keys({"name": name}, 61_001),
            deployments.add_key({"name": name}, 61_001),
            deployments.revoke_key({"name": name, "key_id": "0"}, 61_001),
        ):
            with pytest.raises(NotFoundError):
                await attempt
    assert len(await deployments.list(ME)) == 1


BAD_NAMES = ["", "A", "a", "a b", "../x", "a/b", "a.b", "-a", "a-", "a--b", "a" * 31, "ä1", "a\n"]
BAD_MODELS = [
    "",
    "nace",
    "/etc",
    "models:/",
    "models:/a",
    "models:/a@b@c",
    "models:/../a@b",
    "s3://b",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_no_path_or_address_can_hold_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        DeploymentRequest(name, MODEL)


@pytest.mark.parametrize("model", BAD_MODELS)
def test_only_registered_models_are_deployed(model: str) -> None:
    with pytest.raises(InvalidInputError):
        DeploymentRequest("nace-api", model)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), float("inf"), "0.5", True, None])
def test_the_threshold_is_a_share(threshold: Any) -> None:
    with pytest.raises(InvalidInputError):
        DeploymentRequest("nace-api", MODEL, threshold)


@pytest.mark.parametrize(
    "document", [{}, {"name": "nace-api"}, {**request(), "uid": 0}, {**request(), "command": "x"}]
)
def test_unknown_and_missing_entries_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        DeploymentRequest.from_dict(document)


def test_the_equivalents_say_the_same_as_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    import autonoe.backends
    import autonoe.backends.cli

    asked: list[DeploymentRequest] = []

    class Recorder:
        def deploy(self, request: DeploymentRequest, **_: Any) -> Any:
            asked.append(request)
            return autonoe.backends.Deployment(
                *(request.name, "ana", request.model_uri, 0.0, False, "ready"),
                *("", "http://x/", "http://y/", "/z", 0.0, 0),
            )

    monkeypatch.setattr(autonoe.backends, "backend", Recorder)
    monkeypatch.setattr(autonoe.backends.cli, "backend", Recorder)
    for wanted in (
        DeploymentRequest("nace-api", MODEL),
        DeploymentRequest("nace-api", "models:/nace/3", 0.65, pseudonymise=True),
    ):
        asked.clear()
        exec(wanted.to_python(), {})  # noqa: S102  the snippet that is shown to people
        command = wanted.to_command()
        assert command[:2] == ["autonoe", "deploy"]
        autonoe.backends.cli.deploy.main(command[2:], standalone_mode=False)
        assert asked == [wanted, wanted]
