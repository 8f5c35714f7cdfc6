"""`client.bulk`: registers, changes and deletes many devices, and sends many commands."""

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar, overload

from iot_northbound.bulk.jobs import Client, Delete, Job, Modify, Register, SendCommands
from iot_northbound.bulk.journal import Journal
from iot_northbound.bulk.results import BulkProgress, BulkReport
from iot_northbound.bulk.run import Run
from iot_northbound.core.budget import bulk
from iot_northbound.core.fields import shown
from iot_northbound.dto.device_management import RegDeviceWithSecretOutDTO, RegDirectDeviceOutDTO
from iot_northbound.dto.signal_delivery import PostDeviceCommandOutDTO2
from iot_northbound.errors import InvalidArgumentError

T = TypeVar("T")
Progress = Callable[[BulkProgress], object]
Path = str | os.PathLike[str]
LONGEST_TURN = 15.0
"""How many seconds a call waits for its turn, if no other process shares the limit: the limit of threads follows."""


class Bulk:
    """Jobs on many devices, within the client's limit of calls; calls that are not bulk calls do not wait for them.

    Each job reads its rows one by one, from a list, a generator or a CSV reader, and makes the calls of several rows
    at the same time. It returns a report with one result per row, in the order of the rows. A row that fails does not
    end the job; an error that concerns every row does, with `BulkStoppedError`. Ctrl-C lets the calls in hand end and
    raises `BulkInterrupted`. Both have the report.

    These arguments are the same in every job:

    - `journal`: a file that keeps what was done. Call the same job with the same rows and this file again, and it goes
      on where it stopped, also after a crash: no row is done twice, failed rows are tried again, and a row whose
      outcome is unknown is settled. Only you can read the file. It contains the secrets of new devices: delete it when
      you have them.
    - `threads`: how many calls are made at the same time. With `calls_per_minute` there are fewer, so that no call
      waits long for its turn.
    - `dry_run`: check all rows without a call: the rules of their fields, and duplicates. The journal is not used.
    - `progress`: called in this thread when rows have ended.
    - `max_failures`: stop when more rows than that have failed.
    - `app_id`: the application that authorised this one and owns the devices.

    `bulk` can also be called: ``with client.bulk():`` makes the calls of a block bulk calls. They come evenly, and
    other calls do not wait for them. This matters with `calls_per_minute` only, and holds for this thread or task. The
    methods ``iter_…`` and ``wait_for_…`` make bulk calls by themselves.

    Args:
        client: makes the calls.
        application: host:port/application id of the platform.
        calls_per_minute: the client's limit; None if it has none.
    """

    def __init__(self, client: Client, application: str, calls_per_minute: int | None) -> None:
        self._client = client
        self._application = application
        self._calls_per_minute = calls_per_minute

    def __call__(self) -> AbstractContextManager[None]:
        """Make the calls of a ``with`` block bulk calls."""
        return bulk()

    @overload
    def register(
        self,
        rows: Iterable[Any],
        *,
        mode: Literal["code"] = "code",
        keep_existing: bool = False,
        journal: Path | None = None,
        threads: int = 8,
        dry_run: bool = False,
        progress: Progress | None = None,
        max_failures: int | None = None,
        app_id: str | None = None,
    ) -> BulkReport[RegDirectDeviceOutDTO]: ...

    @overload
    def register(
        self,
        rows: Iterable[Any],
        *,
        mode: Literal["secret"],
        keep_existing: bool = False,
        journal: Path | None = None,
        threads: int = 8,
        dry_run: bool = False,
        progress: Progress | None = None,
        max_failures: int | None = None,
        app_id: str | None = None,
    ) -> BulkReport[RegDeviceWithSecretOutDTO]: ...

    def register(
        self,
        rows: Iterable[Any],
        *,
        mode: Literal["code", "secret"] = "code",
        keep_existing: bool = False,
        journal: Path | None = None,
        threads: int = 8,
        dry_run: bool = False,
        progress: Progress | None = None,
        max_failures: int | None = None,
        app_id: str | None = None,
    ) -> BulkReport[Any]:
        """Register devices and return their ids and codes or secrets.

        A row whose outcome is unknown is looked up by its node id at the end: the list of devices is read once for all
        of them, one call per 250 devices. If the device is there, the row is done, and its value has the id only: the
        code was in the lost answer. If not, the row is sent again.

        Args:
            rows: a `RegDirectDeviceInDTO2` or, in secret mode, a `RegDeviceWithSecretInDTO` per device; or a mapping
                with their fields, see `iot_northbound.bulk.rows`.
            mode: "code" registers with a verification code (1.4.1), "secret" with a password (1.4.2).
            keep_existing: whether a node id that is registered already is a success, with the id of that device.
            journal: see `Bulk`, also for the other arguments.
            threads: calls at the same time.
            dry_run: only check the rows.
            progress: called when rows have ended.
            max_failures: stop when more rows than that have failed.
            app_id: the owner of the devices.

        Raises:
            BulkStoppedError: an error concerns every row: the login is refused, the platform cannot be reached, or
                there is no room for more devices (100412, 103028, 103026).
            BulkInterrupted: Ctrl-C.
            InvalidArgumentError: an argument, or the journal, cannot be used (1007).
        """
        if mode not in ("code", "secret"):
            raise InvalidArgumentError.of("mode", shown(mode), "it must be 'code' or 'secret'")
        job = Register(self._client, app_id, secret_mode=mode == "secret", keep_existing=keep_existing)
        return self._run(job, rows, journal, threads, dry_run, progress, max_failures)

    def delete(
        self,
        rows: Iterable[Any],
        *,
        cascade: bool | None = None,
        journal: Path | None = None,
        threads: int = 8,
        dry_run: bool = False,
        progress: Progress | None = None,
        max_failures: int | None = None,
        app_id: str | None = None,
    ) -> BulkReport[None]:
        """Delete devices.

        A row whose outcome is unknown is sent again at the end; if the device is not there any more, the row is done.

        Args:
            rows: device ids, devices of `iter_devices`, or mappings with `deviceId`.
            cascade: as in `delete_direct_device`, for gateways.
            journal: see `Bulk`, also for the other arguments.
            threads: calls at the same time.
            dry_run: only check the rows.
            progress: called when rows have ended.
            max_failures: stop when more rows than that have failed.
            app_id: the owner of the devices.

        Raises:
            BulkStoppedError: an error concerns every row.
            BulkInterrupted: Ctrl-C.
            InvalidArgumentError: an argument, or the journal, cannot be used (1007).
        """
        job = Delete(self._client, app_id, cascade=cascade)
        return self._run(job, rows, journal, threads, dry_run, progress, max_failures)

    def modify(
        self,
        rows: Iterable[Any],
        *,
        journal: Path | None = None,
        threads: int = 8,
        dry_run: bool = False,
        progress: Progress | None = None,
        max_failures: int | None = None,
        app_id: str | None = None,
    ) -> BulkReport[None]:
        """Change the data of devices. Fields that are left out do not change.

        A row whose outcome is unknown is sent again at the end: the same change twice is one change.

        Args:
            rows: pairs of a device id and a `ModifyDeviceInforInDTO`, or mappings with `deviceId` and its fields.
            journal: see `Bulk`, also for the other arguments.
            threads: calls at the same time.
            dry_run: only check the rows.
            progress: called when rows have ended.
            max_failures: stop when more rows than that have failed.
            app_id: the owner of the devices.

        Raises:
            BulkStoppedError: an error concerns every row.
            BulkInterrupted: Ctrl-C.
            InvalidArgumentError: an argument, or the journal, cannot be used (1007).
        """
        return self._run(Modify(self._client, app_id), rows, journal, threads, dry_run, progress, max_failures)

    def send_commands(
        self,
        rows: Iterable[Any],
        *,
        resend_unknown: bool = False,
        journal: Path | None = None,
        threads: int = 8,
        dry_run: bool = False,
        progress: Progress | None = None,
        max_failures: int | None = None,
        app_id: str | None = None,
    ) -> BulkReport[PostDeviceCommandOutDTO2]:
        """Give commands to the platform and return them with their ids.

        Nothing says whether the platform took a command whose answer was lost. Such a row fails with
        `error.outcome_unknown`, and is not sent again unless you ask for it. After a crash, up to two rows per thread
        are told as unknown. Commands to the same device may arrive in another order than that of the rows.

        Args:
            rows: `PostDeviceCommandInDTO2`, or mappings with its fields.
            resend_unknown: whether a row whose outcome is unknown is sent again; the device may get it twice.
            journal: see `Bulk`, also for the other arguments.
            threads: calls at the same time.
            dry_run: only check the rows.
            progress: called when rows have ended.
            max_failures: stop when more rows than that have failed.
            app_id: the owner of the devices.

        Raises:
            BulkStoppedError: an error concerns every row.
            BulkInterrupted: Ctrl-C.
            InvalidArgumentError: an argument, or the journal, cannot be used (1007).
        """
        job = SendCommands(self._client, app_id, resend_unknown=resend_unknown)
        return self._run(job, rows, journal, threads, dry_run, progress, max_failures)

    def _run(
        self,
        job: Job[T],
        rows: Iterable[Any],
        journal: Path | None,
        threads: int,
        dry_run: bool,
        progress: Progress | None,
        max_failures: int | None,
    ) -> BulkReport[T]:
        if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
            raise InvalidArgumentError.of("rows", f"a {type(rows).__name__}", "it must be a list of rows, or a reader")
        if not _is_whole(threads, 1) or threads > 1000:
            raise InvalidArgumentError.of("threads", shown(threads), "it must be a whole number from 1 to 1,000")
        if max_failures is not None and not _is_whole(max_failures, 0):
            raise InvalidArgumentError.of("max_failures", shown(max_failures), "it must be a whole number, 0 or more")
        if self._calls_per_minute is not None:
            threads = max(1, min(threads, int(self._calls_per_minute * LONGEST_TURN / 60)))
        application = self._application if job.app_id is None else f"{self._application} for {job.app_id}"
        kept = Journal(None if dry_run else journal, job.name, application)
        try:
            run = Run(job, rows, kept, threads=threads, dry_run=dry_run, progress=progress, max_failures=max_failures)
            return run.run()
        finally:
            kept.close()


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
