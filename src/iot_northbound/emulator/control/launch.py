"""The keys of the links that open the console page: each opens it once."""

from __future__ import annotations

import hmac
import secrets
from collections import deque

_KEPT = 16
"""How many unused keys are kept; one more replaces the oldest."""


class LaunchKeys:
    """Keys that were given out and not used yet."""

    def __init__(self) -> None:
        self._keys: deque[str] = deque(maxlen=_KEPT)

    def issue(self) -> str:
        """Return a new key."""
        key = secrets.token_urlsafe(24)
        self._keys.append(key)
        return key

    def link(self, control_url: str) -> str:
        """Return a link with a new key."""
        return f"{control_url}/console/open?key={self.issue()}"

    def redeem(self, given: str) -> bool:
        """Return whether a key is good; it is not good a second time."""
        for key in self._keys:
            if hmac.compare_digest(key.encode(), given.encode()):
                self._keys.remove(key)
                return True
        return False
