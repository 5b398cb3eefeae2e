"""Tokens that were not signed for this use, by this issuer, now, are refused by the STS."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from autonoe.embedded import generated
from autonoe.errors import ForbiddenError
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.openbao_requests import S3_AUDIENCE
from autonoe.identity.sts import assume_role
from autonoe.waiting import wait_until
from identity.people import Person
from identity.stack import HTTP, Stack, client


def _encode(part: bytes | dict[str, Any]) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(part: str) -> dict[str, Any]:
    document = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(document, dict)
    return document


def _signed(header: dict[str, Any], claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    text = f"{_encode(header)}.{_encode(claims)}"
    return f"{text}.{_encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _hs256(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    text = f"{_encode({**header, 'alg': 'HS256'})}.{_encode(claims)}"
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(text.encode())
    return f"{text}.{_encode(mac.finalize())}"


def _public_pem(stack: Stack, key_id: str) -> bytes:
    keys = HTTP.request("GET", f"{stack.openbao_url}/v1/identity/oidc/.well-known/keys").json()
    found = next(key for key in keys["keys"] if key["kid"] == key_id)
    numbers = [
        int.from_bytes(base64.urlsafe_b64decode(found[name] + "=="), "big") for name in ("e", "n")
    ]
    public = rsa.RSAPublicNumbers(numbers[0], numbers[1]).public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _assume(stack: Stack, token: str, name: str = "user-x") -> Any:
    return assume_role(stack.s3_url, token, session_name=name, ttl_s=900)


def test_the_real_token_is_accepted(person: Callable[..., Person]) -> None:
    """The control of every refusal below."""
    ana = person()
    header, claims, _ = ana.jwt.split(".")
    assert _decode(header)["alg"] == "RS256"
    assert _decode(claims)["exp"] - _decode(claims)["iat"] <= 300
    client(ana.stack.s3_url, _assume(ana.stack, ana.jwt)).list_objects_v2(Bucket=ana.bucket)


@pytest.mark.parametrize(
    "change",
    [
        {"preferred_username": "bob"},
        {"groups": ["users", "project-bob"]},
        {"sub": "00000000-0000-0000-0000-000000000000"},
        {"exp": 4_102_444_800},
        {"aud": "other"},
    ],
)
def test_changed_claims_are_refused(person: Callable[..., Person], change: dict[str, Any]) -> None:
    header, claims, signature = (ana := person()).jwt.split(".")
    forged = f"{header}.{_encode({**_decode(claims), **change})}.{signature}"
    with pytest.raises(ForbiddenError):
        _assume(ana.stack, forged)


def test_a_token_signed_by_another_key_is_refused(person: Callable[..., Person]) -> None:
    ana = person()
    header, claims, _ = ana.jwt.split(".")
    key = rsa.generate_private_key(65537, 2048)
    for head in (_decode(header), {"alg": "RS256"}, {**_decode(header), "kid": "unknown"}):
        with pytest.raises(ForbiddenError):
            _assume(ana.stack, _signed(head, _decode(claims), key))


def test_a_key_that_the_token_brings_along_is_not_used(person: Callable[..., Person]) -> None:
    ana = person()
    header, claims, _ = ana.jwt.split(".")
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    jwk = {
        "kty": "RSA",
        "n": _encode(numbers.n.to_bytes(256, "big")),
        "e": _encode(numbers.e.to_bytes(3, "big")),
    }
    for extra in ({"jwk": jwk}, {"jku": "http://127.0.0.1:9/keys"}, {"x5u": "http://127.0.0.1:9/"}):
        with pytest.raises(ForbiddenError):
            _assume(ana.stack, _signed({**_decode(header), **extra}, _decode(claims), key))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_unsigned_tokens_are_refused(person: Callable[..., Person], algorithm: str) -> None:
    ana = person()
    header, claims, signature = ana.jwt.split(".")
    head = _encode({**_decode(header), "alg": algorithm})
    for end in ("", signature):
        with pytest.raises(ForbiddenError):
            _assume(ana.stack, f"{head}.{claims}.{end}")


def test_the_public_key_is_no_shared_secret(person: Callable[..., Person]) -> None:
    ana = person()
    header, claims, _ = ana.jwt.split(".")
    head = _decode(header)
    for key in (_public_pem(ana.stack, head["kid"]), b"", b"secret"):
        with pytest.raises(ForbiddenError):
            _assume(ana.stack, _hs256(head, _decode(claims), key))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", "é.é.é", "a" * 100_000])
def test_what_is_no_token_is_refused(stack: Stack, token: str) -> None:
    with pytest.raises(ForbiddenError):
        _assume(stack, token)


def _administrator(stack: Stack) -> OpenBaoClient:
    """Return a client that may make signing roles: the platform's own may not."""
    secret = generated.read(stack.layout, generated.PLATFORM_SECRET_ID)
    bao = OpenBaoClient(stack.openbao_url)
    bao.login_approle("platform", secret)
    return bao


