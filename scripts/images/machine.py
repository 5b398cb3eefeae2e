"""The package settings of the machine that builds, handed to a build as secrets.

A company's mirror, its certificate and its proxy are needed while packages are installed, and must
not end in an image. Build secrets are mounted for one instruction and belong to no layer; the
tools in ``images/tools`` read them. What is not set on this machine comes as an empty file.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

_PIP = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
_PASSED = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "npm_config_registry",
)
_PUBLIC = ("deb.debian.org", "security.debian.org")


def write_secrets(folder: Path) -> dict[str, Path]:
    """Write the secret files into ``folder`` (0600) and return them by secret name."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [f"export {key}={shlex.quote(value)}" for key, value in _settings().items()]
    content = {
        "machine-env": "\n".join(lines) + "\n" if lines else "",
        "machine-ca": _certificates(),
        "machine-sources": _sources(),
        "machine-apt": _apt(),
        "machine-maven": _maven(),
    }
    written = {}
    for name, text in content.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        written[name] = path
    return written


def private_texts() -> list[str]:
    """Return what must not be found in an image: hosts of mirrors and proxies, own certificates."""
    hosts = {
        urlsplit(word).hostname
        for text in (*_settings().values(), _sources(), _maven(), *_proxies())
        for word in re.findall(r"https?://\S+", text)
    }
    found = sorted(host for host in hosts if host and host not in (*_PUBLIC, "localhost"))
    return [*found, *_own_certificates()]


def _settings() -> dict[str, str]:
    settings = {}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in _PIP:
            text = value.strip("'").replace("\\n", " ")
            settings[_PIP[key]] = text
            settings[f"PIP_{key.upper().replace('-', '_')}"] = text
    settings |= {name: os.environ[name] for name in _PASSED if os.environ.get(name)}
    return settings


def _proxies() -> list[str]:
    return [v for k, v in os.environ.items() if k.lower() in ("http_proxy", "https_proxy")]


def _certificates() -> str:
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"):
        if path := os.environ.get(variable):
            return Path(path).read_text(encoding="utf-8")
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    return system.read_text(encoding="utf-8") if system.exists() else ""


def _own_certificates() -> list[str]:
    """Return a line out of every certificate that an administrator added to this machine."""
    folder = Path("/usr/local/share/ca-certificates")
    found = []
    for path in folder.rglob("*.crt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [lines[len(lines) // 2]]
    return found


def _sources() -> str:
    folder = Path("/etc/apt/sources.list.d")
    return "\n\n".join(
        path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("debian*.sources"))
    )


def _apt() -> str:
    folder = Path("/etc/apt/apt.conf.d")
    wanted = re.compile(r"^\s*Acquire::[^\n]+;$", re.MULTILINE)
    return "\n".join(
        line.strip()
        for path in sorted(folder.glob("*"))
        for line in wanted.findall(path.read_text(encoding="utf-8"))
    )


def _maven() -> str:
    settings = Path.home() / ".m2" / "settings.xml"
    return settings.read_text(encoding="utf-8") if settings.exists() else ""
