"""Receivers that only answer: their messages are handled by other processes, or by another program."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from iot_northbound.dto import NotifyDeviceAddedDTO
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import (
    InboxError,
    InboxFullError,
    InboxStats,
    MemoryInbox,
    Message,
    PushMessageReceiver,
    SqliteInbox,
)
from iot_northbound.push.inbox import Deliver
from tests.push.helpers import Recorder, data_body


class Topic:
    """A sink of the four names that a sink needs."""

    durable = True

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.stopped = 0
        self.error: Exception | None = None

    def put(self, message: Message) -> Future[bool]:
        if self.error is not None:
            raise self.error
        self.messages.append(message)
        answer: Future[bool] = Future()
        answer.set_result(True)
        return answer

    def stats(self) -> InboxStats:
        return InboxStats(0, 0, 0, None)

    def stop(self) -> None:
        self.stopped += 1


class SharedInbox(MemoryInbox):
    """As an inbox of several processes behaves towards one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.takes_leases: bool | None = None

    def on_withdraw(self, tell: Callable[[Callable[[str], bool]], int]) -> None:
        pass

    def start(self, deliver: Deliver | None) -> None:
        self.takes_leases = deliver is not None
        super().start(deliver or (lambda _id, _device: None))


def test_a_sink_gets_what_is_answered_with_200() -> None:
    topic = Topic()
    receiver = PushMessageReceiver(topic)
    assert receiver.receive(data_body("d", 1)).status == 200
    assert [message.device for message in topic.messages] == ["d"]
    assert receiver.metrics().accepted == 1
    assert receiver.stop() is True
    assert topic.stopped == 1
    assert receiver.receive(data_body("d", 2)).status == 503
    with receiver:
        assert receiver.receive(data_body("d", 3)).status == 200


def test_what_a_sink_does_not_take_is_answered_with_503() -> None:
    topic = Topic()
    receiver = PushMessageReceiver(topic)
    topic.error = InboxFullError("the queue of the broker is full")
    answer = receiver.receive(data_body("d", 1))
    assert (answer.status, b"queue of the broker" in answer.body) == (503, True)


def test_a_request_that_is_refused_unread_does_not_disturb_a_sink() -> None:
    with PushMessageReceiver(Topic()) as receiver:
        assert receiver.receive(b"[]").status == 400


def test_a_sink_has_no_dead_letters() -> None:
    with PushMessageReceiver(Topic()) as receiver, pytest.raises(InboxError, match="Topic has no dead letters"):
        receiver.dead_letters()


def test_handlers_that_no_message_would_reach_are_refused() -> None:
    receiver = PushMessageReceiver(Topic())
    for register in (receiver.on_body, receiver.on_unknown, receiver.on(NotifyDeviceAddedDTO)):
        with pytest.raises(InvalidArgumentError, match="hands the messages to another program"):
            register(lambda body: None)
    with pytest.raises(InvalidArgumentError, match=r"Recorder\.handle_body"):
        Recorder(Topic())


@pytest.mark.parametrize("half", [type("Half", (), {"put": lambda self, message: None})(), Topic])
def test_half_a_sink_is_refused(half: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="inbox"):
        PushMessageReceiver(half)


def test_a_process_without_threads_takes_no_lease_and_calls_no_handler() -> None:
    inbox = SharedInbox()
    with Recorder(inbox, threads=0) as receiver:
        assert receiver.receive(data_body("d", 1)).status == 200
        assert inbox.takes_leases is False
        assert receiver.metrics().depth == 1
        assert receiver.dead_letters() == []


def test_a_worker_of_the_same_receiver_says_its_threads_at_the_start() -> None:
    inbox = SharedInbox()
    receiver = Recorder(inbox, threads=0).start(threads=2)
    assert receiver.receive(data_body("d", 1)).status == 200
    receiver.log.wait_for(1)
    assert inbox.takes_leases is True
    receiver.stop()


@pytest.mark.parametrize("inbox", [None, MemoryInbox(), SqliteInbox("never-made")])
def test_an_inbox_of_one_process_needs_threads(inbox: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="threads = 0: this inbox belongs to one process"):
        PushMessageReceiver(inbox, threads=0)
