"""The hub's configuration on a cluster, as far as it needs none."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from traitlets.config import Config

from autonoe.errors import ConflictError, InvalidInputError
from autonoe.kubernetes import kubeconfig
from autonoe.kubernetes.hub_access import OWN_RULES, hub_access
from autonoe.kubernetes.labels import verify_owner
from autonoe.names import normalise_name
from autonoe.profiles.options import parse
from autonoe.profiles.sources import load
from autonoe_hub.cluster import home, naming, pod, reflectors, values
from autonoe_hub.cluster.config import configure
from autonoe_hub.cluster.environment import environment
from autonoe_hub.cluster.settings import ClusterSettings, HomeValues, read_settings
from autonoe_hub.cluster.spawner import TenantSpawner
from autonoe_hub.cluster.tenants import Wanted, projects_of
from support.manifests import MINORS, check, check_labels


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "ConfigurableHTTPProxy.auth_token",
        "JupyterHub.cookie_secret",
        "CryptKeeper.keys",
    ):
        (tmp_path / f"hub.config.{name}").write_text("00" * 32)
    (tmp_path / "hub.services.tests.apiToken").write_text("token")
    monkeypatch.setenv("AUTONOE_HUB_VALUES_FILE", str(tmp_path / "values.yaml"))
    return tmp_path


def test_a_laptop_is_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert values.read_values(tmp_path / "none.yaml") == {}
    assert read_settings({}) is None
    assert read_settings({"custom": {}}) is None
    assert read_settings({"custom": {"autonoe": {}}}) == ClusterSettings()
    monkeypatch.setenv("AUTONOE_HUB_MODE", "kubernetes")
    assert read_settings({}) == ClusterSettings()
    monkeypatch.setenv("AUTONOE_HUB_MODE", "embedded")
    assert read_settings({"custom": {"autonoe": {}}}) is None


@pytest.mark.parametrize(
    ("given_values", "named"),
    [
        ({"userPrefx": "u-"}, "userPrefx"),
        ({"userPrefix": "Users-"}, "userPrefix"),
        ({"userPrefix": "u"}, "userPrefix"),
        ({"home": {"capacity": "ten"}}, "home.capacity"),
        ({"oidc": {"clientId": "x"}}, "oidc.issuerUrl"),
        (
            {"oidc": {"issuerUrl": "http://x", "clientId": "x", "clientSecret": "s3cret"}},
            "oidc.client",
        ),
    ],
)
def test_a_wrong_value_is_named_and_never_repeated(
    given_values: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_settings({"custom": {"autonoe": given_values}})
    assert named in caught.value.message
    assert "s3cret" not in caught.value.message


def test_an_unknown_mode_stops_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTONOE_HUB_MODE", "cluster")
    with pytest.raises(InvalidInputError, match="AUTONOE_HUB_MODE"):
        read_settings({})


def test_a_values_file_that_is_none_is_refused_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("password: [s3cret")
    with pytest.raises(InvalidInputError) as caught:
        values.read_values(file)
    assert "s3cret" not in caught.value.message


# -- configuration ------------------------------------------------------------------------------


def test_the_charts_configuration_stays_and_ours_comes_on_top(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "hubs")
    c = Config()
    c.ConfigurableHTTPProxy.api_url = "http://proxy-api:8001"
    c.JupyterHub.hub_connect_url = "http://hub:8081"
    c.JupyterHub.load_roles = [{"name": "jupyterhub-idle-culler"}]
    c.JupyterHub.services = [{"name": "jupyterhub-idle-culler"}]
    c.KubeSpawner.start_timeout = 77
    configure(c, ClusterSettings(), {})
    assert c.JupyterHub.load_roles == [{"name": "jupyterhub-idle-culler"}]
    assert c.JupyterHub.services == [{"name": "jupyterhub-idle-culler"}]
    assert c.KubeSpawner.start_timeout == 77
    assert c.JupyterHub.spawner_class is TenantSpawner
    assert c.JupyterHub.hub_connect_url == "http://hub.hubs.svc.cluster.local:8081"
    assert c.KubeSpawner.enable_user_namespaces is False


def test_without_the_chart_the_same_values_give_a_whole_hub(secrets: Path) -> None:
    c = Config()
    given_values = {
        "hub": {
            "allowNamedServers": True,
            "consecutiveFailureLimit": 0,
            "config": {"JupyterHub": {"admin_access": False}},
            "services": {"tests": {"apiToken": "in-the-secret"}},
            "loadRoles": {"tests": {"scopes": ["list:users"], "services": ["tests"]}},
        },
        "singleuser": {"startTimeout": 99, "cmd": ["start"]},
        "cull": {"timeout": 60, "every": 5},
    }
    configure(c, ClusterSettings(), given_values)
    assert c.ConfigurableHTTPProxy.should_start is False
    assert c.JupyterHub.cleanup_servers is False
    assert c.JupyterHub.allow_named_servers is True
    assert c.JupyterHub.cookie_secret == bytes(32)
    assert c.Spawner.cmd == ["start"]
    assert c.Spawner.consecutive_failure_limit == 0
    assert c.KubeSpawner.start_timeout == 99
    names = {service["name"]: service for service in c.JupyterHub.services}
    assert set(names) == {"jupyterhub-idle-culler", "tests"}
    assert names["tests"]["api_token"] == "token"
    assert "--timeout=60" in names["jupyterhub-idle-culler"]["command"]
    assert {role["name"] for role in c.JupyterHub.load_roles} == set(names)


# -- names --------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=60), unique=True, min_size=2, max_size=20))
def test_no_two_servers_of_a_person_share_a_pod(servers: list[str]) -> None:
    names = [naming.pod_name(server) for server in servers]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) <= 63
        assert name == name.lower()
        assert name[0].isalnum()
        assert name[-1].isalnum()


def test_namespaces_of_colliding_names_differ() -> None:
    # Two names that KubeSpawner's 32 bits take for one are apart here; the pair was searched for.
    people = ["ana maría", "ana marìa", "Ana María ", "ana-maria", "ana.maria"]
    found = {person: naming.namespace("u-", person) for person in people}
    for one, other in itertools.combinations(people, 2):
        same = normalise_name(one) == normalise_name(other)
        assert (found[one] == found[other]) == same


# -- the pod ------------------------------------------------------------------------------------


def test_a_persons_own_variables_cannot_turn_the_agent_elsewhere() -> None:
    settings = ClusterSettings(environment={"LANG": "fr_FR.UTF-8"})
    found = environment(settings, "ana", ("census",), "u-ana", mail="ana@example.org")
    assert found["AUTONOE_PROOF_KIND"] == "kubernetes"
    assert found["AUTONOE_PROOF_FILE"] == "/var/run/secrets/autonoe/openbao/token"
    assert found["AUTONOE_KUBERNETES_NAMESPACE"] == "u-ana"
    assert found["LANG"] == "fr_FR.UTF-8"
    assert not {"AWS_ACCESS_KEY_ID", "VAULT_TOKEN", "AUTONOE_CONTROL_SOCKET"} & set(found)


def _choice(**options: Any) -> Any:
    return parse(options, load(), (), is_admin=True)


def test_the_pod_is_restricted_whatever_the_values_say() -> None:
    found = pod.traits(ClusterSettings(), _choice(), port=8888)
    context = found["container_security_context"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["runAsNonRoot"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert found["automount_service_account_token"] is False
    assert found["service_account"] == "notebook"
    kinds = {key for volume in found["volumes"] for key in volume if key != "name"}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "projected"}
    mounted = {mount["name"] for mount in found["volume_mounts"]}
    assert mounted == {volume["name"] for volume in found["volumes"]}


def test_a_temporary_home_and_shared_memory_follow_the_choice() -> None:
    kept = {v["name"]: v for v in pod.traits(ClusterSettings(), _choice(), port=1)["volumes"]}
    assert kept["home"]["persistentVolumeClaim"] == {"claimName": "home"}
    chosen = _choice(persistent_home=False)
    gone = {v["name"]: v for v in pod.traits(ClusterSettings(), chosen, port=1)["volumes"]}
    assert gone["home"] == {"name": "home", "emptyDir": {}}
    assert gone["shm"]["emptyDir"]["medium"] == "Memory"


def test_lifetimes_are_the_kubelets_business() -> None:
    assert "activeDeadlineSeconds" not in pod.extra_pod_config(lifetime_s=0, grace_s=10)
    assert pod.extra_pod_config(lifetime_s=60, grace_s=10)["activeDeadlineSeconds"] == 60
    settings = ClusterSettings(lifetime_s=3600)
    found = pod.traits(settings, _choice(), port=1)["extra_pod_config"]
    assert found["activeDeadlineSeconds"] == 3600


@pytest.mark.parametrize("minor", MINORS)
def test_what_we_write_is_valid_and_labelled(minor: str) -> None:
    claim = home.claim(
        HomeValues(storage_class="fast"),
        owner="Ana María",
        namespace="u-x",
        instance="autonoe",
        capacity="5Gi",
    )
    objects = [claim, *hub_access("autonoe", "autonoe")]
    check(objects, minor)
    check_labels(objects)
    verify_owner(claim, "ana maría", instance="autonoe")
    with pytest.raises(ConflictError):
        verify_owner(claim, "ana", instance="autonoe")


def test_the_hub_may_delete_and_list_nothing_of_its_own_namespace() -> None:
    verbs = {verb for rule in OWN_RULES for verb in rule["verbs"]}
    assert "delete" not in verbs
    resources = {resource for rule in OWN_RULES for resource in rule["resources"]}
    assert resources == {"tenants", "configmaps"}


# -- tenants and watches ------------------------------------------------------------------------


def test_what_is_not_known_stays_as_it_was() -> None:
    assert "mail" not in Wanted("user", "Ana", ("b", "a")).spec()
    assert Wanted("user", "Ana", ("b", "a"), mail="").spec()["mail"] == ""
    assert Wanted("user", "Ana").name == "user-ana"
    spec = Wanted("project", "census", members=("b", "a")).spec()
    assert spec == {"kind": "project", "owner": "census", "members": ["a", "b"]}


def test_only_named_groups_are_projects() -> None:
    assert projects_of(["staff", "census", "prices"], frozenset({"prices", "census"})) == (
        "census",
        "prices",
    )


class _Reflector:
    """What KubeSpawner's watch looks like from outside."""

    class _Future:
        def __init__(self, done: bool, error: Exception | None = None) -> None:
            self._done, self._error = done, error

        def done(self) -> bool:
            return self._done

        def cancelled(self) -> bool:
            return False

        def exception(self) -> Exception | None:
            return self._error

    def __init__(self, *, loaded: bool, watching: bool, error: Exception | None = None) -> None:
        self.first_load_future = self._Future(loaded, error)
        self.watch_task = self._Future(not watching) if loaded and error is None else None


