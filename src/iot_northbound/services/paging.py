"""Walking a paged query from its first item to its last, while the list may change.

The platform pages by number, so a list that changes between two requests shifts under the reader. What a walk
holds then:

- An item stands in the result once, whatever the pages repeat (its id tells; history rows have none, see below).
- Items added meanwhile push known ones onto later pages: those are skipped. Whether the added ones appear is open.
- Items removed meanwhile pull unread ones onto earlier pages: when the total shrinks, the walk goes back by as
  many pages as that can have been. Removals that are hidden by as many additions between the same two requests
  cannot be seen from outside; an item can be missed then.
- The walk ends: at the total, at an empty page, or at the latest when twice the first total has been read.
  Pages that go on bringing nothing new although there should be more end it with an error, not with a short result.
- Items that cannot be read are left out, with a warning in the log; they count for where a page ends all the same.
- Without a total (some deployments leave it null) the walk ends at an empty page, or after two that repeat.

History rows carry no id, and two equal rows can both be real. They are taken as repeats only where pages must
overlap: as many leading rows as the total has grown by, or as were asked for again.
"""

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import attrs

from iot_northbound.core.wire import ShapeError, sent_items
from iot_northbound.errors import InvalidArgumentError, NorthApiException, SdkCode, UnreadableAnswerError

Query = TypeVar("Query")
Answer = TypeVar("Answer")
Item = TypeVar("Item")
log = logging.getLogger("iot_northbound")


@attrs.frozen(kw_only=True)
class Paged(Generic[Answer, Item]):
    """How one query's answers hold their items."""

    items: Callable[[Answer], Sequence[Item] | None]
    total: Callable[[Answer], int | None]
    key: Callable[[Item], Hashable]
    """What tells two items apart; None from it stands for an item that cannot be told apart, and is kept."""
    unique: bool = True
    """Whether equal keys are always one and the same item; False for history rows."""
    page_size: int
    """Items asked for at once where the caller does not say."""
    past_the_end: frozenset[str] = frozenset()
    """Error codes by which the platform may refuse a page behind the last one."""

    def walk(self, ask: Callable[[Query], Answer], query: Query) -> Iterator[Item]:
        """Yield the items of every page, from the query's own page (0 where it names none) to the last.

        Lazy: a page is asked for when its first item is wanted. The query itself is not changed; its page size
        is kept where it names one.

        Raises:
            UnreadableAnswerError: pages bring nothing new although the platform says there is more, or what should be
                a page's list is none (1004).
            NorthApiException: a request failed; items already yielded stand.
        """
        first = number = int(_field(query, "page_no") or 0)
        size = int(_field(query, "page_size") or self.page_size)
        progress = _Progress(unique=self.unique)
        width = 0  # the longest page so far: what the platform makes of `size`
        first_total: int | None = None
        last_total: int | None = None
        while True:
            try:
                answer = ask(_page_of(query, number, size))
            except NorthApiException as refusal:
                if refusal.error_code not in self.past_the_end or number == first:
                    raise
                if last_total is None or number * width >= last_total or progress.stuck:
                    return
                progress.step_back(width)  # the list has shrunk; the page before tells by how much
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
                    # A platform that caps its pages may count offsets by its cap or by what was asked for; asking
                    # for the cap makes both the same.
                    size = len(sent)
            width = max(width, len(sent))
            if total is None:
                if progress.barren > 1 and len(sent) == len(rows):
                    return
                if progress.barren > 1:
                    raise UnreadableAnswerError(
                        SdkCode.UNREADABLE,
                        f"the pages up to number {number} hold the same unreadable items: nobody can tell whether "
                        "there are more behind them",
                    )
            elif progress.stuck:
                raise UnreadableAnswerError(
                    SdkCode.UNREADABLE,
                    f"{progress.barren} pages up to number {number} brought nothing new, though the platform counts "
                    f"{total} items and {progress.yielded} were read: it repeats pages, or the list changes faster "
                    "than it can be read; narrow the query",
                )
            elif not progress.barren and number * width + len(sent) >= total:
                return
            if first_total is not None and progress.yielded >= 2 * first_total + size:
                return
            number += 1


class _Progress:
    """What a walk has seen, and which rows of the next page are new."""

    def __init__(self, *, unique: bool) -> None:
        self.yielded = 0
        self.barren = 0
        """Requests in a row that brought nothing new."""
        self._unique = unique
        self._seen: set[Hashable] = set()
        self._unread: set[str] = set()
        """Pages with items that cannot be read."""
        self._fruitful = 0
        self._last: Sequence[Any] = ()
        self._repeats = 0
        """How many leading rows may be repeats, where equal rows can both be real."""

    @property
    def stuck(self) -> bool:
        """Whether more is repeated than a shift of everything read so far explains, with room for a lively list."""
        return self.barren > self._fruitful + 10

    def allow_repeats(self, rows: int) -> None:
        self._repeats += max(rows, 0)

    def step_back(self, rows: int) -> None:
        self.barren += 1
        self.allow_repeats(rows)

    def fresh(
        self, rows: Sequence[Item], keys: Sequence[Hashable], sent: Sequence[Any], *, counted: bool
    ) -> Iterator[Item]:
        """Yield the rows not seen before; `counted` tells that the platform says how many there are.

        `sent` is the page as it came, if it has items that are no rows; else the rows.
        """
        unread = len(sent) - len(rows)
        known = not unread and all(key is not None and key in self._seen for key in keys)
        if not counted and (sent == self._last or known):
            self._repeats = len(rows)  # with no count to go by, a page of known rows alone is a repeat
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
    """Return a page's items, as they came if some of them cannot be read; tell the log of these."""
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
    # A type checker does not know the DTO decorators for attrs' own, hence the detour over Any.
    page: Any = query
    evolved: Query = attrs.evolve(page, page_no=number, page_size=size)
    return evolved
