"""One model, many readers: what each of them gets from the same catalogue."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner
from kubespawner import KubeSpawner
from traitlets import HasTraits

from autonoe.profiles.catalogue import Catalogue
from autonoe.profiles.cli import profiles as command
from autonoe.profiles.compile import (
    docs_page,
    kubespawner,
    overrides,
    panel_view,
    profile_list_yaml,
    shared_memory,
    start_environment,
)
from autonoe.profiles.options import parse
from autonoe.profiles.schema import SCHEMAS
from autonoe.profiles.sources import builtin_folder
from autonoe.profiles.start.wanted import Preparation
from profiles.conftest import Write

Read = Callable[[str], Catalogue]
DIGEST = "0" * 64
OTHER = f"""\
profiles:
  a:
    title: A
    image: x.example/a:1
    other_images:
      old: {{title: Old, image: "x.example/a:0"}}
  b: {{title: B, image: "x.example/b@sha256:{DIGEST}", groups: [staff]}}
"""


def prepulled(values: dict[str, Any]) -> set[str]:
    """Return the images that the chart's pre-puller finds: of profiles and of their choices."""
    found = set()
    for profile in values["singleuser"]["profileList"]:
        found.add(profile.get("kubespawner_override", {}).get("image"))
        for option in profile.get("profile_options", {}).values():
            for choice in option.get("choices", {}).values():
                found.add(choice.get("kubespawner_override", {}).get("image"))
    return found - {None}


@pytest.mark.parametrize("which", ["builtin", "other"])
def test_the_pre_puller_sees_every_image(which: str, builtin: Catalogue, read: Read) -> None:
    catalogue = builtin if which == "builtin" else read(OTHER)
    assert prepulled(yaml.safe_load(profile_list_yaml(catalogue))) == set(catalogue.images())


def test_every_override_is_an_option_of_kubespawner(builtin: Catalogue) -> None:
    traits = KubeSpawner.class_traits(config=True)
    for profile in kubespawner(builtin):
        assert set(profile["kubespawner_override"]) <= set(traits)
        wanted = {name: copy(traits[name]) for name in profile["kubespawner_override"]}
        spawner = HasTraits()
        spawner.add_traits(**wanted)
        for name, value in profile["kubespawner_override"].items():
            setattr(spawner, name, value)  # traitlets refuses what has the wrong type


def test_exactly_one_default_and_only_what_the_groups_may(builtin: Catalogue) -> None:
    everything = kubespawner(builtin)
    assert [p["slug"] for p in everything if p["default"]] == ["python"]
    assert {p["slug"] for p in everything} == set(builtin.entries)
    assert {p["slug"] for p in kubespawner(builtin, ["gpu"])} == set(builtin.entries) - {"teaching"}
    assert kubespawner(Catalogue()) == []


def test_a_pod_of_each_profile_is_valid(builtin: Catalogue) -> None:
    for entry in builtin:
        choice = parse({"profile": entry.name}, builtin, (), is_admin=True)
        settings = overrides(choice)
        limits = {"cpu": str(settings["cpu_limit"]), "memory": str(settings["mem_limit"])}
        limits |= settings.get("extra_resource_limits", {})
        container: dict[str, Any] = {
            "name": "notebook",
            "image": settings["image"],
            "resources": {"limits": limits},
            "env": [{"name": n, "value": v} for n, v in settings["environment"].items()],
        }
        spec: dict[str, Any] = {"containers": [container]}
        spec["nodeSelector"] = settings.get("node_selector", {})
        spec["tolerations"] = settings.get("tolerations", [])
        if (shared := shared_memory(choice)) is not None:
            spec["volumes"], container["volumeMounts"] = [shared[0]], [shared[1]]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
        kubernetes_validate.validate(pod, "1.33", strict=True)
        assert settings["cpu_guarantee"] <= settings["cpu_limit"]
        assert settings["mem_guarantee"] == settings["mem_limit"]


