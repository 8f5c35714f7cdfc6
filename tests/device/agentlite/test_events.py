from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from iot_northbound.device.agentlite import AgentLiteError, DataIE, HwErr, IotaMessage, Topic
from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.events import Events
from tests.device.test_workers import no_more_threads

BOTH = frozenset({Topic.COMMAND_RECEIVE, Topic.DATA_REPORT_RSP})


def command(device_id: str) -> IotaMessage:
    return IotaMessage(Topic.COMMAND_RECEIVE, {DataIE.DEVICEID: device_id})


@pytest.fixture
def events() -> Iterator[Events]:
    made = Events("test")
    yield made
    made.close()


def test_messages_come_in_order_on_one_thread_of_the_agent(events: Events) -> None:
    heard: list[tuple[str | None, str]] = []
    events.listen(BOTH, "key", lambda message: heard.append((message.device_id, threading.current_thread().name)))
    for number in range(100):
        events.tell(command(str(number)))
    events.close()
    assert heard == [(str(number), "test-messages") for number in range(100)]


def test_only_the_events_and_the_device_that_were_asked_for_come(events: Events) -> None:
    heard: list[IotaMessage] = []
    events.listen(BOTH, "key", heard.append, "device-1")
    events.tell(command("device-2"))
    events.tell(IotaMessage(Topic.UNBIND_DEVICE))
    wanted = command("device-1")
    events.tell(wanted)
    events.close()
    assert heard == [wanted]


def test_an_observer_that_fails_is_logged_and_the_others_still_hear(
    events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[IotaMessage] = []

    def fail(message: IotaMessage) -> None:
        raise RuntimeError("broken")

    events.listen(BOTH, "first", fail)
    events.listen(BOTH, "second", heard.append)
    events.tell(command("a"))
    events.tell(command("b"))
    events.close()
    assert [each.device_id for each in heard] == ["a", "b"]
    assert caplog.text.count("an observer of COMMAND_RECEIVE failed") == 2


def test_a_removed_observer_hears_no_more_and_can_be_removed_only_once(events: Events) -> None:
    heard: list[IotaMessage] = []
    events.listen(BOTH, "key", heard.append)
    events.forget(BOTH, "key")
    events.tell(command("a"))
    events.close()
    assert heard == []
    with pytest.raises(AgentLiteError) as failure:
        events.forget(BOTH, "key")
    assert failure.value.code is HwErr.NOMATCH


def test_after_the_close_nothing_is_told_and_an_observer_may_close(events: Events) -> None:
    heard: list[str | None] = []

    def close(message: IotaMessage) -> None:
        heard.append(message.device_id)
        events.close()

    events.listen(BOTH, "key", close)
    events.tell(command("a"))
    events.close()
    events.tell(command("b"))
    assert heard == ["a"]


def test_the_result_of_a_call_goes_to_observers_and_caller_with_its_cookie(events: Events) -> None:
    heard: list[IotaMessage] = []
    events.listen(BOTH, "key", heard.append)
    call = Accepted(events, Topic.DATA_REPORT_RSP, 1211)
    assert call
    call.end({DataIE.RESULT: 0})
    call.end({DataIE.RESULT: 1})
    events.close()
    assert heard == [call.result(0)]
    assert heard[0].get_uint(DataIE.COOKIE) == call.cookie == 1211


def test_the_error_of_a_call_has_the_message_that_the_observers_get(events: Events) -> None:
    call = Accepted(events, Topic.DATA_REPORT_RSP)
    call.end({DataIE.RESULT: 1}, AgentLiteError(HwErr.DROP, "dropped"))
    error = call.exception(0)
    assert isinstance(error, AgentLiteError)
    assert error.code is HwErr.DROP
    assert error.message is not None
    assert error.message.get_uint(DataIE.RESULT) == 1


@pytest.mark.parametrize("cookie", [-1, 65_536, True, "7", 1.5])
def test_a_cookie_beyond_the_documented_range_is_refused(events: Events, cookie: object) -> None:
    with pytest.raises(AgentLiteError, match="65535") as failure:
        Accepted(events, Topic.DATA_REPORT_RSP, cookie)  # type: ignore[arg-type]
    assert failure.value.code is HwErr.PARA


@pytest.mark.parametrize("cookie", [None, 0])
def test_no_cookie_is_zero_in_the_message(events: Events, cookie: int | None) -> None:
    assert Accepted(events, Topic.DATA_REPORT_RSP, cookie).cookie == 0


def test_a_message_that_got_no_thread_comes_with_the_next_one(events: Events) -> None:
    heard: list[str | None] = []
    events.listen(BOTH, "key", lambda message: heard.append(message.device_id))
    with no_more_threads():
        events.tell(command("first"))
    events.tell(command("second"))
    events.close()
    assert heard == ["first", "second"]


def test_events_that_never_got_a_thread_can_be_closed(events: Events) -> None:
    with no_more_threads():
        events.tell(command("first"))
    events.close()
