"""Which endpoints refused a new token, so that they cause few further logins.

The platform refuses a call that the application may not make as if the token were bad.
"""

from typing import NamedTuple, Protocol

from iot_northbound.core.clock import Clock

FIRST, CAP = 1.0, 60.0
"""Seconds in which an endpoint that refused a new token causes no further login; doubled each time, up to the cap."""


class Note(NamedTuple):
    """An endpoint refused a new token."""

    age: float
    """Seconds since then."""
    pause: float
    """Seconds in which it causes no further login."""
    is_of: bool
    """Whether it was the token that the question is about."""


class Notes(Protocol):
    """Where the notes are kept."""

    def note_of(self, endpoint: str, token: str) -> Note | None:
        """Return the note of an endpoint."""
        ...

    def write_note(self, endpoint: str, pause: float, token: str) -> None:
        """Note that an endpoint refused a new token."""
        ...

    def drop_note(self, endpoint: str) -> None:
        """Remove the note of an endpoint, because it accepted a token."""
        ...


class OwnNotes:
    """Notes in the memory of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notes: dict[str, tuple[float, float, str]] = {}

    def note_of(self, endpoint: str, token: str) -> Note | None:
        """Return the note of an endpoint."""
        known = self._notes.get(endpoint)
        if known is None:
            return None
        at, pause, refused = known
        return Note(self._clock.monotonic() - at, pause, refused == token)

    def write_note(self, endpoint: str, pause: float, token: str) -> None:
        """Note that an endpoint refused a new token."""
        self._notes[endpoint] = self._clock.monotonic(), pause, token

    def drop_note(self, endpoint: str) -> None:
        """Remove the note of an endpoint."""
        self._notes.pop(endpoint, None)


class Refusals:
    """Decides whether a refused token is worth a login."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._noted: set[str] = set()
        """The endpoints whose notes this process has seen."""
        self._proven = ""
        self._accepted: dict[str, tuple[str, ...]] = {}
        """The last two tokens that each endpoint accepted: calls with the older one may still be under way."""

    def note(self, endpoint: str, token: str) -> None:
        """Note that an endpoint refused a new token."""
        known = self._notes.note_of(endpoint, token)
        self._noted.add(endpoint)
        if known is not None and known.is_of:
            return  # callers that share a renewal share its failure, which counts once
        self._notes.write_note(endpoint, min(2 * known.pause, CAP) if known is not None else FIRST, token)

    def accepted(self, endpoint: str, token: str) -> None:
        """Note that an endpoint accepted a token."""
        self._proven = token
        known = self._accepted.get(endpoint, ())
        if token not in known:
            self._accepted[endpoint] = (*known[-1:], token)
        if endpoint in self._noted:
            self._noted.discard(endpoint)
            self._notes.drop_note(endpoint)

    def is_forbidden(self, endpoint: str, token: str) -> bool:
        """Return whether a bad token probably means that the application may not use this API with any token.

        This is probable if the endpoint refused a new token before. Or another process may have logged in at that
        moment. So a new login is tried from time to time, and rarely if other endpoints accept the token. If the
        endpoint itself accepted this very token, the token has ended, whatever was noted meanwhile.
        """
        if token in self._accepted.get(endpoint, ()):
            return False
        known = self._notes.note_of(endpoint, token)
        if known is None:
            return False
        self._noted.add(endpoint)
        return known.age < (CAP if token == self._proven else known.pause)
