"""A token, where it lives, and what can be told of it."""

from enum import StrEnum
from typing import NamedTuple, Protocol

import attrs

from iot_northbound._hide import hide
from iot_northbound.errors import NorthApiException

RENEW_AT = 0.8
"""The part of a token's life after which it is renewed ahead of its end."""
SHORTEST = 1.0
"""Seconds a renewal in the background waits at least, however short a token's life."""


@attrs.frozen
class Grant:
    """A token with its age, in seconds of the epoch."""

    access_token: str = attrs.field(repr=hide)
    refresh_token: str | None = attrs.field(repr=hide)
    granted_at: float
    expires_in: float

    @property
    def expires_at(self) -> float:
        """When the platform stops taking the token."""
        return self.granted_at + self.expires_in

    @property
    def renew_at(self) -> float:
        """When a background renewal is due."""
        return self.granted_at + max(RENEW_AT * self.expires_in, SHORTEST)


class TokenStore(Protocol):
    """Where the token lives between calls. Several threads call it at once."""

    def load(self) -> Grant | None:
        """Return the token held, or None."""
        ...

    def save(self, grant: Grant) -> None:
        """Hold this token in place of the one before."""
        ...

    def clear(self) -> None:
        """Forget the token."""
        ...


class MemoryTokenStore:
    """A token store of this process alone."""

    def __init__(self) -> None:
        self._grant: Grant | None = None

    def load(self) -> Grant | None:
        """Return the token held, or None."""
        return self._grant

    def save(self, grant: Grant) -> None:
        """Hold this token in place of the one before."""
        self._grant = grant

    def clear(self) -> None:
        """Forget the token."""
        self._grant = None


class TokenState(StrEnum):
    """How usable the held token is."""

    NONE = "none"
    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


class TokenStatus(NamedTuple):
    """What `client.token_status` tells; no secret in it."""

    state: TokenState
    timer_running: bool
    expires_at: float | None
    """Seconds since the epoch."""
    renewals: int
    """Renewals that succeeded since the client was made, the first login included."""
    failures_in_a_row: int
    last_error: NorthApiException | None
