"""Watches something on the platform until it has ended: a live table on a terminal, a line per change elsewhere."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import click

from iot_northbound.cli.calls.fields import columns_of
from iot_northbound.cli.context import Session
from iot_northbound.cli.output import plain, table_of, text_at
from iot_northbound.cli.wording import printable
from iot_northbound.services.waiting import Polling, wait_until

WATCH_FORMATS = ("table", "jsonl")
timeout_option = click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="how long to watch at most; by default to the end"
)
every_option = click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="the pause between two looks; a look is a call or more",
)


@attrs.frozen
class Seen:
    """What one look has found."""

    rows: tuple[Any, ...]
    """DTOs."""
    ended: bool
    title: str = ""
    """The state of the whole, if the rows are its parts."""


def watch(
    session: Session,
    look: Callable[[], Seen],
    *,
    key: str,
    columns: Sequence[str],
    what: str,
    timeout: float | None,
    every: float,
) -> Seen:
    """Show what is found until it has ended, and return it.

    Args:
        session: Where to show it.
        look: Looks once.
        key: The column that tells rows apart.
        columns: The columns of the table.
        what: The thing in words, for the error if it does not end in time.
        timeout: Seconds until this ends with an error; None for no limit.
        every: Seconds between two looks.

    Raises:
        WaitTimeoutError: It has not ended in time (1003).
    """
    with _shown(session, key, columns) as show:
        return wait_until(
            look,
            lambda seen: seen.ended,
            what=what,
            endpoint="",
            timeout=math.inf if timeout is None else timeout,
            polling=Polling(start=every, factor=1.0, cap=every),
            clock=session.client.clock,
            on_progress=show,
        )


@contextlib.contextmanager
def _shown(session: Session, key: str, columns: Sequence[str]) -> Iterator[Callable[[Seen], None]]:
    if session.output.for_people and sys.stdout.isatty():
        from rich.console import Console
        from rich.live import Live

        console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            yield lambda seen: live.update(_table(seen, columns), refresh=True)
        return
    before: dict[str, Any] = {}
    title = ""

    def tell(seen: Seen) -> None:
        nonlocal title
        if seen.title != title and session.output.for_people:
            title = seen.title
            print(printable(title), flush=True)
        for row in map(plain, seen.rows):
            name = text_at(row, key)
            if before.get(name) == row:
                continue
            before[name] = row
            if session.output.for_people:
                print(printable("  ".join(text_at(row, each) for each in columns)), flush=True)
            else:
                session.output.rows([row], ())

    yield tell


def _table(seen: Seen, columns: Sequence[str]) -> Any:
    table = table_of([plain(row) for row in seen.rows], columns_of(columns))
    table.caption = printable(seen.title) or None
    return table
