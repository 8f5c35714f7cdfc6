"""Reads a paged query from its first item to its last, while the list may change.

The platform numbers its pages, so items move to other pages when the list changes between two requests. A walk follows
these rules:

- Each item comes once, even if pages repeat it. Its id identifies it; history rows have no id, see below.
- Added items move known ones to later pages, and these are skipped. The added items may come or not.
- Removed items move unread ones to earlier pages. If the total becomes smaller, the walk goes back as many pages as
  necessary. If as many items are added as removed between the same two requests, the walk cannot notice it, and an item
  can be missed.
- The walk ends at the total, at an empty page, or at the latest after twice the first total. If pages bring nothing new
  although there should be more, it ends with an error, not with a short result.
- Items that cannot be read are left out, with a warning in the log. They still count for the end of a page.
- Without a total (some platforms leave it null) the walk ends at an empty page, or after two pages that repeat.

History rows have no id, and two equal rows can both be real. They count as repeats only if pages must overlap: as many
rows at the beginning as the total has grown, or as were read again.
"""

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import attrs

from iot_northbound.core.budget import bulk
from iot_northbound.core.wire import ShapeError, sent_items
from iot_northbound.errors import InvalidArgumentError, NorthApiException, SdkCode, UnreadableAnswerError

Query = TypeVar("Query")
Answer = TypeVar("Answer")
Item = TypeVar("Item")
log = logging.getLogger("iot_northbound")


