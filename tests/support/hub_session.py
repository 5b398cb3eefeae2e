"""The hub of a stack as its people and its administrator use it, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from autonoe.names import slug
from autonoe.waiting import wait_until
from support.cluster import Cluster
from support.forwarding import Forward
from support.stack_companions import Companions

_AGAIN = Retry(
    total=8,
    connect=0,
    read=False,
    status_forcelist=[503],
    allowed_methods={"GET", "DELETE"},
    backoff_factor=0.1,
    raise_on_status=False,
)
"""The proxy answers 503 over each connection that it kept to a hub which was replaced since."""
_TIMEOUT_S = 30


@dataclass
class Hub:
    """One hub, reached through its proxy.

    Parameters
    ----------
    cluster : Cluster
        Where it runs.
    instance : str
        Name of the installation, and of the hub's namespace.
    forward : Forward
        The way to its proxy.
    token : str
        Of the service ``tests``.
    companions : Companions
        What people log in with.
    """

    cluster: Cluster
    instance: str
    forward: Forward
    token: str = field(repr=False)
    companions: Companions = field(repr=False)

    @property
    def url(self) -> str:
        """Address of the proxy, without a slash at the end."""
        return self.forward.url

    def tenant(self, user: str) -> str:
        """Return the namespace of ``user``."""
        return f"{self.companions.names.user_prefix}{slug(user)}"

    # -- REST -------------------------------------------------------------------------------

    def api(
        self, method: str, path: str, *, token: str = "", ok: bool = True, **options: Any
    ) -> requests.Response:
        """Call the REST API below ``/hub/api``, as the service ``tests`` without a token."""
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=_AGAIN))
            answer = session.request(
                method,
                f"{self.url}/hub/api{path}",
                headers={"Authorization": f"token {token or self.token}"},
                timeout=_TIMEOUT_S,
                **options,
            )
        assert answer.ok or not ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def serves(self) -> bool:
        """Tell whether the hub answers, at the first asking, what needs its database."""
        try:
            answer = requests.get(
                f"{self.url}/hub/api/users",
                headers={"Authorization": f"token {self.token}"},
                timeout=_TIMEOUT_S,
            )
        except requests.RequestException:
            return False
        return answer.status_code == 200

    def add_user(self, user: str) -> None:
        """Make ``user`` known, as a first login would; groups come from a login only."""
        answer = self.api("POST", f"/users/{user}", ok=False)
        assert answer.status_code in {201, 409}, answer.text

    def server(self, user: str, name: str = "") -> dict[str, Any]:
        """Return the hub's record of a server; empty when there is none."""
        found = self.api("GET", f"/users/{user}").json()
        return dict((found.get("servers") or {}).get(name, {}))

    @staticmethod
    def age_s(moment: str) -> float:
        """Return the seconds since a moment as the REST API writes it."""
        return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()

    def start(self, user: str, name: str = "", **user_options: Any) -> requests.Response:
        """Ask for a server; the answer comes before it is ready."""
        path = f"/users/{user}/servers/{name}" if name else f"/users/{user}/server"
        return self.api("POST", path, json={"user_options": user_options}, ok=False)

    def spawn(
        self, user: str, name: str = "", *, timeout_s: float = 300, **user_options: Any
    ) -> float:
        """Start a server and wait until it is ready; return the seconds that took."""
        began = time.monotonic()
        answer = self.start(user, name, **user_options)
        assert answer.status_code in {201, 202}, answer.text
        self.wait_ready(user, name, timeout_s=timeout_s)
        return time.monotonic() - began

    def wait_ready(self, user: str, name: str = "", *, timeout_s: float = 300) -> None:
        """Wait until a server is ready, and fail at once if its start fails."""

        def ready() -> bool:
            record = self.server(user, name)
            if not record or (not record.get("pending") and not record.get("ready")):
                events = list(self.progress(user, name))
                raise AssertionError(f"{user}/{name} did not start: {events}")
            return bool(record["ready"])

        wait_until(ready, timeout_s=timeout_s, what=f"the server {user}/{name}", interval_s=0.2)

    def progress(self, user: str, name: str = "") -> Iterator[dict[str, Any]]:
        """Yield the events of a start, as the progress page gets them, until it is over."""
        server = f"servers/{name}" if name else "server"
        answer = self.api("GET", f"/users/{user}/{server}/progress", ok=False, stream=True)
        if not answer.ok:
            yield {"failed": True, "message": answer.json().get("message", answer.text)}
            return
        for line in answer.iter_lines():
            if line.startswith(b"data:"):
                yield json.loads(line[5:])

    def stop(self, user: str, name: str = "", *, timeout_s: float = 60) -> None:
        """Stop a server and wait until it is gone."""
        path = f"/users/{user}/servers/{name}" if name else f"/users/{user}/server"
        answer = self.api("DELETE", path, ok=False)
        assert answer.status_code in {202, 204, 400, 404}, answer.text
        wait_until(
            lambda: not self.server(user, name),
            timeout_s=timeout_s,
            what=f"the server {user}/{name} to go",
            interval_s=0.2,
        )

    def remove_user(self, user: str) -> None:
        """Stop a person's servers and forget the person; the Tenant stays."""
        found = self.api("GET", f"/users/{user}", ok=False)
        if found.ok:
            for name in found.json().get("servers") or {}:
                self.stop(user, name)
            self.api("DELETE", f"/users/{user}")

    # -- people -----------------------------------------------------------------------------

    def login(self, person: str) -> requests.Session:
        """Log ``person`` in through the OIDC provider, as the browser would, and return that."""
        session = requests.Session()
        first = session.get(
            f"{self.url}/hub/oauth_login", allow_redirects=False, timeout=_TIMEOUT_S
        )
        assert first.status_code == 302, first.text
        asked = {k: v[0] for k, v in parse_qs(urlsplit(first.headers["Location"]).query).items()}
        assert asked["code_challenge_method"] == "S256", asked
        back = session.get(self._authorized(person, asked), timeout=_TIMEOUT_S)
        assert back.ok, back.text
        return session

    def _authorized(self, person: str, asked: dict[str, str]) -> str:
        login = self.companions.login
        assert login is not None
        base = self.companions.local_openbao
        answer = requests.post(
            f"{base}/v1/auth/userpass/login/{person}",
            json={"password": login.passwords[person]},
            timeout=_TIMEOUT_S,
        )
        assert answer.ok, answer.text
        token = answer.json()["auth"]["client_token"]
        path = urlsplit(login.issuer).path
        answer = requests.get(
            f"{base}{path}/authorize",
            params=asked,
            headers={"X-Vault-Token": token},
            timeout=_TIMEOUT_S,
        )
        assert answer.ok, answer.text
        found = answer.json()
        return f"{asked['redirect_uri']}?code={found['code']}&state={found['state']}"

    # -- pods -------------------------------------------------------------------------------

    def pods(self, user: str) -> list[dict[str, Any]]:
        """Return the pods of a person's servers."""
        where = f"--namespace={self.tenant(user)}"
        found = self.cluster.get("pods", where, "--selector=component=singleuser-server")
        return list(found["items"])

    def run(self, user: str, *command: str, name: str = "", check: bool = True) -> str:
        """Run a command in the pod of a server and return what it prints."""
        pod = f"jupyter-{name}" if name else "jupyter"
        return self.cluster.kubectl(
            *("exec", pod, f"--namespace={self.tenant(user)}", "--container=notebook", "--"),
            *command,
            check=check,
        )

    def close(self) -> None:
        """Close the way from here; the hub stays."""
        self.forward.close()
