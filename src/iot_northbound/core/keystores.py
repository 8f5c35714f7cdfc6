"""Certificates and keys from files of any kind: PEM, DER, PKCS#12, JKS. The content decides which kind it is."""

import contextlib
import os
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import partial
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
from cryptography.utils import CryptographyDeprecationWarning

from iot_northbound.core import jks
from iot_northbound.core.pkcs12 import key_bags
from iot_northbound.core.textfiles import decoded
from iot_northbound.errors import TlsError, TlsReason
from iot_northbound.input_files import InputFileError, read_bytes
from iot_northbound.ssl_config import tls_error

MAX_BYTES = 16 * 1024 * 1024
"""The largest file that is read; the bundles of systems have about 250 KB."""


@attrs.frozen
class Source:
    """A file to read, and the names of its settings for messages."""

    path: Path
    setting: str
    password: str | None = attrs.field(default=None, repr=False)
    password_setting: str = ""

    def error(self, what: str, reason: TlsReason = TlsReason.FILE_UNUSABLE) -> TlsError:
        """Return the error (1006) that says what is wrong with this file."""
        return tls_error(f"{self.setting} {str(self.path)!r}: {what}", reason)

    def wrong_password(self) -> TlsError:
        """Return the error for a password that does not open the file."""
        if self.password is None:
            what = f"the file is protected and no password is given: set {self.password_setting}"
            return self.error(what, TlsReason.PASSWORD_MISSING)
        return self.error(f"the password in {self.password_setting} is wrong", TlsReason.PASSWORD_WRONG)


@attrs.frozen
class KeyEntry:
    """A private key in a file."""

    alias: str
    """Its alias in the file; empty if the file has no aliases."""
    open: Callable[[], PrivateKeyTypes] = attrs.field(repr=False)
    """Returns the key; raises TlsError (1006) if its password is wrong."""
    chain: tuple[x509.Certificate, ...] = ()
    """Its own certificate and those of its issuers, if the file names them."""
    beside: tuple[str, ...] = ()
    """The names that the keys can have, if this may not be the only key in an encrypted part of the file."""


@attrs.frozen
class Store:
    """The content of a file."""

    kind: str
    certificates: tuple[x509.Certificate, ...] = ()
    """All certificates; for JKS those that Java trusts: the trusted entries, and the own certificate of each key."""
    keys: tuple[KeyEntry, ...] = ()

    @property
    def key(self) -> PrivateKeyTypes | None:
        """The first private key; None if the file has no private key."""
        return self.keys[0].open() if self.keys else None


def read_store(source: Source) -> Store:
    """Return the certificates and the private keys of a file of any kind.

    Raises:
        TlsError: the file is missing, unreadable, of an unknown kind or damaged, or its password is wrong (1006).
    """
    data = _read(source)
    # The library warns of CAs that break a rule, as old ones in the bundles of systems do. OpenSSL decides on them.
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return _store_of(data, source)


_WARNINGS = threading.Lock()
"""The filters of warnings belong to the process: two threads must not set them back in the wrong order."""


def _store_of(data: bytes, source: Source) -> Store:
    if data[:4] in (jks.MAGIC, jks.JCEKS_MAGIC):
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
            raise source.error("this is a folder: give the path of a file", TlsReason.FILE_IS_A_FOLDER)
        data = read_bytes(source.path, MAX_BYTES)
    except FileNotFoundError:
        raise source.error("the file does not exist: check the path", TlsReason.FILE_MISSING) from None
    except InputFileError as error:
        raise source.error(f"this is no key store or certificate: {error.strerror}") from None
    except OSError as error:
        what = f"the file cannot be read: {error.strerror or error}"
        raise source.error(what, TlsReason.FILE_UNREADABLE) from error
    except ValueError:  # a null character, half a surrogate pair
        raise source.error("a file cannot have such a name: check the path") from None
    if not data.strip():
        raise source.error("the file is empty")
    # A PEM file that an editor has saved as UTF-16 begins with a byte order mark.
    return data if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else decoded(data).encode()


