"""A line for each call that the emulator answers, written by a thread of its own."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from iot_northbound.cli.wording import printable

_FACTS = ("method", "path", "status", "errorCode", "durationMs", "fault")


class CallLog:
    """Writes calls to a file; call it with the entry of the journal. `with` writes what still waits at the end.

    Args:
        descriptor: the open file. It is written to directly: a thread that waits inside Python's own buffer of the
            standard output would not let the process end.
        as_json: whether a line is a JSON object.
        waiting: how many lines wait while the reader is slow. More are left out, because the emulator must not wait
            for its log.
    """

    def __init__(self, descriptor: int, *, as_json: bool = False, waiting: int = 10_000) -> None:
        self._descriptor, self._line = descriptor, call_as_json if as_json else call_line
        self._lines: queue.Queue[str | None] = queue.Queue(waiting)
        self._left_out = 0
        self._thread = threading.Thread(target=self._write, name="call-log", daemon=True)

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Write a call, soon."""
        try:
            self._lines.put_nowait(self._line(entry))
        except queue.Full:
            self._left_out += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(queue.Full):  # the reader does not read: its lines are lost anyway
            self._lines.put(None, timeout=1)
            self._thread.join(1)

    def _write(self) -> None:
        # The reader may go away. Then nobody reads the log, and the emulator goes on.
        with contextlib.suppress(OSError):
            while (line := self._lines.get()) is not None:
                left_out, self._left_out = self._left_out, 0
                if left_out:
                    self._send(_gap(left_out, self._line))
                self._send(line)

    def _send(self, line: str) -> None:
        content = f"{line}\n".encode("utf-8", "backslashreplace")
        while content:
            content = content[os.write(self._descriptor, content) :]


def _gap(count: int, line: object) -> str:
    if line is call_as_json:
        return json.dumps({"event": "gap", "calls": count})
    return f"({count} calls are left out, because nobody read them in time)"


def call_line(entry: Mapping[str, Any]) -> str:
    """Return a call as a line for people: time of day, method, path, status, time it took, error code and fault."""
    status = "-" if entry["status"] is None else entry["status"]
    text = f"{datetime.now():%H:%M:%S} {entry['method']} {entry['path']} {status} {entry['durationMs']:.1f} ms"
    code = f" {entry['errorCode']}" if entry["errorCode"] else ""
    fault = f" (fault: {entry['fault']})" if entry["fault"] else ""
    return printable(text + code + fault)


def call_as_json(entry: Mapping[str, Any]) -> str:
    """Return a call as a line for programs."""
    return json.dumps({"event": "call", **{name: entry[name] for name in _FACTS}})
