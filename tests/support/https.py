"""A small https server with a certificate of its own authority, for what must be fetched."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path


@dataclass
class Https:
    """A folder below ``https://localhost:PORT/``."""

    url: str
    folder: Path
    authority: Path
    """Certificate to trust, as ``SSL_CERT_FILE`` and ``GIT_SSL_CAINFO``."""
    asked: list[str] = field(default_factory=list)
    """Paths of all requests."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Path to the address that it answers with."""

    @property
    def trust(self) -> dict[str, str]:
        """Variables that make clients trust it."""
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO")
        return dict.fromkeys(names, str(self.authority))


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: object, site: Https, **kwargs: object) -> None:
        self.site = site
        super().__init__(*args, directory=str(site.folder), **kwargs)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.site.asked.append(self.path)
        if self.path in self.site.redirects:
            self.send_response(302)
            self.send_header("Location", self.site.redirects[self.path])
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return key and certificate for ``localhost``, made in ``folder``."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += [
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return key, certificate


@contextmanager
def serve(folder: Path) -> Iterator[Https]:
    """Serve a new folder below ``folder``."""
    key, authority = certificate(folder)
    site = Https("", folder / "www", authority)
    site.folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, site=site))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def git(folder: Path, *words: str) -> str:
    """Run git in ``folder`` as a person whose settings are empty."""
    identity = ["-c", "user.name=Ana", "-c", "user.email=ana@stat.example"]
    done = subprocess.run(
        ["git", *identity, "-c", "init.defaultBranch=main", "-C", str(folder), *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.strip()


def repository(folder: Path, files: dict[str, str]) -> Path:
    """Return a new repository with one commit that holds ``files``."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    commit(folder, files)
    return folder


def commit(folder: Path, files: dict[str, str]) -> str:
    """Commit ``files`` and return the commit."""
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")
    return git(folder, "rev-parse", "HEAD")


def publish(site: Https, source: Path, name: str) -> str:
    """Put a bare copy of ``source`` on the server, as plain files; return its address."""
    bare = site.folder / name
    if bare.exists():
        git(source, "push", "--quiet", "--force", "--all", str(bare))
    else:
        git(source, "clone", "--quiet", "--bare", str(source), str(bare))
    git(bare, "update-server-info")
    return f"{site.url}/{name}"
