from __future__ import annotations

import datetime
import ipaddress
from itertools import pairwise
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.verification import PolicyBuilder, Store

from iot_northbound.emulator.issuing import CLIENT, SERVER, Pair, issue


@pytest.fixture(scope="module")
def chain() -> list[Pair]:
    """A root CA, a CA below it, and a server's certificate."""
    root = issue("root", is_ca=True)
    below = issue("below", root, is_ca=True, path_length=0)
    server = issue("server", below, usages=(SERVER, CLIENT), names=("localhost", "127.0.0.1", "::1"))
    return [root, below, server]


def extension(pair: Pair, kind: type[x509.ExtensionType]) -> Any:
    return pair.certificate.extensions.get_extension_for_class(kind)


def test_each_names_its_own_key_and_its_issuers(chain: list[Pair]) -> None:
    for issuer, pair in pairwise([chain[0], *chain]):
        own = extension(pair, x509.SubjectKeyIdentifier)
        of_issuer = extension(pair, x509.AuthorityKeyIdentifier)
        assert (own.critical, of_issuer.critical) == (False, False)
        assert own.value == x509.SubjectKeyIdentifier.from_public_key(pair.key.public_key())
        assert of_issuer.value.key_identifier == extension(issuer, x509.SubjectKeyIdentifier).value.digest


def test_the_constraints_of_certificates_are_critical(chain: list[Pair]) -> None:
    for pair, is_ca, length in zip(chain, (True, True, False), (None, 0, None), strict=True):
        constraints, usage = extension(pair, x509.BasicConstraints), extension(pair, x509.KeyUsage)
        assert constraints.critical
        assert usage.critical
        assert (constraints.value.ca, constraints.value.path_length) == (is_ca, length)
        assert usage.value.key_cert_sign == usage.value.crl_sign == is_ca
        assert usage.value.digital_signature == (not is_ca)


def test_serial_numbers_are_positive_different_and_of_20_octets_at_most(chain: list[Pair]) -> None:
    numbers = [pair.certificate.serial_number for pair in chain]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 2**159 for number in numbers)


def test_holders_are_addresses_or_names(chain: list[Pair]) -> None:
    names = extension(chain[-1], x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]


def test_an_rsa_key_may_encipher_keys_too() -> None:
    pair = issue("old server", key=rsa.generate_private_key(65537, 2048))
    assert extension(pair, x509.KeyUsage).value.key_encipherment


def test_an_issuer_without_a_key_id_of_its_own_is_named_by_its_key(chain: list[Pair]) -> None:
    root = chain[0]
    bare = (
        x509.CertificateBuilder(
            root.certificate.subject,
            root.certificate.subject,
            root.key.public_key(),
            1,
            root.certificate.not_valid_before_utc,
            root.certificate.not_valid_after_utc,
        )
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(root.key, root.certificate.signature_hash_algorithm)
    )
    named = extension(issue("leaf", Pair(bare, root.key)), x509.AuthorityKeyIdentifier).value
    assert named == x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())


def test_a_lifetime_beyond_2049_is_written(chain: list[Pair]) -> None:
    far = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)
    assert issue("long", chain[0], not_after=far).certificate.not_valid_after_utc == far


def test_a_verifier_that_keeps_the_rules_of_the_web_accepts_the_chain(chain: list[Pair]) -> None:
    root, below, server = (pair.certificate for pair in chain)
    verifier = PolicyBuilder().store(Store([root]))
    assert verifier.build_server_verifier(x509.DNSName("localhost")).verify(server, [below])[0] == server
    assert verifier.build_client_verifier().verify(server, [below]).chain == [server, below, root]
