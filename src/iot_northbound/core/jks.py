"""JKS, Sun's own key store format up to Java 8, as bytes: entries, checksum, and the cipher of its private keys.

A store begins with a big-endian magic number, a version and a count. Then come the entries, each with a tag, an alias,
a time in milliseconds and its content. At the end is a SHA-1 over the password and everything before.
"""

import hashlib
import hmac
import struct
from typing import NamedTuple

MAGIC = b"\xfe\xed\xfe\xed"
JCEKS_MAGIC = b"\xce\xce\xce\xce"
_KEY, _TRUSTED = 1, 2
_DIGEST = 20
# 1.3.6.1.4.1.42.2.17.1.1, the cipher of Sun's key protector, as the file has it.
_PROTECTOR = bytes.fromhex("060a2b060104012a02110101")


class Damaged(Exception):
    """The bytes are not a whole JKS store, or not a whole key of one."""


class Entry(NamedTuple):
    """An entry: a trusted certificate, or a private key (`protected`) with its chain, its own certificate first."""

    alias: str
    certificates: tuple[bytes, ...]
    protected: bytes | None


class _Reader:
    """Reads big-endian fields one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise Damaged
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, form: str) -> int:
        return int(struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))[0])

    def text(self) -> str:
        return self.take(self.number("H")).decode("utf-8", "replace")

    @property
    def left(self) -> int:
        return len(self._data) - self._at


def entries_of(data: bytes) -> list[Entry]:
    """Return the entries of a store, without testing its checksum.

    Raises:
        Damaged: the store cannot be parsed.
    """
    reader = _Reader(data[:-_DIGEST])
    reader.take(4)
    version = reader.number("I")
    if version not in (1, 2):
        raise Damaged
    entries = []
    for _ in range(reader.number("I")):
        tag, alias, _time = reader.number("I"), reader.text(), reader.take(8)
        if tag == _TRUSTED:
            entries.append(Entry(alias, (_certificate(reader, version),), None))
        elif tag == _KEY:
            protected = reader.take(reader.number("I"))
            chain = tuple(_certificate(reader, version) for _ in range(reader.number("I")))
            entries.append(Entry(alias, chain, protected))
        else:
            raise Damaged
    if reader.left:
        raise Damaged
    return entries


def _certificate(reader: _Reader, version: int) -> bytes:
    if version == 2:
        reader.text()  # the certificate's type: X.509
    return reader.take(reader.number("I"))


def opens(data: bytes, password: str) -> bool:
    """Return whether the checksum fits the password; then both are right."""
    mixed = _secret(password) + b"Mighty Aphrodite" + data[:-_DIGEST]
    return hmac.compare_digest(data[-_DIGEST:], hashlib.sha1(mixed).digest())  # noqa: S324  the format demands it


def key_of(protected: bytes, password: str) -> bytes | None:
    """Return a private key as PKCS#8 DER; None if the password is wrong.

    Raises:
        Damaged: this is not a key with Sun's cipher.
    """
    start = protected.find(_PROTECTOR)
    # After the cipher's name and its NULL comes an OCTET STRING up to the end.
    at = start + len(_PROTECTOR) + 2
    if start < 0 or len(protected) < at + 4 or protected[at] != 0x04:
        raise Damaged
    octets = protected[at + 1] & 0x7F if protected[at + 1] & 0x80 else 0
    sealed = protected[at + 2 + octets :]
    if len(sealed) <= 2 * _DIGEST:
        raise Damaged
    salt, hidden, check = sealed[:_DIGEST], sealed[_DIGEST:-_DIGEST], sealed[-_DIGEST:]
    secret, stream, block = _secret(password), b"", salt
    while len(stream) < len(hidden):
        block = hashlib.sha1(secret + block).digest()  # noqa: S324  the format demands it
        stream += block
    plain = bytes(one ^ other for one, other in zip(hidden, stream, strict=False))
    found = hashlib.sha1(secret + plain).digest()  # noqa: S324  the format demands it
    return plain if hmac.compare_digest(found, check) else None


def _secret(password: str) -> bytes:
    return password.encode("utf-16-be", "surrogatepass")
