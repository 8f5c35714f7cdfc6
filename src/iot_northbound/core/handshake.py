"""A failed TLS handshake in words: which side refused, why, and what to do."""

import ssl
from collections.abc import Sequence
from typing import NamedTuple

from iot_northbound.core.tls import HostNameRefused
from iot_northbound.errors import TlsReason

# OpenSSL's numbers for what is wrong with a chain (X509_V_ERR_…).
_BAD_SIGNATURE, _NOT_YET_VALID, _EXPIRED = 7, 9, 10
_UNTRUSTED = {2, 18, 19, 20, 21, 27}
_WRONG_NAME = 62
_WRONG_ADDRESS = 64
_TOO_WEAK = {66, 67, 68}
_NOT_STRICT = range(80, 94)
"""Rules of RFC 5280 that are checked only with `SSLConfig.strict_x509`."""
_WRONG_PURPOSE = 26
_REVOKED = 23
_BAD_ISSUER = {24, 25, 32, 79}


class Explanation(NamedTuple):
    """Why a handshake failed."""

    reason: TlsReason
    cause: str
    """Which side refused and why, as a sentence."""
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"


_CHECK_ADDRESS = "Check platform_ip and platform_port (8743 by default)."
_GIVE_CERTIFICATE = "Set SSLConfig.self_cert_path."
_ASK_WHICH = (
    "Ask the platform's operator which client certificates it accepts, and set SSLConfig.self_cert_path to one."
)
_ASK_SETTINGS = "Check the address, and ask the platform's operator about its certificate and TLS settings."

