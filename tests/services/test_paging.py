from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.errors import InvalidArgumentError, NotFoundError, UnreadableAnswerError
from iot_northbound.services.paging import Paged


@attrs.define
class Query:
    page_no: int | None = None
    page_size: int | None = None
    name: str | None = None


@attrs.define
class Answer:
    rows: list[Any] | None
    total: int | None


@attrs.define
class Platform:
    """A paged list that changes between two requests as its script says."""

    rows: list[Any]
    script: list[Callable[[list[Any]], None]] = attrs.Factory(list)
    cap: int | None = None
    offsets_by_cap: bool = True
    counts: bool = True
    ignores_page_no: bool = False
    refuses_past_the_end: bool = False
    asked: list[Query] = attrs.Factory(list)

    def ask(self, query: Query) -> Answer:
        if self.asked and self.script:
            self.script.pop(0)(self.rows)
        self.asked.append(query)
        assert query.page_no is not None
        assert query.page_size is not None
        width = min(query.page_size, self.cap or query.page_size)
        start = query.page_no * (width if self.offsets_by_cap else query.page_size)
        if self.ignores_page_no:
            start = 0
        if self.refuses_past_the_end and start > 0 and start >= len(self.rows):
            raise InvalidArgumentError("123029", "out of range", http_status_code=400)
        return Answer(self.rows[start : start + width], len(self.rows) if self.counts else None)


def paged(*, unique: bool = True, past_the_end: frozenset[str] = frozenset()) -> Paged[Answer, Any]:
    return Paged(
        items=lambda answer: answer.rows,
        total=lambda answer: answer.total,
        key=lambda row: row,
        unique=unique,
        page_size=10,
        past_the_end=past_the_end,
    )


def read(platform: Platform, query: Query | None = None, **kind: Any) -> list[Any]:
    return list(paged(**kind).walk(platform.ask, query or Query()))


class TestAListThatStays:
    @given(
        rows=st.integers(0, 60),
        size=st.integers(1, 25),
        cap=st.none() | st.integers(1, 25),
        offsets_by_cap=st.booleans(),
        counts=st.booleans(),
        unique=st.booleans(),
    )
    def test_is_read_whole_and_in_order(
        self, rows: int, size: int, cap: int | None, offsets_by_cap: bool, counts: bool, unique: bool
    ) -> None:
        # Without a count nobody can tell a capped page from the last one, so offsets must go by the cap there.
        platform = Platform(list(range(rows)), cap=cap, offsets_by_cap=offsets_by_cap or not counts, counts=counts)
        assert read(platform, Query(page_size=size), unique=unique) == list(range(rows))

    def test_costs_no_request_more_than_it_has_pages(self) -> None:
        platform = Platform(list(range(30)))
        assert len(read(platform)) == 30
        assert [query.page_no for query in platform.asked] == [0, 1, 2]

    def test_of_one_page_costs_one_request(self) -> None:
        platform = Platform(list(range(10)))
        assert len(read(platform)) == 10
        assert len(platform.asked) == 1

    def test_is_asked_for_only_as_far_as_it_is_wanted(self) -> None:
        platform = Platform(list(range(100)))
        walk = paged().walk(platform.ask, Query())
        assert platform.asked == []
        assert list(islice(walk, 10)) == list(range(10))
        assert len(platform.asked) == 1
        assert next(walk) == 10
        assert len(platform.asked) == 2

    def test_is_read_from_the_page_and_with_the_size_the_query_names_and_leaves_the_query_alone(self) -> None:
        platform = Platform(list(range(20)))
        query = Query(page_no=2, page_size=4, name="kept")
        assert read(platform, query) == list(range(8, 20))
        assert query == Query(page_no=2, page_size=4, name="kept")
        assert {asked.name for asked in platform.asked} == {"kept"}

    def test_keeps_equal_history_rows(self) -> None:
        rows = ["a", "a", "b", "a", "a", "a", "c", "c"]
        assert read(Platform(list(rows)), Query(page_size=2), unique=False) == rows

    def test_keeps_items_without_an_id(self) -> None:
        assert read(Platform([None, None, "a", None]), Query(page_size=2)) == [None, None, "a", None]

    def test_may_leave_its_items_null(self) -> None:
        assert list(paged().walk(lambda _: Answer(None, None), Query())) == []

    def test_passes_errors_on(self) -> None:
        def ask(query: Query) -> Answer:
            if query.page_no:
                raise NotFoundError("100403", "gone")
            return Answer(list(range(10)), 20)

        walk = paged().walk(ask, Query())
        assert list(islice(walk, 10)) == list(range(10))
        with pytest.raises(NotFoundError):
            next(walk)


