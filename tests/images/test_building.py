"""The parts of the build that decide: what changed, what is inside, what may not be inside."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from scripts.images import __main__ as builds
from scripts.images import archive, catalogue, context, layers, machine, sbom, table
from scripts.images.engine import Buildah, Job

STATUS = """Package: libfoo1
Status: install ok installed
Version: 1.2-3
Architecture: amd64
Source: foo (1.2-2)

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: all
"""
METADATA = "Metadata-Version: 2.4\nName: Example_Package\nVersion: 1.0\nLicense-Expression: MIT\n"


def tar(files: dict[str, str], *, packed: bool = False) -> bytes:
    """Return a layer with ``files``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            out.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue()) if packed else buffer.getvalue()


def layout(folder: Path, *contents: bytes, env: str = "PATH=/bin") -> archive.Layout:
    """Write an OCI layout with one image of these layers."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes) -> dict[str, object]:
        digest = sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    config = put(json.dumps({"config": {"Env": [env]}}).encode())
    manifest = put(json.dumps({"config": config, "layers": [put(c) for c in contents]}).encode())
    name = {"annotations": {"org.opencontainers.image.ref.name": "thing"}}
    index = {"schemaVersion": 2, "manifests": [manifest | name]}
    (folder / "index.json").write_text(json.dumps(index))
    return archive.Layout(folder, "thing", "localhost/autonoe/thing:dev")


@pytest.mark.parametrize("packed", [False, True])
def test_a_mirror_in_a_layer_is_refused_and_not_repeated(tmp_path: Path, packed: bool) -> None:
    image = layout(
        tmp_path / "layout", tar({"etc/pip.conf": "x mirror.inner.example y"}, packed=packed)
    )
    with pytest.raises(layers.TraceFoundError, match="layer 1") as caught:
        layers.read(image, ["mirror.inner.example"], tmp_path / "memory")
    assert "inner" not in str(caught.value)
    assert layers.read(image, ["another.example"], tmp_path / "memory")


def test_a_mirror_in_the_configuration_is_refused(tmp_path: Path) -> None:
    image = layout(tmp_path / "layout", tar({"a": "b"}), env="X=mirror.inner.example")
    with pytest.raises(layers.TraceFoundError, match="configuration"):
        layers.read(image, ["mirror.inner.example"], tmp_path / "memory")


def test_a_trace_is_found_across_the_borders_of_reads(tmp_path: Path) -> None:
    content = "a" * (1 << 20) + "mirror.inner.example"
    for shift in (0, 5, 512, 1024 + 7):
        image = layout(tmp_path / f"l{shift}", tar({"pad": "x" * shift, "file": content[shift:]}))
        with pytest.raises(layers.TraceFoundError):
            layers.read(image, ["mirror.inner.example"], tmp_path / "memory")


def test_upper_layers_replace_and_remove_packages(tmp_path: Path) -> None:
    lower = tar({"site/a-1.dist-info/METADATA": "Name: a\nVersion: 1\n", "var/lib/dpkg/status": ""})
    upper = tar({"site/.wh.a-1.dist-info": "", "var/lib/dpkg/status": STATUS})
    image = layout(tmp_path / "layout", lower, upper)
    found = layers.read(image, [], tmp_path / "memory")
    assert layers.merged([reading for _, reading in found]) == {"var/lib/dpkg/status": STATUS}
    assert [reading.size for _, reading in found] == [len(lower), len(upper)]


def test_the_bill_of_materials_is_valid_and_names_both_kinds(tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    image = layout(tmp_path / "layout", tar({"a": "b"}))
    path = tmp_path / "thing.cdx.json"
    files = {"var/lib/dpkg/status": STATUS, "x/example-1.dist-info/METADATA": METADATA}
    assert sbom.write(image, files, path) == 2
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text()) is None
    document = json.loads(path.read_text())
    found = {component["purl"]: component for component in document["components"]}
    assert set(found) == {
        "pkg:deb/debian/libfoo1@1.2-3?arch=amd64&distro=debian-12",
        "pkg:pypi/example-package@1.0",
    }
    assert found["pkg:pypi/example-package@1.0"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert document["metadata"]["component"]["name"] == image.reference


def test_the_archive_names_the_image_for_containerd(tmp_path: Path) -> None:
    image = layout(tmp_path / "layout", tar({"a": "b"}))
    archive.write(image, tmp_path / "thing.tar")
    with tarfile.open(tmp_path / "thing.tar") as written:
        names = written.getnames()
        stream = written.extractfile("index.json")
        assert stream is not None
        (entry,) = json.load(stream)["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "localhost/autonoe/thing:dev"
    digests = [entry["digest"], image.manifest["config"]["digest"], image.layers()[0][0]]
    assert {f"blobs/{digest.replace(':', '/')}" for digest in digests} <= set(names)


def test_a_change_is_seen_in_what_is_copied_and_in_parents_only(tmp_path: Path) -> None:
    staged = tmp_path / "context"
    images = catalogue.images()
    hub = images["hub"]
    for source in (*hub.sources, str(hub.dockerfile.relative_to(catalogue.REPOSITORY))):
        real = catalogue.REPOSITORY / source
        files = [p for p in real.rglob("*") if p.is_file()] if real.is_dir() else [real]
        for file in files:
            copy = staged / file.relative_to(catalogue.REPOSITORY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    parents = dict.fromkeys(hub.parents, "same")
    before = context.fingerprint(hub, staged, parents)
    (staged / "requirements" / "other.txt").write_text("not the hub's")
    assert context.fingerprint(hub, staged, parents) == before
    assert context.fingerprint(hub, staged, parents | {"app": "changed"}) != before
    (staged / "requirements" / "cluster-hub.txt").write_text("changed")
    assert context.fingerprint(hub, staged, parents) != before


def test_what_is_only_mounted_is_told_apart_too(tmp_path: Path) -> None:
    """Buildah takes an earlier layer without looking into what its instruction mounted."""
    tools = tmp_path / "images" / "tools"
    tools.mkdir(parents=True)
    images = catalogue.images()
    found = []
    for content, builder in (("one", "old"), ("one", "new"), ("two", "new")):
        (tools / "install-packages").write_text(content)
        parents = dict.fromkeys(images["hub"].parents, "any") | {"builder": builder}
        found.append(
            [
                context.mounted(images[name], tmp_path, parents)
                for name in ("base", "hub", "jupyter-python")
            ]
        )
    first, second, third = found
    assert first[0] == second[0] != third[0], "the base mounts the scripts themselves"
    assert first[1] != second[1] == third[1], "the hub mounts them out of the builder"
    assert [each[2] for each in found] == ["", "", ""], "this one mounts nothing"


@pytest.mark.parametrize(
    ("held", "mounted", "expected"),
    [
        ("", "", [True]),
        ("another", "another", [True]),
        ("another", "tools", [False]),
        ("content", "tools", []),
    ],
    ids=["nothing", "other tools", "other content", "the same"],
)
def test_a_clone_takes_what_another_has_built_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str, mounted: str, expected: list[bool]
) -> None:
    store = Store({builds.FINGERPRINT_LABEL: held, builds.MOUNTED_LABEL: mounted})
    monkeypatch.setattr(builds, "OUTPUT", tmp_path)
    monkeypatch.setattr(builds.context, "stage", lambda _: None)
    monkeypatch.setattr(builds.context, "fingerprint", lambda *_: "content")
    monkeypatch.setattr(builds.context, "mounted", lambda *_: "tools")
    for _ in range(2):
        builds._build(["builder"], {"builder": internal("builder")}, store, fresh=False)
    assert [job.fresh for job in store.jobs] == expected, "and only once"
    assert (tmp_path / "records" / "builder.json").exists()
    builds._build(["builder"], {"builder": internal("builder")}, store, fresh=True)
    assert store.jobs[-1].fresh


def internal(name: str) -> catalogue.Image:
    """Return an image that nobody runs, and that nothing is written of."""
    return catalogue.Image(name, Path("Dockerfile"), (), (), (), "internal")


class Store(Buildah):
    """A store that holds one earlier image, and notes what is to be built."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.jobs: list[Job] = []
        self._labels = labels

    def prepare(self, cache: Path, *, fresh: bool) -> str:
        """Return the name of a base."""
        return "debian"

    def build(self, job: Job) -> None:
        """Note what is asked for, and hold it from now on."""
        self.jobs.append(job)
        self._labels = job.labels

    def label(self, reference: str, key: str) -> str:
        """Return a label of the image."""
        return self._labels[key]


def test_settings_of_the_machine_become_secret_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text("certificate\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://user:word@mirror.inner.example/simple")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.inner.example:3128")
    written = machine.write_secrets(tmp_path / "secrets")
    assert "mirror.inner.example" in written["machine-env"].read_text()
    assert written["machine-ca"].read_text() == "certificate\n"
    assert {path.stat().st_mode & 0o777 for path in written.values()} == {0o600}
    texts = machine.private_texts()
    assert {"mirror.inner.example", "proxy.inner.example"} <= set(texts)


def test_the_table_counts_shared_layers_once(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    common = ["sha256:a", 100_000_000]
    for name, own in (("hub", 7_000_000), ("agent", 9_000_000)):
        record = {"layers": [common, [f"sha256:{name}", own]], "packages": 5}
        (records / f"{name}.json").write_text(json.dumps(record))
    text = table.markdown(tmp_path, catalogue.images())
    assert "| hub | 107 |" in text
    assert "| 116 |" in text
