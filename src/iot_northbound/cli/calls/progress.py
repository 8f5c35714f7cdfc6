"""The bar of a job on many rows: how many are done, the rate and the remaining time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iot_northbound.bulk import BulkProgress


@contextlib.contextmanager
def bar() -> Iterator[Callable[[BulkProgress], None] | None]:
    """Show a bar on stderr while the block runs, if that is a terminal; yield what moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    text = "{task.fields[failed]} failed  {task.fields[rate]:.1f} per second  {task.fields[left]}"
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(text))
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as shown:
        task = shown.add_task("", total=None, failed=0, rate=0.0, left="")

        def move(now: BulkProgress) -> None:
            left = "" if now.remaining is None else f"{_time(now.remaining)} left"
            done = now.done + now.failed
            shown.update(task, completed=done, total=now.total, failed=now.failed, rate=now.rate, left=left)

        yield move


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
