from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import iot_northbound.push
from iot_northbound.dto import (
    NotifyDeviceAddedDTO,
    NotifyDeviceDataChangedDTO,
    NotifyNBCCommandStatusChangedDTO,
    QueryDeviceStatusOutDTO,
)
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import InboxError, InboxLimits, MemoryInbox, Message, PushMessageReceiver
from iot_northbound.push.events import KINDS
from iot_northbound.push.handlers import METHODS, Handlers
from iot_northbound.testing.messages import PUSH_KINDS, push_body, push_message
from tests.clock import FakeClock, eventually
from tests.push.helpers import Log, Recorder, data_body


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with Recorder(MemoryInbox()) as running:
        yield running


def test_every_kind_has_its_method() -> None:
    assert set(METHODS) == {cls.__name__ for cls in KINDS.values()}
    assert all(callable(getattr(Handlers, name)) for name in METHODS.values())


@pytest.mark.parametrize("kind", PUSH_KINDS)
def test_an_overridden_method_gets_the_dto_of_its_kind(kind: str) -> None:
    cls, got = KINDS[kind], Log()
    name = METHODS[cls.__name__]
    subclass = type("Application", (PushMessageReceiver,), {name: lambda self, body: got.add(body)})
    with subclass(MemoryInbox()) as receiver:
        for other in PUSH_KINDS:
            assert receiver.receive(push_body(other)).status == 200
        (body,) = got.wait_for(1)
        eventually(lambda: receiver.metrics().depth == 0)
    assert type(body) is cls
    assert len(got.items) == 1


@pytest.mark.parametrize("kind", PUSH_KINDS)
@pytest.mark.parametrize("path", ["/v1.0.0/messageReceiver", "/v1.0.0/messageReceiver/cmd"])
def test_each_kind_is_accepted_on_both_routes(receiver: Recorder, kind: str, path: Any) -> None:
    assert receiver.receive(push_body(kind), path=path).status == 200
    eventually(lambda: receiver.metrics().handled == 1)


def test_registered_functions_do_the_same_and_a_kind_may_have_several(receiver: Recorder) -> None:
    got = Log()

    @receiver.on(NotifyDeviceDataChangedDTO, NotifyDeviceAddedDTO)
    def first(body: Any) -> None:
        got.add(("first", body.device_id))

    @receiver.on(NotifyDeviceDataChangedDTO)
    def second(body: Any) -> None:
        got.add(("second", body.device_id))

    receiver.receive(data_body("d1"))
    assert got.wait_for(2) == [("first", "d1"), ("second", "d1")]
    receiver.receive(push_body("deviceAdded", deviceId="d2"))
    assert got.wait_for(3)[2] == ("first", "d2")


def test_the_whole_body_is_seen_first() -> None:
    seen = Log()

    class Application(PushMessageReceiver):
        def handle_body(self, body: Any) -> None:
            seen.add(("body", body))

        def handle_device_added(self, body: Any) -> None:
            seen.add(("device_added", body.device_id))

    body = push_body("deviceAdded", {"name": "ü"})
    with Application(MemoryInbox()) as receiver:
        receiver.receive(body)
        assert seen.wait_for(2) == [("body", body.decode()), ("device_added", "device-1")]


@pytest.mark.parametrize(
    "raw", [{"notifyType": "brandNew", "x": [1.0, None]}, {"x": 1}, push_message("deviceAdded", deviceInfo="text")]
)
def test_a_message_that_fits_no_kind_goes_to_handle_unknown(raw: dict[str, Any]) -> None:
    import json

    seen = Log()

    class Application(PushMessageReceiver):
        def handle_unknown(self, body: Any) -> None:
            seen.add((body, self.event.problem))

        def handle_device_added(self, body: Any) -> None:
            seen.add(body)

    with Application(MemoryInbox()) as receiver:
        receiver.on_unknown(lambda body: seen.add(body))
        assert receiver.receive(json.dumps(raw).encode()).status == 200
        (first, problem), second = seen.wait_for(2)
    assert first == second == raw
    assert problem


