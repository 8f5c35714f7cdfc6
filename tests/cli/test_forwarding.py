"""``listen --forward-to``: pushes to an application on this machine."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest

from iot_northbound.cli.forwarding import Forwarder, ForwardUrl
from iot_northbound.cli.listen import summary
from iot_northbound.push import HandlerRetry, PushMessageReceiver, SqliteInbox
from iot_northbound.testing.messages import push_body
from tests.clock import eventually

from .test_listen import end, event, listening, post


class Application(ThreadingHTTPServer):
    """An application that answers with these statuses, then with 200."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.statuses = list(statuses)
        self.got: queue.Queue[tuple[str, str | None, bytes]] = queue.Queue()
        super().__init__(("127.0.0.1", 0), Answering)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/pushes"


class Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        application = self.server
        assert isinstance(application, Application)
        application.got.put((self.path, self.headers["Content-Type"], body))
        self.send_response(application.statuses.pop(0) if application.statuses else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def application(*statuses: int) -> Iterator[Application]:
    with Application(statuses) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_an_application_gets_each_push_as_it_came(tmp_path: Path) -> None:
    body = push_body("deviceAdded", {"extra": "水表"}, deviceId="meter-1")
    with (
        application() as app,
        listening("--memory", "--forward-to", app.url, cwd=tmp_path) as (process, address),
    ):
        assert post(address, body) == 200
        path, kind, got = app.got.get(timeout=60)
        assert (path, kind, json.loads(got)) == ("/pushes", "application/json; charset=utf-8", json.loads(body))
        shown = process.stdout.readline().split()
        assert shown[1:5] == ["deviceAdded", "meter-1", "->", "200"]
        end(process)


def test_a_push_that_is_not_taken_is_sent_again(tmp_path: Path) -> None:
    with (
        application(500, 302) as app,
        listening("--memory", "--json", "--forward-to", app.url, cwd=tmp_path) as (process, address),
    ):
        assert post(address, push_body("deviceAdded", deviceId="meter-1")) == 200
        shown = [json.loads(process.stdout.readline())["forwarded"] for _ in range(3)]
        assert [(each["status"], each["attempt"]) for each in shown] == [(500, 1), (302, 2), (200, 3)]
        end(process)
        assert "Traceback" not in process.stderr.read()
        assert {app.got.get()[0] for _ in range(3)} == {"/pushes"}  # a redirect is not followed


def test_what_the_application_did_not_take_is_sent_at_the_next_start(tmp_path: Path) -> None:
    body = push_body("deviceAdded", deviceId="meter-1")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        with listening("--forward-to", url, cwd=tmp_path) as (process, address):
            assert post(address, body) == 200
            assert "-> no connection, or a broken one" in process.stdout.readline()
            end(process)
            assert process.stderr.read() == "stopped; 0 handled, 1 waiting for the next start\n"
    with application() as app, listening("--forward-to", app.url, cwd=tmp_path) as (process, _):
        assert app.got.get(timeout=60)[2] == body
        end(process)


def test_the_end_counts_dead_letters(tmp_path: Path) -> None:
    receiver = PushMessageReceiver(SqliteInbox(tmp_path / "inbox"), retry=HandlerRetry(attempts=1))

    @receiver.on_body
    def fail(_: str) -> None:
        raise ValueError

    with receiver:
        assert receiver.receive(push_body("deviceAdded", deviceId="meter-1")).status == 200
        eventually(lambda: receiver.metrics().dead == 1)
    told = "0 handled, 0 waiting for the next start, 1 dead (`iot-northbound inbox` shows and repeats them)"
    assert summary(receiver, kept=True) == told
    assert summary(receiver, kept=False) == "0 handled, 1 lost"


def test_only_what_is_shown_is_forwarded(tmp_path: Path) -> None:
    arguments = ("--memory", "--kind", "deviceDeleted")
    with (
        application() as app,
        listening(*arguments, "--forward-to", app.url, cwd=tmp_path) as (process, address),
    ):
        for kind in ("deviceAdded", "deviceDeleted"):
            assert post(address, push_body(kind, deviceId="meter-1")) == 200
        assert json.loads(app.got.get(timeout=60)[2])["notifyType"] == "deviceDeleted"
        end(process)
        assert app.got.empty()


def test_a_password_in_the_url_is_not_shown(tmp_path: Path) -> None:
    with application() as app:
        url = app.url.replace("//", "//user:not-a-real-password@") + "?token=not-a-real-password"
        with listening("--memory", "--forward-to", url, cwd=tmp_path) as (process, address):
            assert post(address, push_body("deviceAdded", deviceId="meter-1")) == 200
            shown = process.stdout.readline()
            end(process)
            assert "not-a-real" not in "".join((*process.lines, shown, process.stderr.read()))


def test_an_application_that_answers_garbage_or_nothing_is_told_so() -> None:
    message = event(push_body("deviceAdded", deviceId="meter-1"))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"\x15\x03\x01 garbage\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        broken = Forwarder(url).forward(message)
        thread.join()
        assert (broken.status, broken.taken, broken.error) == (None, False, "no connection, or a broken one")
        silent = Forwarder(url, within=0.05).forward(message)
    assert silent.words == "no answer within 0.05 s"


def test_an_application_that_does_not_answer_does_not_hold_the_end_and_gets_its_push_later(tmp_path: Path) -> None:
    body = push_body("deviceAdded", deviceId="meter-1")
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        listening("--forward-to", f"http://127.0.0.1:{silent.getsockname()[1]}/", cwd=tmp_path) as (process, address),
    ):
        assert post(address, body) == 200
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(4)  # the push is on its way
            process.send_signal(signal.SIGINT)
            assert process.wait(12) == 0  # sooner than the 15 seconds of the application
    with application() as app, listening("--forward-to", app.url, cwd=tmp_path) as (process, _):
        assert app.got.get(timeout=60)[2] == body
        end(process)


