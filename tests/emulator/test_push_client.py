from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator.home import Home, prepare
from iot_northbound.emulator.push_client import PushClient, PushFailure
from iot_northbound.serving.http import GuardedServer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Receiver:
    """A receiver that answers each request with the next of the given byte strings; None: it closes the connection."""

    def __init__(self, *answers: bytes | None, close: bool = False) -> None:
        self.answers, self.close = list(answers), close
        self.connections = 0
        self.bodies: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                if self.close:
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.close()


def run(receiver: Receiver, act: Callable[[PushClient, str], Awaitable[Any]]) -> Any:
    async def work() -> Any:
        async with await asyncio.start_server(receiver, "127.0.0.1", 0) as server:
            client = PushClient(ssl.create_default_context())
            try:
                return await act(client, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/cb?x=1")
            finally:
                await client.aclose()

    return asyncio.run(work())


async def twice(client: PushClient, url: str) -> list[int]:
    return [await client.post(url, b"{}", 5), await client.post(url, b'{"a":1}', 5)]


def test_the_connection_is_kept_between_pushes() -> None:
    receiver = Receiver(OK, OK)
    assert run(receiver, twice) == [200, 200]
    assert receiver.connections == 1
    assert receiver.bodies == [b"{}", b'{"a":1}']


def test_an_answer_that_ends_with_the_connection_is_read() -> None:
    receiver = Receiver(b"HTTP/1.1 200 OK\r\n\r\nfine", b"HTTP/1.0 204 None\r\n\r\n", close=True)
    assert run(receiver, twice) == [200, 204]
    assert receiver.connections == 2


def test_an_interim_answer_is_not_the_answer() -> None:
    assert run(Receiver(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, OK), twice) == [200, 200]


def test_a_kept_connection_that_the_receiver_closed_is_replaced_at_once() -> None:
    receiver = Receiver(OK, None, OK)
    assert run(receiver, twice) == [200, 200]
    assert receiver.connections == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "without an answer"),
        (b"hello there\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 2_000_000, "too long"),
        (b"HTTP/1.1 20", "in the middle"),
    ],
)
def test_different_failures_to_answer_have_different_errors(answer: bytes | None, why: str) -> None:
    with pytest.raises(PushFailure, match=why):
        run(Receiver(answer, close=True), lambda client, url: client.post(url, b"{}", 5))


def test_a_receiver_that_does_not_answer_is_given_up() -> None:
    with pytest.raises(PushFailure, match=r"no answer within 0\.1 s"):
        run(Receiver(b""), lambda client, url: client.post(url, b"{}", 0.1))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://x/", "not an HTTP"),
        ("https:///path", "not an HTTP"),
        ("http://x:99999/", "not a URL"),
        ("http://x/\x7f", "control characters"),
        ("http://127.0.0.1:1/", "no connection"),
    ],
)
def test_urls_that_lead_nowhere_fail_by_name(url: str, why: str) -> None:
    with pytest.raises(PushFailure, match=why):
        run(Receiver(), lambda client, _: client.post(url, b"{}", 5))


class TestOverTls:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Home:
        return prepare(tmp_path)

    def post(self, home: Home, *, trusted: bool, certificate: bool) -> tuple[int, Any]:
        seen: list[Any] = []
        done = threading.Event()

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                seen.append(scope["extensions"]["tls"]["client_cert_name"])
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                done.set()

        context = ssl.create_default_context(cafile=str(home.ca) if trusted else None)
        if certificate:
            context.load_cert_chain(home.folder / "client.pem", home.folder / "client.key")
        with GuardedServer(app, ssl_context=home.server_context()) as server:

            async def work() -> int:
                client = PushClient(context)
                status = await client.post(f"https://localhost:{server.port}/", b"{}", 60)
                await client.aclose()
                return status

            return asyncio.run(work()), seen

    def test_the_platform_shows_its_certificate(self, home: Home) -> None:
        assert self.post(home, trusted=True, certificate=True) == (200, ["CN=iot-northbound emulator client"])

    def test_a_receiver_the_ca_does_not_know_gets_nothing(self, home: Home) -> None:
        with pytest.raises(PushFailure, match="not trusted"):
            self.post(home, trusted=False, certificate=True)

    def test_a_receiver_that_needs_a_certificate_refuses_a_platform_without_one(self, home: Home) -> None:
        with pytest.raises(PushFailure):
            self.post(home, trusted=True, certificate=False)
