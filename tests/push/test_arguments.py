"""Arguments of a wrong type are refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import HandlerRetry, MemoryInbox, PushMessageReceiver, SqliteInbox
from tests.push.helpers import Recorder, data_body


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with Recorder(MemoryInbox()) as running:
        yield running


@pytest.mark.parametrize("body", [None, 5, True, ["{}"], {"a": 1}, object()])
def test_a_body_of_a_wrong_type_is_refused_by_name(receiver: Recorder, body: Any) -> None:
    for call in (receiver.receive, receiver.accept, lambda wrong: asyncio.run(receiver.accept_async(wrong))):
        with pytest.raises(TypeError, match="body must be bytes or str, not"):
            call(body)


@pytest.mark.parametrize("as_type", [bytes, bytearray, memoryview, bytes.decode])
def test_a_body_may_be_bytes_of_any_kind_or_text(receiver: Recorder, as_type: Callable[[bytes], Any]) -> None:
    text = data_body("Zähler", 1).decode()
    assert receiver.receive(as_type(text.encode()), {"Content-Type": "application/json; charset=latin-1"}).status == 200
    assert receiver.log.wait_for(1) == [text]


def test_a_text_that_is_not_utf_8_is_answered_and_does_not_raise(receiver: Recorder) -> None:
    assert receiver.receive('{"a":"\ud800"}').status == 400


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"headers": 5}, "headers"),
        ({"headers": [(b"content-type", b"text/plain")]}, "headers"),
        ({"headers": {b"content-type": b"text/plain"}}, "headers"),
        ({"headers": {"content-type": b"text/plain"}}, "headers"),
        ({"headers": {"Content-Type": None}}, "headers"),
        ({"method": None}, "method"),
        ({"method": b"POST"}, "method"),
        ({"path": b"/"}, "path"),
        ({"peer": "192.0.2.1"}, "peer"),
    ],
)
def test_every_other_argument_of_receive_is_refused_by_name(
    receiver: Recorder, arguments: dict[str, Any], name: str
) -> None:
    with pytest.raises(TypeError, match=f"^{name}.* must be"):
        receiver.receive(b"{}", **arguments)


@pytest.mark.parametrize("call", ["accept", "accept_async"])
def test_a_content_type_is_text(receiver: Recorder, call: str) -> None:
    async def ask() -> None:
        answer = getattr(receiver, call)(b"{}", None)
        await answer

    with pytest.raises(TypeError, match="content_type must be str"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    ("call", "wrong", "name"),
    [
        ("replay", 5, "ids"),
        ("replay", "12", "ids"),
        ("replay", ["1"], "ids"),
        ("replay", [None], "ids"),
        ("discard", None, "ids"),
        ("discard", b"1", "ids"),
        ("discard", [1.0], "ids"),
        ("discard", [True], "ids"),
        ("dead_letters", "many", "limit"),
        ("dead_letters", None, "limit"),
        ("stop", "soon", "timeout"),
        ("stop", None, "timeout"),
    ],
)
def test_wrong_arguments_of_the_other_methods_are_refused_by_name(
    receiver: Recorder, call: str, wrong: Any, name: str
) -> None:
    with pytest.raises(TypeError, match=f"^{name}.* must be"):
        getattr(receiver, call)(wrong)
    assert receiver.receive(data_body()).status == 200


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: PushMessageReceiver(threads="8"), "threads"),  # type: ignore[arg-type]
        (lambda: PushMessageReceiver(threads=2.5), "threads"),  # type: ignore[arg-type]
        (lambda: PushMessageReceiver(threads=True), "threads"),
        (lambda: PushMessageReceiver(body_limit=None), "body_limit"),  # type: ignore[arg-type]
        (lambda: PushMessageReceiver(route=5), "route"),  # type: ignore[arg-type]
        (lambda: PushMessageReceiver(retry=5), "retry"),  # type: ignore[arg-type]
        (lambda: PushMessageReceiver(access="192.0.2.0/24"), "access"),  # type: ignore[arg-type]
        (lambda: HandlerRetry(attempts="3"), "HandlerRetry.attempts"),  # type: ignore[arg-type]
        (lambda: HandlerRetry(first=None), "HandlerRetry.first"),  # type: ignore[arg-type]
        (lambda: SqliteInbox(None), "path"),  # type: ignore[arg-type]
        (lambda: SqliteInbox(5), "path"),  # type: ignore[arg-type]
        (lambda: SqliteInbox("i", limits=5), "limits"),  # type: ignore[arg-type]
        (lambda: SqliteInbox("i", duplicates=3_600), "duplicates"),  # type: ignore[arg-type]
        (lambda: MemoryInbox(limits=5), "limits"),  # type: ignore[arg-type]
        (lambda: MemoryInbox(duplicates=True), "duplicates"),  # type: ignore[arg-type]
    ],
)
def test_what_a_receiver_is_made_of_is_refused_by_name(make: Callable[[], object], name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be"):
        make()


def test_on_needs_a_class(receiver: Recorder) -> None:
    with pytest.raises(InvalidArgumentError, match="at least one"):
        receiver.on()(print)  # type: ignore[call-overload]


def test_a_path_may_be_bytes(tmp_path: Path) -> None:
    inbox = SqliteInbox(str(tmp_path / "inbox").encode())
    inbox.start(lambda _id, _device: None)
    inbox.stop()
    assert (tmp_path / "inbox").exists()
