"""What each message says about its repetitions."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.push.parse import COMMAND_STATUS, parse
from iot_northbound.push.recognition import Recognition, Repeats
from iot_northbound.testing.messages import PUSH_KINDS, push_body, push_message


def recognition_of(body: bytes, content_type: str = "") -> Recognition:
    return parse(body, 1.0, content_type).recognition


def data(**changes: Any) -> bytes:
    return push_body("deviceDataChanged", **changes)


def timed(time: str, request_id: str | None = None) -> bytes:
    return data(requestId=request_id, service=push_message("deviceDataChanged")["service"] | {"eventTime": time})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1}', b'{"a": 1}'),
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}'),
        (b'{"a":1}', b'{"a":1.0}'),
        (b'{"a":1}', b'{"a":1}\n'),
        ('{"a":"ü"}'.encode(), b'{"a":"\\u00fc"}'),
        ('{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-16-le")),
        (data(requestId="r"), data(requestId="s")),
    ],
)
def test_bodies_that_differ_in_a_byte_are_different_messages(one: bytes, other: bytes) -> None:
    assert recognition_of(one).identity != recognition_of(other).identity


def test_the_same_bytes_under_another_charset_are_another_message() -> None:
    body = '{"a":"Zähler"}'.encode("latin-1")
    assert recognition_of(body, "text/plain; charset=latin-1") == recognition_of(body, "text/plain; charset=latin-1")
    assert recognition_of(body, "text/plain; charset=latin-1") != recognition_of(body, "text/plain; charset=gbk")


@pytest.mark.parametrize(
    ("time", "after"),
    [
        ("20260301T101500Z", 2.0),
        (" 20260301T101500Z ", 2.0),
        ("2026-03-01T10:15:00Z", 2.0),
        ("2026-03-01 10:15:00.5+08:00", 1.1),
        ("20260301T101500123Z", 0.0),
        ("2026-03-01T10:15:00.123456Z", 0.0),
    ],
)
def test_the_more_precise_its_time_the_sooner_the_same_body_is_a_repetition(time: str, after: float) -> None:
    assert recognition_of(timed(time)).after == after
    assert recognition_of(timed(time)).repeats is (Repeats.LATER if after else Repeats.ALWAYS)


def test_a_time_and_a_requests_id_leave_no_doubt() -> None:
    assert recognition_of(timed("20260301T101500Z", "r")).repeats is Repeats.ALWAYS
    assert recognition_of(push_body("messageConfirm")).repeats is Repeats.ALWAYS


@pytest.mark.parametrize(
    "time", [None, "", "yesterday", "20260301", "20260301T1015Z", 1772360100, ["20260301T101500Z"]]
)
def test_a_text_without_seconds_is_not_a_time(time: str) -> None:
    assert recognition_of(timed(time)).repeats is Repeats.NEVER
    assert recognition_of(timed(time, "r")).repeats is Repeats.NEXT


def test_one_precise_time_among_several_is_enough() -> None:
    services = [{"eventTime": time} for time in (None, "20260301T101500Z", "20260301T101500123Z")]
    assert recognition_of(push_body("deviceDatasChanged", requestId=None, services=services)).repeats is Repeats.ALWAYS


EXPECTED = {
    Repeats.ALWAYS: {"deviceDataChanged", "deviceDatasChanged", "messageConfirm"},
    Repeats.LATER: {"deviceEvent", "ruleEvent"},
    Repeats.NEVER: {"bindDevice", "deviceCapabilitiesChanged", "deviceDesiredPropertiesModifyStatusChanged"},
}


@pytest.mark.parametrize("kind", PUSH_KINDS)
def test_each_kind_has_its_rule(kind: str) -> None:
    expected = next((rule for rule, kinds in EXPECTED.items() if kind in kinds), Repeats.NEXT)
    assert recognition_of(push_body(kind)).repeats is expected


def test_a_kind_the_reference_does_not_know_is_never_a_repetition() -> None:
    assert recognition_of(b'{"notifyType":"somethingNew","deviceId":"d"}').repeats is Repeats.NEVER
    assert recognition_of(b"{}").repeats is Repeats.NEVER


def test_a_state_without_a_device_is_never_a_repetition() -> None:
    assert recognition_of(push_body("deviceAdded", deviceId=None)).repeats is Repeats.NEVER
    assert recognition_of(push_body(COMMAND_STATUS, deviceId=None)).repeats is Repeats.NEVER
