"""The configuration as data: what it sets where, and what it leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from traitlets.config import Config

from autonoe.embedded import secret_makers
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import InvalidInputError
from autonoe_hub import messages, proxy_config
from autonoe_hub.authenticator import LinkAuthenticator
from autonoe_hub.config import configure
from autonoe_hub.scrub import scrub
from autonoe_hub.settings import read_oidc
from support.hub_stack import HubStack
from support.places import REPOSITORY

PROVIDER = {"issuer_url": "http://127.0.0.1:9", "client_id": "hub", "client_secret": "s"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.create()
    PlatformFile.create(host="127.0.0.1", port=8000, owner="owner").save(layout)
    secret_makers.ensure(layout)
    return layout


def chart() -> Config:
    """Return what the z2jh chart has set when it loads ours."""
    c = Config()
    c.JupyterHub.load_roles = [{"name": "jupyterhub-idle-culler", "scopes": ["list:users"]}]
    c.JupyterHub.services = [{"name": "jupyterhub-idle-culler"}]
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0, "headers": {"X-Site": "1"}}
    c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    c.JupyterHub.authenticator_class = "dummy"
    return c


def test_under_the_chart_all_that_the_chart_set_stays() -> None:
    c = chart()
    configure(c)
    for option, value in chart().JupyterHub.items():
        if option != "tornado_settings":
            assert c.JupyterHub[option] == value
    assert c.JupyterHub.tornado_settings["slow_spawn_timeout"] == 0
    assert c.JupyterHub.tornado_settings["headers"]["X-Site"] == "1"
    assert c.JupyterHub.tornado_settings["headers"]["X-Content-Type-Options"] == "nosniff"
    assert "proxy_class" not in c.JupyterHub
    assert "bind_url" not in c.JupyterHub


def test_roles_and_services_are_added_to_those_that_are_there(layout: Layout) -> None:
    c = chart()
    configure(c, layout)
    assert [role["name"] for role in c.JupyterHub.load_roles] == [
        "jupyterhub-idle-culler",
        "autonoe-platform",
        "autonoe-culler",
    ]
    assert c.JupyterHub.services[0] == {"name": "jupyterhub-idle-culler"}


def test_what_was_only_appended_stays_too(layout: Layout) -> None:
    c = Config()
    c.JupyterHub.load_roles.append({"name": "of-the-site"})
    c.JupyterHub.tornado_settings.update({"slow_spawn_timeout": 3})
    configure(c, layout)
    assert c.JupyterHub.load_roles[0] == {"name": "of-the-site"}
    assert c.JupyterHub.tornado_settings["slow_spawn_timeout"] == 3


def test_without_a_provider_only_links_let_in(layout: Layout) -> None:
    c = Config()
    configure(c, layout)
    assert c.JupyterHub.authenticator_class is LinkAuthenticator
    assert not c.Authenticator.get("allow_all")


def test_a_provider_that_does_not_answer_leaves_the_links(layout: Layout) -> None:
    file = layout.root / "oidc.json"
    file.write_text(json.dumps(PROVIDER))
    file.chmod(0o600)
    c = Config()
    configure(c, layout)
    assert c.JupyterHub.authenticator_class is LinkAuthenticator


def test_an_idle_timeout_of_nothing_needs_no_culler(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTONOE_HUB_IDLE_TIMEOUT_S", "0")
    c = Config()
    configure(c, layout)
    assert [service["name"] for service in c.JupyterHub.services] == ["autonoe-platform"]


def test_the_configuration_is_two_lines_and_installed() -> None:
    shipped = REPOSITORY / "hub" / "jupyterhub_config.py"
    spec = find_spec("autonoe_hub")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).with_name("jupyterhub_config.py")
    assert installed.read_text() == shipped.read_text()
    lines = [line for line in shipped.read_text().splitlines() if line.strip()]
    assert len(lines) == 2


def test_jupyterhub_knows_every_option(hub: HubStack) -> None:
    log = hub.log("hub")
    assert "not recognized" not in log
    assert "deprecated" not in log.lower()
    assert "No allow config found" not in log


def test_traefik_sends_nothing_home_and_keeps_no_access_log(layout: Layout) -> None:
    platform = PlatformFile.load(layout)
    settings = proxy_config.static_config(platform, proxy_config.rules_file(layout))
    assert settings["global"] == {"checkNewVersion": False, "sendAnonymousUsage": False}
    assert "accessLog" not in settings
    assert settings["api"] == {"dashboard": False}
    addresses = [e["address"] for e in settings["entryPoints"].values()]
    assert addresses == ["127.0.0.1:8000", f"127.0.0.1:{platform.traefik_api}"]
    wide = platform.model_copy(update={"host": "0.0.0.0"})
    entries = proxy_config.static_config(wide, Path("r"))["entryPoints"]
    assert entries["auth_api"]["address"].startswith("127.0.0.1:")
    six = proxy_config.static_config(platform.model_copy(update={"host": "::1"}), Path("r"))
    assert six["entryPoints"]["http"]["address"] == "[::1]:8000"


def test_traefiks_api_wants_the_password(hub: HubStack) -> None:
    import requests

    address = f"{hub.platform.traefik_api_url}/api/http/routers"
    assert requests.get(address, timeout=10).status_code == 401
    assert requests.get(address, auth=("autonoe-hub", "x"), timeout=10).status_code == 401
    assert requests.get(f"{hub.url}/api/http/routers", timeout=10).status_code == 404
    password = hub.layout.secret("hub-proxy-token").read_text().strip()
    assert requests.get(address, auth=("autonoe-hub", password), timeout=10).status_code == 200


def test_the_launcher_leaves_the_slow_import_out() -> None:
    code = (
        "import sys; sys.argv[1:] = ['nothing']\n"
        "from autonoe_hub import launcher\n"
        "launcher._MODES['nothing'] = lambda: print(sys.modules['rfc3987_syntax'])\n"
        "launcher.main()\n"
        "import jsonschema; jsonschema.validate('x', {'type': 'string', 'format': 'iri'})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_the_launcher_names_its_modes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autonoe_hub.launcher", "x"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"hub|singleuser|culler|proxy-config" in done.stderr


def test_no_provider_is_no_error(layout: Layout) -> None:
    assert read_oidc(layout) is None
    assert read_oidc(None) is None


def test_a_providers_settings_are_read(layout: Layout) -> None:
    file = layout.root / "oidc.json"
    file.write_text(json.dumps({**PROVIDER, "allowed_groups": ["stats"]}))
    file.chmod(0o600)
    settings = read_oidc(layout)
    assert settings is not None
    assert settings.allowed_groups == {"stats"}
    assert "'s'" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (json.dumps(PROVIDER), 0o644, "others can read"),
        ("{", 0o600, "not JSON"),
        ("[]", 0o600, "one JSON object"),
        (json.dumps({**PROVIDER, "issuer_url": "hunter2"}), 0o600, "issuer_url"),
        (json.dumps({"client_secret": "hunter2"}), 0o600, "client_id"),
        (json.dumps({**PROVIDER, "alowed_groups": ["hunter2"]}), 0o600, "alowed_groups"),
    ],
)
def test_wrong_settings_are_said_without_their_values(
    layout: Layout, text: str, mode: int, said: str
) -> None:
    file = layout.root / "oidc.json"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(InvalidInputError, match=said) as refused:
        read_oidc(layout)
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize(
    ("header", "language"),
    [("fr", "fr"), ("de,fr;q=0.9", "fr"), ("en-GB,fr;q=0.1", "en"), ("", "en"), ("*;q=x", "en"),
     ("fr;q=nan," * 50, "fr")],
)  # fmt: skip
def test_pages_speak_the_readers_language(header: str, language: str) -> None:
    assert messages.messages(header) is messages.CATALOGUE[language]


def test_both_languages_say_the_same_things() -> None:
    keys = [set(catalogue) for catalogue in messages.CATALOGUE.values()]
    assert all(k == keys[0] for k in keys)


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ("403 GET /x?token=abc (1.2.3.4)", "403 GET /x?token=[secret] (1.2.3.4)"),
        ("GET /hub/link?a=1&ticket=abc&b=2", "GET /hub/link?a=1&ticket=[secret]&b=2"),
        ("GET /x?page=2", "GET /x?page=2"),
        ("-> /cb?code=a&state=b#f", "-> /cb?code=[secret]&state=[secret]#f"),
    ],
)
def test_addresses_are_scrubbed(line: str, clean: str) -> None:
    assert scrub(line) == clean