def _first_inside_sequence(data: bytes) -> bytes | None:
    """Return the first bytes inside an outer DER (or BER) SEQUENCE; None if the data is something else."""
    if len(data) < 8 or data[0] != 0x30:
        return None
    # 0x80 alone is BER's open end, which older Java and Windows tools write. Then no length octets follow.
    octets = data[1] & 0x7F if data[1] & 0x80 else 0
    return data[2 + octets : 5 + octets] if octets <= 4 else None


# pbeWithSHAAnd128BitRC2-CBC and …40BitRC2-CBC, as the file has them (1.2.840.113549.1.12.1.5 and .6).
_RC2_OIDS = (bytes.fromhex("2a864886f70d010c0105"), bytes.fromhex("2a864886f70d010c0106"))


def _read_pkcs12(data: bytes, source: Source) -> Store:
    password = None if source.password is None else source.password.encode()
    try:
        found = _open_pkcs12(data, password)
    except UnsupportedAlgorithm as error:
        raise source.error(f"the PKCS#12 file uses a cipher that this machine does not have: {error}") from error
    except ValueError as error:
        if "password" in str(error).lower():
            if os.environ.get("CRYPTOGRAPHY_OPENSSL_NO_LEGACY") and any(oid in data for oid in _RC2_OIDS):
                raise source.error(
                    "the file uses the old cipher RC2, which CRYPTOGRAPHY_OPENSSL_NO_LEGACY in the environment "
                    "switches off: unset it, or convert the file"
                ) from None
            raise source.wrong_password() from None
        raise source.error("the PKCS#12 file is damaged or cut off") from error
    named = [each for each in (found.cert, *found.additional_certs) if each is not None]
    certificates = tuple(each.certificate for each in named)
    bags = key_bags(data)
    if len(bags) == 1 and found.key is not None:  # the library knows more ways to say that there is no password
        return Store("PKCS#12", certificates, (_entry(bags[0].alias, found.key, named),))
    keys = [_entry(bag.alias, _private_key(bag.der, source, pem=False), named) for bag in bags]
    if found.key is not None and not any(public_bytes(found.key) == public_bytes(each.open()) for each in keys):
        # It is in an encrypted part, in which the library finds only this key. Its certificate has its name.
        leaf = next((each for each in named if public_bytes(each.certificate) == public_bytes(found.key)), None)
        keys.append(_entry(_name(leaf), found.key, named, beside=_leaf_names(named)))
    return Store("PKCS#12", certificates, tuple(keys))


def _open_pkcs12(data: bytes, password: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    try:
        return pkcs12.load_pkcs12(data, password)
    except ValueError:
        # A password for an unprotected file is passed over, as for a PEM file.
        with contextlib.suppress(ValueError, UnsupportedAlgorithm):
            return pkcs12.load_pkcs12(data, None)
        raise


def _entry(
    alias: str, key: PrivateKeyTypes, named: Sequence[pkcs12.PKCS12Certificate], beside: tuple[str, ...] = ()
) -> KeyEntry:
    """Return a key. If one of its certificates has the key's alias as its name, it is included."""
    own = [each for each in named if public_bytes(each.certificate) == public_bytes(key)]
    leaf = next((each for each in own if _name(each) == alias), None) if alias else None
    return KeyEntry(alias, partial(_same, key), (leaf.certificate,) if leaf else (), beside)


def _name(certificate: pkcs12.PKCS12Certificate | None) -> str:
    return ((certificate and certificate.friendly_name) or b"").decode("utf-8", "replace")


def _leaf_names(named: Sequence[pkcs12.PKCS12Certificate]) -> tuple[str, ...]:
    """Return the names of the certificates that have not issued another one."""
    issuers = {each.certificate.issuer for each in named if each.certificate.issuer != each.certificate.subject}
    leaves = [each for each in named if each.certificate.subject not in issuers]
    return tuple(_name(each) or each.certificate.subject.rfc4514_string() for each in leaves)


def _same(key: PrivateKeyTypes) -> PrivateKeyTypes:
    return key


_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)


