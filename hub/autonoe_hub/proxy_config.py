"""What traefik is started with: its static settings, written before each start.

traefik runs beside the hub, not under it, and reads its routes from a file that the hub writes. A
hub that dies takes no route along, and a traefik that dies finds its routes again, at once and
without the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import toml  # type: ignore[import-untyped]  # publishes no types

from autonoe.embedded.files import write_atomic
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile

ENTRYPOINT = "http"
API_ENTRYPOINT = "auth_api"
API_USER = "autonoe-hub"
HEADERS_MIDDLEWARE = "autonoe-headers"
SANDBOX_MIDDLEWARE = "autonoe-sandbox"
MIDDLEWARES = {
    HEADERS_MIDDLEWARE: {
        "headers": {"contentTypeNosniff": True},
    },
    # A deployment answers on the same host as everyone's notebooks. In a sandbox its pages run
    # their scripts in an origin of their own: they can neither read the hub's cookies nor act
    # with them.
    SANDBOX_MIDDLEWARE: {
        "headers": {
            "contentSecurityPolicy": "sandbox allow-scripts allow-forms allow-popups"
            " allow-downloads"
        },
    },
}
_UPLOAD_S = 3600
"""traefik's own 60 s would cut off the upload of a large file over a slow line."""

_ENCODED = {
    # Names of files hold these, and Lab's own addresses a slash.
    "allowEncodedHash": True,
    "allowEncodedPercent": True,
    "allowEncodedQuestionMark": True,
    "allowEncodedSemicolon": True,
    "allowEncodedSlash": True,
    "allowEncodedBackSlash": False,
    "allowEncodedNullCharacter": False,
}
_HEADER_NAMES = {"aliasHeadersStrategy": "delete"}
"""X_Forwarded_For is X-Forwarded-For to some servers, so traefik must not let it pass."""


def static_file(layout: Layout) -> Path:
    """Return the file that ``traefik --configfile`` reads."""
    return layout.component("traefik") / "traefik.toml"


def rules_file(layout: Layout) -> Path:
    """Return the file of routes: the hub writes it, traefik watches it."""
    return layout.component("traefik") / "rules.toml"


def static_config(platform: PlatformFile, rules: Path) -> dict[str, Any]:
    """Return traefik's static settings: two listeners, routes from ``rules``, nothing sent home.

    There is no access log: addresses hold one-time tickets and file names.
    """
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN"},
        "api": {"dashboard": False},
        "providers": {
            "providersThrottleDuration": "0s",
            "file": {"filename": str(rules), "watch": True},
        },
        "entryPoints": {
            ENTRYPOINT: {
                "address": f"{bracketed(platform.host)}:{platform.port}",
                "transport": {"respondingTimeouts": {"readTimeout": f"{_UPLOAD_S}s"}},
                "http": {
                    "middlewares": [f"{HEADERS_MIDDLEWARE}@file"],
                    "encodedCharacters": _ENCODED,
                    **_HEADER_NAMES,
                },
            },
            # Behind a password, and on loopback whatever the public host is.
            API_ENTRYPOINT: {
                "address": f"127.0.0.1:{platform.traefik_api}",
                "http": {"encodedCharacters": _ENCODED, **_HEADER_NAMES},
            },
        },
    }


def bracketed(host: str) -> str:
    """Return ``host`` as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def write(layout: Layout) -> Path:
    """Write the static settings for the platform in ``layout`` and return their file."""
    path, rules = static_file(layout), rules_file(layout)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, toml.dumps(static_config(PlatformFile.load(layout), rules)))
    if not rules.exists():
        # traefik does not watch for a file that is not there when it starts.
        write_atomic(rules, toml.dumps({"http": {"middlewares": MIDDLEWARES}}))
    return path
