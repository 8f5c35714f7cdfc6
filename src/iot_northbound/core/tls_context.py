"""SSLConfig -> one SSLContext: reads, checks and loads the files. It is imported when the first client is made."""

import contextlib
import logging
import os
import secrets
import ssl
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from iot_northbound.core.key_pairs import choose_pair, leaf_of
from iot_northbound.core.keystores import Source, read_store
from iot_northbound.errors import TlsReason
from iot_northbound.ssl_config import PeerCertificate, SSLConfig, tls_error

log = logging.getLogger("iot_northbound.tls")


def make_context(config: SSLConfig, now: datetime | None = None) -> ssl.SSLContext:
    """Return the context of one client. All faults of its files are found here.

    `now` replaces the machine's clock when the validity of the certificates is checked.

    Raises:
        TlsError: a file, password, certificate or key cannot be used (1006).
    """
    # Not ssl.create_default_context: it follows SSLKEYLOGFILE and SSL_CERT_FILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = config.minimum_version
    context.hostname_checks_common_name = False
    # As in Java, each certificate in the trust store is trusted by itself, also an intermediate CA or a server's.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if config.strict_x509:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    if config.insecure_skip_verification:
        log.warning(
            "TLS VERIFICATION IS OFF for this client (insecure_skip_verification=True): "
            "anybody on the way can read and change what it sends, including the app secret"
        )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif config.hostname_verifier is not None:
        context.check_hostname = False
    # The trusted CAs are loaded even if verification is off, so that a broken file is reported in any case.
    if config.trust_ca_path is not None:
        _trust(context, Source(config.trust_ca_path, "trust_ca_path", config.trust_ca_pwd, "trust_ca_pwd"), now)
    elif not config.insecure_skip_verification:
        _trust_system(context)
    if config.self_cert_path is not None:
        _show(context, config.self_cert_path, config, now)
    return context


def _trust(context: ssl.SSLContext, source: Source, now: datetime | None) -> None:
    store = read_store(source)
    # As in Java, the certificate of a private key is trusted too, unless its issuer is also there.
    own = [leaf_of(each, store.certificates) for each in store.keys]
    issuers = {each.subject for each in store.certificates if each not in own}
    anchors = [each for each in store.certificates if each not in own or each.issuer not in issuers]
    if not anchors:
        what = f"there is no trusted certificate in this {store.kind} file: it must contain the platform's CA"
        raise source.error(what)
    # A bundle may contain expired CAs beside good ones; OpenSSL skips them. It is an error only if all are invalid.
    faults = [_validity_fault(each, now) for each in anchors]
    if None not in faults and (fault := faults[-1]):
        raise source.error(f"the CA certificate {fault.words}", fault.reason)
    try:
        context.load_verify_locations(cadata=b"".join(each.public_bytes(Encoding.DER) for each in anchors))
    except (ssl.SSLError, ValueError) as error:
        raise source.error(f"OpenSSL does not accept a certificate of the file: {error}") from error


def _trust_system(context: ssl.SSLContext) -> None:
    """Load the system's trust store from the compiled-in paths, because OpenSSL's defaults follow the environment."""
    if sys.platform == "win32":
        for store in ("ROOT", "CA"):
            for data, form, purposes in ssl.enum_certificates(store):
                if form == "x509_asn" and (purposes is True or ssl.Purpose.SERVER_AUTH.oid in purposes):
                    with contextlib.suppress(ssl.SSLError):
                        context.load_verify_locations(cadata=data)
        return
    places = ssl.get_default_verify_paths()
    file, folder = places.openssl_cafile, places.openssl_capath
    has_file, has_folder = os.path.isfile(file), os.path.isdir(folder)
    if not has_file and not has_folder:
        raise tls_error(
            f"this system has no trust store at {file} or {folder}: install the package ca-certificates, "
            "or name the platform's CA in SSLConfig.trust_ca_path"
        )
    context.load_verify_locations(cafile=file if has_file else None, capath=folder if has_folder else None)


def _show(context: ssl.SSLContext, path: Path, config: SSLConfig, now: datetime | None) -> None:
    """Load the client's certificate at `path`, its chain and its key into the context."""
    source = Source(path, "self_cert_path", config.self_cert_pwd, "self_cert_pwd")
    store = read_store(source)
    if not store.certificates:
        raise source.error(f"there is no certificate in this {store.kind} file")
    keys, key_source = store.keys, source
    if config.self_key_path is not None:
        key_source = Source(config.self_key_path, "self_key_path", config.self_cert_pwd, "self_cert_pwd")
        keys = read_store(key_source).keys
    if not keys:
        hint = "" if config.self_key_path else ": name the key's file in self_key_path, or give a PKCS#12 file"
        raise key_source.error(f"there is no private key in this file{hint}", TlsReason.KEY_MISSING)
    key, chain = choose_pair(keys, store.certificates, config.self_cert_alias, key_source)
    fault = _validity_fault(chain[0], now)
    if fault is not None:
        raise source.error(f"the client certificate {fault.words}", fault.reason)
    try:
        _load_chain(context, key, chain)
    except ssl.SSLError as error:
        raise source.error(f"OpenSSL does not accept the certificate: {_words(error)}") from error


def _load_chain(context: ssl.SSLContext, key: PrivateKeyTypes, chain: list[x509.Certificate]) -> None:
    """Load a key pair. CPython needs a file for this, so one is written: encrypted, 0600, and deleted at once."""
    password = secrets.token_hex(32)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    try:
        descriptor, name = tempfile.mkstemp(prefix="iot-northbound-", suffix=".pem")
    except OSError as error:
        raise tls_error(f"no temporary file can be made for the client's key: {error}; set TMPDIR") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encrypted + b"".join(each.public_bytes(Encoding.PEM) for each in chain))
        context.load_cert_chain(name, password=password)
    finally:
        Path(name).unlink(missing_ok=True)


class _Fault(NamedTuple):
    """Why a certificate is not valid now."""

    words: str
    reason: TlsReason


def _validity_fault(certificate: x509.Certificate, now: datetime | None) -> _Fault | None:
    moment = now or datetime.now(UTC)
    if moment > certificate.not_valid_after_utc:
        words = f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: get a new one"
        return _Fault(words, TlsReason.CERTIFICATE_EXPIRED)
    if moment < certificate.not_valid_before_utc:
        start = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return _Fault(f"is not valid before {start}: check this machine's clock", TlsReason.CERTIFICATE_NOT_YET_VALID)
    return None


def _words(error: ssl.SSLError) -> str:
    reason = getattr(error, "reason", None) or ""  # missing if Python code raised the error
    if "KEY_TOO_SMALL" in reason:
        return "its key is too short for today's rules; get a new one with RSA 2048 or P-256"
    if "MD_TOO_WEAK" in reason:
        return "it is signed with MD5 or SHA-1; get a new one with SHA-256"
    return str(error)


def peer_certificate(der: bytes | None) -> PeerCertificate:
    """Return a server's certificate for host-name verifiers.

    Raises:
        ValueError: there is no certificate, or it is damaged.
    """
    if not der:
        raise ValueError("the server sent no certificate")
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    try:
        sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = tuple(sans.get_values_for_type(x509.DNSName))
        addresses = tuple(str(each) for each in sans.get_values_for_type(x509.IPAddress))
    except x509.ExtensionNotFound:
        dns = addresses = ()
    return PeerCertificate(
        common_name=str(names[0].value) if names else None,
        dns_names=dns,
        ip_addresses=addresses,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        der=der,
    )