def test_the_event_is_there_within_a_handler_only(receiver: Recorder) -> None:
    seen = Log()
    receiver.on(NotifyNBCCommandStatusChangedDTO)(lambda body: seen.add(receiver.event))
    receiver.receive(push_body("commandStatusChanged", {"extra": 1}))
    (event,) = seen.wait_for(1)
    assert (event.kind, event.raw["extra"], event.attempt) == ("commandStatusChanged", 1, 1)
    with pytest.raises(RuntimeError, match="only in a handler"):
        _ = receiver.event


def test_what_cannot_be_registered_is_refused(receiver: Recorder) -> None:
    async def coroutine(body: Any) -> None:
        pass

    with pytest.raises(InvalidArgumentError, match="plain function"):
        receiver.on(NotifyDeviceAddedDTO)(coroutine)
    with pytest.raises(InvalidArgumentError, match=r"QueryDeviceStatusOutDTO.*NotifyDeviceAddedDTO"):
        receiver.on(QueryDeviceStatusOutDTO)(print)

    class Application(PushMessageReceiver):
        async def handle_device_added(self, body: Any) -> None:  # type: ignore[override]
            pass

    with pytest.raises(InvalidArgumentError, match="plain function"):
        Application()


@pytest.mark.parametrize("handler", [lambda: None, lambda body, event: None, lambda *, body: None, None])
def test_functions_that_cannot_be_called_with_a_message_are_refused(receiver: Recorder, handler: Any) -> None:
    for register in (receiver.on(NotifyDeviceAddedDTO), receiver.on_body, receiver.on_unknown):
        with pytest.raises(InvalidArgumentError, match=r"handler = .*it must"):
            register(handler)


@pytest.mark.parametrize("handler", [print, lambda body, also=1: None, lambda *all_of_it: None, Log().add])
def test_functions_that_can_be_called_with_a_message_are_accepted(receiver: Recorder, handler: Any) -> None:
    assert receiver.on(NotifyDeviceAddedDTO)(handler) is handler


@pytest.mark.parametrize(
    ("name", "method", "text"),
    [
        ("handle_device_data_change", lambda self, body: None, "did you mean handle_device_data"),
        ("handle_nothing_like_it", staticmethod(print), "no message goes to a method of this name"),
        ("handle_device_added", lambda self: None, "the message as its only argument"),
        ("handle_device_added", lambda self, body, event: None, "the message as its only argument"),
        ("handle_body", lambda self: None, "the message as its only argument"),
    ],
)
def test_a_method_that_would_never_get_its_message_is_refused(name: str, method: str, text: str) -> None:
    application = type("Application", (PushMessageReceiver,), {name: method})
    with pytest.raises(InvalidArgumentError, match=text) as caught:
        application(MemoryInbox())
    assert caught.value.error_code == "1007"


def test_a_method_with_another_name_is_not_checked() -> None:
    type("Application", (PushMessageReceiver,), {"_handle_it": print, "handle_count": 3, "handled": print})()


@pytest.mark.parametrize("inbox", ["pushes.sqlite3", Path("pushes.sqlite3"), MemoryInbox, 7])
def test_a_value_that_is_not_an_inbox_is_refused(inbox: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"inbox = .*SqliteInbox\(path\)") as caught:
        PushMessageReceiver(inbox)
    assert caught.value.error_code == "1007"


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"body_limit": 0}, {"route": "no path"}])
def test_a_receiver_that_could_handle_nothing_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        PushMessageReceiver(**wrong)


def test_a_message_that_fits_no_kind_is_logged(receiver: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    receiver.receive(push_body("deviceDataChanged", deviceId="meter-7", service="a reading"))
    eventually(lambda: receiver.metrics().handled == 1)
    (record,) = caplog.records
    assert "$.service should be an object" in record.getMessage()
    assert "a reading" not in caplog.text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"body": b"[]"}, 400),
        ({"body": b"nothing"}, 400),
        ({"body": b" " * (1 << 20) + b"{}"}, 413),
        ({"body": b"{}", "path": "/"}, 404),
        ({"body": b"{}", "path": "/v1.0.0/messageReceiver/cmd/more"}, 404),
        ({"body": b"{}", "path": "/v1.0.0/messageReceiver", "method": "GET"}, 405),
        ({"body": b"{}", "path": "/v1.0.0/messageReceiver/"}, 200),
    ],
)
def test_answers(receiver: Recorder, request_: Any, status: int) -> None:
    answer = receiver.receive(**request_)
    assert answer.status == status
    assert answer.text
    assert receiver.metrics().refused == ({} if status == 200 else {status: 1})


