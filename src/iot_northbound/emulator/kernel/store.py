"""Tables of JSON rows with sorted indexes, a change list for durability, and all-or-nothing work.

One Store keeps everything that the platform knows, so a snapshot, a restart and a rollback are one operation each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from iot_northbound._extras import needs_extra

with needs_extra("emulator"):
    from sortedcontainers import SortedList

Row = dict[str, Any]
Change = tuple[str, str, Row | None]
Entry = tuple[Any, ...]
Entries = Any
"""Sorted entries: a list while they are few, a SortedList once they are many."""

FEW = 64


class Index:
    """Rows grouped by the values of some fields, each group in the table's order."""

    __slots__ = ("fields", "groups", "names", "order")

    def __init__(self, fields: tuple[str, ...], order: tuple[str, ...]) -> None:
        self.fields = fields
        self.order = order
        self.names = frozenset((*fields, *order))
        self.groups: dict[tuple[Any, ...], Entries] = {}

    def group_of(self, row: Row) -> tuple[Any, ...]:
        """Return the values that say which group a row is in."""
        return tuple([row.get(name) for name in self.fields])

    def entry_of(self, key: str, row: Row) -> Entry:
        """Return a row's entry in the order of its group."""
        # The order's values come first and the key last: ties are impossible, and a time window is a bisection.
        return (*[row[name] for name in self.order], key)

    def replace(self, key: str, old: Row | None, new: Row | None) -> None:
        """Update the index for a row that is inserted, replaced or deleted."""
        if old is None and new is not None:
            self._add(self.group_of(new), self.entry_of(key, new))
            return
        old_group = None if old is None else self.group_of(old)
        new_group = None if new is None else self.group_of(new)
        old_entry = () if old is None else self.entry_of(key, old)
        new_entry = () if new is None else self.entry_of(key, new)
        if old_group == new_group and old_entry == new_entry:
            return
        if old_group is not None:
            entries = self.groups[old_group]
            if type(entries) is list:
                del entries[bisect_left(entries, old_entry)]
            else:
                entries.remove(old_entry)
            if not entries:
                del self.groups[old_group]
        if new_group is not None:
            self._add(new_group, new_entry)

    def _add(self, group: tuple[Any, ...], entry: Entry) -> None:
        entries = self.groups.get(group)
        if entries is None:
            self.groups[group] = [entry]
        elif type(entries) is not list:
            entries.add(entry)
        elif len(entries) < FEW:
            insort(entries, entry)
        else:
            self.groups[group] = SortedList([*entries, entry])


class _Top:
    """Sorts after everything, whatever its type."""

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True


_TOP = _Top()


class Selection:
    """The rows that share some field values, in the table's order; nothing is copied until it is asked for."""

    __slots__ = ("_entries", "_high", "_low", "_rows")

    def __init__(self, rows: dict[str, Row], entries: Entries, low: int, high: int) -> None:
        self._rows = rows
        self._entries = entries
        self._low = low
        self._high = high

    def __len__(self) -> int:
        return max(0, self._high - self._low)

    def between(self, low: Any = None, high: Any = None) -> Selection:
        """Return the part whose first order field lies in low..high, both ends included; None leaves an end open."""
        entries, start, stop = self._entries, self._low, self._high
        few = type(entries) is list
        if low is not None:
            start = max(start, bisect_left(entries, (low,)) if few else entries.bisect_left((low,)))
        if high is not None:
            last = (high, _TOP)
            stop = min(stop, bisect_right(entries, last) if few else entries.bisect_right(last))
        return Selection(self._rows, entries, start, stop)

    def slice(self, start: int, count: int, *, descending: bool = False) -> list[Row]:
        """Return at most count rows from position start; the cost grows with count, not with the selection."""
        size = len(self)
        first = min(start, size)
        last = min(first + count, size)
        if descending:
            low, high = self._high - last, self._high - first
        else:
            low, high = self._low + first, self._low + last
        rows = self._rows
        found = [rows[entry[-1]] for entry in self._between(low, high)]
        if descending:
            found.reverse()
        return found

    def _between(self, low: int, high: int) -> Iterable[Entry]:
        entries = self._entries
        part: Iterable[Entry] = entries[low:high] if type(entries) is list else entries.islice(low, high)
        return part

    def first(self) -> Row | None:
        """Return the first row, or None."""
        return self._rows[self._entries[self._low][-1]] if len(self) else None

    def keys(self) -> list[str]:
        """Return all keys, in order."""
        return [entry[-1] for entry in self._between(self._low, self._high)]

    def __iter__(self) -> Iterator[Row]:
        return self._each() if self._low < self._high else iter(())

    def _each(self) -> Iterator[Row]:
        # Over a copy of the keys, so that a rule may change or delete the rows on the way.
        for key in self.keys():
            row = self._rows.get(key)
            if row is not None:
                yield row


