"""Hooks are told of every attempt, by template names, and change nothing."""

import logging
from typing import Any

import pytest
from tests.clock import FakeClock

from iot_northbound import Hooks, RequestEvent, ResponseEvent, RetryEvent, ThrottledError
from iot_northbound.core.endpoint import Endpoint

READ: Endpoint[None] = Endpoint("GET", "/devices/{device_id}", type(None), section="test")
THROTTLED = (429, {"error_code": "1010009", "error_desc": "too fast"}, {"Retry-After": "2"})


def hooks_into(events: list[Any]) -> Hooks:
    return Hooks(before_request=events.append, after_response=events.append, on_retry=events.append)


def call(client: Any) -> None:
    client.call(READ, {"device_id": "very-private-id"}, query={"appId": "other-app"}, access_token="a-token-of-mine")


def test_hooks_are_told_of_each_attempt_in_order(serve: Any, connect: Any) -> None:
    server = serve(lambda seen, wire: THROTTLED if len(server.seen) == 1 else (200, {}))
    events: list[Any] = []
    call(connect(server, hooks=hooks_into(events), clock=FakeClock()))
    name = "GET /devices/{device_id}"
    assert events == [
        RequestEvent(name, 1),
        ResponseEvent(name, 1, 429, "1010009", 0.0),
        RetryEvent(name, 1, 2.0, "refused unread: 1010009"),
        RequestEvent(name, 2),
        ResponseEvent(name, 2, 200, None, 0.0),
    ]
    assert "private" not in repr(events)
    assert "other-app" not in repr(events)


def test_an_attempt_without_an_answer_has_no_status(serve: Any, connect: Any) -> None:
    events: list[Any] = []
    server = serve(lambda seen, wire: wire.reset())
    with pytest.raises(Exception, match="1003"):
        call(connect(server, hooks=hooks_into(events), max_attempts=1))
    assert [(each.status, each.error_code) for each in events if isinstance(each, ResponseEvent)] == [(None, "1003")]


def test_a_hook_that_fails_is_logged_and_changes_nothing(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: object) -> None:
        raise ZeroDivisionError

    server = serve(lambda seen, wire: THROTTLED)
    client = connect(
        server, hooks=Hooks(before_request=fail, after_response=fail, on_retry=fail), clock=FakeClock(), max_attempts=2
    )
    with caplog.at_level(logging.ERROR, "iot_northbound"), pytest.raises(ThrottledError):
        call(client)
    assert len(server.seen) == 2
    assert {record.name for record in caplog.records} == {"iot_northbound.hooks"}
    assert len(caplog.records) == 5


def test_a_hook_whose_error_has_no_text_and_a_log_that_fails_change_nothing(serve: Any, connect: Any) -> None:
    class Named(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise ValueError

    class Nameless(Exception, metaclass=Named):
        pass

    def fail(event: object) -> None:
        raise Nameless

    def refuse(record: logging.LogRecord) -> bool:
        raise ValueError

    server = serve(lambda seen, wire: (200, {}))
    client = connect(server, hooks=Hooks(before_request=fail, after_response=fail))
    log = logging.getLogger("iot_northbound.hooks")
    call(client)
    log.addFilter(refuse)
    try:
        call(client)
    finally:
        log.removeFilter(refuse)
    assert len(server.seen) == 2


def test_the_tokens_own_calls_are_told_too(serve: Any, connect: Any) -> None:
    from tests.faulty_server import Desk

    events: list[Any] = []
    with connect(serve(Desk(lambda seen, wire: (200, {}))), hooks=hooks_into(events)):
        pass
    assert [each.endpoint for each in events] == ["POST /iocm/app/sec/v1.1.0/login"] * 2
