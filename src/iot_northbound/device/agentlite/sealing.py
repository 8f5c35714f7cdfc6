"""Encryption of the stored credentials by each AlgType: bytes in, bytes out."""

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from iot_northbound.device.agentlite.enums import AlgType

KEY_BYTES = 32
"""The length of the key file. The keys of each type are derived from it."""
_NONCE, _BLOCK, _TAG = 12, 16, 32


class DamagedError(Exception):
    """The bytes were not made with this key, or were changed."""


class _Way(NamedTuple):
    seal: Callable[[bytes, bytes, bytes], bytes]
    open: Callable[[bytes, bytes, bytes], bytes]


def _derived(key: bytes, purpose: str, length: int) -> bytes:
    """Return a key for one purpose; 32 bytes at most (the first block of HKDF's second step)."""
    return hmac.new(key, purpose.encode() + b"\x01", hashlib.sha256).digest()[:length]


def _gcm(purpose: str, length: int) -> _Way:
    def seal(key: bytes, text: bytes, header: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(_derived(key, purpose, length)).encrypt(nonce, text, header)

    def unseal(key: bytes, sealed: bytes, header: bytes) -> bytes:
        try:
            return AESGCM(_derived(key, purpose, length)).decrypt(sealed[:_NONCE], sealed[_NONCE:], header)
        except (InvalidTag, ValueError):
            raise DamagedError from None

    return _Way(seal, unseal)


def _cbc_cipher(key: bytes, iv: bytes) -> "Cipher[modes.CBC]":
    return Cipher(algorithms.AES(_derived(key, "aes-256-cbc", 32)), modes.CBC(iv))


def _cbc_tag(key: bytes, header: bytes, sealed: bytes) -> bytes:
    text = len(header).to_bytes(8, "big") + header + sealed
    return hmac.new(_derived(key, "aes-256-cbc hmac", 32), text, hashlib.sha256).digest()


def _cbc_seal(key: bytes, text: bytes, header: bytes) -> bytes:
    iv = os.urandom(_BLOCK)
    padder, encryptor = PKCS7(_BLOCK * 8).padder(), _cbc_cipher(key, iv).encryptor()
    padded = padder.update(text) + padder.finalize()
    sealed = iv + encryptor.update(padded) + encryptor.finalize()
    return sealed + _cbc_tag(key, header, sealed)


def _cbc_open(key: bytes, sealed: bytes, header: bytes) -> bytes:
    body, tag = sealed[:-_TAG], sealed[-_TAG:]
    if not hmac.compare_digest(tag, _cbc_tag(key, header, body)):  # before anything is decrypted
        raise DamagedError
    decryptor, unpadder = _cbc_cipher(key, body[:_BLOCK]).decryptor(), PKCS7(_BLOCK * 8).unpadder()
    padded = decryptor.update(body[_BLOCK:]) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


_WAYS = {
    AlgType.AES_256_CBC: _Way(_cbc_seal, _cbc_open),
    AlgType.AES_128_GCM: _gcm("aes-128-gcm", 16),
    AlgType.AES_256_GCM: _gcm("aes-256-gcm", 32),
}


def seal(alg_type: AlgType, key: bytes, text: bytes, header: bytes) -> bytes:
    """Return the text encrypted. The header stays readable, and cannot be changed either."""
    return _WAYS[alg_type].seal(key, text, header)


def unseal(alg_type: AlgType, key: bytes, sealed: bytes, header: bytes) -> bytes:
    """Return the text of what `seal` gave.

    Raises:
        DamagedError: key, header or bytes are not those of `seal`.
    """
    return _WAYS[alg_type].open(key, sealed, header)