_NONE = Selection({}, [], 0, 0)
"""What most look-ups find: nothing."""


class Table:
    """JSON rows by key. A row is a value: replace it with `put` or `change`, and never change one in place."""

    __slots__ = ("_indexes", "_is_shuffled", "_log", "name", "order", "rows")

    def __init__(self, name: str, order: tuple[str, ...], log: Callable[[str, str, Row | None], None]) -> None:
        self.name = name
        self.order = order
        self.rows: dict[str, Row] = {}
        self._indexes: dict[tuple[str, ...], Index] = {}
        self._is_shuffled = False
        self._log = log

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, key: str) -> bool:
        return key in self.rows

    def get(self, key: str) -> Row | None:
        """Return the row, or None."""
        return self.rows.get(key)

    def __getitem__(self, key: str) -> Row:
        return self.rows[key]

    def put(self, key: str, row: Row) -> Row:
        """Insert or replace a row; it must have the table's order fields."""
        old = self.rows.get(key)
        self._log(self.name, key, old)
        for index in self._indexes.values():
            index.replace(key, old, row)
        self.rows[key] = row
        return row

    def check(self) -> None:
        """Raise ValueError unless every row has the order's fields, each with values of one kind."""
        for name in self.order:
            kinds = {type(row.get(name)) for row in self.rows.values()}
            if not (kinds <= {int, float} or kinds <= {str}):
                raise ValueError(f"a row of the table {self.name!r} has no {name}, or an odd one")

    def change(self, key: str, **fields: Any) -> Row:
        """Replace a row by itself with some fields changed, and return the new row."""
        old = self.rows[key]
        new = {**old, **fields}
        self._log(self.name, key, old)
        for index in self._indexes.values():
            if not index.names.isdisjoint(fields):
                index.replace(key, old, new)
        self.rows[key] = new
        return new

    def delete(self, key: str) -> Row | None:
        """Remove a row and return it; a missing row is not an error."""
        row = self.rows.get(key)
        if row is not None:
            self._log(self.name, key, row)
            for index in self._indexes.values():
                index.replace(key, row, None)
            del self.rows[key]
        return row

    def where(self, **equal: Any) -> Selection:
        """Return the rows whose fields have these values.

        The index over these fields is built at its first use and kept from then on. So only indexes that are used cost
        memory, and from the second time on a page costs the same for any number of rows.
        """
        if not self.rows:
            return _NONE
        index = self._indexes.get(tuple(equal))
        if index is None:
            return self._where_sorted(equal)
        entries: Entries = index.groups.get(tuple(equal.values()))
        return _NONE if entries is None else Selection(self.rows, entries, 0, len(entries))

    def _where_sorted(self, equal: dict[str, Any]) -> Selection:
        # One index serves all orders in which the fields can be named.
        names = tuple(sorted(equal))
        if names not in self._indexes:
            self._build(names)
        return self.where(**{name: equal[name] for name in names})

    def newest(self) -> Iterator[Row]:
        """Return all rows, the one that was added last first. The rows must have a `seq`."""
        if self._is_shuffled:
            self._is_shuffled = False
            sorted_rows = sorted(self.rows.items(), key=lambda each: each[1]["seq"])
            self.rows.clear()
            self.rows.update(sorted_rows)
        return reversed(self.rows.values())

    def shuffled(self) -> None:
        """Note that rows were added in another order than that in which they were made."""
        self._is_shuffled = True

    def forget_indexes(self) -> None:
        """Drop the indexes; each comes back at its next use."""
        self._indexes.clear()

    def clear(self) -> None:
        """Remove all rows."""
        for key in list(self.rows):
            self.delete(key)

    def _build(self, fields: tuple[str, ...]) -> None:
        index = Index(fields, self.order)
        groups: dict[tuple[Any, ...], list[Entry]] = {}
        for key, row in self.rows.items():
            groups.setdefault(index.group_of(row), []).append(index.entry_of(key, row))
        index.groups = {
            group: sorted(entries) if len(entries) <= FEW else SortedList(entries) for group, entries in groups.items()
        }
        self._indexes[fields] = index