# What the server says when it refuses us, by the alert's name in OpenSSL's reason. The order matters if one name is a
# part of another.
_ALERTS: dict[str, Explanation] = {
    name: Explanation(reason, f"The server refused us: {cause}.", remedy)
    for name, reason, cause, remedy in (
        (
            "CERTIFICATE_REQUIRED",
            TlsReason.CLIENT_CERTIFICATE_MISSING,
            "it requires a client certificate and we sent none",
            _GIVE_CERTIFICATE,
        ),
        (
            "BAD_CERTIFICATE",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "it does not accept our client certificate (alert: bad certificate)",
            _ASK_WHICH,
        ),
        (
            "UNKNOWN_CA",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "our client certificate comes from a CA that it does not know, or the CA was made anew under its old name "
            "(alert: unknown CA)",
            _ASK_WHICH,
        ),
        (
            "CERTIFICATE_EXPIRED",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "our client certificate has expired (alert: certificate expired); if it has not, check the server's clock",
            _ASK_WHICH,
        ),
        (
            "CERTIFICATE_REVOKED",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "our client certificate has been revoked (alert: certificate revoked)",
            _ASK_WHICH,
        ),
        (
            "UNSUPPORTED_CERTIFICATE",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "it does not accept this kind of client certificate, for example one for servers "
            "(alert: unsupported certificate)",
            _ASK_WHICH,
        ),
        (
            "CERTIFICATE_UNKNOWN",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "it does not accept our client certificate and gives no reason (alert: certificate unknown)",
            _ASK_WHICH,
        ),
        (
            "ACCESS_DENIED",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "our client certificate is valid, but it has no access (alert: access denied)",
            _ASK_WHICH,
        ),
        (
            "DECRYPT_ERROR",
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "a signature on our client certificate is not valid, in most cases because the CA was made anew under its "
            "old name (alert: decrypt error)",
            _ASK_WHICH,
        ),
        (
            "UNRECOGNIZED_NAME",
            TlsReason.SERVER_WRONG_NAME,
            "it has no certificate for the host name that we asked for (alert: unrecognized name)",
            _ASK_SETTINGS,
        ),
        (
            "PROTOCOL_VERSION",
            TlsReason.NO_COMMON_PROTOCOL,
            "it supports none of our TLS versions (alert: protocol version); the SDK supports TLS 1.2 and newer",
            _ASK_SETTINGS,
        ),
        (
            "INSUFFICIENT_SECURITY",
            TlsReason.NO_COMMON_PROTOCOL,
            "it wants stronger ciphers than we offer (alert: insufficient security)",
            _ASK_SETTINGS,
        ),
        (
            "INTERNAL_ERROR",
            TlsReason.OTHER,
            "it has an internal error (alert: internal error)",
            _ASK_SETTINGS,
        ),
    )
}
_VAGUE = ("BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "ACCESS_DENIED")
"""Alerts that some servers send if they get no certificate at all."""
_NO_CERTIFICATE = Explanation(
    TlsReason.CLIENT_CERTIFICATE_MISSING,
    "The server refused the handshake, and we sent no client certificate: it probably requires one.",
    _GIVE_CERTIFICATE,
)


def explain_handshake(chain: Sequence[BaseException], *, shows_certificate: bool | None = None) -> Explanation | None:
    """Return which side refused and why; None if the failure has nothing to do with TLS.

    Args:
        chain: the exceptions behind the failure (`causes.chain_of`).
        shows_certificate: whether the client has a certificate to show (`TlsPolicy.shows_certificate`). It makes the
            explanation more exact, because servers say little. With TLS 1.3 the server judges our certificate after
            the handshake has ended on our side: its refusal arrives with the first read.
    """
    for each in chain:
        if isinstance(each, HostNameRefused):
            return _ours(TlsReason.SERVER_WRONG_NAME, f"{each.args[-1]}.")
        if isinstance(each, ssl.SSLCertVerificationError):
            return _verification(each)
        if isinstance(each, ssl.SSLError):
            return _protocol(each, shows_certificate)
    if any(isinstance(each, TimeoutError) and "handshake" in str(each) for each in chain):
        return Explanation(
            TlsReason.NO_HANDSHAKE,
            "The server accepted the connection and never answered the TLS handshake: it is overloaded, or another "
            "service listens there.",
            _CHECK_ADDRESS,
        )
    if any(isinstance(each, ConnectionResetError | BrokenPipeError | ConnectionAbortedError) for each in chain):
        return closed_without_a_word(shows_certificate)
    return None


def closed_without_a_word(shows_certificate: bool | None) -> Explanation:
    """Return why a server may close a new connection without an alert."""
    if shows_certificate is False:
        return Explanation(
            TlsReason.CLIENT_CERTIFICATE_MISSING,
            "The server closed the connection without a word, and we sent no client certificate: it may require one.",
            _GIVE_CERTIFICATE,
        )
    return Explanation(
        TlsReason.CLOSED,
        "The server closed the connection without a word: with TLS 1.3 some servers do this when they refuse the "
        "client certificate. A firewall or a proxy can do it too.",
        _ASK_WHICH,
    )


def _ours(reason: TlsReason, cause: str, remedy: str = _ASK_SETTINGS) -> Explanation:
    return Explanation(reason, f"We refused the server's certificate: {cause}", remedy)


def _verification(error: ssl.SSLCertVerificationError) -> Explanation:
    code, words = error.verify_code, error.verify_message
    if code == _EXPIRED:
        return _ours(
            TlsReason.SERVER_EXPIRED,
            "it has expired.",
            "Ask the platform's operator to renew it, and check this machine's clock.",
        )
    if code == _NOT_YET_VALID:
        return _ours(TlsReason.SERVER_NOT_YET_VALID, "it is not valid yet.", "Check this machine's clock.")
    if code == _BAD_SIGNATURE:
        return _ours(
            TlsReason.SERVER_UNTRUSTED,
            "it names a CA that we trust, but another CA of the same name has signed it: the CA was probably made "
            "anew.",
            "Get the platform's present CA and set it as SSLConfig.trust_ca_path.",
        )
    if code == _WRONG_ADDRESS:
        return _ours(
            TlsReason.SERVER_WRONG_NAME,
            f"it is made out to another name, not to this IP address ({words.rstrip('.')}).",
            "Use a name in the certificate as platform_ip, or set SSLConfig.expected_hostname to one. If the address "
            "is only there as a DNS name or as the common name, which both do not count, set "
            "SSLConfig.hostname_verifier, for example lambda host, certificate: host in (certificate.common_name, "
            "*certificate.dns_names).",
        )
    if code == _WRONG_NAME:
        return _ours(
            TlsReason.SERVER_WRONG_NAME,
            f"it is made out to another name ({words.rstrip('.')}).",
            "Use the name in the certificate as platform_ip, or set SSLConfig.expected_hostname. If the certificate "
            "has no subject alternative name, set a hostname_verifier.",
        )
    if code in _UNTRUSTED:
        return _ours(
            TlsReason.SERVER_UNTRUSTED,
            f"it does not come from a CA that we trust ({words}).",
            "Check SSLConfig.trust_ca_path: it must contain the CA of the platform's certificate. If the CA was made "
            "anew, get the new one, even if it has the same name.",
        )
    if code in _TOO_WEAK:
        return _ours(
            TlsReason.SERVER_CERTIFICATE_REFUSED,
            f"its key or signature is too weak for today's rules ({words}).",
            "The platform needs a newer one.",
        )
    if code in _NOT_STRICT:
        return _ours(
            TlsReason.SERVER_CERTIFICATE_REFUSED,
            f"the certificate or its CA breaks a rule of RFC 5280 ({words}), and SSLConfig.strict_x509 is on.",
            "Ask the platform's operator to renew it, or set strict_x509=False.",
        )
    if code == _WRONG_PURPOSE:
        return _ours(
            TlsReason.SERVER_CERTIFICATE_REFUSED,
            "it is not made for a server (its extended key usage does not include server authentication), but for a "
            "client, for example.",
            "The platform needs another one. Check that platform_port is the port of the API.",
        )
    if code == _REVOKED:
        return _ours(
            TlsReason.SERVER_CERTIFICATE_REFUSED,
            "it has been revoked.",
            "Ask the platform's operator to replace it.",
        )
    if code in _BAD_ISSUER:
        return _ours(
            TlsReason.SERVER_CERTIFICATE_REFUSED,
            f"a certificate above it may not issue certificates ({words}).",
            "Check that SSLConfig.trust_ca_path contains the platform's CA. If it does, the platform's operator has to "
            "correct the chain.",
        )
    return _ours(TlsReason.SERVER_CERTIFICATE_REFUSED, f"{words}.")


def _protocol(error: ssl.SSLError, shows_certificate: bool | None) -> Explanation:
    reason = getattr(error, "reason", None) or ""  # missing if Python code raised the error
    if "ALERT" in reason:
        return _alert(reason, shows_certificate)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return Explanation(
            TlsReason.NOT_TLS,
            "The server does not speak TLS on this port: plain HTTP or another service answers there.",
            _CHECK_ADDRESS,
        )
    if reason in ("UNSUPPORTED_PROTOCOL", "UNKNOWN_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"):
        return Explanation(
            TlsReason.NO_COMMON_PROTOCOL,
            "We refused the server's TLS version: it is older than SSLConfig.minimum_version (TLS 1.2 by default).",
            _ASK_SETTINGS,
        )
    if "TOO_SMALL" in reason or "TOO_WEAK" in reason:
        return Explanation(
            TlsReason.SERVER_CERTIFICATE_REFUSED,
            f"We refused the server's keys, which are too weak for today's rules ({reason}).",
            "Ask the platform's operator to replace them: RSA 2048 or P-256, and SHA-256.",
        )
    if reason == "UNSAFE_LEGACY_RENEGOTIATION_DISABLED":
        return Explanation(
            TlsReason.NO_COMMON_PROTOCOL,
            "We refused the server because it does not support secure renegotiation (RFC 5746), as some old servers "
            "and appliances do not. Without it, an attacker on the way can insert data before ours.",
            "Ask the platform's operator to update the server or the appliance. Until then, an OpenSSL configuration "
            "file only for this program (variable OPENSSL_CONF) can allow it: Options = UnsafeLegacyServerConnect.",
        )
    if reason in ("NO_CIPHERS_AVAILABLE", "WRONG_CIPHER_RETURNED", "UNKNOWN_CIPHER_RETURNED", "NO_SHARED_CIPHER"):
        return Explanation(
            TlsReason.NO_COMMON_PROTOCOL,
            f"We have no cipher in common with the server ({reason}).",
            "Ask the platform's operator to allow one of today's ciphers, for example ECDHE with AES-GCM.",
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or "EOF" in reason:
        if shows_certificate is False:
            return _NO_CERTIFICATE
        return Explanation(
            TlsReason.CLOSED,
            "The server hung up in the middle of the handshake and gave no reason: it may want another client "
            "certificate or another host name, or it does not speak TLS on this port.",
            _ASK_WHICH,
        )
    return Explanation(TlsReason.OTHER, f"The TLS handshake failed: {reason or error}.", _ASK_SETTINGS)


def _alert(reason: str, shows_certificate: bool | None) -> Explanation:
    if "HANDSHAKE_FAILURE" in reason:
        if shows_certificate is False:
            return _NO_CERTIFICATE
        return Explanation(
            TlsReason.CLIENT_CERTIFICATE_REFUSED,
            "The server refused the handshake (alert: handshake failure): it requires a client certificate and got "
            "none that it can use, or it has no cipher in common with us.",
            _ASK_WHICH,
        )
    for name, explanation in _ALERTS.items():
        if name in reason:
            return _NO_CERTIFICATE if name in _VAGUE and shows_certificate is False else explanation
    return Explanation(TlsReason.OTHER, f"The server refused us ({reason}).", _ASK_WHICH)