def insert(where: float, what: list[Any]) -> Callable[[list[Any]], None]:
    def change(rows: list[Any]) -> None:
        at = round(where * len(rows))
        rows[at:at] = what

    return change


def remove(where: float, many: int) -> Callable[[list[Any]], None]:
    def change(rows: list[Any]) -> None:
        at = round(where * len(rows))
        del rows[at : at + many]

    return change


@st.composite
def scripts(draw: st.DrawFn, *, adds: bool = True, removes: bool = True) -> list[Callable[[list[Any]], None]]:
    """Changes between requests: each one only adds, or only removes, somewhere in the list."""
    changes = []
    for number in range(draw(st.integers(0, 6))):
        where = draw(st.floats(0, 1))
        if adds and (not removes or draw(st.booleans())):
            changes.append(insert(where, [f"{number}.{i}" for i in range(draw(st.integers(1, 4)))]))
        else:
            changes.append(remove(where, draw(st.integers(1, 4))))
    return changes


class TestAListThatChanges:
    @given(rows=st.integers(0, 40), size=st.integers(1, 10), script=scripts(removes=False))
    def test_and_only_grows_gives_all_it_held_at_the_start_once(
        self, rows: int, size: int, script: list[Callable[[list[Any]], None]]
    ) -> None:
        found = read(Platform(list(range(rows)), script), Query(page_size=size))
        assert len(found) == len(set(found))
        if rows >= 24:  # 6 additions of 4 at most: less than what the walk stops at
            assert set(found) >= set(range(rows))

    @given(rows=st.integers(0, 40), size=st.integers(1, 10), script=scripts(adds=False), refuses=st.booleans())
    def test_and_only_shrinks_gives_all_that_stays_once(
        self, rows: int, size: int, script: list[Callable[[list[Any]], None]], refuses: bool
    ) -> None:
        platform = Platform(list(range(rows)), script, refuses_past_the_end=refuses)
        found = read(platform, Query(page_size=size), past_the_end=frozenset({"123029"}))
        assert len(found) == len(set(found))
        assert set(found) >= set(platform.rows)

    @given(rows=st.integers(24, 40), size=st.integers(1, 10), script=scripts())
    def test_either_way_in_turn_gives_all_that_stays_once(
        self, rows: int, size: int, script: list[Callable[[list[Any]], None]]
    ) -> None:
        platform = Platform(list(range(rows)), script)
        found = read(platform, Query(page_size=size))
        assert len(found) == len(set(found))
        assert set(found) >= set(platform.rows) & set(range(rows))

    @given(
        rows=st.integers(0, 20),
        size=st.integers(1, 6),
        counts=st.booleans(),
        changes=st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.integers(0, 12)), min_size=1, max_size=5),
        unique=st.booleans(),
    )
    def test_for_ever_and_in_any_way_ends_all_the_same(
        self, rows: int, size: int, counts: bool, changes: list[tuple[bool, float, int]], unique: bool
    ) -> None:
        class Restless(list[Any]):
            """A script without an end: the same changes round and round, with new items each time."""

            served = 0

            def pop(self, _: Any = None) -> Callable[[list[Any]], None]:
                self.served += 1
                adding, where, many = changes[self.served % len(changes)]
                # Without a count, a list that grows by a page a request is endless news; one that grows by less ends.
                fresh = [f"{self.served}.{i}" for i in range(many if counts else min(many, size - 1))]
                return insert(where, fresh) if adding else remove(where, many)

        platform = Platform(list(range(rows)), Restless([None]), counts=counts)
        try:
            found = read(platform, Query(page_size=size), unique=unique)
        except UnreadableAnswerError:
            pass
        else:
            assert not unique or len(found) == len(set(found))
        assert len(platform.asked) < 1000

    def test_by_deleting_what_it_gives_is_emptied(self) -> None:
        platform = Platform(list(range(95)))
        for row in paged().walk(platform.ask, Query()):
            platform.rows.remove(row)
        assert platform.rows == []

    def test_by_deleting_every_other_item_gives_them_all(self) -> None:
        platform = Platform(list(range(95)), refuses_past_the_end=True)
        found = []
        for row in paged(past_the_end=frozenset({"123029"})).walk(platform.ask, Query()):
            found.append(row)
            if row % 2:
                platform.rows.remove(row)
        assert found == list(range(95))

    def test_does_not_hide_an_error_of_the_first_page(self) -> None:
        def ask(_: Query) -> Answer:
            raise InvalidArgumentError("123029", "out of range", http_status_code=400)

        with pytest.raises(InvalidArgumentError):
            list(paged(past_the_end=frozenset({"123029"})).walk(ask, Query(page_no=3)))


