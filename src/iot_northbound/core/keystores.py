"""Certificates and keys out of files of any kind: PEM, DER, PKCS#12, JKS. The content tells which."""

import hashlib
import hmac
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from iot_northbound.ssl_config import tls_error

MAX_BYTES = 16 * 1024 * 1024
"""A larger file is none of ours; system bundles have some 250 KB."""


@attrs.frozen
class Source:
    """A file to read and the names of the settings that brought it, for messages."""

    path: Path
    setting: str
    password: str | None = attrs.field(default=None, repr=False)
    password_setting: str = ""

    def error(self, what: str) -> Exception:
        """Return the TlsError (1006) that says what is wrong with this file."""
        return tls_error(f"{self.setting} {str(self.path)!r}: {what}")

    def wrong_password(self) -> Exception:
        """Return the error for a password that does not open the file."""
        if self.password is None:
            return self.error(f"the file is protected and no password is given: set {self.password_setting}")
        return self.error(f"the password in {self.password_setting} is wrong")


@attrs.frozen
class Store:
    """What a file holds."""

    kind: str
    certificates: tuple[x509.Certificate, ...] = ()
    """All of them; of a JKS only its trusted entries."""
    key: PrivateKeyTypes | None = attrs.field(default=None, repr=False)


def read_store(source: Source) -> Store:
    """Return the certificates and the private key a file holds, whatever its kind.

    Raises:
        TlsError: the file is missing, unreadable, of no known kind, damaged, or its password is wrong (1006).
    """
    data = _read(source)
    if data[:4] in (_JKS_MAGIC, _JCEKS_MAGIC):
        return _read_jks(data, source)
    if b"-----BEGIN " in data:
        return _read_pem(data, source)
    inner = _first_inside_sequence(data)
    if inner is None:
        raise source.error("this is neither PEM, DER, PKCS#12 nor JKS: the content is something else")
    if inner == b"\x02\x01\x03":  # a PFX begins with its version, the integer 3
        return _read_pkcs12(data, source)
    return _read_der(data, source)


def _read(source: Source) -> bytes:
    try:
        if source.path.is_dir():
            raise source.error("this is a folder: give the path of a file")
        size = source.path.stat().st_size
        if size > MAX_BYTES:
            raise source.error(f"the file has {size} bytes: no key store or certificate is that large")
        data = source.path.read_bytes()
    except FileNotFoundError:
        raise source.error("the file does not exist: check the path") from None
    except OSError as error:
        raise source.error(f"the file cannot be read: {error.strerror or error}") from error
    except ValueError:  # a null character, half a surrogate pair
        raise source.error("no file can have such a name: check the path") from None
    if not data.strip():
        raise source.error("the file is empty")
    return data


def _first_inside_sequence(data: bytes) -> bytes | None:
    """Return the first bytes inside an outer DER (or BER) SEQUENCE, None where there is no such thing."""
    if len(data) < 8 or data[0] != 0x30:
        return None
    # 0x80 alone is BER's open end, as older Java and Windows tools write it; then no length octets follow.
    octets = data[1] & 0x7F if data[1] & 0x80 else 0
    return data[2 + octets : 5 + octets] if octets <= 4 else None


# pbeWithSHAAnd128BitRC2-CBC and …40BitRC2-CBC, as they stand in the file (1.2.840.113549.1.12.1.5 and .6).
_RC2_OIDS = (bytes.fromhex("2a864886f70d010c0105"), bytes.fromhex("2a864886f70d010c0106"))


def _read_pkcs12(data: bytes, source: Source) -> Store:
    password = None if source.password is None else source.password.encode()
    try:
        found = pkcs12.load_pkcs12(data, password)
    except UnsupportedAlgorithm as error:
        raise source.error(f"the PKCS#12 file uses a cipher this machine has not: {error}") from error
    except ValueError as error:
        if "password" in str(error).lower():
            if os.environ.get("CRYPTOGRAPHY_OPENSSL_NO_LEGACY") and any(oid in data for oid in _RC2_OIDS):
                raise source.error(
                    "the file uses the old cipher RC2, which CRYPTOGRAPHY_OPENSSL_NO_LEGACY in the environment "
                    "switches off: unset it, or convert the file"
                ) from None
            raise source.wrong_password() from None
        raise source.error("the PKCS#12 file is damaged or cut off") from error
    first = () if found.cert is None else (found.cert.certificate,)
    rest = tuple(extra.certificate for extra in found.additional_certs)
    return Store("PKCS#12", first + rest, found.key)


_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)


