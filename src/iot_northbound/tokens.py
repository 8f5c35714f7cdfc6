"""A token, where it is kept, and its state."""

from enum import StrEnum
from typing import NamedTuple, Protocol

import attrs

from iot_northbound._hide import hide
from iot_northbound.errors import NorthApiException, SdkCode, UnreadableAnswerError

RENEW_AT = 0.8
"""The part of a token's life after which it is renewed."""
DEFAULT_LIFETIME = 3600.0
"""The lifetime of a token in seconds, if the platform does not say it."""
LONGEST_LIFETIME = 366 * 86400
"""The longest lifetime of a token in seconds, because timers cannot wait for any number."""
SHORTEST = 1.0
"""The shortest time before a renewal in the background, in seconds, even if the token's life is very short."""


@attrs.frozen
class Grant:
    """A token with its times, in seconds since the epoch."""

    access_token: str = attrs.field(repr=hide)
    refresh_token: str | None = attrs.field(repr=hide)
    granted_at: float
    expires_in: float

    @property
    def expires_at(self) -> float:
        """When the token expires."""
        return self.granted_at + self.expires_in

    @property
    def renew_at(self) -> float:
        """When a background renewal is due."""
        return self.granted_at + max(RENEW_AT * self.expires_in, SHORTEST)


def granted(access_token: str, refresh_token: str | None, expires_in: int | None, started: float) -> Grant:
    """Return the token of an answer to a request that was sent at `started`.

    Raises:
        UnreadableAnswerError: the answer contains no token, or one that cannot be sent (1004).
    """
    if not access_token:
        raise UnreadableAnswerError(SdkCode.UNREADABLE, "the platform's answer contains no token: accessToken is empty")
    if not (access_token.isascii() and access_token.isprintable()):
        raise UnreadableAnswerError(
            SdkCode.UNREADABLE, "the platform's token contains characters that HTTP headers do not allow"
        )
    # A lifetime of zero makes no sense. The platform will say when the token has ended.
    lifetime = min(expires_in, LONGEST_LIFETIME) if expires_in is not None and expires_in > 0 else DEFAULT_LIFETIME
    return Grant(access_token, refresh_token, started, float(lifetime))


class TokenStore(Protocol):
    """Where the token is kept between calls. Several threads call it at the same time."""

    def load(self) -> Grant | None:
        """Return the stored token, or None."""
        ...

    def save(self, grant: Grant) -> None:
        """Store this token in place of the earlier one."""
        ...

    def clear(self) -> None:
        """Forget the token."""
        ...


class MemoryTokenStore:
    """A token store in the memory of this process."""

    def __init__(self) -> None:
        self._grant: Grant | None = None

    def load(self) -> Grant | None:
        """Return the stored token, or None."""
        return self._grant

    def save(self, grant: Grant) -> None:
        """Store this token in place of the earlier one."""
        self._grant = grant

    def clear(self) -> None:
        """Forget the token."""
        self._grant = None


class TokenState(StrEnum):
    """The state of the stored token."""

    NONE = "none"
    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


class TokenStatus(NamedTuple):
    """The value of `client.token_status`. It contains no secret."""

    state: TokenState
    timer_running: bool
    expires_at: float | None
    """Seconds since the epoch."""
    renewals: int
    """Successful renewals since the client was made, including the first login."""
    failures_in_a_row: int
    last_error: NorthApiException | None
