"""Makes certificates for the emulator and the tests. They keep RFC 5280, so Python 3.13's strict check accepts them."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
_SLACK = datetime.timedelta(hours=1)
"""How far a certificate's start lies in the past, for peers whose clock is behind."""


class Pair(NamedTuple):
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Key


def new_key() -> Key:
    """Return a new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def issue(
    name: str,
    issuer: Pair | None = None,
    *,
    key: Key | None = None,
    is_ca: bool = False,
    path_length: int | None = None,
    usages: Sequence[x509.ObjectIdentifier] = (),
    names: Iterable[str] = (),
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
    lifetime: datetime.timedelta = datetime.timedelta(days=30),
) -> Pair:
    """Return a new certificate with its key.

    Args:
        name: The subject's common name, 64 characters at most.
        issuer: Who signs it; None makes it sign itself.
        key: Its key; None makes a new one.
        is_ca: Whether it may sign certificates itself.
        path_length: How many more CAs may follow below a CA; None sets no limit.
        usages: What it is for: `SERVER`, `CLIENT`; a CA has none.
        names: DNS names and IP addresses of its holder.
        not_before: Its start; None starts it an hour ago.
        not_after: Its end; None ends it after `lifetime`.
        lifetime: How long it lasts from now on.
    """
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - _SLACK)
        .not_valid_after(not_after or now + lifetime)
        .add_extension(x509.BasicConstraints(is_ca, path_length if is_ca else None), critical=True)
        .add_extension(_key_usage(key, is_ca=is_ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_issuer_key(issuer, key), critical=False)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if holders := [_general_name(each) for each in names]:
        builder = builder.add_extension(x509.SubjectAlternativeName(holders), critical=False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _key_usage(key: Key, *, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=not is_ca and isinstance(key, rsa.RSAPrivateKey),  # TLS 1.2 may use an RSA key that way
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_key(issuer: Pair | None, key: Key) -> x509.AuthorityKeyIdentifier:
    if issuer is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    try:
        own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
