"""The whole life of a model in one command, on the running platform."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import urllib3

from autonoe.embedded import links
from autonoe.waiting import wait_until
from autonoe_nace.demo_steps import DEPLOYMENT
from support.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.slow, pytest.mark.timeout(900)]


def _demo(platform: Platform, *options: str) -> dict:  # type: ignore[type-arg]
    done = platform.cli("nace", "demo", "--json", *options, timeout_s=600)
    assert "Train fastText" in done.stderr, "progress belongs on stderr"
    return dict(json.loads(done.stdout))


def test_the_demo_goes_from_raw_texts_to_a_monitored_service(platform: Platform) -> None:
    try:
        first = _demo(platform, "--rows", "1500", "--requests", "20")
        classes = first["evaluation"]["levels"]["4"]["top1"]
        assert 0 <= classes["low"] <= classes["value"] <= classes["high"] <= 1
        sent = 20 + first["evaluation"]["n"]
        assert first["etl"]["new"] == sent
        assert first["automatic"]["n"] == sent - sum(int(d["errors"]) for d in first["per_day"])
        assert first["latency_ms"]["p50"] > 0
        assert 0 < first["lookup"]["n"] <= first["evaluation"]["n"]
        assert first["dual"]["n"] <= first["evaluation"]["n"]
        assert 0 < first["dual"]["settled"] < 1
        assert [step["name"] for step in first["steps"]][-1] == "Dashboard numbers"

        # the address in the answer is the one behind the platform's proxy, and it needs its key
        request = urllib.request.Request(first["links"]["API"], method="POST", data=b"{}")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        assert refused.value.code == 401

        # a link lets the owner in once, and leads to the page
        ticket = parse_qs(urlsplit(first["links"]["MLflow run"]).query)["ticket"][0]
        redeemed = links.redeem(platform.layout, ticket)
        assert redeemed is not None
        assert redeemed.account == platform.owner
        assert first["run_id"] in redeemed.next_path

        # a second run finds what the first one made
        again = _demo(platform, "--rows", "1500", "--requests", "20")
        assert again["model"] == first["model"]
        assert again["run_id"] == first["run_id"]
        assert again["automatic"]["n"] == 2 * first["automatic"]["n"]
        _others_get_keys_with_limits(platform, first["links"]["API"])
    finally:
        platform.cli("deploy", "remove", DEPLOYMENT, check=False)


def _others_get_keys_with_limits(platform: Platform, url: str) -> None:
    """Give a second caller a key by command, let it use that up, see it, and lose it."""
    made = platform.cli(
        *("deploy", "keys", "add", DEPLOYMENT, "--label", "register", "--daily-quota", "2"),
        "--json",
    )
    key = json.loads(made.stdout)
    headers = {"Authorization": f"Bearer {key['api_key']}"}
    body = {"records": [{"text": "coltivazione di riso"}]}

    def ask() -> urllib3.BaseHTTPResponse:
        return urllib3.request("POST", url, json=body, headers=headers, timeout=20)

    wait_until(lambda: ask().status == 200, timeout_s=20, what="the key to be known")
    assert ask().status == 200
    refused = ask()
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0
    usage = urllib3.request("GET", urljoin(url, "usage"), headers=headers, timeout=20).json()
    assert (usage["label"], usage["records_left_today"]) == ("register", 0)

    listed = platform.cli("deploy", "keys", "list", DEPLOYMENT).stdout
    assert len(listed.splitlines()) == 3, "a head, the owner's key, and this one"
    assert "register" in listed
    assert key["api_key"] not in listed
    platform.cli("deploy", "keys", "revoke", DEPLOYMENT, key["id"])
    wait_until(lambda: ask().status == 401, timeout_s=20, what="the key to be refused")
