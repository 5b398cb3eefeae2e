"""Profiles on a real hub: the form, the API, and what gets around neither."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from autonoe.embedded.files import read_json, write_json
from autonoe.waiting import wait_until
from hub.conftest import stack
from support.hub_stack import OWNER, START_S, HubStack, xsrf
from support.profile_hub import ProfileHub, catalogue, node

HOSTILE = "<img src=x onerror=alert(1)>"
MESSAGE = "Maintenance on <b>Friday</b>"


@pytest.fixture(scope="module")
def hub() -> Iterator[ProfileHub]:
    """Run a hub that offers what a cluster's does; members of ``gpu`` may start that profile."""
    with stack() as plain:
        made = ProfileHub(plain.layout.root, cluster=True)
        catalogue(made.layout.root / "catalogue", teaching=["teachers"])
        extra = {"title": HOSTILE, "description": HOSTILE, "image": "x:1", "category": "hostile"}
        extra |= {"options": {"environment": {"offered": True}}}
        files = {
            "categories": {"hostile": {"title": HOSTILE}},
            "profiles": {"hostile": extra},
        }
        (made.layout.root / "catalogue/zz.yaml").write_text(json.dumps(files))
        brand = {"name": HOSTILE, "message": MESSAGE, "links": [{"title": HOSTILE, "url": "/x"}]}
        made.site(catalogues=[{"directory": "catalogue"}], brand=brand)
        made.nodes(node("a", 16, 64), node("g", 32, 128, 4))
        made.start()
        for name in ("gerd", "ana", "bo"):
            made.record(name)
        file = made.layout.account("gerd") / "account.json"
        write_json(file, {**read_json(file), "groups": ["gpu"]})
        try:
            yield made
        finally:
            for process in made.stop():
                process.kill()


def form_of(hub: HubStack, session: requests.Session, query: str = "", **headers: str) -> str:
    answer = session.get(f"{hub.url}/hub/spawn{query}", headers=headers, timeout=30)
    assert answer.status_code == 200
    return answer.content.decode()


def post(hub: HubStack, session: requests.Session, **fields: str) -> requests.Response:
    """Send the form as a browser does."""
    return session.post(
        f"{hub.url}/hub/spawn",
        params={"_xsrf": xsrf(session, "/hub/")},
        files={name.replace("__", "--"): (None, value) for name, value in fields.items()},
        timeout=60,
    )


def refused(answer: requests.Response) -> str:
    found = re.search(r"spawn-error-msg[^>]*>(.*?)</div>", answer.content.decode(), re.DOTALL)
    assert found, (answer.status_code, answer.url)
    return re.sub(r"<[^>]+>|\s+", " ", found[1])


def has_server(hub: HubStack, name: str) -> bool:
    return bool(hub.api("GET", f"users/{name}").json()["servers"])


def test_the_form_shows_what_is_open_to_a_person(hub: ProfileHub) -> None:
    page = form_of(hub, hub.login("ana"))
    for name in ("python", "python-large", "r", "nace"):
        assert f'value="{name}"' in page
    assert 'value="gpu"' not in page
    assert 'value="teaching"' not in page
    assert 'value="gpu"' in form_of(hub, hub.login("gerd"))


def test_free_counts_stand_beside_each_profile(hub: ProfileHub) -> None:
    session = hub.login("gerd")
    page = form_of(hub, session)
    assert "Free now: 8 of 32 CPU, 32 of 128 GiB memory, 1 of 4 GPU" in page
    live = session.get(f"{hub.url}/hub/profiles/free", timeout=30).json()
    assert live["python"]["text"] == "Free now: 4 of 16 CPU, 16 of 64 GiB memory"
    assert live["python"]["fits"]
    assert not live["python-large"]["fits"]
    assert "wait" in live["python-large"]["warning"]
    assert "gpu" in live
    assert "gpu" not in hub.login("ana").get(f"{hub.url}/hub/profiles/free", timeout=30).json()


def test_free_counts_are_for_those_who_are_signed_in(hub: ProfileHub) -> None:
    answer = requests.get(f"{hub.url}/hub/profiles/free", timeout=30, allow_redirects=False)
    assert answer.status_code in (302, 403)


