"""Seals the shared token with a key that is derived from the application's secret."""

import os
from functools import cached_property
from typing import TYPE_CHECKING

from iot_northbound.errors import SdkCode, SharedStateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE = 12


class Seal:
    """HKDF-SHA256 and AES-256-GCM. A record of one application cannot be opened as that of another.

    Args:
        application: host:port/application id.
        secret: the application's secret.
    """

    def __init__(self, application: str, secret: str) -> None:
        self._application = application.encode()
        self._secret = secret.encode()

    @cached_property
    def name(self) -> str:
        """A short name of the key, by which processes see whether they have the same secret."""
        return self._derive(b"iot-northbound/name/1", 4).hex()

    def close(self, content: bytes) -> bytes:
        """Return the content, sealed."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, content, _VERSION + self._application)

    def open(self, record: bytes) -> bytes | None:
        """Return the content; None if the record is damaged, or was sealed with another secret.

        Raises:
            SharedStateError: a newer version of the SDK sealed it.
        """
        from cryptography.exceptions import InvalidTag

        version, nonce, sealed = record[:1], record[1 : 1 + _NONCE], record[1 + _NONCE :]
        if version > _VERSION:
            what = "a newer version of the SDK wrote the shared token: update this one too"
            raise SharedStateError(SdkCode.CLIENT_INTERNAL, what)
        try:
            return self._cipher.decrypt(nonce, sealed, version + self._application)
        except (InvalidTag, ValueError):
            return None

    @cached_property
    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._derive(b"iot-northbound/token/1", 32))

    def _derive(self, salt: bytes, length: int) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), length, salt, self._application).derive(self._secret)
