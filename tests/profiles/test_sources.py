"""Catalogues from a folder, a Git repository and an address; what changes, and what fails."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from autonoe.errors import InvalidInputError, NotFoundError, UnavailableError
from autonoe.profiles import site as sites
from autonoe.profiles.problems import CatalogueError
from autonoe.profiles.sources import Source, load
from profiles.conftest import Write
from support.https import Https, commit, repository

FIRST = "profiles:\n  a: {title: A, image: 'x:1'}\n  b: {title: B, image: 'x:1'}\n"
SECOND = "profiles:\n  b: {title: Better, image: 'x:2'}\n  c: {title: C, image: 'x:3'}\n"


def titles(*sources: Source, cache: Path | None = None) -> dict[str, str]:
    return {entry.name: entry.profile.title.en for entry in load(sources, cache=cache)}


def test_the_built_in_catalogue_has_what_the_issue_names() -> None:
    catalogue = load()
    wanted = {"python", "python-small", "python-large", "r", "pyspark", "gpu", "nace", "teaching"}
    assert wanted <= set(catalogue.entries)
    for entry in catalogue:
        assert entry.picture.startswith("data:image/svg+xml;base64,")
        assert entry.profile.title.fr
        assert entry.profile.description.fr
        assert catalogue.category(entry.profile.category).title.fr
    embedded = catalogue.for_groups((), mode="embedded")
    assert list(embedded.entries) == ["python"], "with two, one person would meet a form"


def test_later_catalogues_add_replace_and_remove(write: Write) -> None:
    one = Source(directory=str(write(FIRST, folder="one")))
    two = Source(directory=str(write(SECOND + "remove: [a]\n", folder="two")))
    assert titles(one) == {"a": "A", "b": "B"}
    assert titles(one, two) == {"b": "Better", "c": "C"}
    assert titles(two, one) == {"a": "A", "b": "B", "c": "C"}


def test_git_by_branch_commit_and_path(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"here/a.yaml": FIRST})
    old = commit(origin, {"here/a.yaml": FIRST, "notes.txt": "x"})
    commit(origin, {"here/a.yaml": SECOND})
    cache = tmp_path / "cache"
    latest = Source(git=str(origin), branch="main", path="here")
    assert set(titles(latest, cache=cache)) == {"b", "c"}
    pinned = Source(git=str(origin), branch="main", commit=old, path="here")
    assert set(titles(pinned, cache=cache)) == {"a", "b"}
    assert f"@{old[:12]}" in load([pinned], cache=cache).sources[0]
    with pytest.raises(InvalidInputError, match="no folder"):
        load([Source(git=str(origin), path="elsewhere")])


def test_a_pinned_commit_that_is_not_there_is_refused(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"a.yaml": FIRST})
    with pytest.raises(UnavailableError):
        load([Source(git=str(origin), commit="0" * 40)])


def test_a_git_server_that_is_away_leaves_the_last_catalogue(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"a.yaml": FIRST})
    source, cache = Source(git=str(origin)), tmp_path / "cache"
    assert set(titles(source, cache=cache)) == {"a", "b"}
    origin.rename(tmp_path / "gone")
    assert set(titles(source, cache=cache)) == {"a", "b"}
    with pytest.raises(UnavailableError, match="git fetch failed"):
        load([source])


def test_a_link_out_of_the_repository_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a.yaml").write_text(FIRST)
    origin = repository(tmp_path / "origin", {"x.txt": "x"})
    (origin / "profiles").symlink_to(secret)
    commit(origin, {"y.txt": "y"})
    with pytest.raises(InvalidInputError, match="no folder"):
        load([Source(git=str(origin), path="profiles")])


def test_a_url_with_its_checksum(trusted: Https, tmp_path: Path) -> None:
    (trusted.folder / "p.yaml").write_text(FIRST)
    good = hashlib.sha256(FIRST.encode()).hexdigest()
    url, cache = f"{trusted.url}/p.yaml", tmp_path / "cache"
    with_sum = Source(url=url, sha256=good)
    assert set(titles(with_sum, cache=cache)) == {"a", "b"}
    (trusted.folder / "p.yaml").write_text(SECOND)
    with pytest.raises(InvalidInputError, match="checksum"):
        load([with_sum], cache=cache)
    assert set(titles(Source(url=url), cache=cache)) == {"b", "c"}
    (trusted.folder / "p.yaml").unlink()
    assert set(titles(Source(url=url), cache=cache)) == {"b", "c"}, "what it said last time"


def test_a_broken_answer_does_not_replace_the_good_one(trusted: Https, tmp_path: Path) -> None:
    file, source = trusted.folder / "p.yaml", Source(url=f"{trusted.url}/p.yaml")
    file.write_text(FIRST)
    load([source], cache=tmp_path / "cache")
    file.write_text("profiles: {a: {titel: x}}")
    with pytest.raises(CatalogueError, match=r"p\.yaml:1"):
        load([source], cache=tmp_path / "cache")
    file.unlink()
    assert set(titles(source, cache=tmp_path / "cache")) == {"a", "b"}


def test_a_url_is_never_followed_to_plain_http_or_beyond_the_limit(
    trusted: Https, tmp_path: Path
) -> None:
    trusted.redirects["/away.yaml"] = "http://localhost:1/p.yaml"
    with pytest.raises(InvalidInputError, match="not https"):
        load([Source(url=f"{trusted.url}/away.yaml")])
    trusted.redirects["/round.yaml"] = "/round.yaml"
    with pytest.raises(UnavailableError, match="redirects more than"):
        load([Source(url=f"{trusted.url}/round.yaml")])
    (trusted.folder / "big.yaml").write_text("# " + "x" * 2_000_000)
    with pytest.raises(InvalidInputError, match="larger than"):
        load([Source(url=f"{trusted.url}/big.yaml")])


def test_a_server_that_nobody_vouches_for_is_not_believed(https: Https) -> None:
    (https.folder / "p.yaml").write_text(FIRST)
    with pytest.raises(UnavailableError, match="cannot be fetched"):
        load([Source(url=f"{https.url}/p.yaml")])
    assert https.asked == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"builtin": True, "directory": "x"},
        {"url": "http://x.example/p.yaml"},
        {"url": "https://ana:secret@x.example/p.yaml"},
        {"git": "ext::sh -c x"},
        {"git": "relative/path"},
        {"git": "https://x.example/y", "commit": "main"},
        {"git": "https://x.example/y", "path": "../z"},
        {"git": "https://x.example/y", "branch": "--upload-pack=x"},
        {"directory": "x", "branch": "main"},
        {"builtin": True, "sha256": "a" * 64},
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"1 validation error|2 validation errors"):
        Source.model_validate(given)


def test_the_sites_settings_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("language: de\nbrand:\n  name: X\n  colour: red\n  links:\n    - title: T\n")
    with pytest.raises(CatalogueError) as caught:
        sites.read(file)
    assert [problem.line for problem in caught.value.problems] == [1, 4, 6]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "evil", "x y"])
def test_a_link_of_the_brand_is_an_address(tmp_path: Path, url: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"brand:\n  links:\n    - {{title: T, url: '{url}'}}\n")
    with pytest.raises(CatalogueError, match=r"brand\.links\.0\.url"):
        sites.read(file)


def test_relative_folders_are_meant_from_the_settings_file(tmp_path: Path, write: Write) -> None:
    write(FIRST, folder="mine")
    file = tmp_path / "site.yaml"
    file.write_text("catalogues:\n  - directory: mine\n")
    assert set(load(sites.read(file).catalogues).entries) == {"a", "b"}


def test_a_profile_that_is_not_there(write: Write) -> None:
    with pytest.raises(NotFoundError, match="there are: a, b"):
        load([Source(directory=str(write(FIRST)))]).get("z")
