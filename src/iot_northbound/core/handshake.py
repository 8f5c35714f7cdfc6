"""A failed TLS handshake in words: which side refused, why, and what to do."""

import ssl
from collections.abc import Iterator

from iot_northbound.core.tls import HostNameRefused

# OpenSSL's numbers for what was wrong with a chain (X509_V_ERR_…).
_BAD_SIGNATURE, _NOT_YET_VALID, _EXPIRED = 7, 9, 10
_UNTRUSTED = {2, 18, 19, 20, 21, 27}
_WRONG_NAME = 62
_WRONG_ADDRESS = 64
_TOO_WEAK = {66, 67, 68}
_NOT_STRICT = range(80, 94)
"""Rules of RFC 5280 that are checked under `SSLConfig.strict_x509` only."""
_WRONG_PURPOSE = 26
_REVOKED = 23
_BAD_ISSUER = {24, 25, 32, 79}

_OURS = "We refused the server's certificate: "

# What the server may say while it refuses us, by the alert's name in OpenSSL's reason. Order matters where one name
# is part of another.
_ALERTS: dict[str, str] = {
    "CERTIFICATE_REQUIRED": "it requires a client certificate and we sent none",
    "BAD_CERTIFICATE": "it does not accept our client certificate (alert: bad certificate)",
    "UNKNOWN_CA": "our client certificate comes from a CA it does not know, or the CA was made anew under "
    "its old name (alert: unknown CA)",
    "CERTIFICATE_EXPIRED": "our client certificate has expired (alert: certificate expired); "
    "check the server's clock too if it has not",
    "CERTIFICATE_REVOKED": "our client certificate has been revoked (alert: certificate revoked)",
    "UNSUPPORTED_CERTIFICATE": "our client certificate is of a kind it does not take, "
    "such as a server's (alert: unsupported certificate)",
    "CERTIFICATE_UNKNOWN": "something about our client certificate displeased it (alert: certificate unknown)",
    "ACCESS_DENIED": "our client certificate is sound, but not admitted (alert: access denied)",
    "DECRYPT_ERROR": "a signature on our client certificate does not hold, most often since the CA was made anew "
    "under its old name (alert: decrypt error)",
    "UNRECOGNIZED_NAME": "it has no certificate for the host name we asked for (alert: unrecognized name)",
    "PROTOCOL_VERSION": "it speaks none of our TLS versions (alert: protocol version); the SDK speaks TLS 1.2 and up",
    "INSUFFICIENT_SECURITY": "it wants stronger ciphers than we offer (alert: insufficient security)",
    "INTERNAL_ERROR": "it met an error of its own (alert: internal error)",
}
_NO_CERTIFICATE = (
    "The server refused the handshake, and we sent no client certificate: it most likely requires one. "
    "Set SSLConfig.self_cert_path."
)


def explain_handshake(error: BaseException, *, shows_certificate: bool | None = None) -> str:
    """Return in a sentence or two which side refused and why; empty where the error is none of TLS.

    `error` may be wrapped by requests and urllib3. `shows_certificate` (`TlsPolicy.shows_certificate`) tells whether
    the client had a certificate to show, which sharpens what servers say vaguely. With TLS 1.3 the server judges our
    certificate after the handshake is done on our side: its refusal arrives with the first read.
    """
    chain = list(_unwrapped(error))
    for each in chain:
        if isinstance(each, HostNameRefused):
            return f"{_OURS}{each.args[-1]}."
        if isinstance(each, ssl.SSLCertVerificationError):
            return _OURS + _verification(each)
        if isinstance(each, ssl.SSLError):
            return _protocol(each, shows_certificate)
    if any(isinstance(each, TimeoutError) and "handshake" in str(each) for each in chain):
        return (
            "The server took the connection and never answered the TLS handshake: it is overloaded, or another "
            "service listens there. Check platform_ip and platform_port (8743 by default)."
        )
    if any(isinstance(each, ConnectionResetError | BrokenPipeError | ConnectionAbortedError) for each in chain):
        if shows_certificate is False:
            return (
                "The server closed the connection without a word, and we sent no client certificate: it may require "
                "one. Set SSLConfig.self_cert_path."
            )
        return (
            "The server closed the connection without a word: with TLS 1.3 some do so when they refuse the client "
            "certificate; a firewall or proxy in between does so too."
        )
    return ""


