"""Who may see the console page: a browser that was opened with a link of the emulator, until the emulator ends."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from iot_northbound.emulator.control.guard import Headers

_SESSIONS = 32
"""How many browsers may be logged in; one more replaces the one that was longest without a request."""
_NOTES = 5


@dataclass
class Session:
    """One browser."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """What each of its forms carries, so that no page of another server can send one."""
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What became of its last actions, until the next page shows it."""

    def note(self, text: str, result: Any = None) -> None:
        """Keep what became of an action."""
        self.notes = [*self.notes, {"text": text, "result": result}][-_NOTES:]

    def take_notes(self) -> list[dict[str, Any]]:
        """Return the notes and forget them."""
        notes, self.notes = self.notes, []
        return notes

    def sent(self, csrf: str | None) -> bool:
        """Return whether a form comes from a page of this session."""
        return csrf is not None and hmac.compare_digest(csrf.encode(), self.csrf.encode())


class Sessions:
    """The browsers that are logged in.

    Args:
        port: The control port: browsers send cookies to every port of a host, so the cookie's name has the number.
    """

    def __init__(self, port: int) -> None:
        self._name = f"iot_northbound_console_{port}"
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self) -> str:
        """Make a session and return the Set-Cookie header that gives it to a browser."""
        session = Session()
        self._sessions[session.token] = session
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return f"{self._name}={session.token}; Path=/console/; HttpOnly; SameSite=Strict"

    def of(self, headers: Headers) -> Session | None:
        """Return the session of a request, or None."""
        for name, value in headers:
            for token in _cookies(value, self._name) if name == "cookie" else ():
                if (session := self._sessions.get(token)) is not None:
                    self._sessions.move_to_end(token)
                    return session
        return None


def _cookies(header: str, name: str) -> Iterator[str]:
    """Yield the values of a cookie: another port of this host may have set one of the same name, for a longer path."""
    # Not http.cookies: it gives up at the first odd cookie, and every server of this host may have set some.
    for each in header.split(";"):
        key, _, value = each.strip().partition("=")
        if key == name:
            yield value