class Store:
    """All tables. Durability, snapshots and rollback see only the changes that are made through it."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        """All tables by name."""
        self._dirty: dict[tuple[str, str], None] = {}
        self._undo: list[Change] | None = None

    def table(self, name: str, order: tuple[str, ...] | None = None) -> Table:
        """Return the table of this name, made at first use; order names its order fields (default: seq)."""
        table = self.tables.get(name)
        if table is None:
            table = self.tables[name] = Table(name, ("seq",) if order is None else order, self._note)
        elif order is not None and order != table.order:
            # The rows were loaded before the table was declared. Indexes are built in this order at their next use.
            table.order = order
            table.forget_indexes()
        return table

    def _note(self, table: str, key: str, old: Row | None) -> None:
        self._dirty[table, key] = None
        if self._undo is not None:
            self._undo.append((table, key, old))

    @property
    def working(self) -> bool:
        """Whether a piece of work is in progress."""
        return self._undo is not None

    def begin(self) -> None:
        """Start a piece of work, which ends with `commit` or with `rollback`."""
        self._undo = []

    def commit(self) -> None:
        """Keep the work since `begin`."""
        self._undo = None

    def rollback(self) -> None:
        """Undo the work since `begin`."""
        undo, self._undo = self._undo or [], None
        for name, key, row in reversed(undo):
            if row is None:
                self.tables[name].delete(key)
            else:
                self.tables[name].put(key, row)

    def take_changes(self) -> list[Change]:
        """Return the changes since the last call, one entry per row (None: deleted), and forget them.

        The durable layer writes these in one transaction before the answer goes out.
        """
        if not self._dirty:
            return []
        dirty, self._dirty = self._dirty, {}
        return [(name, key, self.tables[name].rows.get(key)) for name, key in dirty]

    def load(self, rows: Iterable[tuple[str, str, Row]]) -> None:
        """Replace all rows by stored ones; they count as unchanged.

        Raises:
            ValueError: a row cannot be ordered.
        """
        for table in self.tables.values():
            table.clear()
        for name, key, row in rows:
            self.table(name).put(key, row)
        for table in self.tables.values():
            table.check()
            table.shuffled()
        self._dirty.clear()

    def sizes(self) -> dict[str, int]:
        """Return the number of rows of each table that is not empty, by name."""
        return {name: len(table) for name, table in sorted(self.tables.items()) if len(table)}

    def dump(self) -> dict[str, dict[str, Row]]:
        """Return all rows, table by table. Rows are values, so this needs no deep copy; do not change them."""
        return {name: dict(table.rows) for name, table in self.tables.items()}

    def restore(self, dump: dict[str, dict[str, Row]]) -> None:
        """Replace all rows by those of a dump; the differences count as changes."""
        for name, table in self.tables.items():
            kept = dump.get(name, {})
            for key in [key for key in table.rows if key not in kept]:
                table.delete(key)
        for name, rows in dump.items():
            table = self.table(name)
            table.shuffled()
            for key, row in rows.items():
                if table.rows.get(key) != row:
                    table.put(key, row)
