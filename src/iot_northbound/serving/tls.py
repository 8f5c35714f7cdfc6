"""How the receiver and the emulator check certificates, and what they say to an application about the peer's."""

from __future__ import annotations

import ssl
from typing import Any


def set_checks(context: ssl.SSLContext, *, strict_x509: bool) -> None:
    """Make a context check certificates in the same way on every Python version.

    The context trusts each certificate of the trust file by itself, also an intermediate CA or a single certificate.

    Args:
        context: The context to change.
        strict_x509: Whether a chain must follow every rule of RFC 5280. `ssl.create_default_context` demands this from
            Python 3.13 on. Many private CAs do not follow all of them: their certificates lack key identifiers or a
            key usage.
    """
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if strict_x509:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    else:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def peer_facts(tls: ssl.SSLObject) -> dict[str, Any]:
    """Return the facts about the peer of the ASGI TLS extension, and the mapping of `getpeercert()`."""
    facts: dict[str, Any] = {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": None,
        "cipher_suite": None,
        "client_cert": None,
    }
    der = tls.getpeercert(binary_form=True)
    if der is not None:
        certificate = tls.getpeercert() or {}
        facts["client_cert"] = certificate
        facts["client_cert_chain"] = [ssl.DER_cert_to_PEM_cert(der)]
        subject: Any = certificate.get("subject", ())
        facts["client_cert_name"] = ",".join(
            "+".join(f"{_SHORT.get(key, key)}={value}" for key, value in part) for part in reversed(subject)
        )
    return facts


_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
}
