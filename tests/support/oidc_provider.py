"""OpenBao as somebody's identity provider: people with passwords, groups, and one client."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from autonoe.embedded.ports import choose
from autonoe.waiting import wait_until

PROVIDER = "people"


class OidcProvider:
    """A development OpenBao, in memory, that has nothing to do with the platform's own."""

    def __init__(self, folder: Path) -> None:
        self.port = choose(1)[0]
        self.root_token = secrets.token_hex(16)
        self.passwords: dict[str, str] = {}
        self._entities: dict[str, str] = {}
        self.process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("bao")),
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-root-token-id={self.root_token}",
                f"-dev-listen-address=127.0.0.1:{self.port}",
            ],
            stdout=(folder / "bao.log").open("wb"),
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        wait_until(self._up, timeout_s=60, what="the provider", ignoring=(OSError,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        return f"{self.url}/v1/identity/oidc/provider/{PROVIDER}"

    def _up(self) -> bool:
        return requests.get(f"{self.url}/v1/sys/health", timeout=2).status_code == 200

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """Call OpenBao, as root unless another token is given."""
        answer = requests.request(
            method,
            f"{self.url}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": token or self.root_token},
            timeout=10,
        )
        assert answer.ok, (path, answer.text)
        return dict(answer.json()) if answer.content else {}

    def set_up(self, callback: str) -> tuple[str, str]:
        """Make the client that the hub is, and return its identifier and secret."""
        self.call("POST", "sys/auth/userpass", {"type": "userpass"})
        self.call("POST", "identity/oidc/config", {"issuer": self.url})
        templates = {
            "profile": '{"preferred_username": {{identity.entity.name}}}',
            "groups": '{"groups": {{identity.entity.groups.names}}}',
        }
        for scope, template in templates.items():
            self.call("POST", f"identity/oidc/scope/{scope}", {"template": template})
        key = {"algorithm": "RS256", "allowed_client_ids": ["*"]}
        self.call("POST", "identity/oidc/key/people", key)
        client = {"redirect_uris": [callback], "assignments": ["allow_all"], "key": "people"}
        self.call("POST", "identity/oidc/client/hub", client)
        provider = {"allowed_client_ids": ["*"], "scopes_supported": list(templates)}
        self.call("POST", f"identity/oidc/provider/{PROVIDER}", provider)
        made = self.call("GET", "identity/oidc/client/hub")["data"]
        return made["client_id"], made["client_secret"]

    def add_person(self, name: str) -> None:
        """Add somebody who logs in with a password."""
        self.passwords[name] = secrets.token_hex(12)
        policy = f'path "identity/oidc/provider/{PROVIDER}/authorize" {{ capabilities = ["read"] }}'
        self.call("POST", "sys/policies/acl/people", {"policy": policy})
        person = {"password": self.passwords[name], "token_policies": ["people"]}
        self.call("POST", f"auth/userpass/users/{name}", person)
        self._entities[name] = self.call("POST", "identity/entity", {"name": name})["data"]["id"]
        accessor = self.call("GET", "sys/auth")["data"]["userpass/"]["accessor"]
        alias = {
            "name": name,
            "canonical_id": self._entities[name],
            "mount_accessor": accessor,
        }
        self.call("POST", "identity/entity-alias", alias)

    def set_group(self, group: str, members: list[str]) -> None:
        """Make ``group`` consist of ``members``."""
        identifiers = [self._entities[name] for name in members]
        self.call("POST", f"identity/group/name/{group}", {"member_entity_ids": identifiers})

    def authorize(self, address: str, name: str) -> str:
        """Log ``name`` in by password, as the provider's page would, and return the way back."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", asked["code_challenge"])
        assert asked["code_challenge_method"] == "S256"
        login = {"password": self.passwords[name]}
        token = self.call("POST", f"auth/userpass/login/{name}", login)["auth"]["client_token"]
        answer = requests.get(
            f"{self.issuer}/authorize",
            params=asked,
            headers={"X-Vault-Token": token},
            timeout=10,
        )
        assert answer.ok, answer.text
        back = answer.json()
        return f"{asked['redirect_uri']}?code={back['code']}&state={back['state']}"

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(timeout=10)
