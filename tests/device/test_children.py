from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.device import children
from iot_northbound.device.messages import Command, NotACommandError
from iot_northbound.errors import InvalidArgumentError

NOW = 1_770_000_000.0
WIRE = children.ChildWire()


def command(**header: Any) -> bytes:
    given = {"requestId": "7", "deviceId": "child", "serviceId": "Lamp", "method": "ON", "from": "/x", "mode": "ACK"}
    return json.dumps({"header": {**given, **header}, "body": {"level": 3}}).encode()


def test_a_report_has_the_layout_of_the_field() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 999_000, tzinfo=UTC)
    assert json.loads(children.report("child-1", "Lamp", {"level": 3}, moment, NOW)) == {
        "header": {
            "method": "PUT",
            "from": "/device/child-1/services/Lamp",
            "to": "/data/v1.1.0/devices/child-1/services/Lamp",
            "timestamp": "20260202T024000Z",
            "eventTime": "20260102T030405Z",
        },
        "body": {"level": 3},
    }


def test_a_report_without_a_time_is_of_now() -> None:
    header = json.loads(children.report("child-1", "Lamp", {}, None, NOW))["header"]
    assert header["eventTime"] == header["timestamp"] == "20260202T024000Z"


@pytest.mark.parametrize(
    ("device_id", "service_id", "data", "said"),
    [
        ("", "Lamp", {}, "device_id"),
        ("a/b", "Lamp", {}, "device_id"),
        (None, "Lamp", {}, "device_id"),
        ("child", "", {}, "service_id"),
        ("child", "Lamp", [1], "data"),
        ("child", "Lamp", {"x": float("nan")}, "JSON"),
    ],
)
def test_a_report_with_a_mistake_is_refused_by_name(device_id: Any, service_id: Any, data: Any, said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        children.report(device_id, service_id, data, None, NOW)


def test_a_command_is_read_and_its_reply_repeats_its_number_and_device() -> None:
    read = WIRE.read(command())
    assert read == Command("Lamp", "ON", {"level": 3}, 7, "child")
    assert read is not None
    assert json.loads(WIRE.answer(read, 0, {"done": True})) == {
        "header": {"requestId": "7", "deviceId": "child", "statusCode": 0}, "body": {"done": True},
    }  # fmt: skip
    assert json.loads(WIRE.answer(read, 5, None))["header"]["statusCode"] == 5


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"header":[]}',
        command(method=None),
        command(deviceId=7),
        command(serviceId=[]),
        command(requestId="x"),
        command(requestId="0"),
        command(requestId="65536"),
        command(requestId="9" * 5_000),
        command(requestId=7),
        b'{"header":{"method":"ON","deviceId":"child"},"body":[]}',
    ],
)
def test_what_is_no_command_is_refused(payload: bytes) -> None:
    with pytest.raises(NotACommandError):
        WIRE.read(payload)


def test_a_command_needs_neither_a_number_nor_a_service_nor_a_body() -> None:
    assert WIRE.read(b'{"header":{"method":"ON","deviceId":"child"}}') == Command("", "ON", {}, None, "child")


@settings(max_examples=50)
@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    with pytest.raises(NotACommandError):
        WIRE.read(payload)


@pytest.mark.parametrize("number", ["0", "65536", "0000655350", "7" * 5_000, "\u0667", "-1", "", 7])
def test_a_request_id_that_is_no_number_up_to_65535_is_no_command(number: Any) -> None:
    with pytest.raises(NotACommandError, match="requestId"):
        WIRE.read(command(requestId=number))