def _read_pem(data: bytes, source: Source) -> Store:
    certificates: list[x509.Certificate] = []
    key: PrivateKeyTypes | None = None
    for block in _BLOCK.finditer(data):
        label = block.group(1)
        if label in (b"CERTIFICATE", b"X509 CERTIFICATE"):
            text = block.group().replace(b" X509 CERTIFICATE-", b" CERTIFICATE-")
            certificates.append(_certificate(text, source, pem=True))
        elif label.endswith(b"PRIVATE KEY") and key is None:
            key = _private_key(block.group(), source, pem=True)
    if not certificates and key is None:
        raise source.error("the PEM file holds neither a certificate nor a private key, or is cut off")
    return Store("PEM", tuple(certificates), key)


def _read_der(data: bytes, source: Source) -> Store:
    try:
        return Store("DER", (x509.load_der_x509_certificate(data),))
    except ValueError:
        pass
    return Store("DER", (), _private_key(data, source, pem=False))


def _certificate(data: bytes, source: Source, *, pem: bool) -> x509.Certificate:
    try:
        return (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(data)
    except ValueError as error:
        raise source.error("a certificate in the file is damaged") from error


def _private_key(data: bytes, source: Source, *, pem: bool) -> PrivateKeyTypes:
    load = load_pem_private_key if pem else load_der_private_key
    try:
        return load(data, None)
    except TypeError:  # cryptography's word for: encrypted, and no password given
        if source.password is None:
            raise source.wrong_password() from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise source.error("the content is no certificate and no private key, or is damaged") from error
    try:
        return load(data, source.password.encode())
    except UnsupportedAlgorithm as error:
        raise source.error(f"the private key uses a cipher this machine has not: {error}") from error
    except ValueError:
        raise source.wrong_password() from None


# JKS, Sun's own format up to Java 8: big-endian magic, version, count; then entries, each a tag, an alias, a time in
# milliseconds and its content; at the end a SHA-1 over the password and all of it.
_JKS_MAGIC = b"\xfe\xed\xfe\xed"
_JCEKS_MAGIC = b"\xce\xce\xce\xce"
_KEY_ENTRY, _TRUSTED_ENTRY = 1, 2
_DIGEST = 20


class _Reader:
    """Big-endian fields one after the other; IndexError at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise IndexError
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, form: str) -> int:
        return int(struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))[0])

    def text(self) -> str:
        return self.take(self.number("H")).decode("utf-8", "replace")

    @property
    def left(self) -> int:
        return len(self._data) - self._at


def _read_jks(data: bytes, source: Source) -> Store:
    if data[:4] == _JCEKS_MAGIC:
        raise source.error(
            "this is a JCEKS store, which is not read: convert it with "
            "`keytool -importkeystore -srcstoretype JCEKS -deststoretype PKCS12 …`"
        )
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if source.password is not None and not hmac.compare_digest(digest, _jks_digest(body, source.password)):
        # One check finds both; structure tells them apart: a damaged store rarely still parses.
        if _parses(body):
            raise source.wrong_password()
        raise source.error("the JKS store is damaged or cut off")
    try:
        entries = list(_jks_entries(body))
    except (IndexError, UnicodeError) as error:
        raise source.error("the JKS store is damaged or cut off") from error
    trusted = tuple(_certificate(der, source, pem=False) for tag, der in entries if tag == _TRUSTED_ENTRY)
    if not trusted and any(tag == _KEY_ENTRY for tag, _ in entries):
        raise source.error(
            "this JKS store holds only private keys, and Sun's encryption of those is not read: convert it with "
            "`keytool -importkeystore -deststoretype PKCS12 …`"
        )
    return Store("JKS", trusted)


def _jks_digest(body: bytes, password: str) -> bytes:
    return hashlib.sha1(password.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()  # noqa: S324  the format's


def _parses(body: bytes) -> bool:
    try:
        return bool(list(_jks_entries(body)))
    except (IndexError, UnicodeError):
        return False


def _jks_entries(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and certificate of each entry; a private key's own chain is passed over."""
    reader = _Reader(body)
    reader.take(4)
    version = reader.number("I")
    if version not in (1, 2):
        raise IndexError
    for _ in range(reader.number("I")):
        tag = reader.number("I")
        reader.text()
        reader.take(8)
        if tag == _TRUSTED_ENTRY:
            yield tag, _jks_certificate(reader, version)
        elif tag == _KEY_ENTRY:
            reader.take(reader.number("I"))
            for _ in range(reader.number("I")):
                _jks_certificate(reader, version)
            yield tag, b""
        else:
            raise IndexError
    if reader.left:
        raise IndexError


def _jks_certificate(reader: _Reader, version: int) -> bytes:
    if version == 2:
        reader.text()  # the certificate's type: X.509
    return reader.take(reader.number("I"))


def public_bytes(of: x509.Certificate | PrivateKeyTypes) -> bytes:
    """Return the public key of a certificate or private key in one comparable form."""
    return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
