"""The receiver's side of TLS, from PEM files."""

from __future__ import annotations

import os
import ssl

from iot_northbound.errors import SdkCode, TlsError
from iot_northbound.input_files import read_bytes
from iot_northbound.push import arguments
from iot_northbound.serving.tls import set_checks


def server_context(
    certificate: str | os.PathLike[str],
    key: str | os.PathLike[str] | None = None,
    *,
    password: str | None = None,
    client_ca: str | os.PathLike[str] | None = None,
    require_client_certificate: bool = True,
    strict_x509: bool = False,
) -> ssl.SSLContext:
    """Return the server's side of TLS (version 1.2 or later), from PEM files.

    Args:
        certificate: the server's certificate, followed by those of its issuers.
        key: its key; None if it is in the same file.
        password: the key's password.
        client_ca: the CA that issues the platform's client certificate. If it is given, the client's certificate is
            verified.
        require_client_certificate: whether a client without a certificate is refused; matters only with `client_ca`.
        strict_x509: whether the client's certificate and its CA must follow every rule of RFC 5280. Off by default,
            because the CAs of many platforms do not. The same on every Python version.

    Raises:
        TlsError: a file is missing, or its content is something else (1006).
        TypeError: an argument has a wrong type; the text names it.
    """
    arguments.path("certificate", certificate)
    arguments.path("key", key, type(None))
    arguments.path("client_ca", client_ca, type(None))
    arguments.check("password", password, str, type(None))
    arguments.flag("require_client_certificate", require_client_certificate)
    arguments.flag("strict_x509", strict_x509)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    set_checks(context, strict_x509=strict_x509)
    chain, secret = _read(certificate), _read(key if key is not None else certificate)
    try:
        # A callable, so that an encrypted key without a password fails instead of asking on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: password or "")
    except (ssl.SSLError, ValueError) as error:
        raise _unusable(_why(error, chain, secret), certificate, key) from error
    if client_ca is not None:
        _read(client_ca)
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            raise _unusable("it has no PEM certificate", client_ca) from error
        context.verify_mode = ssl.CERT_REQUIRED if require_client_certificate else ssl.CERT_OPTIONAL
    return context


def _read(file: str | os.PathLike[str]) -> bytes:
    """Return a file's content. OpenSSL reads it again; its errors do not name the file, so it is read here first."""
    try:
        return read_bytes(file, again=True)
    except OSError as error:
        raise _unusable(str(error.strerror), file) from error


def _unusable(why: str, *files: str | os.PathLike[str] | None) -> TlsError:
    named = " with ".join(str(each) for each in files if each is not None)
    return TlsError(SdkCode.TLS, f"{named} cannot be used for the server's TLS: {why}")


def _why(error: ssl.SSLError | ValueError, chain: bytes, secret: bytes) -> str:
    if b"-----BEGIN CERTIFICATE" not in chain:
        return "it has no PEM certificate"
    if b"PRIVATE KEY-----" not in secret:
        return "it has no PEM private key"
    if "MISMATCH" in str(error):
        return "the key does not belong to the certificate; the two must be made together"
    if b"ENCRYPTED" in secret:
        return "the key's password is missing or wrong"
    return f"OpenSSL refuses it ({getattr(error, 'reason', None) or error})"