def test_even_the_platform_cannot_make_tokens_for_other_uses(stack: Stack) -> None:
    bao = _administrator(stack)
    for path in ("identity/oidc/role/other", "identity/oidc/key/other", "identity/oidc/role/s3"):
        with pytest.raises(ForbiddenError):
            bao.write(path, {"key": "s3", "client_id": "other", "ttl": "12h"})


def test_a_session_name_gives_no_rights(person: Callable[..., Person]) -> None:
    """``${aws:username}`` in a policy would be this name, which the caller chooses."""
    ana, bob = person("ana"), person("bob")
    bob.s3().put_object(Bucket=bob.bucket, Key="x", Body=b"x")
    s3 = client(ana.stack.s3_url, _assume(ana.stack, ana.jwt, bob.account.slug))
    with pytest.raises(s3.exceptions.ClientError):
        s3.get_object(Bucket=bob.bucket, Key="x")


def test_expired_and_foreign_audience_tokens_are_refused(own_signer: OwnSigner) -> None:
    """OpenBao itself signs these, with the very key that the STS trusts."""
    ana = own_signer.person
    good = own_signer.token(S3_AUDIENCE, "5m")
    client(ana.stack.s3_url, _assume(ana.stack, good))
    with pytest.raises(ForbiddenError):
        _assume(ana.stack, own_signer.token("other-service", "5m"))
    short = own_signer.token(S3_AUDIENCE, "1s")
    ends = _decode(short.split(".")[1])["exp"]
    wait_until(lambda: time.time() > ends + 1, timeout_s=30, what="the token's end")

    def refused() -> bool:
        try:
            _assume(ana.stack, short)
        except ForbiddenError:
            return True
        return False

    # Clocks may differ a little; a minute later there is no excuse.
    wait_until(refused, timeout_s=90, what="the refusal of an expired token")


class OwnSigner:
    """A stack whose OpenBao signs what a test wants."""

    def __init__(self, person: Person, bao: OpenBaoClient) -> None:
        self.person = person
        self._bao = bao

    def token(self, audience: str, ttl: str) -> str:
        """Return an identity token of the person for ``audience``."""
        template = (
            '{"preferred_username": {{identity.entity.name}},'
            ' "groups": {{identity.entity.groups.names}}}'
        )
        role = {"key": "s3", "client_id": audience, "ttl": ttl, "template": template}
        self._bao.write("identity/oidc/role/s3", role)
        return self.person.jwt


@pytest.fixture
def own_signer(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start a stack whose platform may do anything in OpenBao."""
    from autonoe.identity import openbao

    everything = (
        'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
    )
    monkeypatch.setattr(openbao, "PLATFORM_POLICY", everything)
    stack = Stack(tmp_path_factory.mktemp("signer"))
    try:
        stack.start()
        bao = _administrator(stack)
        key = bao.read("identity/oidc/key/s3") or {}
        bao.write("identity/oidc/key/s3", {**key, "allowed_client_ids": "*"})
        yield OwnSigner(Person(stack, stack.accounts().ensure("ana")), bao)
    finally:
        stack.stop()
