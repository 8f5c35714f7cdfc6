"""The examples, each taking real requests in the framework it is for."""

from __future__ import annotations

import http.client
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from iot_northbound.push import SqliteInbox
from iot_northbound.testing.messages import push_body
from tests.clock import eventually
from tests.push.helpers import PATIENCE

ROUTE = "/v1.0.0/messageReceiver"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("PUSH_INBOX", str(tmp_path / "pushes.sqlite3"))
    yield importlib.import_module
    for name in [name for name in sys.modules if name.startswith(("receiver_", "na_"))]:
        del sys.modules[name]


def ask(address: tuple[str, int], method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    connection.request(method, path, body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


@contextmanager
def asgi(application: Any, listening: socket.socket | None = None) -> Iterator[tuple[str, int]]:
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_config=None))
    thread = threading.Thread(target=server.run, args=(None if listening is None else [listening],))
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        yield (listening or server.servers[0].sockets[0]).getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def comes_to_show(address: tuple[str, int], path: str, text: bytes) -> None:
    eventually(lambda: text in ask(address, "GET", path)[1])


LATE = {"serviceId": "Meter", "eventTime": "20260301T101459999Z", "data": {"reading": 1}}
"""A report that is older than the one of `push_body`, as a repeated push brings it."""
BATTERY = {"serviceId": "Battery", "eventTime": "20260301T101501Z", "data": {"level": 2}}


def push_out_of_order(address: tuple[str, int], route: str, device: str) -> None:
    """Push a report, an older one, and a third one: when it is handled, the others are handled too."""
    for number, changes in enumerate(({}, {"service": LATE}, {"service": BATTERY})):
        body = push_body("deviceDataChanged", deviceId=device, requestId=f"r{number}", **changes)
        assert ask(address, "POST", route, body) == (200, b"ok")


def test_starlette(example: Callable[[str], Any], tmp_path: Path) -> None:
    with asgi(example("receiver_starlette").create_app(tmp_path / "inbox")) as address:
        for code in ("DELIVERED", "SUCCESSFUL", "SENT"):
            body = push_body("commandStatusChanged", result={"resultCode": code})
            assert ask(address, "POST", f"{ROUTE}/cmd", body) == (200, b"ok")
        last = push_body("commandStatusChanged", commandId="command-2", result={"resultCode": "SENT"})
        assert ask(address, "POST", f"{ROUTE}/cmd", last) == (200, b"ok")
        comes_to_show(address, "/commands", b'{"command-1":"SUCCESSFUL","command-2":"SENT"}')
        status, figures = ask(address, "GET", "/health")
        assert (status, b'"accepted":4' in figures) == (200, True)
    is_released(tmp_path / "inbox")


def is_released(path: Path, *, is_empty: bool = True) -> None:
    """Open the inbox as its next owner, which works once the last one has stopped."""
    inbox = SqliteInbox(path)
    delivered: list[int] = []
    inbox.start(lambda message_id, device: delivered.append(message_id))
    inbox.stop()
    assert delivered == [] or not is_empty


def test_standalone(tmp_path: Path) -> None:
    program = str(EXAMPLES / "receiver_standalone.py")
    command = [sys.executable, program, "--port", "0", "--inbox", str(tmp_path / "inbox")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"}) as process:
        assert process.stdout is not None
        try:
            host, port = process.stdout.readline().split("//")[1].split("/")[0].split(":")
            assert ask((host, int(port)), "POST", ROUTE, push_body("deviceAdded", deviceId="d1"))[0] == 200
            assert process.stdout.readline() == "new device d1\n"
            push_out_of_order((host, int(port)), ROUTE, "d1")
            assert process.stdout.readline() == "d1 10:15:00 {'reading': 1234.5, 'unit': 'l'}\n"
            assert process.stdout.readline() == "d1 10:14:59 {'reading': 1} (late)\n"
            assert process.stdout.readline() == "d1 10:15:01 {'level': 2}\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()  # if something is wrong, it must not wait for ever