class TestAHistoryThatChanges:
    @given(
        rows=st.lists(st.sampled_from("abc"), min_size=1, max_size=40),
        size=st.integers(1, 10),
        bursts=st.lists(st.integers(0, 3), max_size=5),
    )
    def test_at_its_front_gives_each_row_it_held_once_twins_included(
        self, rows: list[str], size: int, bursts: list[int]
    ) -> None:
        # A burst longer than what has been read cannot be told from the rows themselves.
        script = [insert(0.0, [f"new {n}"] * min(many, size)) for n, many in enumerate(bursts)]
        found = read(Platform(list(rows), script), Query(page_size=size), unique=False)
        kept = Counter(row for row in found if not row.startswith("new"))
        if sum(bursts) <= len(rows):
            assert kept == Counter(rows)

    @given(rows=st.integers(1, 40), size=st.integers(1, 10), bursts=st.lists(st.integers(0, 3), max_size=5))
    def test_at_its_end_gives_each_row_once(self, rows: int, size: int, bursts: list[int]) -> None:
        script = [insert(1.0, [f"{n}.{i}" for i in range(many)]) for n, many in enumerate(bursts)]
        found = read(Platform(list(range(rows)), script), Query(page_size=size), unique=False)
        assert len(found) == len(set(found))
        assert found[:rows] == list(range(rows))

    @given(rows=st.integers(1, 40), size=st.integers(1, 10), script=scripts(adds=False))
    def test_by_losing_rows_gives_those_that_stay_once(
        self, rows: int, size: int, script: list[Callable[[list[Any]], None]]
    ) -> None:
        platform = Platform(list(range(rows)), script)
        found = read(platform, Query(page_size=size), unique=False)
        assert len(found) == len(set(found))
        assert set(found) >= set(platform.rows)


class TestAPlatformThatDoesNotPage:
    def test_but_gives_everything_is_believed(self) -> None:
        platform = Platform(list(range(50)), ignores_page_no=True, cap=None)
        assert read(platform, Query(page_size=50)) == list(range(50))
        assert len(platform.asked) == 1

    def test_and_does_not_count_is_read_once(self) -> None:
        platform = Platform(list(range(5)), ignores_page_no=True, counts=False)
        assert read(platform) == list(range(5))
        assert len(platform.asked) <= 3

    def test_and_neither_counts_nor_names_its_items_is_read_once(self) -> None:
        platform = Platform([{"id": None, "at": n} for n in range(5)], ignores_page_no=True, counts=False)
        nameless = attrs.evolve(paged(), key=lambda row: row["id"])
        assert list(islice(nameless.walk(platform.ask, Query()), 100)) == platform.rows
        assert len(platform.asked) <= 3

    def test_and_gives_less_than_it_counts_is_an_error_and_no_short_list(self) -> None:
        platform = Platform(list(range(50)), ignores_page_no=True)
        walk = paged().walk(platform.ask, Query())
        assert list(islice(walk, 10)) == list(range(10))
        with pytest.raises(UnreadableAnswerError, match="counts 50 items and 10 were read") as caught:
            next(walk)
        assert caught.value.error_code == "1004"