def _unwrapped(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those it carries: requests and urllib3 keep them in args, `reason` or as causes."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _verification(error: ssl.SSLCertVerificationError) -> str:
    code, words = error.verify_code, error.verify_message
    if code == _EXPIRED:
        return "it has expired. Have the platform's operator renew it, and check this machine's clock."
    if code == _NOT_YET_VALID:
        return "it is not valid yet. Check this machine's clock."
    if code == _BAD_SIGNATURE:
        return (
            "it names a CA that we trust, but another CA of that name has signed it: probably the CA was made anew. "
            "Fetch the platform's present CA for SSLConfig.trust_ca_path."
        )
    if code == _WRONG_ADDRESS:
        return (
            f"it is made out to another name, not to this IP address ({words.rstrip('.')}). Use a name in the "
            "certificate as platform_ip, or set SSLConfig.expected_hostname to one. If the address is there only as a "
            "DNS name or as common name, neither of which counts, set SSLConfig.hostname_verifier, such as lambda "
            "host, certificate: host in (certificate.common_name, *certificate.dns_names)."
        )
    if code == _WRONG_NAME:
        return (
            f"it is made out to another name ({words.rstrip('.')}). Use the name in the certificate as platform_ip, "
            "or set SSLConfig.expected_hostname, or a hostname_verifier where it has no subject alternative name."
        )
    if code in _UNTRUSTED:
        return (
            f"it does not come from a CA we trust ({words}). Check SSLConfig.trust_ca_path: it must hold the CA of "
            "the platform's certificate. If the CA was made anew, fetch the new one, whatever its name."
        )
    if code in _TOO_WEAK:
        return f"its key or signature is too weak for today's rules ({words}). The platform needs a newer one."
    if code in _NOT_STRICT:
        return (
            f"the certificate or its CA breaks a rule of RFC 5280 ({words}), and SSLConfig.strict_x509 is on. Have the "
            "platform's operator renew it, or set strict_x509=False."
        )
    if code == _WRONG_PURPOSE:
        return (
            "it is not made for a server (its extended key usage lacks server authentication), but for a client, for "
            "example. The platform needs another one; check that platform_port is the API's."
        )
    if code == _REVOKED:
        return "it has been revoked. Have the platform's operator replace it."
    if code in _BAD_ISSUER:
        return (
            f"a certificate above it may not issue certificates ({words}). Check that SSLConfig.trust_ca_path holds "
            "the platform's CA; else the platform's operator has to correct the chain."
        )
    return f"{words}."


def _protocol(error: ssl.SSLError, shows_certificate: bool | None) -> str:
    reason = getattr(error, "reason", None) or ""  # unset where Python code raised it
    if "ALERT" in reason:
        return _alert(reason, shows_certificate)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return (
            "The server does not speak TLS on this port: plain HTTP or another service answers there. "
            "Check platform_ip and platform_port (8743 by default)."
        )
    if reason in ("UNSUPPORTED_PROTOCOL", "UNKNOWN_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"):
        return "We refused the server's TLS version: it is older than SSLConfig.minimum_version (TLS 1.2 by default)."
    if "TOO_SMALL" in reason or "TOO_WEAK" in reason:
        return (
            f"We refused the server's keys as too weak for today's rules ({reason}). Have the platform's operator "
            "replace them: RSA 2048 or P-256, and SHA-256."
        )
    if reason == "UNSAFE_LEGACY_RENEGOTIATION_DISABLED":
        return (
            "We refused the server because it does not know secure renegotiation (RFC 5746), as old servers and "
            "appliances in front of one do not; without it, somebody on the way can put words before ours. Have the "
            "platform's operator update what ends TLS there. Until then, an OpenSSL configuration file for this "
            "program alone (variable OPENSSL_CONF) can allow it by Options = UnsafeLegacyServerConnect."
        )
    if reason in ("NO_CIPHERS_AVAILABLE", "WRONG_CIPHER_RETURNED", "UNKNOWN_CIPHER_RETURNED", "NO_SHARED_CIPHER"):
        return (
            f"We share no cipher with the server ({reason}). Have the platform's operator allow one of today's, such "
            "as ECDHE with AES-GCM."
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or "EOF" in reason:
        if shows_certificate is False:
            return _NO_CERTIFICATE
        return (
            "The server hung up in the middle of the handshake without saying why: it may want another client "
            "certificate, another host name, or not speak TLS on this port."
        )
    return f"The TLS handshake failed: {reason or error}."


def _alert(reason: str, shows_certificate: bool | None) -> str:
    if "HANDSHAKE_FAILURE" in reason:
        if shows_certificate is False:
            return _NO_CERTIFICATE
        return (
            "The server refused the handshake (alert: handshake failure): it requires a client certificate and got "
            "none it can use, or shares no cipher with us."
        )
    for name, words in _ALERTS.items():
        if name in reason:
            certificate = name in ("BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "ACCESS_DENIED")
            if certificate and shows_certificate is False:
                return _NO_CERTIFICATE
            hint = " Set SSLConfig.self_cert_path." if name == "CERTIFICATE_REQUIRED" else ""
            return f"The server refused us: {words}.{hint}"
    return f"The server refused us ({reason})."
