from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from iot_northbound.push import Access, InboxError, MemoryInbox
from iot_northbound.push.inbox import Deliver
from tests.push.helpers import Recorder, data_body

ROUTE = "/v1.0.0/messageReceiver"


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with Recorder(MemoryInbox()) as running:
        yield running


def call(
    app: Any, *chunks: bytes, headers: Sequence[tuple[bytes, bytes]] = (), gone: bool = False, **scope: Any
) -> int | None:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if messages and not gone:
        messages[-1].pop("more_body")
    messages.append({"type": "http.disconnect"} if gone or messages else {"type": "http.request"})
    sent = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "POST", "path": ROUTE, "headers": list(headers), **scope}
    asyncio.run(app(whole, receive, send))
    if not sent:
        return None
    start, body = sent
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
    return int(start["status"])


def test_a_message_may_come_in_several_pieces(receiver: Recorder) -> None:
    body = data_body()
    assert call(receiver.asgi, body[:10], b"", body[10:]) == 200
    assert receiver.log.wait_for(1) == [body.decode()]


def test_the_charset_of_the_content_type_is_used(receiver: Recorder) -> None:
    body = '{"notifyType":"deviceDeleted","deviceId":"Zähler"}'
    header = (b"content-type", b"application/json;charset=latin-1")
    assert call(receiver.asgi, body.encode("latin-1"), headers=[header]) == 200
    assert receiver.log.wait_for(1) == [body]


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"path": "/elsewhere"}, 404),
        ({"method": "GET"}, 405),
        ({"headers": [(b"content-length", b"2000000")]}, 413),
        ({"headers": [(b"content-length", b"many")]}, 400),
        ({}, 400),
    ],
)
def test_what_is_refused(receiver: Recorder, scope: dict[str, Any], status: int) -> None:
    assert call(receiver.asgi, b"not json", **scope) == status
    assert receiver.metrics().refused == {status: 1}


def test_a_too_large_body_is_noticed_without_a_length(receiver: Recorder) -> None:
    assert call(receiver.asgi, *[b" " * (1 << 19)] * 3) == 413


def test_a_sender_that_disconnects_gets_no_answer_and_nothing_is_kept(receiver: Recorder) -> None:
    assert call(receiver.asgi, data_body()[:10], gone=True) is None
    assert receiver.metrics().accepted == 0


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"extensions": {"tls": {"client_cert": {"subject": ((("commonName", "push"),),)}}}}, 200),
        ({"extensions": {"tls": {"client_cert_name": "CN=push,O=Example"}}}, 200),
        ({"extensions": {"tls": {"client_cert_name": "CN=other"}}}, 403),
        ({"extensions": {"tls": {"client_cert_name": None}}}, 403),
        ({"extensions": {}}, 403),
        ({}, 403),
    ],
)
def test_the_sender_is_checked_by_its_certificate(scope: dict[str, Any], status: int) -> None:
    with Recorder(MemoryInbox(), access=Access(client_names=["push"])) as receiver:
        assert call(receiver.asgi, data_body(), client=("192.0.2.1", 1), **scope) == status


def lifespan(app: Any) -> Any:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "lifespan"}, receive, send))
    return [message["type"].removeprefix("lifespan.") for message in sent]


def test_it_starts_and_stops_with_the_server() -> None:
    receiver = Recorder(MemoryInbox())
    assert lifespan(receiver.asgi) == ["startup.complete", "shutdown.complete"]
    assert receiver.receive(data_body()).status == 503  # stopped


def test_a_failed_start_is_reported_to_the_server() -> None:
    class Broken(MemoryInbox):
        def start(self, deliver: Deliver) -> None:
            raise InboxError("in use")

    assert lifespan(Recorder(Broken()).asgi) == ["startup.failed"]


def test_a_websocket_is_closed(receiver: Recorder) -> None:
    sent = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(receiver.asgi({"type": "websocket", "path": ROUTE}, receive, send))
    assert sent == ["websocket.close"]
