"""The journal: the last calls, pushes and MQTT packets, without secrets."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from iot_northbound.emulator.endpoints import names_of

log = logging.getLogger("iot_northbound.emulator")

REDACTED = "***"
_SECRET_NAMES = frozenset(
    name.lower()
    for name in (
        "Authorization", "secret", "accessToken", "refreshToken", "token", "psk", "verifyCode", "password", "pwd",
        "deviceSecret", "masterKey", "key",
    )
)  # fmt: skip

_URL_NAMES = frozenset(("callbackurl", "url"))


def is_secret(name: str) -> bool:
    """Return whether values of this name are secret."""
    return name.lower() in _SECRET_NAMES


def redacted(value: Any) -> Any:
    """Return a copy of JSON without secrets, at any depth: stars are the values of secret keys, and URLs are public."""
    if isinstance(value, Mapping):
        return {name: _redacted_as(name, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return value


def _redacted_as(name: str, value: Any) -> Any:
    if value is not None and is_secret(name):
        return REDACTED
    return public_url(value) if isinstance(value, str) and name.lower() in _URL_NAMES else redacted(value)


def public_url(url: str) -> str:
    """Return a URL without its user part and the values of its query, which may be secret."""
    head, mark, query = url.partition("?")
    scheme, separator, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    names = "&".join(f"{pair.partition('=')[0]}={REDACTED}" for pair in query.split("&")) if query else ""
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}{mark}{names}"


class Journal:
    """The last entries, oldest first. An entry is a JSON object with a growing `seq`.

    Args:
        capacity: How many entries are kept.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self.bodies = False
        """Whether JSON bodies are noted too, redacted. Off by default, since this costs time and memory."""
        self.on_call: Callable[[Mapping[str, Any]], None] | None = None
        """Called with the entry of each call of the API."""
        self._entries: deque[tuple[int, Callable[..., dict[str, Any]], tuple[Any, ...]]] = deque(maxlen=capacity)
        self._seq = count(1)
        self._calls: Counter[tuple[str, str]] = Counter()
        self._dropped = 0
        """The `seq` of the newest entry that had to make room."""
        self.era = 0
        """Grows with `start_over`."""

    def note(self, entry: dict[str, Any], *, era: int | None = None) -> None:
        """Append an entry, unless what it is about began in a former era."""
        if era is not None and era != self.era:
            return
        if entry["kind"] == "call":
            self._calls[entry.get("endpoint") or "", str(entry.get("errorCode") or entry.get("status"))] += 1
        self.note_facts(dict, entry)
        if entry["kind"] == "call" and self.on_call is not None:
            try:
                self.on_call(entry)
            except BaseException:  # sys.exit() too: the call was answered, and its connection must go on
                log.exception("the function for calls failed at %s %s", entry.get("method"), entry.get("path"))

    def note_facts(self, describe: Callable[..., dict[str, Any]], *facts: Any) -> None:
        """Append an entry that `describe` makes of these facts whenever it is read: most entries never are."""
        if len(self._entries) == self._entries.maxlen:
            self._dropped = self._entries[0][0]
        self._entries.append((next(self._seq), describe, facts))

    def entries(
        self, *, kind: str | None = None, endpoint: str | None = None, since: int = 0, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the matching entries, oldest first.

        Args:
            kind: One kind of entries; None for all.
            endpoint: Route as in `PUT /path/{deviceId}`, its path template alone, or `PUT *`.
            since: Only entries whose `seq` is greater.
            limit: The most entries to return, the newest; None: all of them.

        Raises:
            ValueError: All are asked for, and some are gone.
        """
        if limit is None and since < self._dropped:
            raise ValueError(
                f"the journal keeps {self._entries.maxlen:,} entries, and those up to seq {self._dropped} are gone: "
                f"ask for the newest with limit, for those since {self._dropped}, or clear it in time; the counts "
                "of calls are complete"
            )
        found: list[dict[str, Any]] = []
        for entry in map(_described, reversed(self._entries)):
            if entry["seq"] <= since or len(found) == limit:
                break
            if kind is not None and entry["kind"] != kind:
                continue
            if endpoint is not None and ("endpoint" not in entry or endpoint not in names_of(entry["endpoint"] or "")):
                continue
            found.append(entry)
        found.reverse()
        return found

    def calls(self) -> dict[str, dict[str, int]]:
        """Return how many calls there were, by endpoint and by what they were answered: error code, or status."""
        found: dict[str, dict[str, int]] = {}
        for (endpoint, answer), number in sorted(self._calls.items()):
            found.setdefault(endpoint, {})[answer] = number
        return found

    def clear(self) -> None:
        """Forget all entries and counts; the numbering goes on."""
        self._entries.clear()
        self._calls.clear()
        self._dropped = 0

    def start_over(self) -> None:
        """Forget all entries and counts, also of what is still under way, and note no bodies."""
        self.clear()
        self.bodies = False
        self.era += 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_described, list(self._entries))


def _described(noted: tuple[int, Callable[..., dict[str, Any]], tuple[Any, ...]]) -> dict[str, Any]:
    seq, describe, facts = noted
    return {**describe(*facts), "seq": seq}