def test_hostile_names_are_shown_as_text(hub: ProfileHub) -> None:
    session = hub.login("ana")
    pages = [form_of(hub, session, "?profile=hostile")]
    pages += [session.get(f"{hub.url}/hub/{name}", timeout=30).text for name in ("home", "login")]
    pages.append(hub.session().get(f"{hub.url}/hub/login", timeout=30).text)
    for page in pages:
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
        assert "<b>Friday</b>" not in page
        assert "Maintenance on &lt;b&gt;Friday&lt;/b&gt;" in page


def test_hostile_options_of_a_link_are_shown_as_text(hub: ProfileHub) -> None:
    page = form_of(hub, hub.login("ana"), '?profile=python&repo="><script>x</script>')
    assert "<script>x" not in page
    page = form_of(hub, hub.login("ana"), "?profile=<script>x</script>")
    assert "<script>x" not in page
    assert "not open to you" in page


def test_the_form_speaks_the_readers_language(hub: ProfileHub) -> None:
    session = hub.login("ana")
    french = form_of(hub, session, **{"Accept-Language": "fr-CH, fr;q=0.9"})
    assert "Démarrer un serveur" in french
    assert "Analyse de données" in french
    assert "Start a server" in form_of(hub, session, **{"Accept-Language": "de, en;q=0.5"})


def test_a_link_fills_the_form_in_and_starts_nothing(hub: ProfileHub) -> None:
    session = hub.login("ana")
    url = "https://git.example/stat/nace.git"
    page = form_of(hub, session, f"?profile=nace&repo={url}&branch=main&cpu=3")
    assert re.search(r'id="profile-nace" value="nace" checked', page)
    assert f'name="nace--repository" value="{url}"' in page
    assert 'name="nace--branch" value="main"' in page
    assert re.search(r'name="nace--cpu"[^>]* value="3"', page)
    assert "comes from a link" in page
    assert not has_server(hub, "ana")


def test_a_link_cannot_bring_a_script_packages_or_variables(hub: ProfileHub) -> None:
    query = "?profile=python&init_script=https://evil.example/x&init_script_sha256=" + "a" * 64
    query += "&packages=evil&environment=EVIL%3D1&opt-init_script=https://evil.example/y"
    page = form_of(hub, hub.login("ana"), query)
    assert (
        "evil"
        not in page.replace("evil.example/x", "", 0)
        .split("<form", 1)[1]
        .split('class="profiles', 1)[1]
    )
    assert not has_server(hub, "ana")


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"profile": "gpu"}, 403, "not open to you"),
    ({"profile": "teaching"}, 403, "not open to you"),
    ({"profile": "python", "privileged": True}, 400, "no option"),
    ({"profile": "python", "volumes": [{"hostPath": "/"}]}, 400, "no option"),
    ({"image": "evil.example/x:1"}, 403, "not one of this profile"),
    ({"image": "localhost/autonoe/jupyter-python:dev\n"}, 403, "not one of this profile"),
    ({"cpu": 1e9}, 400, "above what this profile allows"),
    ({"memory_gib": 17}, 400, "above what this profile allows"),
    ({"gpu": 1}, 400, "above what this profile allows"),
    ({"cpu": "2"}, 400, "wrong type"),
    ({"repository": "ext::sh -c id"}, 400, "Git address"),
    ({"repository": "https://a:b@git.example/x"}, 400, "no password"),
    ({"init_script": "https://files.example/x.sh"}, 400, "checksum"),
    ({"environment": {"AWS_ACCESS_KEY_ID": "x"}}, 400, "belongs to the platform"),
    ({"packages": ["-rx"]}, 400, "no package name"),
]


@pytest.mark.parametrize(("options", "status", "says"), REFUSED)
def test_the_api_refuses_what_the_form_does_not_offer(
    hub: ProfileHub, options: dict[str, Any], status: int, says: str
) -> None:
    for body in (options, {"user_options": options}):
        answer = hub.start_by_api("bo", body)
        assert answer.status_code == status, answer.text
        assert says in answer.json()["message"]
        assert not has_server(hub, "bo")


