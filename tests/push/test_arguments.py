"""Arguments of a wrong type are refused by name."""

import asyncio
import ipaddress
import re
import time

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import (
    Access,
    Duplicates,
    HandlerRetry,
    Inbox,
    InboxLimits,
    MemoryInbox,
    Peer,
    PushMessageReceiver,
    SqliteInbox,
    server_context,
)
from iot_northbound.push.arguments import INBOX_METHODS
from tests.push.helpers import Recorder, data_body


def server(**options):
    return PushMessageReceiver(MemoryInbox()).server(**({"port": 0} | options))


@pytest.fixture
def receiver():
    with Recorder(MemoryInbox()) as running:
        yield running


@pytest.mark.parametrize("body", [None, 5, True, ["{}"], {"a": 1}, object()])
def test_a_body_that_is_none_is_refused_by_name(receiver, body):
    for call in (receiver.receive, receiver.accept, lambda wrong: asyncio.run(receiver.accept_async(wrong))):
        with pytest.raises(TypeError, match="body must be bytes or str, not"):
            call(body)


@pytest.mark.parametrize("as_type", [bytes, bytearray, memoryview, bytes.decode])
def test_a_body_may_be_bytes_of_any_kind_or_text(receiver, as_type):
    text = data_body("Zähler", 1).decode()
    assert receiver.receive(as_type(text.encode()), {"Content-Type": "application/json; charset=latin-1"}).status == 200
    assert receiver.log.wait_for(1) == [text]


def test_a_text_that_is_no_utf_8_is_answered_and_raises_nothing(receiver):
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
def test_every_other_argument_of_receive_is_refused_by_name(receiver, arguments, name):
    with pytest.raises(TypeError, match=f"^{name}.* must be"):
        receiver.receive(b"{}", **arguments)


