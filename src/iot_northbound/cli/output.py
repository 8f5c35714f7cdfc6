"""What a command prints: tables for people; JSON, lines of JSON or CSV for programs."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, cast

from iot_northbound.cli.wording import printable, say

if TYPE_CHECKING:
    from rich.table import Table

FORMATS = ("table", "json", "jsonl", "csv")
"""The values of --output."""
_UNSEEN = re.compile(r"[^\x20-\x7e\n]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_WIDE = 100_000
_ID = 36
"""Columns that an id needs."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    """Its title for people."""
    path: str
    """Where its value is: names of JSON with dots between them. It is the title in CSV."""


class Output:
    """Writes results to stdout in the format that --output names, and notes to stderr."""

    def __init__(self, form: str = "table") -> None:
        self.form = form

    @property
    def for_people(self) -> bool:
        """Whether a person reads it, and no program."""
        return self.form not in ("json", "jsonl", "csv")

    def rows(self, items: Iterable[Any], columns: Sequence[Column]) -> int:
        """Write many things: DTOs, or mappings with the names of JSON. Return how many there were.

        JSON has all of their values, a table and CSV those of the columns. Lines of JSON and CSV are written one by
        one, as the items come.
        """
        count = 0
        found: list[Any] = []
        header = [each.path for each in columns]
        for count, value in enumerate(map(plain, items), 1):
            if self.form == "jsonl":
                print(json_text(value), flush=True)
            elif self.form == "csv":
                if count == 1:
                    _csv(header)
                _csv([_at(value, path) for path in header])
            else:
                found.append(value)
        if self.form == "csv" and not count:
            _csv(header)
        elif self.form == "json":
            print(json_text(found, indent=2))
        elif self.for_people and found:
            _table(found, columns)
        elif self.for_people:
            self.note("nothing found")
        return count

    def item(self, value: Any, lines: Mapping[str, str] | None = None) -> None:
        """Write one thing. People see the lines instead, if there are any: names with texts; an empty text is left out.

        Without lines, they see all of its values, with the names of JSON.
        """
        if self.form == "json":
            print(json_text(plain(value), indent=2))
        elif self.form == "jsonl":
            print(json_text(plain(value)))
        elif self.form == "csv":
            flat = dict(_flat(plain(value)))
            _csv(list(flat))
            _csv(list(flat.values()))
        else:
            _lines(lines if lines is not None else {name: _cell(each) for name, each in _flat(plain(value))})

    def note(self, text: str) -> None:
        """Write a line for a person to stderr, so that stdout is only for results."""
        say(text)


def plain(item: Any) -> Any:
    """Return something as values of JSON, with the names of JSON."""
    if isinstance(item, list | tuple):
        return [plain(each) for each in item]
    return item.to_json() if hasattr(item, "to_json") else item


def json_text(value: Any, indent: int | None = None) -> str:
    """Return JSON in which nothing can control a terminal, and letters of all scripts can be read."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    plain_only = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") != "utf8"
    return _UNSEEN.sub(
        lambda found: json.dumps(found[0])[1:-1] if plain_only or not found[0].isprintable() else found[0], text
    )


def safe_cell(value: Any) -> str:
    """Return a value for CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    text = _cell(value)
    is_formula = isinstance(value, str) and text.startswith(_FORMULA) and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text


def harmless(file: TextIO) -> TextIO:
    """Return a file to write to: if it is a terminal, texts cannot control it; others get every character."""
    return cast(TextIO, _Terminal(file)) if file.isatty() else file


class _Terminal:
    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(printable(text, but="\n\t"))


def _csv(cells: Sequence[Any]) -> None:
    csv.writer(harmless(sys.stdout), lineterminator="\n").writerow(map(safe_cell, cells))
    sys.stdout.flush()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(map(_cell, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested objects, with dots in their names."""
    for name, each in value.items() if isinstance(value, Mapping) else [("value", value)]:
        if isinstance(each, Mapping) and each:
            yield from _flat(each, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", each


def _lines(lines: Mapping[str, str]) -> None:
    from rich.cells import cell_len

    told = {name: text for name, text in lines.items() if text}
    widest = max(map(cell_len, told), default=0)
    for name, text in told.items():
        print(printable(f"{name}{' ' * (widest - cell_len(name))}  {text}"))


def text_at(value: Any, path: str) -> str:
    """Return the value at a path, as a cell of a table shows it."""
    return printable(_cell(_at(value, path)))


def table_of(values: Iterable[Any], columns: Sequence[Column], *, wrapped: bool = True) -> Table:
    """Return a table for rich; `wrapped` cells may need several lines."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    rows = [[Text(text_at(value, each.path)) for each in columns] for value in values]
    # The first column is mostly an id: people copy it, so it stays in one piece if the terminal has room for it.
    whole = max((row[0].cell_len for row in rows), default=0) <= _ID
    for number, column in enumerate(columns):
        table.add_column(column.title, no_wrap=not wrapped or (whole and not number), overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _table(values: Sequence[Any], columns: Sequence[Column]) -> None:
    """Print a table: as wide as the terminal, or, for a pipe, as wide as its values."""
    from rich.console import Console

    piped = not sys.stdout.isatty()
    console = Console(file=sys.stdout, width=_WIDE if piped else None, highlight=False, markup=False, emoji=False)
    with console.capture() as written:
        console.print(table_of(values, columns, wrapped=not piped))
    for line in written.get().splitlines():
        print(line.rstrip())