@contextmanager
def sending(*pieces: bytes) -> Iterator[str]:
    """Yield the URL of an application that sends these bytes in answer to each push."""

    def answer(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            length = 0
            while (line := stream.readline().strip().lower()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name == b"content-length" else length
            stream.read(length)
            for piece in pieces:
                connection.sendall(piece)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                answer(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([EARLY + TAKEN], 200),
        ([EARLY, FAILED], 500),
        ([b"HTTP/1.1 102 Processing\r\n\r\n" * 3, TAKEN], 200),
        ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"], None),
        ([EARLY * 200, TAKEN], None),
    ],
    ids=["early hints", "early hints and a failure", "processing", "another protocol", "too many"],
)
def test_an_interim_answer_of_an_application_is_not_its_answer(pieces: list[bytes], status: int | None) -> None:
    with sending(*pieces) as url:
        forwarder = Forwarder(url)
        for _ in range(2):
            assert forwarder.forward(event(push_body("deviceAdded", deviceId="meter-1"))).status == status


@contextmanager
def dripping(start: bytes) -> Iterator[str]:
    """Yield the URL of an application that sends its answer bit by bit, without an end."""
    gone = threading.Event()

    def answer() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(start + b"HTTP/1.1 200 OK\r\n")
            while not gone.wait(0.001):
                connection.sendall(b"X")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        gone.set()
        thread.join()


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_application_that_never_ends_its_answer_holds_nobody(start: bytes) -> None:
    with dripping(start) as url:
        endless = Forwarder(url, within=0.05).forward(event(push_body("deviceAdded", deviceId="meter-1")))
    assert (endless.taken, endless.words) == (False, "no answer within 0.05 s")


@pytest.mark.parametrize(
    "url", ["localhost:3001", "ftp://x/", "http:///x", "http://x:99999/", "http://a b/", "http://水/"]
)
def test_what_is_not_a_url_is_refused_without_its_text(url: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        ForwardUrl().convert(url, None, None)
    assert url not in refused.value.message