@pytest.mark.parametrize("call", ["accept", "accept_async"])
def test_a_content_type_is_text(receiver, call):
    async def ask():
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
def test_looking_after_it_takes_what_it_says(receiver, call, wrong, name):
    with pytest.raises(TypeError, match=f"^{name}.* must be"):
        getattr(receiver, call)(wrong)
    assert receiver.receive(data_body()).status == 200


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: PushMessageReceiver(threads="8"), "threads"),
        (lambda: PushMessageReceiver(threads=2.5), "threads"),
        (lambda: PushMessageReceiver(threads=True), "threads"),
        (lambda: PushMessageReceiver(body_limit=None), "body_limit"),
        (lambda: PushMessageReceiver(route=5), "route"),
        (lambda: PushMessageReceiver(retry=5), "retry"),
        (lambda: PushMessageReceiver(access="192.0.2.0/24"), "access"),
        (lambda: HandlerRetry(attempts="3"), "HandlerRetry.attempts"),
        (lambda: HandlerRetry(first=None), "HandlerRetry.first"),
        (lambda: SqliteInbox(None), "path"),
        (lambda: SqliteInbox(5), "path"),
        (lambda: SqliteInbox("i", limits=5), "limits"),
        (lambda: SqliteInbox("i", duplicates=3_600), "duplicates"),
        (lambda: MemoryInbox(limits=5), "limits"),
        (lambda: MemoryInbox(duplicates=True), "duplicates"),
        (lambda: MemoryInbox(clock=None), "clock"),
        (lambda: SqliteInbox("i", clock=time), "clock"),
        (lambda: PushMessageReceiver(clock=None), "clock"),
        (lambda: PushMessageReceiver(clock=time.time), "clock"),
        (lambda: HandlerRetry(longest="60"), "HandlerRetry.longest"),
        (lambda: HandlerRetry(attempts=True), "HandlerRetry.attempts"),
        (lambda: Duplicates(window="1h"), "Duplicates.window"),
        (lambda: Duplicates(window=None), "Duplicates.window"),
        (lambda: Duplicates(remembered=1.5), "Duplicates.remembered"),
        (lambda: InboxLimits(messages="5"), "InboxLimits.messages"),
        (lambda: InboxLimits(messages=5.0), "InboxLimits.messages"),
        (lambda: InboxLimits(size=None), "InboxLimits.size"),
        (lambda: InboxLimits(age="x"), "InboxLimits.age"),
        (lambda: InboxLimits(age=True), "InboxLimits.age"),
        (lambda: Access(client_names=5), "Access.client_names"),
        (lambda: Access(client_names=None), "Access.client_names"),
        (lambda: Access(client_names=[None]), "Access.client_names: each of them"),
        (lambda: Access(client_names="push"), "Access.client_names"),
        (lambda: Access(client_names=b"push"), "Access.client_names"),
        (lambda: Access(networks=5), "Access.networks"),
        (lambda: Access(networks="192.0.2.0/24"), "Access.networks"),
        (lambda: Access(networks=[5]), "Access.networks: each of them"),
        (lambda: Access(networks=[None]), "Access.networks: each of them"),
        (lambda: Access(path_secret=5), "Access.path_secret"),
        (lambda: Access(path_secret=b"0123456789abcdef"), "Access.path_secret"),
        (lambda: Peer(5), "Peer.address"),
        (lambda: Peer(None, "push"), "Peer.certificate_names"),
        (lambda: Peer(None, [5]), "Peer.certificate_names: each of them"),
        (lambda: server(host=None), "host"),
        (lambda: server(port="x"), "port"),
        (lambda: server(port=None), "port"),
        (lambda: server(port=80.0), "port"),
        (lambda: server(ssl="server.pem"), "ssl"),
        (lambda: server(limits=5), "limits"),
        (lambda: server(limits=InboxLimits()), "limits"),
        (lambda: server(drain="x"), "drain"),
        (lambda: server(drain=None), "drain"),
        (lambda: server_context(None), "certificate"),
        (lambda: server_context(5), "certificate"),
        (lambda: server_context("c", key=5), "key"),
        (lambda: server_context("c", client_ca=True), "client_ca"),
        (lambda: server_context("c", password=5), "password"),
        (lambda: server_context("c", require_client_certificate="no"), "require_client_certificate"),
        (lambda: server_context("c", strict_x509=1), "strict_x509"),
    ],
)
def test_what_a_receiver_is_made_of_is_refused_by_name(make, name):
    with pytest.raises(TypeError, match=f"^{name} must be"):
        make()


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Duplicates(window=NAN), "Duplicates.window"),
        (lambda: Duplicates(window=-1), "Duplicates.window"),
        (lambda: Duplicates(window=INFINITE), "Duplicates.window"),
        (lambda: Duplicates(remembered=-1), "Duplicates.remembered"),
        (lambda: Duplicates(remembered=0), "Duplicates.remembered"),
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
def test_a_number_out_of_range_is_refused_by_name(make, name):
    with pytest.raises(InvalidArgumentError, match=f"{re.escape(name)} = "):
        make()


@pytest.mark.parametrize(
    ("call", "wrong"),
    [("stop", NAN), ("stop", -1), ("stop", INFINITE), ("stop", 1e18), ("dead_letters", -1)],
)
def test_looking_after_it_takes_what_is_in_range_and_goes_on(receiver, call, wrong):
    with pytest.raises(InvalidArgumentError, match="it must be"):
        getattr(receiver, call)(wrong)
    assert receiver.receive(data_body()).status == 200


def test_what_is_in_range_is_taken():
    Duplicates(window=0, remembered=1)
    InboxLimits(messages=1, size=1, age=0)
    HandlerRetry(attempts=1, first=0, longest=0)
    assert Access(networks=[ipaddress.ip_network("192.0.2.0/24")]).admits(Peer("192.0.2.7"))
    with pytest.raises(TypeError, match="bogus"):
        server(bogus=1)


def test_on_needs_a_class(receiver):
    with pytest.raises(InvalidArgumentError, match="at least one"):
        receiver.on()(print)


def test_a_path_may_be_bytes(tmp_path):
    inbox = SqliteInbox(str(tmp_path / "inbox").encode())
    inbox.start(lambda _id, _device: None)
    inbox.stop()
    assert (tmp_path / "inbox").exists()


def test_an_inbox_that_lacks_a_method_is_refused_at_once():
    class Lacking:
        put = start = stop = get = done = bury = dead_letters = replay = discard = stats = print

    with pytest.raises(InvalidArgumentError, match="one of yours with refused_another"):
        PushMessageReceiver(Lacking())
    assert set(INBOX_METHODS) == {name for name in vars(Inbox) if not name.startswith("_")}
