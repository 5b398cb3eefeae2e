"""The images as a cluster runs them: ``restricted``, read-only, and with what they promise."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripts.images import archive, catalogue, layers, machine

from support.cluster import Cluster

OUTPUT = Path(__file__).parents[2] / "build" / "images"
VERSIONS = {
    "agent": ["autonoe", "--version"],
    "hub": ["jupyterhub", "--version"],
    "jupyter-python": ["jupyter", "lab", "--version"],
    "jupyter-r": ["Rscript", "--version"],
    "jupyter-pyspark": ["python", "-c", "import pyspark; print(pyspark.__version__)"],
    "mlflow": ["mlflow", "--version"],
    "openbao": ["bao", "version"],
    "postgres": ["postgres", "--version"],
    "proxy": ["configurable-http-proxy", "--version"],
    "seaweedfs": ["weed", "version"],
    "serving": ["python", "-c", "import autonoe_nace.serving, autonoe; print(autonoe.__version__)"],
    "spark-worker": ["java", "-version"],
    "tenants": ["python", "-c", "import kopf, autonoe_tenants; print(kopf.__version__)"],
    "worker": ["dask", "--version"],
}
# A GPU's image is 6 GB, and no test deploys it; tests/images reads its Dockerfile.
NOT_DEPLOYED = {"base", "jupyter-gpu", "dask-operator"}
# Copies inside another package (bleach): Python does not see them, a scanner should.
VENDORED = {"html5lib"}
CATALOGUE = catalogue.images()
DEPLOYED = [
    name
    for name, image in CATALOGUE.items()
    if image.kind != "internal" and name not in NOT_DEPLOYED
]
EVERY = pytest.mark.parametrize("name", DEPLOYED)


def layout(name: str) -> archive.Layout:
    """Return the image in the folder that the build keeps."""
    return archive.Layout(OUTPUT / "layout", name, CATALOGUE[name].reference)


def listed(name: str) -> set[tuple[str, str, str]]:
    """Return kind, name and version of all that the bill of materials lists."""
    document = json.loads((OUTPUT / f"{name}.cdx.json").read_text(encoding="utf-8"))
    found = set()
    for component in document["components"]:
        kind = component["purl"].split(":")[1].split("/")[0]
        found.add((kind, component["name"], component["version"]))
    return found


def pod(name: str, image: str, command: list[str], namespace: str) -> dict[str, Any]:
    """Return a pod that runs ``command`` once, as strictly as a namespace can ask for."""
    writable = ["/tmp", "/home/jovyan", "/run/autonoe"]  # noqa: S108 - inside the container
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": command,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [
                        {"name": f"w{n}", "mountPath": path} for n, path in enumerate(writable)
                    ],
                }
            ],
            "volumes": [{"name": f"w{n}", "emptyDir": {}} for n in range(len(writable))],
        },
    }


def run(cluster: Cluster, name: str, script: str, namespace: str) -> str:
    """Run ``script`` in the image until it ends well, and return what it printed."""
    cluster.import_image(OUTPUT / f"{name}.tar")
    pod_name = f"{name}-{secrets.token_hex(3)}"
    body = pod(pod_name, CATALOGUE[name].reference, ["sh", "-ec", script], namespace)
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))
    where = [f"--namespace={namespace}", f"pod/{pod_name}"]
    for _ in range(2):
        phase = cluster.kubectl(
            "wait", *where, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s", check=False
        )
        if "condition met" in phase:
            break
    said = cluster.kubectl("logs", *where, check=False)
    cluster.kubectl("delete", *where, "--wait=false")
    assert "condition met" in phase, f"{phase}\n{said}"
    return said


@EVERY
def test_it_runs_restricted_with_a_read_only_root(
    cluster: Cluster, namespace: str, name: str
) -> None:
    # One pod for all questions: who it is, that the root refuses, its version, its packages.
    script = f"""