@attrs.frozen(kw_only=True)
class Paged(Generic[Answer, Item]):
    """Where the answers of one query have their items."""

    items: Callable[[Answer], Sequence[Item] | None]
    total: Callable[[Answer], int | None]
    key: Callable[[Item], Hashable]
    """Returns what identifies an item; None if nothing identifies it, and then it is kept."""
    unique: bool = True
    """Whether items with equal keys are always the same item; False for history rows."""
    page_size: int
    """How many items are read at once, if the caller does not say it."""
    past_the_end: frozenset[str] = frozenset()
    """Error codes that the platform may use for a page after the last one."""

    def walk(self, ask: Callable[[Query], Answer], query: Query) -> Iterator[Item]:
        """Yield the items of every page, from the query's own page (or 0) to the last.

        A page is read when its first item is needed. The query itself is not changed. If it has a page size, this is
        used.

        Raises:
            UnreadableAnswerError: pages bring nothing new although the platform says there is more, or an answer has
                something else than a list in its place (1004).
            NorthApiException: a request failed. The items before it are valid.
        """
        first = number = int(_field(query, "page_no") or 0)
        size = int(_field(query, "page_size") or self.page_size)
        progress = _Progress(unique=self.unique)
        width = 0  # the longest page so far, which is what the platform makes of `size`
        first_total: int | None = None
        last_total: int | None = None
        while True:
            try:
                with bulk():
                    answer = ask(_page_of(query, number, size))
            except NorthApiException as refusal:
                if refusal.error_code not in self.past_the_end or number == first:
                    raise
                if last_total is None or number * width >= last_total or progress.stuck:
                    return
                progress.step_back(width)  # the list has become shorter; the page before shows by how much
                number -= 1
                continue
            rows, total = self.items(answer), self.total(answer)
            sent, rows = _sent(answer, rows, query), list(rows or ())
            change = 0 if total is None or last_total is None else total - last_total
            last_total = last_total if total is None else total
            if change < 0 and number > first and not progress.stuck:
                back = min(number - first, -(change // width))  # rounded up
                progress.step_back(back * width)
                number -= back
                continue
            progress.allow_repeats(change)
            yield from progress.fresh(rows, [self.key(row) for row in rows], sent, counted=total is not None)
            if not sent:
                return
            if first_total is None and total is not None:
                first_total = total
                if number == 0 and len(sent) < min(size, total):
                    # A platform that limits its pages may count offsets by its limit or by the requested size. If the
                    # limit is requested, both are the same.
                    size = len(sent)
            width = max(width, len(sent))
            if total is None:
                if progress.barren > 1 and len(sent) == len(rows):
                    return
                if progress.barren > 1:
                    raise UnreadableAnswerError(
                        SdkCode.UNREADABLE,
                        f"the pages up to number {number} have the same unreadable items: it is not certain whether "
                        "there are more behind them",
                    )
            elif progress.stuck:
                raise UnreadableAnswerError(
                    SdkCode.UNREADABLE,
                    f"{progress.barren} pages up to number {number} brought nothing new, though the platform counts "
                    f"{total} items and {progress.yielded} were read: it repeats pages, or the list changes faster "
                    "than it can be read. Make the query narrower",
                )
            elif not progress.barren and number * width + len(sent) >= total:
                return
            if first_total is not None and progress.yielded >= 2 * first_total + size:
                return
            number += 1


class _Progress:
    """What a walk has seen, and so which rows of the next page are new."""

    def __init__(self, *, unique: bool) -> None:
        self.yielded = 0
        self.barren = 0
        """How many requests in a row brought nothing new."""
        self._unique = unique
        self._seen: set[Hashable] = set()
        self._unread: set[str] = set()
        """Pages with items that cannot be read."""
        self._fruitful = 0
        self._last: Sequence[Any] = ()
        self._repeats = 0
        """How many rows at the beginning may be repeats, if equal rows can both be real."""

    @property
    def stuck(self) -> bool:
        """Whether more pages repeat than a shift of everything read so far can explain, with some tolerance."""
        return self.barren > self._fruitful + 10

    def allow_repeats(self, rows: int) -> None:
        self._repeats += max(rows, 0)

    def step_back(self, rows: int) -> None:
        self.barren += 1
        self.allow_repeats(rows)

    def fresh(
        self, rows: Sequence[Item], keys: Sequence[Hashable], sent: Sequence[Any], *, counted: bool
    ) -> Iterator[Item]:
        """Yield the rows that were not seen before. `counted` says whether the platform sends a total.

        `sent` is the page as it came, if it has items that are not rows; else the rows.
        """
        unread = len(sent) - len(rows)
        known = not unread and all(key is not None and key in self._seen for key in keys)
        if not counted and (sent == self._last or known):
            self._repeats = len(rows)  # without a total, a page with only known rows is a repeat
        self._last = sent
        found = False
        if unread and repr(sent) not in self._unread:
            self._unread.add(repr(sent))
            self.yielded += unread
            found = True
            self.barren, self._fruitful = 0, self._fruitful + 1
        for row, key in zip(rows, keys, strict=True):
            if key in self._seen and (key is not None or (not counted and self._repeats)):
                if self._unique:
                    continue
                if self._repeats > 0:
                    self._repeats -= 1
                    continue
            if not found:
                found, self._repeats = True, 0
                self.barren, self._fruitful = 0, self._fruitful + 1
            self._seen.add(key)
            self.yielded += 1
            yield row
        if not found:
            self.barren += 1


def _sent(answer: Any, rows: Sequence[Any] | None, query: Any) -> Sequence[Any]:
    """Return a page's items, as they came if some of them cannot be read; the log says which."""
    try:
        sent = sent_items(answer, rows)
    except ShapeError as error:
        raise UnreadableAnswerError(SdkCode.UNREADABLE, f"in a page of {type(query).__name__}, {error}") from None
    if unread := len(sent) - len(rows or ()):
        log.warning("%s: %d of a page's %d items cannot be read: left out", type(query).__name__, unread, len(sent))
    return sent


def _field(query: Any, name: str) -> Any:
    try:
        return getattr(query, name)
    except AttributeError:
        raise InvalidArgumentError.of("the query", type(query).__name__, "it must be the method's query DTO") from None


def _page_of(query: Query, number: int, size: int) -> Query:
    # Type checkers do not know that the DTO decorators make attrs classes, so this uses Any.
    page: Any = query
    evolved: Query = attrs.evolve(page, page_no=number, page_size=size)
    return evolved
