"""What a bulk job says: a result per row, the report, the progress, and why it stopped."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import attrs

from iot_northbound.errors import NorthApiException, SdkCode

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class BulkResult(Generic[T]):
    """What became of one row. Its repr shows no secret.

    Attributes:
        row: the row's number, from 1.
        key: the node id or device id of the row; None if the row could not be read.
        input: the row with the names of JSON and without its secret fields; empty if the row could not be read.
        ok: whether it was done.
        value: the platform's answer; None if the call has none, in a dry run, and if the row failed.
        error: why it failed; with `error.outcome_unknown` it may have had an effect all the same.
        seconds: how long its call took, including waits.
    """

    row: int
    key: str | None
    input: Mapping[str, Any]
    ok: bool
    value: T | None = None
    error: NorthApiException | None = None
    seconds: float = 0.0


class Results(Generic[T]):
    """Results in the order of the rows, read again at each iteration. Millions of them need no memory."""

    def __init__(self, count: int, read: Callable[[], Iterator[BulkResult[T]]]) -> None:
        self._count = count
        self._read = read

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[BulkResult[T]]:
        return self._read()


class BulkReport(Results[T]):
    """The results of a job, one per row, in the order of the rows.

    The results come from the journal, so its file must stay as long as they are read. Without a journal they are in a
    temporary file that ends with the report.

    Attributes:
        done: the results of the rows that were done; it has a length.
        failed: the results of the rows that failed; it has a length.
        resumed: how many rows an earlier run with the same journal had done already.
    """

    def __init__(self, done: Results[T], failed: Results[T], all_rows: Results[T], resumed: int) -> None:
        super().__init__(len(all_rows), all_rows.__iter__)
        self.done = done
        self.failed = failed
        self.resumed = resumed

    def __repr__(self) -> str:
        return f"<BulkReport: {len(self.done)} done ({self.resumed} before this run), {len(self.failed)} failed>"


@attrs.frozen(kw_only=True)
class BulkProgress:
    """How far a job is.

    Attributes:
        done: rows that are done, with those of an earlier run.
        failed: rows that failed.
        total: the number of all rows; None if the rows do not say it.
        rate: rows per second in this run.
        remaining: seconds until the end at this rate; None if that is not known.
    """

    done: int
    failed: int
    total: int | None
    rate: float
    remaining: float | None


class BulkStoppedError(NorthApiException):
    """A job stopped before its last row, because of an error that concerns every row. ``__cause__`` is this error.

    Attributes:
        report: what was done until then.
    """

    def __init__(self, error_code: str, error_desc: str, *, report: Any = None, **rest: Any) -> None:
        super().__init__(error_code, error_desc, **rest)
        self.report: BulkReport[Any] = report

    @classmethod
    def of(cls, cause: BaseException, report: "BulkReport[Any]") -> "BulkStoppedError":
        """Return the error for a job that this cause stopped."""
        counts = f"the job stopped ({len(report.done)} rows done, {len(report.failed)} failed)"
        if not isinstance(cause, NorthApiException):
            return cls(SdkCode.CLIENT_INTERNAL, f"{counts}: {type(cause).__name__}: {cause}", report=report)
        return cls(
            cause.error_code,
            f"{counts}: {cause.error_desc}",
            report=report,
            http_status_code=cause.http_status_code,
            endpoint=cause.endpoint,
            retry_after=cause.retry_after,
        )

    @property
    def _explained(self) -> tuple[str, str]:
        cause = self.__cause__
        return (cause.cause, cause.remedy) if isinstance(cause, NorthApiException) else super()._explained


class BulkInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a job. The calls in hand came to their end.

    Attributes:
        report: what was done until then.
    """

    def __init__(self, report: "BulkReport[Any]") -> None:
        super().__init__(f"{len(report.done)} rows done, {len(report.failed)} failed")
        self.report = report