id -u; id -g
touch /usr/x /opt/x /etc/x 2>&1 | grep -c 'Read-only file system' || true
touch "$HOME/x" /tmp/x /run/autonoe/x && echo writable
echo "version: $({" ".join(map(quoted, VERSIONS[name]))} 2>&1 | grep -m1 .)"
dpkg-query --show --showformat 'deb ${{Package}} ${{Version}} ${{db:Status-Status}}\\n'
[ ! -x /opt/venv/bin/python ] || /opt/venv/bin/python -c '
from importlib.metadata import distributions
for found in distributions(): print("pypi", found.name, found.version)'
"""
    said = run(cluster, name, script, namespace).splitlines()
    assert said[:4] == ["1000", "1000", "3", "writable"]
    (version,) = [line for line in said if line.startswith("version: ")]
    assert re.search(r"\d|usage", version), version
    inside = set()
    for line in said:
        words = line.split()
        if words[0] == "deb" and words[3] == "installed":
            inside.add(("deb", words[1], words[2]))
        elif words[0] == "pypi":
            inside.add(("pypi", re.sub(r"[-_.]+", "-", words[1]).lower(), words[2]))
    assert len(inside) > 60
    assert inside == {found for found in listed(name) if found[1] not in VENDORED}


def quoted(word: str) -> str:
    """Quote for the shell inside a double-quoted substitution."""
    return "'" + word.replace("'", "'\\''") + "'"


@EVERY
def test_nothing_of_the_machine_and_no_secret_is_inside(name: str, tmp_path: Path) -> None:
    image = layout(name)
    config = image.config["config"]
    assert config["User"] == "1000:1000"
    for key in ("title", "description", "licenses", "version", "revision", "vendor"):
        assert config["Labels"][f"org.opencontainers.image.{key}"]
    said = json.dumps(image.config)
    assert not re.search(r"(?i)(password|token|secret_key|api_key)=", said)
    # Without the build's memory of what is clean; the path of this checkout is on every machine.
    own = [*machine.private_texts(), str(catalogue.REPOSITORY), "autonoe-images-"]
    assert layers.read(image, own, tmp_path)


def test_a_person_finds_their_tools(cluster: Cluster, namespace: str) -> None:
    script = """
kubectl version --client=true --output=yaml | grep gitVersion
helm version --short
git --version; curl --version | head -1; less --version | head -1; autonoe --version
jupyter kernelspec list
python -c 'import autonoe_extension, autonoe_nace, kubernetes, duckdb, polars; print("imports")'
"""
    said = run(cluster, "jupyter-python", script, namespace)
    for word in ("v1.37", "v4.", "git version", "curl ", "less ", "autonoe-python", "imports"):
        assert word in said, f"{word!r} is missing:\n{said}"


def test_r_has_its_kernel(cluster: Cluster, namespace: str) -> None:
    script = """
jupyter kernelspec list --json
cat > /tmp/cell.py <<'TEXT'
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="ir", startup_timeout=60)
client.execute_interactive("cat(6 * 7)", timeout=60)
manager.shutdown_kernel(now=True)
TEXT
python /tmp/cell.py
"""
    said = run(cluster, "jupyter-r", script, namespace)
    assert '"ir"' in said
    assert said.rstrip().endswith("42")


@pytest.mark.parametrize("name", ["jupyter-pyspark", "spark-worker"])
def test_spark_computes_and_knows_s3(cluster: Cluster, namespace: str, name: str) -> None:
    script = """
cat > /tmp/job.py <<'TEXT'
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print("sum", spark.range(101).groupBy().sum().first()[0])
print("mapped", spark.sparkContext.parallelize([1, 2]).map(lambda x: x * 21).collect())
files = spark._jvm.java.lang.Class.forName("org.apache.hadoop.fs.s3a.S3AFileSystem")
print("s3", files.getSimpleName())
spark.stop()
TEXT
cd /tmp && python /tmp/job.py
"""
    said = run(cluster, name, script, namespace)
    for word in ("sum 5050", "mapped [21, 42]", "s3 S3AFileSystem"):
        assert word in said, said
