"""The platform's clock, which can be frozen and moved, and its time texts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

_TEXT = re.compile(r"(\d{8}T\d{6})(\d{3})?Z", re.ASCII)


class Clock:
    """Epoch seconds; real time until it is frozen or moved."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset = 0.0
        self._frozen: float | None = None

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self._source() + self._offset if self._frozen is None else self._frozen

    @property
    def frozen(self) -> bool:
        """Whether the clock is frozen."""
        return self._frozen is not None

    def freeze(self, at: float | None = None) -> None:
        """Freeze the clock, now or at the given epoch second."""
        self._frozen = self.now() if at is None else at

    def thaw(self) -> None:
        """Let time run again, from the frozen moment."""
        if self._frozen is not None:
            self._offset = self._frozen - self._source()
            self._frozen = None

    def move_to(self, when: float) -> None:
        """Set the time; a frozen clock stays frozen. Use `Platform.advance`, which also runs the timers."""
        if self._frozen is None:
            self._offset = when - self._source()
        else:
            self._frozen = when

    def state(self) -> dict[str, float | None]:
        """Return the state that `resume` goes on from."""
        return {"offset": self._offset, "frozen": self._frozen}

    def resume(self, state: dict[str, float | None]) -> None:
        """Go on from a state."""
        self._offset = state["offset"] or 0.0
        self._frozen = state["frozen"]


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")


def time_text(when: float) -> str:
    """Return an epoch time as the platform writes it: UTC, yyyyMMdd'T'HHmmss'Z'."""
    return _second_text(int(when))


def parse_time(text: str) -> float:
    """Return the epoch seconds of a time text, with or without milliseconds.

    Raises:
        ValueError: The text has another form or names no real time.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError("must have the form yyyyMMdd'T'HHmmss'Z'")
    try:
        when = datetime.fromisoformat(f"{found[1]}Z").timestamp()
    except ValueError:
        raise ValueError("must name a day and a time that exist") from None
    return when + int(found[2] or 0) / 1000


def named_time(name: str, text: str) -> float:
    """Return the epoch seconds of a field's time text.

    Raises:
        ValueError: As `parse_time`, with the field's name.
    """
    try:
        return parse_time(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
