"""A bill of materials of an image, in CycloneDX: every Debian package and every Python package.

It is read from what lies in the layers, the database of dpkg and the metadata of each distribution,
not from what a Dockerfile asked for, so that a package which came along is in it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from uuid import UUID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from .archive import Layout

_NAMESPACE = UUID("6c1f6c9e-5a0e-4b53-9d0e-2a6d6e5f7b10")


def write(layout: Layout, files: dict[str, str], path: Path) -> int:
    """Write the bill of materials of one image to ``path`` and return its number of components.

    Parameters
    ----------
    layout : Layout
        The image.
    files : dict of str to str
        The package metadata that `layers.merged` returns.
    path : Path
        A file; CycloneDX 1.6 as JSON.
    """
    manifest = layout.entry["digest"]
    image = Component(
        name=layout.reference,
        type=ComponentType.CONTAINER,
        version=manifest,
        bom_ref=layout.reference,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=manifest.rpartition(":")[2])],
    )
    components = [*_debian(files), *_python(files)]
    bom = Bom(
        components=components,
        metadata=BomMetaData(component=image),
        serial_number=uuid5(_NAMESPACE, manifest),
    )
    bom.register_dependency(image, components)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=1), encoding="utf-8")
    return len(components)


def _debian(files: dict[str, str]) -> Iterator[Component]:
    status = files.get("var/lib/dpkg/status", "")
    for block in status.split("\n\n"):
        fields = HeaderParser().parsestr(block)
        if not fields["Package"] or not (fields["Status"] or "").endswith(" installed"):
            continue
        name, version, arch = fields["Package"], fields["Version"], fields["Architecture"]
        # "libfoo (1.2-3)": the source package, by which Debian's security tracker goes.
        source = re.sub(r"\s*\(.*", "", fields["Source"] or name)
        url = PackageURL("deb", "debian", name, version, {"arch": arch, "distro": "debian-12"})
        yield Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            purl=url,
            bom_ref=url.to_string(),
            properties=[Property(name="autonoe:debian:source", value=source)],
        )


def _python(files: dict[str, str]) -> Iterator[Component]:
    seen = set()
    for path, content in files.items():
        if not path.endswith(".dist-info/METADATA"):
            continue
        fields = HeaderParser().parsestr(content)
        # As the index normalises names: one package, one address.
        name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()
        url = PackageURL("pypi", None, name, fields["Version"])
        if url in seen:
            continue
        seen.add(url)
        yield Component(
            name=name,
            version=fields["Version"],
            type=ComponentType.LIBRARY,
            purl=url,
            bom_ref=url.to_string(),
            licenses=_licences(fields["License-Expression"], fields["License"]),
        )


def _licences(expression: str | None, text: str | None) -> list[License]:
    # Older metadata puts a name into its second field, or the whole text of the licence.
    first = expression or (text or "").strip().split("\n")[0][:100]
    return [LicenseFactory().make_from_string(first)] if first else []