def _read_pem(data: bytes, source: Source) -> Store:
    certificates: list[x509.Certificate] = []
    keys: list[PrivateKeyTypes] = []
    for block in _BLOCK.finditer(data):
        label = block.group(1)
        if label in (b"CERTIFICATE", b"X509 CERTIFICATE"):
            text = block.group().replace(b" X509 CERTIFICATE-", b" CERTIFICATE-")
            certificates.append(_certificate(text, source, pem=True))
        elif label.endswith(b"PRIVATE KEY"):
            keys.append(_private_key(block.group(), source, pem=True))
    if not certificates and not keys:
        raise source.error("the PEM file contains neither a certificate nor a private key, or it is cut off")
    return Store("PEM", tuple(certificates), tuple(KeyEntry("", partial(_same, key)) for key in keys))


def _read_der(data: bytes, source: Source) -> Store:
    try:
        return Store("DER", (x509.load_der_x509_certificate(data),))
    except ValueError:
        pass
    return Store("DER", (), (KeyEntry("", partial(_same, _private_key(data, source, pem=False))),))


def _certificate(data: bytes, source: Source, *, pem: bool) -> x509.Certificate:
    try:
        return (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(data)
    except ValueError as error:
        raise source.error("a certificate in the file is damaged") from error


def _private_key(data: bytes, source: Source, *, pem: bool) -> PrivateKeyTypes:
    load = load_pem_private_key if pem else load_der_private_key
    try:
        return load(data, None)
    except TypeError:  # cryptography raises this if the key is encrypted and no password is given
        if source.password is None:
            raise source.wrong_password() from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise source.error("the content is not a certificate or a private key, or it is damaged") from error
    try:
        return load(data, source.password.encode())
    except UnsupportedAlgorithm as error:
        raise source.error(f"the private key uses a cipher that this machine does not have: {error}") from error
    except ValueError:
        raise source.wrong_password() from None


def _read_jks(data: bytes, source: Source) -> Store:
    if data[:4] == jks.JCEKS_MAGIC:
        raise source.error(
            "this is a JCEKS store, which the SDK does not read: convert it with "
            "`keytool -importkeystore -srcstoretype JCEKS -deststoretype PKCS12 …`"
        )
    try:
        entries = jks.entries_of(data)
    except jks.Damaged:
        raise source.error("the JKS store is damaged or cut off") from None
    if source.password is not None and not jks.opens(data, source.password):
        # The checksum finds damage and a wrong password. The entries could be parsed, so the password is wrong.
        raise source.wrong_password()
    certificates: list[x509.Certificate] = []
    keys = []
    for entry in entries:
        chain = tuple(_certificate(der, source, pem=False) for der in entry.certificates)
        certificates += chain[:1]
        if entry.protected is not None:
            keys.append(KeyEntry(entry.alias, partial(_jks_key, entry.protected, source), chain))
    return Store("JKS", tuple(certificates), tuple(keys))


def _jks_key(protected: bytes, source: Source) -> PrivateKeyTypes:
    try:
        key = None if source.password is None else jks.key_of(protected, source.password)
    except jks.Damaged:
        raise source.error(
            "the private key in this JKS store is damaged, or has an unknown cipher: convert the store with "
            "`keytool -importkeystore -deststoretype PKCS12 …`"
        ) from None
    if key is None:
        raise source.wrong_password()
    return _private_key(key, source, pem=False)


def public_bytes(of: x509.Certificate | PrivateKeyTypes) -> bytes:
    """Return the public key of a certificate or a private key in a form that can be compared."""
    return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
