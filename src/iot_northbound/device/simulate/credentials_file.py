"""Ids and secrets of devices in a CSV file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from iot_northbound.device.credentials import DeviceCredentials
from iot_northbound.errors import InvalidArgumentError, SdkCode
from iot_northbound.input_files import LineTooLongError, lines_of, open_file

_IDS: dict[str, Callable[[str, str], DeviceCredentials]] = {
    "deviceId": DeviceCredentials,
    "nodeId": DeviceCredentials.by_node_id,
}
_SECRET = "secret"  # noqa: S105 - the name of a column


def read_credentials(path: Path) -> list[DeviceCredentials]:
    """Return the credentials in a CSV file with the columns deviceId (or nodeId) and secret.

    Raises:
        InvalidArgumentError: it cannot be read, or has other content (1007). The text never has a secret.
    """
    try:
        with io.TextIOWrapper(open_file(path), encoding="utf-8-sig", newline="") as file:
            return list(_rows(path, csv.reader(lines_of(file))))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, LineTooLongError, csv.Error) as error:
        raise _wrong(path, f"is not a CSV file in UTF-8 ({type(error).__name__})") from None


def _rows(path: Path, rows: Iterator[list[str]]) -> Iterator[DeviceCredentials]:
    head = [each.strip() for each in next(rows, [])]
    ids = [each for each in _IDS if each in head]
    if len(ids) != 1 or _SECRET not in head:
        raise _wrong(path, "must begin with the line deviceId,secret (or nodeId,secret)")
    make, at, secret_at = _IDS[ids[0]], head.index(ids[0]), head.index(_SECRET)
    seen = set()
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        if len(row) <= max(at, secret_at):
            raise _wrong(path, f"has too few columns in line {number}")
        try:
            credentials = make(row[at].strip(), row[secret_at])
        except InvalidArgumentError as error:
            raise _wrong(path, f"has no credentials in line {number}: {error.error_desc}") from None
        if credentials.id in seen:
            raise _wrong(path, f"has {credentials.id} twice, the second time in line {number}")
        seen.add(credentials.id)
        yield credentials
    if not seen:
        raise _wrong(path, "has no credentials")


@contextmanager
def write_credentials(path: Path) -> Iterator[Callable[[DeviceCredentials], object]]:
    """Make a CSV file that only its owner can read, and give a function that writes a device to it.

    Raises:
        InvalidArgumentError: there is such a file already, or it cannot be made (1007).
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _wrong(path, "exists already, and may have secrets in it: name a new file") from None
    except OSError as error:
        raise _wrong(path, f"cannot be made: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("deviceId", _SECRET))

        def write(credentials: DeviceCredentials) -> None:
            writer.writerow((credentials.id, credentials.secret))
            file.flush()

        yield write


def _wrong(path: Path, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{path} {what}")
