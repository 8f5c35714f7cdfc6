"""Who waits for which news, and news that came before it was known that somebody waits for them. No I/O, no threads."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from iot_northbound.push.waits.news import ANY_COMMAND, News, Topic
from iot_northbound.push.waits.wait import Wait

MOST_EARLY = 8 << 20
"""Bytes of early news that are kept; then the oldest are dropped, and a look at the platform replaces them."""


class Board:
    """Waits by topic.

    A push can overtake the answer of the call that begins a command, and its id is not known before that answer. So
    while such a call is under way, news about unknown commands are kept.
    """

    def __init__(self, most_early: int = MOST_EARLY) -> None:
        self._most_early = most_early
        self._waits: dict[Topic, list[Wait[Any]]] = {}
        self._early: OrderedDict[Topic, list[News]] = OrderedDict()
        self._size = 0
        self._beginning: set[Wait[Any]] = set()

    @property
    def listens(self) -> bool:
        """Whether any news matter."""
        return bool(self._waits or self._beginning)

    @property
    def early_size(self) -> int:
        """How many bytes of early news are kept."""
        return self._size

    def begin(self, wait: Wait[Any]) -> None:
        """Note that a call is under way that may begin something."""
        self._beginning.add(wait)

    def begun(self, wait: Wait[Any]) -> None:
        """Note that it has returned, or that nobody cares any more; to say so twice does no harm."""
        self._beginning.discard(wait)
        if not self._beginning:
            self._early.clear()
            self._size = 0

    def add(self, wait: Wait[Any]) -> bool:
        """Add a wait whose subject has begun, and tell it the early news; return whether there were any."""
        topic = wait.subject.topic
        self._waits.setdefault(topic, []).append(wait)
        # They stay: somebody else may wait for the same command.
        early = self._early.get(topic, ())
        for news in early:
            wait.hear(news)
        return bool(early)

    def remove(self, wait: Wait[Any], topic: Topic) -> None:
        """Remove a wait, if it is there."""
        waits = self._waits.get(topic, [])
        if wait in waits:
            waits.remove(wait)
            if not waits:
                del self._waits[topic]

    def hear(self, news: News) -> list[Wait[Any]]:
        """Tell news to the waits that they are about; return these."""
        waits = self._waits.get(news.topic, [])
        if not waits and news.topic[0] == "command":
            if self._beginning:
                self._keep(news)
            waits = self._waits.get(ANY_COMMAND, []) if news.is_end else []
        for wait in waits:
            wait.hear(news)
        return list(waits)

    def _keep(self, news: News) -> None:
        kept = self._early.setdefault(news.topic, [])
        for other in [each for each in kept if each.is_end == news.is_end]:
            if other.is_end:
                return
            kept.remove(other)
            self._size -= other.size
        kept.append(news)
        self._size += news.size
        while self._size > self._most_early:
            _, dropped = self._early.popitem(last=False)
            self._size -= sum(each.size for each in dropped)