def test_a_watch_that_gave_up_is_seen_and_a_failed_one_forgotten() -> None:
    assert not reflectors.is_dead(None)
    assert not reflectors.is_dead(_Reflector(loaded=True, watching=True))
    assert not reflectors.is_dead(_Reflector(loaded=False, watching=False))
    assert reflectors.is_dead(_Reflector(loaded=True, watching=False))
    failed = _Reflector(loaded=True, watching=False, error=OSError())
    known = {"a": failed, "b": _Reflector(loaded=True, watching=True)}
    for key in ("a", "b", "c"):
        reflectors.forget_failed(known, key)
    assert set(known) == {"b"}


# -- kubeconfig ---------------------------------------------------------------------------------


def test_a_kubeconfig_names_files_and_holds_no_token(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("u-ana\n")
    (tmp_path / "token").write_text("s3cret")
    target = tmp_path / "run" / "kubeconfig"
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBECONFIG": str(target)}
    assert kubeconfig.write(environ, folder=tmp_path) == target
    text = target.read_text()
    assert "s3cret" not in text
    document = yaml.safe_load(text)
    assert document["clusters"][0]["cluster"]["server"] == "https://[fd00::1]:443"
    assert document["contexts"][0]["context"]["namespace"] == "u-ana"
    assert target.stat().st_mode & 0o077 == 0
    target.write_text("mine")
    kubeconfig.write(environ, folder=tmp_path)
    assert target.read_text() == "mine"


def test_outside_a_pod_no_kubeconfig_is_written(tmp_path: Path) -> None:
    assert kubeconfig.write({"KUBECONFIG": str(tmp_path / "x")}, folder=tmp_path) is None
    assert not (tmp_path / "x").exists()
