"""Certificates and keys of one node, made anew at each start and gone with it."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .places import Node

LIFETIME = dt.timedelta(days=365)
USERS = ("admin", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "netpol")
"""Who gets a kubeconfig."""

_Key = ec.EllipticCurvePrivateKey
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class _Leaf:
    name: str
    authority: str
    common_name: str
    organisation: str = ""
    usages: tuple[x509.ObjectIdentifier, ...] = (_CLIENT,)
    hosts: tuple[str, ...] = ()


def write(node: Node) -> None:
    """Write everything into the node's folder, readable by its owner alone."""
    node.pki.mkdir(parents=True, mode=0o700)
    authorities = {
        name: _authority(node.pki, name, common_name)
        for name, common_name in (
            ("ca", "kubernetes-ca"),
            ("etcd-ca", "etcd-ca"),
            ("front-proxy-ca", "front-proxy-ca"),
        )
    }
    for leaf in _leaves(node):
        _issue(node.pki, leaf, *authorities[leaf.authority])
    for user in USERS:
        _secret(node.pki / f"{user}.kubeconfig", _kubeconfig(node, user).encode())
    _secret(node.kubeconfig, (node.pki / "admin.kubeconfig").read_bytes())
    _service_account_keys(node.pki)
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    _secret(node.pki / "encryption.yaml", _ENCRYPTION.format(key=key).encode())


def _leaves(node: Node) -> list[_Leaf]:
    in_cluster = ["kubernetes"]
    for suffix in ("default", "svc", "cluster.local"):
        in_cluster.append(f"{in_cluster[-1]}.{suffix}")
    api_hosts = (*in_cluster, "localhost", "127.0.0.1", node.address, node.first_service)
    return [
        _Leaf("apiserver", "ca", "kube-apiserver", usages=(_SERVER,), hosts=api_hosts),
        _Leaf("etcd-server", "etcd-ca", "etcd", "", (_SERVER, _CLIENT), ("localhost", "127.0.0.1")),
        _Leaf("etcd-client", "etcd-ca", "kube-apiserver-etcd-client"),
        _Leaf("front-proxy-client", "front-proxy-ca", "front-proxy-client"),
        _Leaf("apiserver-kubelet-client", "ca", "kube-apiserver-kubelet-client"),
        _Leaf("admin", "ca", "kubernetes-admin", "system:masters"),
        _Leaf("kube-controller-manager", "ca", "system:kube-controller-manager"),
        _Leaf("kube-scheduler", "ca", "system:kube-scheduler"),
        _Leaf("kube-proxy", "ca", "system:kube-proxy"),
        _Leaf("kubelet", "ca", f"system:node:{node.name}", "system:nodes"),
        _Leaf(
            "kubelet-server",
            "ca",
            f"system:node:{node.name}",
            usages=(_SERVER,),
            hosts=(node.name, node.address),
        ),
        _Leaf("netpol", "ca", "netpol"),
    ]


def _authority(folder: Path, name: str, common_name: str) -> tuple[x509.Certificate, _Key]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_pair(folder, name, certificate, key)
    return certificate, key


def _issue(folder: Path, leaf: _Leaf, authority: x509.Certificate, authority_key: _Key) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)]
    if leaf.organisation:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organisation))
    builder = (
        _builder(x509.Name(names), authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(leaf.usages), critical=False)
    )
    if leaf.hosts:
        alternatives = x509.SubjectAlternativeName([_host(host) for host in leaf.hosts])
        builder = builder.add_extension(alternatives, critical=False)
    _write_pair(folder, leaf.name, builder.sign(authority_key, hashes.SHA256()), key)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: _Key) -> None:
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _secret(folder / f"{name}.key", _pem(key))


def _service_account_keys(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "sa.pub").write_bytes(public)
    _secret(folder / "sa.key", _pem(key))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _secret(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)


def _kubeconfig(node: Node, user: str) -> str:
    def embedded(name: str) -> str:
        return base64.b64encode((node.pki / name).read_bytes()).decode()

    return _KUBECONFIG.format(
        cluster=node.name,
        url=node.url,
        user=user,
        authority=embedded("ca.crt"),
        certificate=embedded(f"{user}.crt"),
        key=embedded(f"{user}.key"),
    )


_KUBECONFIG = """apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster: {{server: "{url}", certificate-authority-data: {authority}}}
users:
- name: {user}
  user: {{client-certificate-data: {certificate}, client-key-data: {key}}}
contexts:
- name: {cluster}
  context: {{cluster: {cluster}, user: {user}}}
current-context: {cluster}
"""

_ENCRYPTION = """apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - secretbox: {{keys: [{{name: one, secret: {key}}}]}}
  - identity: {{}}
"""
