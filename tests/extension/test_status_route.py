"""``GET /autonoe/status``: who may ask, and what is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

pytestmark = pytest.mark.usefixtures("on_platform")


class DenyAutonoe(Authorizer):  # type: ignore[misc]
    """Refuses everything that concerns the extension, and notes what was asked."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return resource != "autonoe"


async def refused(fetch: Any, *path: str, **options: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(HTTPClientError) as refusal:
        await fetch(*path, **options)
    answer = refusal.value.response
    assert answer is not None
    return refusal.value.code, json.loads(answer.body or b"{}")


async def test_it_tells_the_owner_about_account_and_session(jp_fetch: Any) -> None:
    answer = json.loads((await jp_fetch("autonoe", "status")).body)
    assert answer["platform"] is True
    card = answer["credentials"]
    assert (card["account"], card["groups"]) == ("alice", ["nace-team"])
    assert [bucket["name"] for bucket in card["buckets"]] == [
        "user-alice",
        "project-nace-team",
        "public",
    ]
    assert card["state"] in {"starting", "down"}


async def test_it_holds_no_secret(jp_fetch: Any, jp_serverapp: Any) -> None:
    text = (await jp_fetch("autonoe", "status")).body.decode()
    agent = jp_serverapp.web_app.settings["autonoe_manager"].agent
    assert agent.token_file.read_text().strip() not in text
    assert "secret_id" not in text


async def test_without_a_token_it_answers_nothing(jp_fetch: Any) -> None:
    code, body = await refused(jp_fetch, "autonoe", "status", headers={"Authorization": "no"})
    assert code == 403
    assert "alice" not in json.dumps(body)


async def test_an_authorizer_can_deny_it(jp_configurable_serverapp: Any, jp_fetch: Any) -> None:
    code, body = await refused(jp_fetch, "autonoe", "status")
    assert code == 403
    assert set(body["error"]) == {"code", "message", "hint"}
    assert ("read", "autonoe") in DenyAutonoe.asked


test_an_authorizer_can_deny_it = pytest.mark.parametrize(  # type: ignore[assignment]
    "jp_server_config",
    [
        Config(
            {
                "ServerApp": {
                    "jpserver_extensions": {"autonoe_extension": True},
                    "authorizer_class": DenyAutonoe,
                }
            }
        )
    ],
)(test_an_authorizer_can_deny_it)


async def test_an_unknown_argument_is_refused_in_words(jp_fetch: Any) -> None:
    code, body = await refused(jp_fetch, "autonoe", "status", params={"verbose": "1"})
    assert code == 400
    assert body["error"]["code"] == "invalid_input"
    assert "verbose" in body["error"]["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_verbs_are_refused(jp_fetch: Any, method: str) -> None:
    body = None if method == "DELETE" else "{}"
    code, answer = await refused(jp_fetch, "autonoe", "status", method=method, body=body)
    assert code == 405
    assert answer["error"]["code"] == "method_not_allowed"


async def test_asking_does_not_count_as_activity(jp_fetch: Any, jp_serverapp: Any) -> None:
    before = jp_serverapp.web_app.last_activity()
    await jp_fetch("autonoe", "status")
    assert jp_serverapp.web_app.last_activity() == before
