"""Makes ids, tokens and keys: by chance, or from a seed so that a run can be repeated."""

from __future__ import annotations

import hashlib
import os


class Ids:
    """A source of ids. With a seed, the same calls give the same ids."""

    def __init__(self, seed: str | None = None, counter: int = 0) -> None:
        self.seed = seed
        self.counter = counter

    def _bytes(self, count: int) -> bytes:
        if self.seed is None:
            return os.urandom(count)
        self.counter += 1
        return hashlib.shake_256(f"{self.seed}:{self.counter}".encode()).digest(count)

    def uuid(self) -> str:
        """Return an id in UUID form, 36 characters (devices, commands, tasks)."""
        text = self._bytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def hex(self, length: int) -> str:
        """Return lower-case hexadecimal digits (keys, ids without hyphens)."""
        return self._bytes((length + 1) // 2).hex()[:length]

    def token(self) -> str:
        """Return an access or refresh token of 32 characters."""
        return self.hex(32)

    def integer(self, below: int) -> int:
        """Return a whole number from 0 up to, not including, below."""
        return int.from_bytes(self._bytes(8), "big") % below
