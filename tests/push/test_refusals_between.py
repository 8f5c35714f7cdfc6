"""A message that was refused counts as one that came between, whatever refused it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import Access, InboxLimits, MemoryInbox, Message, SqliteInbox
from iot_northbound.push.access import Peer
from iot_northbound.testing.messages import push_body
from tests.clock import FakeClock, eventually
from tests.push.helpers import Recorder, data_body, ledger_of
from tests.push.test_asgi import call
from tests.push.test_server import post
from tests.serving.probe import AT_ONCE, connect

ONLINE, OFFLINE = (push_body("deviceInfoChanged", deviceInfo={"status": status}) for status in ("ONLINE", "OFFLINE"))
ALARM = push_body("deviceEvent")
ELSEWHERE = push_body("deviceInfoChanged", deviceId="another")


def too_large(receiver: Recorder) -> Any:
    return receiver.receive(OFFLINE + b" " * 2_000)


def too_large_over_asgi(receiver: Recorder) -> Any:
    return call(receiver.asgi, OFFLINE, b" " * 2_000)


def not_json(receiver: Recorder) -> Any:
    return receiver.receive(OFFLINE[:-1])


def packed_in_a_way_nobody_reads(receiver: Recorder) -> Any:
    return receiver.receive(OFFLINE, {"Content-Encoding": "br"})


def not_allowed(receiver: Recorder) -> Any:
    return receiver.receive(OFFLINE, peer=Peer("198.51.100.7"))


def broken_off(receiver: Recorder) -> Any:
    return call(receiver.asgi, OFFLINE[:10], gone=True)


def too_slow(receiver: Recorder) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receiver._running, "put", give_up)
        return receiver.receive(OFFLINE)


def give_up(_message: Message) -> Future[bool]:
    raise TimeoutError


REFUSALS = [too_large, too_large_over_asgi, not_json, packed_in_a_way_nobody_reads, not_allowed, broken_off, too_slow]


@pytest.mark.parametrize("refuse", REFUSALS)
@pytest.mark.parametrize("body", [ONLINE, ALARM])
def test_after_a_message_was_refused_unread_what_comes_again_is_handled_again(
    refuse: Callable[[Recorder], Any], body: bytes
) -> None:
    clock = FakeClock()
    access = Access(networks=["192.0.2.0/24"])
    receiver = Recorder(MemoryInbox(clock=clock), body_limit=1_000, access=access, clock=clock)
    near = Peer("192.0.2.1")
    with receiver:
        assert receiver.receive(body, peer=near).status == 200
        refused = refuse(receiver)
        assert getattr(refused, "status", refused) != 200
        clock.advance(30)
        assert receiver.receive(body, peer=near).status == 200
        assert receiver.metrics().duplicates == 0
        clock.advance(30)
        assert receiver.receive(body, peer=near).status == 200
        assert receiver.metrics().duplicates == 1


@pytest.mark.parametrize("again", ["the same inbox", "another inbox"])
@pytest.mark.parametrize("body", [ONLINE, ALARM])
@pytest.mark.parametrize("durable", [False, True])
def test_a_stopped_receiver_refuses_and_forgets_what_is_not_certain(
    tmp_path: Path, again: str, body: bytes, durable: bool
) -> None:
    clock = FakeClock()
    inbox = SqliteInbox(tmp_path / "inbox", clock=clock) if durable else MemoryInbox(clock=clock)
    receiver = Recorder(inbox, clock=clock)
    receiver.start()
    assert receiver.receive(body).status == receiver.receive(data_body()).status == 200
    receiver.stop()
    assert receiver.receive(OFFLINE).status == 503
    clock.advance(30)
    if durable and again == "another inbox":
        receiver = Recorder(SqliteInbox(tmp_path / "inbox", clock=clock), clock=clock)
    with receiver:
        assert receiver.receive(body).status == receiver.receive(data_body()).status == 200
        assert receiver.metrics().duplicates == 1  # the data, which names a request


@pytest.mark.parametrize("stop", [False, True])
def test_a_full_inbox_refuses_and_the_state_before_is_new_also_after_a_restart(tmp_path: Path, stop: bool) -> None:
    inbox = SqliteInbox(tmp_path / "inbox")
    receiver = Recorder(inbox)
    receiver.start()
    assert receiver.receive(ONLINE).status == receiver.receive(ELSEWHERE).status == 200
    ledger_of(inbox).limits = InboxLimits(messages=1, size=1)
    assert receiver.receive(OFFLINE).status == 503
    ledger_of(inbox).limits = InboxLimits()
    if stop:
        receiver.stop()
        receiver = Recorder(SqliteInbox(tmp_path / "inbox")).start()
    assert receiver.receive(ONLINE).status == 200
    assert receiver.metrics().duplicates == 0
    if not stop:  # the other device had nothing refused
        assert receiver.receive(ELSEWHERE).status == 200
        assert receiver.metrics().duplicates == 1
    receiver.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_refuses_hangs_on_nothing(tmp_path: Path) -> None:
    with Recorder(SqliteInbox(tmp_path / "inbox")) as receiver:
        assert receiver.receive(ONLINE).status == 200
        child = os.fork()
        if child == 0:
            os._exit(0 if receiver.receive(OFFLINE).status == 503 else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_what_the_own_server_refuses_counts_too() -> None:
    receiver = Recorder(MemoryInbox())
    with receiver.server(port=0) as server:
        assert post(server, ONLINE)[0] == 200
        with connect(server._server, body_deadline=AT_ONCE) as slow:
            slow.sendall(b"POST /v1.0.0/messageReceiver HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
            assert b" 408 " in slow.recv(1_000)
        eventually(lambda: receiver.metrics().refused == {408: 1})
        assert post(server, ONLINE)[0] == 200
        assert receiver.metrics().duplicates == 0