def test_a_full_inbox_makes_the_platform_come_back() -> None:
    receiver = Recorder(MemoryInbox(limits=InboxLimits(size=1)))
    answer = receiver.receive(data_body())
    assert (answer.status, answer.headers) == (503, (("retry-after", "30"),))
    assert "its limit" in answer.text
    receiver.stop()


def test_a_failing_inbox_makes_the_platform_come_back(receiver: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryInbox):
        def put(self, message: Message) -> Future[bool]:
            raise OSError("disk gone")

    with Recorder(Broken()) as broken, caplog.at_level(logging.CRITICAL):
        assert broken.receive(data_body()).status == 503


def test_an_inbox_that_is_too_slow_is_answered_503(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(MemoryInbox):
        def put(self, message: Message) -> Future[bool]:
            return Future()

    monkeypatch.setattr("iot_northbound.push.receiver.ANSWER_WITHIN", 0.01)
    with Recorder(Stuck()) as stuck:
        assert stuck.receive(data_body()).status == 503


def test_the_first_message_starts_it_and_says_when_nothing_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Recorder()
    with caplog.at_level(logging.WARNING):
        assert receiver.receive(data_body()).status == 200
    assert "kept in memory" in caplog.text
    receiver.log.wait_for(1)
    receiver.stop()
    assert receiver.receive(data_body()).status == 503


def test_bodies_stay_out_of_the_log(receiver: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    def fail(body: Any) -> None:
        raise ValueError("boom")

    receiver.on(NotifyDeviceDataChangedDTO)(fail)
    with caplog.at_level(logging.DEBUG, "iot_northbound"):
        receiver.receive(data_body("d1", 1, extra={"token": "sesame"}))
        eventually(lambda: receiver.metrics().failures == 1)
    assert "boom" in caplog.text
    assert "sesame" not in caplog.text


def test_metrics_tell_depth_age_rate_and_failures() -> None:
    clock = FakeClock()
    blocked = Recorder(MemoryInbox(clock=clock), clock=clock, threads=1)
    import threading

    release = threading.Event()
    blocked.on_body(lambda _: release.wait(60))
    with blocked as receiver:
        for number in range(6):
            receiver.receive(data_body("d", number))
        receiver.receive(data_body("d", 5))
        receiver.receive(b"no")
        clock.advance(30)
        metrics = receiver.metrics()
        assert (metrics.depth, metrics.age, metrics.rate) == (6, 30.0, 6 / 30)
        assert (metrics.accepted, metrics.duplicates, metrics.refused) == (6, 1, {400: 1})
        clock.advance(31)
        assert receiver.metrics().rate == 0
        release.set()
        eventually(lambda: receiver.metrics().handled == 6)
        assert (receiver.metrics().depth, receiver.metrics().age) == (0, 0.0)
    assert receiver.metrics().depth == 0


def test_looking_after_it_needs_it_to_run() -> None:
    for call in ("dead_letters", "replay"):
        with pytest.raises(InboxError, match="start"):
            getattr(Recorder(MemoryInbox()), call)()


def test_the_package_loads_lazily_and_knows_its_names() -> None:
    for name in iot_northbound.push.__all__:
        assert getattr(iot_northbound.push, name) is not None
        assert name in dir(iot_northbound.push)
    with pytest.raises(AttributeError):
        _ = iot_northbound.push.nothing  # type: ignore[attr-defined]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_answer_for_threads_it_has_not(receiver: Recorder) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(receiver.receive(data_body()).status).encode())
        os._exit(0)
    assert os.read(reading, 10) == b"503"
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


def test_a_handler_may_stop_its_own_receiver(receiver: Recorder) -> None:
    stopped = Log()
    receiver.on_body(lambda _: stopped.add(receiver.stop(0.01)))  # it cannot wait for itself
    receiver.receive(data_body())
    stopped.wait_for(1)
    assert receiver.receive(data_body()).status == 503
