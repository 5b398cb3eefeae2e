"""What a person asks for at a start: what is not offered is refused, whatever its way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonoe.errors import AutonoeError, ForbiddenError
from autonoe.profiles import rules
from autonoe.profiles.catalogue import Catalogue
from autonoe.profiles.options import OptionError, Wanted, parse

Read = Callable[[str], Catalogue]
SHA = "a" * 64

CATALOGUE = f"""\
profiles:
  python:
    title: Python
    default: true
    runs_on: [kubernetes, embedded]
    image: registry.example/python:1.0
    other_images:
      old: {{title: Old, image: "registry.example/python:0.9"}}
    kernels: [python3, ir]
    resources:
      cpu: {{default: 2, ceiling: 4}}
      memory_gib: {{default: 4, ceiling: 8}}
      gpu: {{default: 0, ceiling: 2}}
      shared_memory_gib: {{default: 1, ceiling: 8}}
    options:
      repository: {{offered: true}}
      init_script: {{offered: true}}
      environment: {{offered: true, values: {{A: "1"}}}}
      packages: {{offered: true, names: [seaborn]}}
      s3: {{default: true, offered: true}}
      persistent_home: {{default: true, offered: true}}
  gpu:
    title: GPU
    image: registry.example/gpu:1.0
    groups: [gpu]
  plain:
    title: Plain
    image: registry.example/plain:1.0
    options:
      repository: {{offered: false, url: "https://git.example/stat/course.git", branch: main}}
      init_script: {{url: "https://files.example/init.sh", sha256: "{SHA}"}}
  local:
    title: Local
    image: registry.example/local:1.0
    options:
      repository: {{hosts: [git.example]}}
