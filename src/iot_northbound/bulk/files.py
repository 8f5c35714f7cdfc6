"""Rows of bulk jobs from files, and devices and results into files: CSV as spreadsheets want it, and JSON lines."""

import codecs
import contextlib
import csv
import io
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Literal, TextIO

from iot_northbound.bulk.jobs import Deletion, Modification
from iot_northbound.bulk.results import BulkResult
from iot_northbound.bulk.rows import columns, plain, unknown_column
from iot_northbound.core.fields import shown
from iot_northbound.core.textfiles import encoding_of
from iot_northbound.dto.data_collection import QuerySingleDeviceInfoOutDTO
from iot_northbound.dto.device_management import RegDeviceWithSecretInDTO, RegDirectDeviceInDTO2
from iot_northbound.dto.signal_delivery import PostDeviceCommandInDTO2
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.input_files import LineTooLongError, lines_of, open_file

Format = Literal["csv", "jsonl"]
ROWS: Mapping[str, type] = {
    "register": RegDirectDeviceInDTO2,
    "register with secret": RegDeviceWithSecretInDTO,
    "delete": Deletion,
    "modify": Modification,
    "send commands": PostDeviceCommandInDTO2,
}
"""What the rows of each job are; their fields are the columns of its files."""
_DELIMITERS = ",;\t"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula if it begins with it."""
_ROUNDED = re.compile(r"[0-9][.,][0-9]+E\+[0-9]{2}", re.ASCII)
"""How Excel writes a number of many digits into a CSV file: the last digits are lost."""
_DEVICE: Mapping[str, Callable[[QuerySingleDeviceInfoOutDTO], Any]] = {
    "deviceId": lambda device: device.device_id,
    "gatewayId": lambda device: device.gateway_id,
    "nodeType": lambda device: device.node_type,
    "createTime": lambda device: device.create_time,
    "lastModifiedTime": lambda device: device.last_modified_time,
}
_INFO = (
    *("nodeId", "name", "status", "deviceType", "model", "manufacturerId", "manufacturerName", "protocolType"),
    *("location", "swVersion", "fwVersion", "mute"),
)
DEVICE_COLUMNS = ("deviceId", *_INFO, "gatewayId", "nodeType", "createTime", "lastModifiedTime")
"""The columns of a CSV file of devices."""
RESULT_COLUMNS = ("row", "key", "ok", "deviceId", "verifyCode", "psk", "secret", "commandId", "errorCode", "error")
"""The columns of a CSV file of results."""


# -- reading ---------------------------------------------------------------------------------------------------------


def read_rows(source: str | os.PathLike[str] | BinaryIO, job: str, format: Format | None = None) -> Iterator[Any]:
    """Yield the rows of a file for a job, one at a time. The header is checked at once, before the first row.

    A CSV file has a header with the names of fields, as in JSON or in Python, in any order. Comma, semicolon and tab
    separate its cells; an empty cell means "not given". It is UTF-8, or what its byte order mark says. A file of JSON
    lines has one object per line.

    Args:
        source: a path, or an open binary file.
        job: a key of `ROWS`.
        format: "csv" or "jsonl"; by default the file's name says it, and without a name it is CSV.

    Raises:
        InvalidArgumentError: the file cannot be read, or has a column that is not a field; while rows are read: a line
            cannot be read (1007). The error names the line.
    """
    if job not in ROWS:
        raise InvalidArgumentError.of("job", shown(job), f"it must be one of {', '.join(ROWS)}")
    name, stream = _opened(source)
    text = io.TextIOWrapper(stream, encoding=encoding_of(stream.peek(4)), newline="")
    chosen = format or ("jsonl" if name.lower().endswith((".jsonl", ".ndjson")) else "csv")
    lines = _counted(text, name)
    if chosen == "jsonl":
        return _json_rows(lines, name)
    header = next(lines, (0, ""))[1]
    return _csv_rows(header, lines, name, ROWS[job])


def _opened(source: str | os.PathLike[str] | BinaryIO) -> tuple[str, io.BufferedReader]:
    if not isinstance(source, str | os.PathLike):
        name = str(getattr(source, "name", "the input"))
        if isinstance(source, io.BufferedReader):
            return name, source
        return name, io.BufferedReader(source)  # type: ignore[arg-type]  # it only reads
    name = os.fspath(source)
    try:
        return name, open_file(name)
    except OSError as error:
        raise InvalidArgumentError.of("file", name, f"it cannot be read: {error.strerror}") from None


def _counted(text: TextIO, name: str) -> Iterator[tuple[int, str]]:
    with text:
        number = 0
        try:
            for number, line in enumerate(lines_of(text), 1):
                yield number, line
        except UnicodeDecodeError:
            raise _refused(name, number + 1, "it is not UTF-8 text: save the file as CSV UTF-8") from None
        except LineTooLongError as error:
            raise _refused(name, number + 1, str(error)) from None


def _refused(name: str, line: int, rule: str) -> InvalidArgumentError:
    return InvalidArgumentError.of(f"{name}, line {line}", "this line", rule)


def _json_rows(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Any]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _refused(name, number, f"it must be a JSON object ({error})") from None
        if not isinstance(row, dict):
            raise _refused(name, number, f"it must be a JSON object, not a {type(row).__name__}")
        yield row


def _csv_rows(header: str, lines: Iterator[tuple[int, str]], name: str, kind: Any) -> Iterator[Any]:
    delimiter = max(_DELIMITERS, key=header.count)
    names = [each.strip() for each in next(csv.reader([header], delimiter=delimiter), [])]
    if not any(names):
        raise _refused(name, 1, "it must be the header with the names of the columns")
    known = columns(kind)
    if kind is Deletion and "deviceId" in names:  # a file of `write_devices` or `write_results` says what to delete
        return ({"deviceId": row["deviceId"]} for row in _cells(_reader(names, lines, delimiter), name))
    for each in names:
        if each not in known:
            raise InvalidArgumentError.of(f"{name}, line 1, column", *_words(unknown_column(kind, each)))
        if sum(known.get(other) == known[each] for other in names) > 1:
            raise InvalidArgumentError.of(
                f"{name}, line 1, column", shown(each), "there are two columns for this field"
            )
    return _cells(_reader(names, lines, delimiter), name)


def _reader(names: list[str], lines: Iterator[tuple[int, str]], delimiter: str) -> "csv.DictReader[str]":
    return csv.DictReader((line for _, line in lines), names, delimiter=delimiter, strict=True)


def _words(error: InvalidArgumentError) -> tuple[str, str]:
    said, _, rule = error.error_desc.partition(": ")
    return said.removeprefix("the column = "), rule


def _cells(reader: "csv.DictReader[str]", name: str) -> Iterator[Any]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _refused(name, reader.reader.line_num + 1, f"it cannot be read as CSV ({error})") from None
        for column, cell in row.items():
            if isinstance(cell, str) and _ROUNDED.fullmatch(cell):
                rule = (
                    f"{column} is {cell}: a spreadsheet has rounded a long number. Give the column the format Text, "
                    "enter the values again, and save the file again"
                )
                raise _refused(name, reader.reader.line_num + 1, rule)
        if not any(row.get(None) or ()):
            row.pop(None, None)  # empty cells after the last column, as spreadsheets write them
        if any(row.values()):
            yield {column: _without_guard(cell) for column, cell in row.items()}


def _without_guard(cell: Any) -> Any:
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and _needs_guard(cell) else cell


def _needs_guard(text: str) -> bool:
    # A text that begins with an apostrophe already gets one more, so that the reader takes off the right one.
    return text.lstrip("'").startswith(_FORMULA)


# -- writing ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def private_file(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a text file for writing that only this user can read, for results with secrets.

    Raises:
        InvalidArgumentError: it cannot be written (1007).
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        # It may have been there with other rights. A device such as /dev/null keeps its own: all programs need it.
        if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise InvalidArgumentError.of("file", os.fspath(path), f"it cannot be written: {error.strerror}") from None
    # Half an emoji, as platforms leave it that cut long names, is not UTF-8: it becomes its escape in JSON.
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield file


def write_devices(
    file: TextIO, devices: Iterable[QuerySingleDeviceInfoOutDTO], format: Format = "csv", *, bom: bool = False
) -> int:
    """Write devices into an open text file, and return how many there were.

    JSON lines have all that the platform said; CSV has `DEVICE_COLUMNS`. The file should be opened with newline="".

    Args:
        file: where they go.
        devices: for example those of `iter_devices`.
        format: "csv" or "jsonl".
        bom: whether a CSV file begins with a byte order mark, so that Excel reads it as UTF-8.
    """

    def cells(device: QuerySingleDeviceInfoOutDTO) -> dict[str, Any]:
        info = plain(device.device_info) if device.device_info else {}
        return {name: info.get(name) for name in _INFO} | {name: get(device) for name, get in _DEVICE.items()}

    return _write(file, devices, format, DEVICE_COLUMNS, plain, cells, bom=bom)


def write_results(
    file: TextIO, results: Iterable[BulkResult[Any]], format: Format = "csv", *, bom: bool = False
) -> int:
    """Write the results of a job into an open text file, and return how many there were.

    This writes the codes and secrets of new devices: `private_file` opens a file for them.
    """

    def whole(result: BulkResult[Any]) -> dict[str, Any]:
        error = result.error
        said = {"errorCode": error.error_code, "error": str(error)} if error else {}
        return {"row": result.row, "key": result.key, "ok": result.ok} | (plain(result.value) or {}) | said

    return _write(file, results, format, RESULT_COLUMNS, whole, whole, bom=bom)


def _write(
    file: TextIO,
    items: Iterable[Any],
    format: Format,
    names: tuple[str, ...],
    whole: Callable[[Any], dict[str, Any]],
    cells: Callable[[Any], dict[str, Any]],
    *,
    bom: bool,
) -> int:
    if format not in ("csv", "jsonl"):
        raise InvalidArgumentError.of("format", shown(format), "it must be 'csv' or 'jsonl'")
    count = 0
    if format == "jsonl":
        for item in items:
            file.write(json.dumps(whole(item), ensure_ascii=False) + "\n")
            count += 1
        return count
    if bom:
        file.write(codecs.BOM_UTF8.decode())
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    for item in items:
        known = cells(item)
        writer.writerow([_guarded(known.get(name)) for name in names])
        count += 1
    return count


def _guarded(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if _needs_guard(text) else text
