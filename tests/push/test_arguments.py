"""Arguments of a wrong type are refused by name."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import (
    Access,
    DuplicateWindow,
    HandlerRetry,
    Inbox,
    InboxLimits,
    MemoryInbox,
    Peer,
    PushMessageReceiver,
    ReceiverServer,
    SqliteInbox,
    server_context,
)
from iot_northbound.push.arguments import INBOX_METHODS
from tests.push.helpers import Recorder, data_body


def server(**options: Any) -> ReceiverServer:
    return PushMessageReceiver(MemoryInbox()).server(**({"port": 0} | options))


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
        (lambda: MemoryInbox(clock=None), "clock"),  # type: ignore[arg-type]
        (lambda: SqliteInbox("i", clock=time), "clock"),  # type: ignore[arg-type]
        (lambda: PushMessageReceiver(clock=None), "clock"),  # type: ignore[arg-type]
        (lambda: PushMessageReceiver(clock=time.time), "clock"),  # type: ignore[arg-type]
        (lambda: HandlerRetry(longest="60"), "HandlerRetry.longest"),  # type: ignore[arg-type]
        (lambda: HandlerRetry(attempts=True), "HandlerRetry.attempts"),
        (lambda: DuplicateWindow(seconds="1h"), "DuplicateWindow.seconds"),  # type: ignore[arg-type]
        (lambda: DuplicateWindow(seconds=None), "DuplicateWindow.seconds"),  # type: ignore[arg-type]
        (lambda: DuplicateWindow(messages=1.5), "DuplicateWindow.messages"),  # type: ignore[arg-type]
        (lambda: InboxLimits(messages="5"), "InboxLimits.messages"),  # type: ignore[arg-type]
        (lambda: InboxLimits(messages=5.0), "InboxLimits.messages"),  # type: ignore[arg-type]
        (lambda: InboxLimits(size=None), "InboxLimits.size"),  # type: ignore[arg-type]
        (lambda: InboxLimits(age="x"), "InboxLimits.age"),  # type: ignore[arg-type]
        (lambda: InboxLimits(age=True), "InboxLimits.age"),
        (lambda: Access(client_names=5), "Access.client_names"),  # type: ignore[arg-type]
        (lambda: Access(client_names=None), "Access.client_names"),  # type: ignore[arg-type]
        (lambda: Access(client_names=[None]), "Access.client_names: each of them"),  # type: ignore[list-item]
        (lambda: Access(client_names="push"), "Access.client_names"),
        (lambda: Access(client_names=b"push"), "Access.client_names"),  # type: ignore[arg-type]
        (lambda: Access(networks=5), "Access.networks"),  # type: ignore[arg-type]
        (lambda: Access(networks="192.0.2.0/24"), "Access.networks"),
        (lambda: Access(networks=[5]), "Access.networks: each of them"),  # type: ignore[list-item]
        (lambda: Access(networks=[None]), "Access.networks: each of them"),  # type: ignore[list-item]
        (lambda: Access(path_secret=5), "Access.path_secret"),  # type: ignore[arg-type]
        (lambda: Access(path_secret=b"0123456789abcdef"), "Access.path_secret"),  # type: ignore[arg-type]
        (lambda: Peer(5), "Peer.address"),  # type: ignore[arg-type]
        (lambda: Peer(None, "push"), "Peer.certificate_names"),  # type: ignore[arg-type]
        (lambda: Peer(None, [5]), "Peer.certificate_names: each of them"),  # type: ignore[arg-type]
        (lambda: server(host=None), "host"),
        (lambda: server(port="x"), "port"),
        (lambda: server(port=None), "port"),
        (lambda: server(port=80.0), "port"),
        (lambda: server(ssl="server.pem"), "ssl"),
        (lambda: server(limits=5), "limits"),
        (lambda: server(limits=InboxLimits()), "limits"),
        (lambda: server(drain="x"), "drain"),
        (lambda: server(drain=None), "drain"),
        (lambda: server_context(None), "certificate"),  # type: ignore[arg-type]
        (lambda: server_context(5), "certificate"),  # type: ignore[arg-type]
        (lambda: server_context("c", key=5), "key"),  # type: ignore[arg-type]
        (lambda: server_context("c", client_ca=True), "client_ca"),  # type: ignore[arg-type]
        (lambda: server_context("c", password=5), "password"),  # type: ignore[arg-type]
        (lambda: server_context("c", require_client_certificate="no"), "require_client_certificate"),  # type: ignore[arg-type]
        (lambda: server_context("c", strict_x509=1), "strict_x509"),  # type: ignore[arg-type]
    ],
)
def test_what_a_receiver_is_made_of_is_refused_by_name(make: Callable[[], object], name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be"):
        make()


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: DuplicateWindow(seconds=NAN), "DuplicateWindow.seconds"),
        (lambda: DuplicateWindow(seconds=-1), "DuplicateWindow.seconds"),
        (lambda: DuplicateWindow(seconds=INFINITE), "DuplicateWindow.seconds"),
        (lambda: DuplicateWindow(messages=-1), "DuplicateWindow.messages"),
        (lambda: DuplicateWindow(messages=0), "DuplicateWindow.messages"),
        (lambda: InboxLimits(messages=0), "InboxLimits.messages"),
        (lambda: InboxLimits(messages=-1), "InboxLimits.messages"),
        (lambda: InboxLimits(size=0), "InboxLimits.size"),
        (lambda: InboxLimits(age=NAN), "InboxLimits.age"),
        (lambda: InboxLimits(age=-0.1), "InboxLimits.age"),
        (lambda: HandlerRetry(attempts=0), "HandlerRetry.attempts"),
        (lambda: HandlerRetry(first=NAN), "HandlerRetry.first"),
        (lambda: HandlerRetry(first=-1), "HandlerRetry.first"),
        (lambda: HandlerRetry(longest=NAN), "HandlerRetry.longest"),
        (lambda: HandlerRetry(longest=INFINITE), "HandlerRetry.longest"),
        (lambda: HandlerRetry(longest=1e18), "HandlerRetry.longest"),
        (lambda: Access(path_secret="short"), "Access.path_secret"),
        (lambda: Access(networks=["192.0.2.1/24"]), "Access.networks"),
        (lambda: server(port=-1), "port"),
        (lambda: server(drain=NAN), "drain"),
        (lambda: server(drain=1e18), "drain"),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(make: Callable[[], object], name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{re.escape(name)} = "):
        make()


@pytest.mark.parametrize(
    ("call", "wrong"),
    [("stop", NAN), ("stop", -1), ("stop", INFINITE), ("stop", 1e18), ("dead_letters", -1)],
)
def test_looking_after_it_accepts_what_is_in_range_and_goes_on(receiver: Recorder, call: str, wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="it must be"):
        getattr(receiver, call)(wrong)
    assert receiver.receive(data_body()).status == 200


def test_what_is_in_range_is_accepted() -> None:
    DuplicateWindow(seconds=0, messages=1)
    InboxLimits(messages=1, size=1, age=0)
    HandlerRetry(attempts=1, first=0, longest=0)
    assert Access(networks=[ipaddress.ip_network("192.0.2.0/24")]).admits(Peer("192.0.2.7"))  # type: ignore[list-item]
    with pytest.raises(TypeError, match="bogus"):
        server(bogus=1)


def test_on_needs_a_class(receiver: Recorder) -> None:
    with pytest.raises(InvalidArgumentError, match="at least one"):
        receiver.on()(print)  # type: ignore[call-overload]


def test_a_path_may_be_bytes(tmp_path: Path) -> None:
    inbox = SqliteInbox(str(tmp_path / "inbox").encode())
    inbox.start(lambda _id, _device: None)
    inbox.stop()
    assert (tmp_path / "inbox").exists()


def test_an_inbox_that_lacks_a_method_is_refused_at_once():  # type: ignore[no-untyped-def]
    class Lacking:
        put = start = stop = get = done = bury = dead_letters = replay = discard = stats = print

    with pytest.raises(InvalidArgumentError, match="one of your own with refused_another"):
        PushMessageReceiver(Lacking())  # type: ignore[arg-type]
    assert set(INBOX_METHODS) == {name for name in vars(Inbox) if not name.startswith("_")}
