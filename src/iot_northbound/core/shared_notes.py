"""Which endpoints refused a new token, noted for all processes of the application."""

import contextlib
from collections.abc import Callable

from iot_northbound.core.asking import Asking
from iot_northbound.core.refusals import Note
from iot_northbound.shared.state import StateAwayError


class SharedNotes:
    """Notes in a shared state. While it is away, nothing is noted.

    Args:
        asking: the state.
        generation_of: returns the generation of a token; None if it is not the last one.
    """

    def __init__(self, asking: Asking, generation_of: Callable[[str], int | None]) -> None:
        self._asking = asking
        self._generation_of = generation_of

    def note_of(self, endpoint: str, token: str) -> Note | None:
        """Return the note of an endpoint."""
        try:
            found = self._asking.ask(self._asking.state.forbidden).get(endpoint)
        except StateAwayError:
            return None
        return Note(found.age, found.pause, found.gen == self._generation_of(token)) if found else None

    def write_note(self, endpoint: str, pause: float, token: str) -> None:
        """Note that an endpoint refused a new token."""
        gen = self._generation_of(token)
        if gen is not None:  # if there is a newer token, nobody knows yet what the endpoint says to that one
            with contextlib.suppress(StateAwayError):
                self._asking.ask(self._asking.state.forbid, endpoint, pause, gen)

    def drop_note(self, endpoint: str) -> None:
        """Remove the note of an endpoint."""
        with contextlib.suppress(StateAwayError):
            self._asking.ask(self._asking.state.forbid, endpoint, 0.0, 0)