def test_the_gpu_profile_asks_for_what_it_says(builtin: Catalogue) -> None:
    choice = parse({"profile": "gpu", "gpu": 2, "shared_memory_gib": 8}, builtin, ["gpu"])
    settings = overrides(choice)
    assert settings["extra_resource_limits"] == {"nvidia.com/gpu": "2"}
    assert settings["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    shared = shared_memory(choice)
    assert shared is not None
    assert shared[0]["emptyDir"] == {"medium": "Memory", "sizeLimit": "8192Mi"}


def test_the_wrapper_reads_what_the_spawner_writes(builtin: Catalogue) -> None:
    asked = {
        "profile": "python",
        "repository": "https://git.example/stat/nace.git",
        "branch": "main",
        "init_script": "https://files.example/i.sh",
        "init_script_sha256": "a" * 64,
        "packages": ["seaborn", "statsmodels>=0.14"],
        "environment": {"MINE": "x"},
        "s3": False,
    }
    choice = parse(asked, builtin, ())
    env = start_environment(choice)
    wanted = Preparation.read(env)
    assert (wanted.repository, wanted.branch) == (asked["repository"], "main")
    assert wanted.init_script_sha256 == "a" * 64
    assert wanted.packages == ("seaborn", "statsmodels>=0.14")
    assert wanted.refused == ()
    assert choice.preparation_s == 60 + 120 + 120
    assert env["MINE"] == "x"
    assert env["AUTONOE_PROFILE_S3"] == "off"
    assert json.loads(env["AUTONOE_PROFILE_CHOICE"]) == asked


def test_images_come_from_where_the_site_keeps_them(builtin: Catalogue, read: Read) -> None:
    moved = builtin.with_images("registry.example/autonoe", "1.4")
    assert all(image.startswith("registry.example/autonoe/") for image in moved.images())
    assert all(image.endswith(":1.4") for image in moved.images())
    assert builtin.with_images().images() == builtin.images()
    other = read(OTHER)
    assert other.with_images("registry.example", "2").images() == other.images()


def test_the_panel_is_told_no_groups_nodes_or_sources(builtin: Catalogue) -> None:
    for view in panel_view(builtin):
        assert not {"groups", "node_selector", "tolerations", "source"} & set(view)
        assert view["title"]["fr"]


def test_the_docs_page_names_every_profile_and_image(builtin: Catalogue) -> None:
    page = docs_page(builtin)
    assert [name for name in builtin.entries if f"`{name}`" not in page] == []
    assert [image for image in builtin.images() if image not in page] == []


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_schemas_are_schemas_in_which_every_key_is_explained(name: str) -> None:
    schema = SCHEMAS[name]()
    jsonschema.Draft202012Validator.check_schema(schema)
    silent = [
        f"{where}.{key}"
        for where, part in [(name, schema), *schema.get("$defs", {}).items()]
        for one in [part, *part.get("anyOf", [])]
        for key, value in one.get("properties", {}).items()
        if not value.get("description")
    ]
    assert silent == []


def test_the_schema_accepts_the_built_in_files_and_refuses_a_typing_error() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMAS["catalogue"]())
    for file in builtin_folder().glob("*.yaml"):
        validator.validate(yaml.safe_load(file.read_text()))
    wrong = {"profiles": {"a": {"title": "A", "imag": "x:1"}}}
    assert not validator.is_valid(wrong)


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autonoe", "profiles", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_says_file_and_line_and_leaves_with_2(write: Write) -> None:
    folder = write("profiles:\n  a:\n    titel: A\n    image: x:1\n")
    done = run("check", str(folder))
    assert done.returncode == 2
    assert f"{folder}/a.yaml:3: profiles.a.titel: is no key that is known here" in done.stderr
    as_json = run("check", str(folder), "--json")
    assert as_json.returncode == 2
    problems = json.loads(as_json.stdout)["error"]["problems"]
    assert [problem["line"] for problem in problems] == [2, 3]


def test_check_list_show_values_and_schema(write: Write, tmp_path: Path) -> None:
    def ask(*args: str) -> Any:
        done = CliRunner().invoke(command, [*args, "--json"], catch_exceptions=False)
        return json.loads(done.output)

    assert ask("check")["ok"]
    assert "gpu" in ask("check")["profiles"]
    assert {p["name"] for p in ask("list", "--group", "gpu")} >= {"gpu", "python"}
    assert "gpu" not in {p["name"] for p in ask("list", "--group", "staff")}
    assert ask("show", "gpu")["resources"]["gpu"] == {"default": 1.0, "ceiling": 2.0}
    assert prepulled(ask("values"))
    assert ask("schema", "site")["title"]
    site = tmp_path / "site.yaml"
    write(OTHER, folder="mine")
    site.write_text("catalogues: [{directory: mine}]\n")
    assert ask("check", "--site", str(site))["profiles"] == ["a", "b"]
    for name in ("check", "list", "schema", "values"):
        assert CliRunner().invoke(command, [name]).output
    assert "groups: gpu" in CliRunner().invoke(command, ["show", "gpu"]).output
