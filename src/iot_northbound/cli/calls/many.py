"""Commands for many devices from a file: a bar, a journal to go on after an abort, and a file with the results."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from iot_northbound.cli.calls.asking import confirm, count_of
from iot_northbound.cli.calls.progress import bar
from iot_northbound.cli.command import refuse
from iot_northbound.cli.connection import path_of
from iot_northbound.cli.context import Session
from iot_northbound.cli.exits import Exit
from iot_northbound.cli.output import harmless

if TYPE_CHECKING:
    from iot_northbound.bulk import Bulk, BulkReport

_JOURNAL = "file that keeps what is done, to go on after an abort; by default beside FILE, until every row is done"
_RESULTS = "file for the result of each row, CSV or .jsonl; only you can read it"
_PARTS = ("", "-owner", "-shm", "-wal")
"""The files of a journal: its own, and those that SQLite and its owner have beside it."""
_START = 1 << 24
_FAILURES = 20
"""Failed rows that are shown; the file with the results has all."""


@attrs.frozen
class Many:
    """How a job on many rows is done.

    Attributes:
        source: the file with the rows; None if the rows are arguments, `-` for the standard input.
        form: "csv" or "jsonl"; None if the name of the file says it.
        journal: the journal, if it is not beside the file.
        results: where the results go.
        threads: calls at the same time.
        dry_run: whether rows are only checked.
        max_failures: stop when more rows have failed.
    """

    source: str | None
    form: str | None
    journal: Path | None
    results: Path | None
    threads: int
    dry_run: bool
    max_failures: int | None


def many_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `many`, which its options describe; `source` comes from the command itself."""

    @click.option("--form", type=click.Choice(("csv", "jsonl")), help="what the file is, if its name does not say it")
    @click.option("--journal", type=Path, metavar="FILE", help=_JOURNAL)
    @click.option("--results", type=Path, metavar="FILE", help=_RESULTS)
    @click.option(
        "--threads", type=click.IntRange(1, 1000), default=8, show_default=True, help="calls at the same time"
    )
    @click.option("--dry-run", is_flag=True, help="only check the rows; nothing is sent")
    @click.option("--max-failures", type=click.IntRange(0), metavar="N", help="stop when more rows have failed")
    @functools.wraps(function)
    def run(*args: Any, source: str | None, **given: Any) -> Any:
        own = {field.name: given.pop(field.name) for field in attrs.fields(Many) if field.name != "source"}
        return function(*args, many=Many(source, **own), **given)

    return run


def run_job(
    session: Session,
    many: Many,
    job: str,
    method: Callable[[Bulk], Callable[..., BulkReport[Any]]],
    ids: Sequence[str] = (),
    *,
    question: str = "",
    yes: bool = True,
) -> Exit:
    """Do a job on all rows, show what failed, and return the exit status.

    Args:
        session: the running command.
        many: how it is done.
        job: the job's name, for its file.
        method: returns the method of `client.bulk`; called after the file is opened, because a client logs in.
        ids: the rows, if they are arguments.
        question: what is asked before, with the number of rows in place of {}; empty for no question.
        yes: whether the question is answered.
    """
    from iot_northbound.bulk import BulkInterrupted, BulkStoppedError

    journal = _journal(many)
    if many.results is not None and many.results.exists() and not (journal and journal.exists()) and not many.dry_run:
        refuse(f"{many.results} exists: give other --results, or move it away")
    rows: Iterable[Any] = list(ids) if many.source is None else _Rows(many, job)
    if question and not many.dry_run:
        rows = list(rows)
        confirm(question.format(count_of(len(rows), "device")), yes=yes or len(rows) == 1)
    try:
        with bar() as show:
            report = method(session.client.bulk)(
                rows,
                journal=journal,
                threads=many.threads,
                dry_run=many.dry_run,
                max_failures=many.max_failures,
                progress=show,
            )
    except BulkInterrupted as interrupted:
        _tell(session, many, interrupted.report)
        _tell_how_to_go_on(session, many, journal)
        return Exit.INTERRUPTED
    except BulkStoppedError as stopped:
        _tell(session, many, stopped.report)
        _tell_how_to_go_on(session, many, journal)
        raise (stopped.__cause__ or stopped) from None
    _tell(session, many, report)
    if report.failed:
        return Exit.FAILED
    if journal is not None and not many.dry_run and many.journal is None:
        for suffix in _PARTS:
            journal.with_name(journal.name + suffix).unlink(missing_ok=True)
    return Exit.DONE


def _journal(many: Many) -> Path | None:
    if many.journal is not None or many.source in (None, "-"):
        return many.journal
    return path_of(f"{many.source}.journal")


class _Rows:
    """The rows of a file, and how many there may be at most, for the remaining time."""

    def __init__(self, many: Many, job: str) -> None:
        from iot_northbound.bulk.files import read_rows
        from iot_northbound.errors import InvalidArgumentError

        path = None if many.source == "-" else path_of(many.source or "")
        source = sys.stdin.buffer if path is None else path
        try:
            self._rows = read_rows(source, job, many.form)  # type: ignore[arg-type]  # click has checked the words
        except InvalidArgumentError as error:  # the file cannot be opened, or its header is wrong
            refuse(error.error_desc)
        self._lines = 0 if path is None else _lines(path)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def __length_hint__(self) -> int:
        return self._lines


def _lines(path: Path) -> int:
    """Return about how many lines a file has, from its beginning."""
    if not path.is_file():
        return 0  # what is read from a pipe is gone
    try:
        with path.open("rb") as file:
            start = file.read(_START)
        size = path.stat().st_size
        return max(start.count(b"\n") * max(size, 1) // max(len(start), 1) - 1, 0)
    except OSError:
        return 0


def _tell(session: Session, many: Many, report: BulkReport[Any]) -> None:
    from iot_northbound.bulk.files import private_file, write_results

    for number, result in enumerate(report.failed):
        if number == _FAILURES:
            session.output.note(f"… and {len(report.failed) - _FAILURES:,} more")
            break
        name = f"row {result.row} ({result.key})" if result.key else f"row {result.row}"
        session.output.note(f"{name}: {result.error}")
    if many.results is not None and not many.dry_run:
        with private_file(many.results) as file:
            write_results(file, report, "jsonl" if many.results.suffix == ".jsonl" else "csv")
    told = {"done": len(report.done), "failed": len(report.failed), "resumed": report.resumed}
    verb = "good" if many.dry_run else "done"
    lines = {
        verb: f"{len(report.done):,} rows" + (f", {report.resumed:,} of them before" if report.resumed else ""),
        "failed": f"{len(report.failed):,} rows" if report.failed else "",
        "results": str(many.results) if many.results is not None and not many.dry_run else "",
    }
    session.output.item(told, lines)


def _tell_how_to_go_on(session: Session, many: Many, journal: Path | None) -> None:
    if many.dry_run:
        return
    if journal is None:
        session.output.note("give --journal FILE next time, to go on where it stopped")
    else:
        session.output.note(f"run the same command again to go on: {journal} knows what is done")


@contextlib.contextmanager
def written(path: str) -> Iterator[Any]:
    """Open a file for results; `-` is the standard output."""
    from iot_northbound.bulk.files import private_file

    if path == "-":
        yield harmless(sys.stdout)
        return
    with private_file(path) as file:
        yield file
