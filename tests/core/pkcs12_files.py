"""PKCS#12 files as other tools write them: several keys, BER, keys inside the encrypted part."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from tests.certs import Issued

SALT, IV, ROUNDS = b"salt-for-a-test.", b"iv-for-one-test.", 2000


class Entry(NamedTuple):
    """A certificate with its key, and what both are called; None for no name."""

    alias: str | None
    issued: Issued


class Asn1:
    """Writes DER; or BER, with lengths that are not said before and octets in pieces."""

    def __init__(self, *, ber: bool) -> None:
        self.ber = ber

    def element(self, tag: int, *parts: bytes) -> bytes:
        content = b"".join(parts)
        if self.ber and tag & 0x20:
            return bytes([tag, 0x80]) + content + b"\0\0"
        size = len(content)
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x80 | len(octets)]) + octets) + content

    def sequence(self, *parts: bytes) -> bytes:
        return self.element(0x30, *parts)

    def octets(self, data: bytes) -> bytes:
        if not self.ber:
            return self.element(0x04, data)
        half = len(data) // 2
        return self.element(0x24, self.element(0x04, data[:half]), self.element(0x04, data[half:]))

    def oid(self, text: str) -> bytes:
        first, second, *rest = map(int, text.split("."))
        out = bytes([40 * first + second])
        for number in rest:
            piece = [number & 0x7F]
            while number := number >> 7:
                piece.insert(0, 0x80 | number & 0x7F)
            out += bytes(piece)
        return self.element(0x06, out)


def pkcs12_file(entries: Sequence[Entry], password: str, *, ber: bool = False, keys_sealed: bool = False) -> bytes:
    """Return a PKCS#12 file; `keys_sealed` puts the keys into the encrypted part, where the certificates are."""
    asn1 = Asn1(ber=ber)
    keys = [_key_bag(asn1, each, None if keys_sealed else password) for each in entries]
    certificates = [_certificate_bag(asn1, each) for each in entries]
    sealed = [*keys, *certificates] if keys_sealed else certificates
    safes = [_encrypted(asn1, asn1.sequence(*sealed), password)]
    if not keys_sealed:
        safes.append(_data(asn1, asn1.sequence(*keys)))
    safe = asn1.sequence(*safes)
    return asn1.sequence(b"\x02\x01\x03", _data(asn1, safe), _mac(safe, password))


def _data(asn1: Asn1, content: bytes) -> bytes:
    return asn1.sequence(asn1.oid("1.2.840.113549.1.7.1"), asn1.element(0xA0, asn1.octets(content)))


def _bag(asn1: Asn1, kind: str, value: bytes, alias: str | None) -> bytes:
    attributes = b""
    if alias is not None:
        name = asn1.element(0x1E, alias.encode("utf-16-be"))
        attributes = asn1.element(0x31, asn1.sequence(asn1.oid("1.2.840.113549.1.9.20"), asn1.element(0x31, name)))
    return asn1.sequence(asn1.oid(f"1.2.840.113549.1.12.10.1.{kind}"), asn1.element(0xA0, value), attributes)


def _key_bag(asn1: Asn1, entry: Entry, password: str | None) -> bytes:
    cipher = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    der = entry.issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, cipher)
    return _bag(asn1, "1" if password is None else "2", der, entry.alias)


def _certificate_bag(asn1: Asn1, entry: Entry) -> bytes:
    der = asn1.element(0xA0, asn1.octets(entry.issued.der))
    return _bag(asn1, "3", asn1.sequence(asn1.oid("1.2.840.113549.1.9.22.1"), der), entry.alias)


def _encrypted(asn1: Asn1, content: bytes, password: str) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), SALT, ROUNDS, 32)
    padder, cipher = PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC(IV)).encryptor()
    secret = cipher.update(padder.update(content) + padder.finalize()) + cipher.finalize()
    der = Asn1(ber=False)
    prf = der.sequence(der.oid("1.2.840.113549.2.9"), b"\x05\x00")
    kdf = der.sequence(der.oid("1.2.840.113549.1.5.12"), der.sequence(der.octets(SALT), _integer(ROUNDS), prf))
    aes = der.sequence(der.oid("2.16.840.1.101.3.4.1.42"), der.octets(IV))
    algorithm = der.sequence(der.oid("1.2.840.113549.1.5.13"), der.sequence(kdf, aes))
    info = asn1.sequence(asn1.oid("1.2.840.113549.1.7.1"), algorithm, asn1.element(0x80, secret))
    wrapped = asn1.element(0xA0, asn1.sequence(b"\x02\x01\x00", info))
    return asn1.sequence(asn1.oid("1.2.840.113549.1.7.6"), wrapped)


def _integer(number: int) -> bytes:
    return Asn1(ber=False).element(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _mac(safe: bytes, password: str) -> bytes:
    """Return the file's checksum: RFC 7292's key derivation for one block of SHA-256, and HMAC."""
    words = (password + "\0").encode("utf-16-be")
    block = b"\3" * 64 + (SALT * 8)[:64] + (words * 64)[: -(-len(words) // 64) * 64]
    for _ in range(ROUNDS):
        block = hashlib.sha256(block).digest()
    der = Asn1(ber=False)
    digest = der.octets(hmac.digest(block, safe, "sha256"))
    kind = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")
    return der.sequence(der.sequence(kind, digest), der.octets(SALT), _integer(ROUNDS))
