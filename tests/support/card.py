"""The card's own script and style in a bare page, with JupyterLab's real theme variables."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from autonoe_extension.messages import catalogues
from autonoe_extension.panels.card import script, style
from autonoe_extension.panels.written_forms import written_forms

THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"


def view(**changes: Any) -> dict[str, Any]:
    """Return the state of a healthy session, with ``changes``."""
    now = time.time()
    return {
        "state": "ready",
        "account": "alice",
        "mail": "alice@stat.example",
        "groups": ["nace-team"],
        "session": {"expires_at": now + 3300, "renewed_at": now - 300, "renews_at": now + 2100},
        "buckets": [
            {"name": "user-alice", "access": "write", "kind": "own", "group": ""},
            {"name": "project-nace", "access": "write", "kind": "project", "group": "nace-team"},
            {"name": "public", "access": "read", "kind": "public", "group": ""},
        ],
        "secrets": [
            {"path": "kv/users/alice/", "access": "write", "kind": "secrets_own"},
            {"path": "kv/shared/", "access": "read", "kind": "secrets_shared"},
        ],
        "problem": None,
        "now": now,
        **changes,
    }


def show(
    page: Page,
    state: dict[str, Any],
    *,
    test: dict[str, Any] | None = None,
    theme: str = "light",
    language: str = "en",
) -> None:
    """Load the card with ``state``; ``window.model`` is the widget's model in the page."""
    colours = (THEMES / f"theme-{theme}-extension/index.css").read_text(encoding="utf-8")
    values = {
        "view": state,
        "test": test or {"state": "idle"},
        "equivalents": written_forms(state),
        "messages": catalogues(),
        "language": language,
    }
    is_light = str(theme == "light").lower()
    page.set_content(
        f"""<!doctype html><meta charset="utf-8"><style>{colours}</style><style>{style()}</style>
        <body data-jp-theme-light="{is_light}" style="background: var(--jp-layout-color0)">
        <div id="card"></div><script type="module">
        {re.sub(r"export default", "const widget =", script("credentials"))}
        const values = {json.dumps(values).replace("<", chr(92) + "u003c")};
        const heard = {{}};
        window.model = {{
          sent: [],
          get: (name) => values[name],
          set(name, value) {{
            values[name] = value;
            (heard["change:" + name] ?? []).forEach((f) => f());
          }},
          on(name, f) {{ (heard[name] ??= []).push(f); }},
          off(name, f) {{ heard[name] = (heard[name] ?? []).filter((g) => g !== f); }},
          send(message) {{ this.sent.push(message); }},
        }};
        window.stop = widget.render({{ model: window.model, el: document.getElementById("card") }});
        </script>"""
    )
    page.wait_for_selector(".autonoe-card")