def test_a_named_server_goes_through_the_same_door(hub: ProfileHub) -> None:
    session = hub.login("bo")
    answer = session.post(
        f"{hub.url}/hub/api/users/bo/servers/other",
        json={"profile": "gpu"},
        headers={"X-XSRFToken": xsrf(session, "/hub/"), "Sec-Fetch-Mode": "cors"},
        timeout=60,
    )
    assert answer.status_code >= 400
    assert not has_server(hub, "bo")


def test_refused_options_are_not_remembered(hub: ProfileHub) -> None:
    assert hub.start_by_api("bo", {"cpu": 1e9}).status_code == 400
    page = form_of(hub, hub.login("bo"))
    assert "1e+09" not in page
    assert "can no longer be started" not in page


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"profile": "gpu"}, "not open to you"),
        ({"profile": "python", "python__cpu": "64"}, "above what this profile allows"),
        ({"profile": "python", "python__cpu": "many"}, "no number"),
        ({"profile": "python", "python__privileged": "1"}, "no option"),
        ({"profile": "python", "image": "x"}, "no option"),
        ({"profile": "python", "python__repository": "file:///etc"}, "must begin with"),
        ({"profile": "python", "python__environment": "no equals sign"}, "NAME=value"),
        ({"profile": "python", "python__packages": "--index-url=x"}, "no package name"),
    ],
)
def test_the_form_refuses_and_keeps_what_was_typed(
    hub: ProfileHub, fields: dict[str, str], says: str
) -> None:
    session = hub.login("bo")
    form_of(hub, session)
    answer = post(hub, session, **fields)
    assert answer.status_code in (400, 403)
    assert says in refused(answer)
    assert not has_server(hub, "bo")
    if "python__repository" in fields:
        assert 'value="file:///etc"' in answer.text


def test_a_refusal_is_said_in_the_readers_language(hub: ProfileHub) -> None:
    session = hub.login("bo")
    form_of(hub, session)
    answer = post(hub, session, profile="python", python__cpu="64", language="fr")
    assert "ce profil permet au plus 4" in refused(answer)


def test_a_choice_becomes_a_server_with_it(hub: ProfileHub) -> None:
    session = hub.login(OWNER)
    form_of(hub, session)
    fields = {"python__cpu": "1,5", "python__environment": "MY_SETTING=two words"}
    answer = post(hub, session, profile="python", **fields, r__cpu="4")
    assert answer.status_code == 200, answer.text
    wait_until(
        lambda: session.get(f"{hub.url}/user/{OWNER}/api", timeout=30).status_code == 200,
        timeout_s=START_S,
        what="the server",
        ignoring=(OSError,),
    )
    env = hub.server_process().environ()
    assert env["AUTONOE_PROFILE_NAME"] == "python"
    assert env["MY_SETTING"] == "two words"
    assert json.loads(env["AUTONOE_PROFILE_CHOICE"])["cpu"] == 1.5
    hub.api("DELETE", f"users/{OWNER}/server")
    wait_until(lambda: not has_server(hub, OWNER), timeout_s=60, what="the server's end")
    page = form_of(hub, session)
    assert re.search(r'name="python--cpu"[^>]* value="1.5"', page), "the last choice is remembered"
    assert "MY_SETTING=two words" in page


def test_a_changed_catalogue_is_seen_and_a_broken_one_is_not(hub: ProfileHub) -> None:
    session = hub.login("ana")
    file = hub.layout.root / "catalogue/zy.yaml"
    added = {"profiles": {"added": {"title": "Just added", "image": "x:1"}}}
    file.write_text(json.dumps(added))
    wait_until(lambda: "Just added" in form_of(hub, session), timeout_s=60, what="the new profile")
    file.write_text("profiles: {added: {titel: x}}")

    def told() -> bool:
        form_of(hub, session)
        return "zy.yaml:1" in hub.log("hub")

    wait_until(told, timeout_s=60, what="the problem in the log")
    assert "Just added" in form_of(hub, session)
    file.unlink()
    wait_until(
        lambda: "Just added" not in form_of(hub, session), timeout_s=60, what="the profile's end"
    )