"""


@pytest.fixture
def catalogue(read: Read) -> Catalogue:
    return read(CATALOGUE)


def refusal(catalogue: Catalogue, options: Any, **more: Any) -> OptionError:
    with pytest.raises(OptionError) as caught:
        parse(options, catalogue, more.pop("groups", ()), **more)
    assert caught.value.message
    assert caught.value.hint
    return caught.value


def test_nothing_means_the_default(catalogue: Catalogue) -> None:
    for options in (None, {}):
        choice = parse(options, catalogue, ())
        assert (choice.name, choice.image) == ("python", "registry.example/python:1.0")
        assert (choice.cpu, choice.memory_bytes, choice.gpu) == (2, 4 * 2**30, 0)
        assert choice.packages == ("seaborn",)
        assert choice.environment == {"A": "1"}
        assert choice.asked == {}


def test_everything_that_is_offered_can_be_had(catalogue: Catalogue) -> None:
    asked = {
        "profile": "python",
        "image": "old",
        "kernel": "ir",
        "cpu": 4,
        "memory_gib": 8,
        "gpu": 2,
        "shared_memory_gib": 2.5,
        "repository": "https://git.example/stat/nace.git",
        "branch": "feature/x-1.2",
        "init_script": "https://files.example/init.sh",
        "init_script_sha256": SHA.upper(),
        "s3": False,
        "persistent_home": False,
        "environment": {"MY_SETTING": "two words"},
        "packages": ["statsmodels[a,b]>=0.14,<1", "seaborn"],
    }
    choice = parse(asked, catalogue, ())
    assert choice.image == "registry.example/python:0.9"
    assert choice.amounts["shared_memory_gib"] == 2.5
    assert choice.init_script_sha256 == SHA
    assert choice.environment == {"A": "1", "MY_SETTING": "two words"}
    assert choice.packages == ("seaborn", "statsmodels[a,b]>=0.14,<1")
    assert not choice.s3
    assert not choice.persistent_home
    assert parse(choice.asked, catalogue, ()) == choice, "what was chosen can be chosen again"


@pytest.mark.parametrize(
    "key",
    [
        "privileged",
        "hostPath",
        "service_account",
        "image_spec",
        "profile ",
        "CPU",
        "cmd",
        "args",
        "",
    ],
)
def test_an_option_that_does_not_exist_is_refused(catalogue: Catalogue, key: str) -> None:
    assert refusal(catalogue, {key: 1}).code == "option_unknown"


@pytest.mark.parametrize(
    "options",
    [
        {"cpu": "4"},
        {"cpu": True},
        {"cpu": math.nan},
        {"cpu": math.inf},
        {"cpu": -1},
        {"cpu": [1]},
        {"gpu": None, "cpu": {}},
        {"s3": "on"},
        {"s3": 1},
        {"profile": ["python"]},
        {"profile": "x" * 501},
        {"environment": [["A", "b"]]},
        {"environment": {"A": 1}},
        {"packages": "seaborn"},
        {"packages": [["x"]]},
        {"repository": {"url": "x"}},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(catalogue: Catalogue, options: Any) -> None:
    assert refusal(catalogue, options).code == "option_type"


def test_groups_decide(catalogue: Catalogue) -> None:
    assert refusal(catalogue, {"profile": "gpu"}).code == "profile_forbidden"
    assert refusal(catalogue, {"profile": "gpu"}, groups=["gpus", "GPU"]).code == (
        "profile_forbidden"
    )
    assert parse({"profile": "gpu"}, catalogue, ["gpu"]).name == "gpu"
    assert parse({"profile": "gpu"}, catalogue, (), is_admin=True).name == "gpu"


def test_a_closed_profile_looks_like_one_that_does_not_exist(catalogue: Catalogue) -> None:
    closed, unknown = (refusal(catalogue, {"profile": name}) for name in ("gpu", "gpz"))
    assert closed.message.replace("gpu", "") == unknown.message.replace("gpz", "")
    assert closed.hint == unknown.hint


def test_with_nothing_open_it_says_so(read: Read) -> None:
    closed = read("profiles:\n  a: {title: A, image: 'x:1', groups: [staff]}\n")
    for options in ({}, {"profile": "a"}):
        with pytest.raises(ForbiddenError, match="No profile is open"):
            parse(options, closed, ["guests"])


@pytest.mark.parametrize(
    "image",
    [
        "registry.example/python:1.0\n",
        "registry.example/python:1.0-evil",
        "registry.example/python:1",
        "registry.example/gpu:1.0",
        "REGISTRY.example/python:1.0",
        "old ",
        "registry.example/python:0.9/../gpu:1.0",
    ],
)
def test_only_an_image_of_the_profile_itself(catalogue: Catalogue, image: str) -> None:
    assert refusal(catalogue, {"image": image}).code == "image_forbidden"
    assert parse({"image": "registry.example/python:0.9"}, catalogue, ()).image.endswith("0.9")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"cpu": 4.01}, "resource_above_ceiling"),
        ({"cpu": 1e9}, "resource_above_ceiling"),
        ({"memory_gib": 9}, "resource_above_ceiling"),
        ({"gpu": 3}, "resource_above_ceiling"),
        ({"gpu": 0.5}, "resource_too_small"),
        ({"cpu": 0}, "resource_too_small"),
        ({"memory_gib": 0.01}, "resource_too_small"),
        ({"shared_memory_gib": 5}, "resource_above_ceiling"),
        ({"profile": "plain", "cpu": 3}, "resource_above_ceiling"),
        ({"profile": "plain", "s3": False}, "option_not_offered"),
        ({"profile": "plain", "environment": {"A": "b"}}, "option_not_offered"),
        ({"profile": "plain", "packages": ["x"]}, "option_not_offered"),
        ({"profile": "plain", "repository": "https://git.example/x/y"}, "option_not_offered"),
        ({"profile": "plain", "branch": "other"}, "option_not_offered"),
        ({"profile": "plain", "init_script": "https://a.example/b"}, "option_not_offered"),
        ({"profile": "plain", "init_script_sha256": "b" * 64}, "option_not_offered"),
        ({"kernel": "julia"}, "kernel_unknown"),
        ({"init_script": "https://a.example/b"}, "option_refused"),
        ({"init_script": "https://a.example/b", "init_script_sha256": "b" * 63}, "option_refused"),
        ({"init_script": "http://a.example/b", "init_script_sha256": SHA}, "option_refused"),
        ({"profile": "local", "repository": "https://git.example.evil/x"}, "option_refused"),
    ],
)
def test_limits(catalogue: Catalogue, options: dict[str, Any], code: str) -> None:
    assert refusal(catalogue, options).code == code


def test_an_administrators_own_options_stay(catalogue: Catalogue) -> None:
    choice = parse({"profile": "plain"}, catalogue, ())
    assert (choice.repository, choice.branch) == ("https://git.example/stat/course.git", "main")
    assert (choice.init_script, choice.init_script_sha256) == ("https://files.example/init.sh", SHA)


HOSTILE_REPOSITORIES = [
    "--upload-pack=touch /tmp/x",
    "-oProxyCommand=x",
    "ext::sh -c 'touch /tmp/x'",
    "file:///etc",
    "/etc",
    "git://git.example/x",
    "http://git.example/x",
    "https://",
    "https:///x",
    "https://git.example",
    "https://git.example/",
    "https://ana:secret@git.example/x",
    "https://token@git.example/x",
    "ssh://git:secret@git.example/x",
    "ssh://-oProxyCommand=x/y",
    "https://git.example/x\n--config=y",
    "https://git.example/x y",
    "https://git.example/../../etc",
    "https://git.example/%2e%2e/x",
    "https://git.example/..",
    "https://git.example\\@evil.example/x",
    "https://git.example/x?y=z",
    "https://git.example/x#y",
    "https://git.example:0/x",
    "https://git.example:99999/x",
    "https://[::1]/x",
    "https://git.exam\u200bple/x",
    "https://GIT.example/" + "x" * 600,
    "git@git.example:stat/nace.git",
]


@pytest.mark.parametrize("url", HOSTILE_REPOSITORIES)
def test_hostile_repositories_are_refused(catalogue: Catalogue, url: str) -> None:
    assert refusal(catalogue, {"repository": url}).code in {"option_refused", "option_type"}


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example/stat/nace.git",
        "https://git.example:8443/~ana/nace",
        "ssh://git@git.example/stat/nace.git",
        "ssh://git.example:2222/nace",
    ],
)
def test_ordinary_repositories_are_taken(catalogue: Catalogue, url: str) -> None:
    assert parse({"repository": url}, catalogue, ()).repository == url


@pytest.mark.parametrize(
    "branch", ["-b", "--x", "a..b", "a b", "a\nb", "a~1", "a^", "a:b", "a.lock", "a/", "@{1}", "a?"]
)
def test_hostile_branches_are_refused(catalogue: Catalogue, branch: str) -> None:
    options = {"repository": "https://git.example/x/y", "branch": branch}
    assert refusal(catalogue, options).code == "option_refused"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "aws_profile",
        "AUTONOE_PROOF_FILE",
        "JUPYTERHUB_API_TOKEN",
        "LD_PRELOAD",
        "PYTHONPATH",
        "PATH",
        "HOME",
        "VAULT_ADDR",
        "MLFLOW_TRACKING_URI",
        "HTTPS_PROXY",
        "https_proxy",
        "BASH_ENV",
        "ENV",
        "GIT_SSH_COMMAND",
        "A B",
        "A=B",
        "1A",
        "",
        "Ä",
    ],
)
def test_variables_of_the_platform_cannot_be_set(catalogue: Catalogue, name: str) -> None:
    assert refusal(catalogue, {"environment": {name: "x"}}).code == "option_refused"


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "a\rb", "x" * 5000])
def test_values_are_one_line(catalogue: Catalogue, value: str) -> None:
    assert refusal(catalogue, {"environment": {"MINE": value}}).code == "option_refused"


@pytest.mark.parametrize(
    "name",
    [
        "--index-url=https://evil.example",
        "-r/etc/passwd",
        "git+https://evil.example/x",
        "x @ https://evil.example/x.whl",
        "./local",
        "/etc",
        "a b",
        "a;python_version>'3'",
        "a\n--index-url=x",
        "",
        "a" * 300,
    ],
)
def test_hostile_packages_are_refused(catalogue: Catalogue, name: str) -> None:
    assert refusal(catalogue, {"packages": [name]}).code == "option_refused"


def test_one_machine_has_no_images_and_no_amounts(catalogue: Catalogue) -> None:
    for options in ({"cpu": 1}, {"image": "old"}, {"disk_gib": 1}):
        assert refusal(catalogue, options, mode="embedded").code == "option_not_here"
    assert refusal(catalogue, {"profile": "gpu"}, mode="embedded", is_admin=True).code == (
        "profile_forbidden"
    )
    assert parse({"s3": False}, catalogue, (), mode="embedded").name == "python"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*Wanted.model_fields, "x", "image "]), VALUES, max_size=4))
def test_whatever_comes_is_a_choice_within_the_limits_or_an_error_of_ours(options: Any) -> None:
    catalogue = _read_once()
    try:
        choice = parse(options, catalogue, ())
    except AutonoeError:
        return
    profile = choice.profile
    assert choice.name in {"python", "plain", "local"}
    assert choice.image in catalogue.images()
    for name, amount in choice.amounts.items():
        assert 0 <= amount <= getattr(profile.resources, name).ceiling
    assert not choice.repository or rules.repository_url(choice.repository)
    rules.environment(choice.environment)
    rules.packages(choice.packages)


def _read_once(made: list[Catalogue] = []) -> Catalogue:  # noqa: B006  one catalogue for all
    if not made:
        from autonoe.profiles.catalogue import read_document

        made.append(read_document(CATALOGUE, "catalogue")[0])
    return made[0]
