import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.device import messages
from iot_northbound.device.messages import Command, NotACommandError
from iot_northbound.errors import InvalidArgumentError

WHEN = datetime(2016, 5, 3, 12, 15, 40, tzinfo=UTC)


def test_a_report_is_the_bytes_of_the_reference() -> None:
    assert messages.report([("Battery", {"batteryLevel": 75}, WHEN)]) == (
        b'{"msgType":"deviceReq","data":[{"serviceId":"Battery","serviceData":{"batteryLevel":75},'
        b'"eventTime":"20160503T121540Z"}]}'
    )


def test_an_entry_without_a_time_gets_that_of_the_clock() -> None:
    sent = json.loads(messages.report([("A", {}), ("A", {}, WHEN), ("B", {}, None)], 1_770_000_000))
    assert [each["eventTime"] for each in sent["data"]] == ["20260202T024000Z", "20160503T121540Z", "20260202T024000Z"]
    assert "eventTime" not in json.loads(messages.report([("A", {})]))["data"][0]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (WHEN.astimezone(timezone(timedelta(hours=8))), "20160503T121540Z"),
        (WHEN.replace(microsecond=999_999), "20160503T121540Z"),
        ("20160503T121540123Z", "20160503T121540123Z"),
    ],
)
def test_times_are_sent_as_whole_seconds_of_utc_and_texts_as_they_are(moment: Any, text: str) -> None:
    assert json.loads(messages.report([("A", {}, moment)]))["data"][0]["eventTime"] == text


@pytest.mark.parametrize(
    ("entries", "part"),
    [
        ([], "one entry at least"),
        (["Battery"], "service_id, data"),
        ([("Battery",)], "service_id, data"),
        ([("", {})], "service_id"),
        ([("A", [1])], "mapping"),
        ([("A", {}, WHEN.replace(tzinfo=None))], "time zone"),
        ([("A", {}, 7)], "time zone"),
        ([("A", {}, datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))))], "time zone"),
        *(
            ([("A", {}, text)], f"event_time.*{text}.*like 20260101T120000Z")
            for text in ("yesterday", "2026-01-01T12:00:00Z", "20260101T120000", "20261301T120000Z", "")
        ),
        ([("A", {"x": object()})], "JSON cannot express"),
        ([("A", {"x": float("nan")})], "JSON cannot express"),
        ([("A", {"x": "\ud800"})], "JSON cannot express"),
    ],
)
def test_a_report_that_cannot_be_sent_is_refused_by_name(entries: Any, part: str) -> None:
    with pytest.raises(InvalidArgumentError, match=part):
        messages.report(entries)


def test_an_answer_has_the_number_of_its_command() -> None:
    assert messages.answer(2016, 0, {"result": "ok"}) == (
        b'{"msgType":"deviceRsp","mid":2016,"errcode":0,"body":{"result":"ok"}}'
    )
    assert messages.answer(1, 1) == b'{"msgType":"deviceRsp","mid":1,"errcode":1,"body":{}}'


def test_a_command_is_read_with_what_the_field_adds_to_it() -> None:
    wire = {"msgType": "cloudReq", "serviceId": "WaterMeter", "cmd": "SET_VALVE", "paras": {"value": "OPEN"}}
    assert messages.read_command(json.dumps(wire | {"mid": 2016, "hasMore": 0}).encode()) == Command(
        "WaterMeter", "SET_VALVE", {"value": "OPEN"}, 2016
    )
    for paras in ({}, {"paras": None}):
        read = messages.read_command(json.dumps({k: wire[k] for k in ("msgType", "serviceId", "cmd")} | paras).encode())
        assert read == Command("WaterMeter", "SET_VALVE", {}, None)


def test_a_confirmation_of_a_report_is_no_command() -> None:
    assert messages.read_command(b'{"msgType":"cloudRsp"}') is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b"{}",
        b"[" * 100_000,
        b'{"msgType":"deviceReq","serviceId":"A","cmd":"B"}',
        b'{"msgType":"cloudReq","cmd":"B"}',
        b'{"msgType":"cloudReq","serviceId":"A","cmd":7}',
        b'{"msgType":"cloudReq","serviceId":"A","cmd":"B","paras":[]}',
        b'{"msgType":"cloudReq","serviceId":"A","cmd":"B","mid":70000}',
        b'{"msgType":"cloudReq","serviceId":"A","cmd":"B","mid":true}',
        b'{"msgType":"cloudReq","serviceId":"A","cmd":"B","mid":"7"}',
    ],
)
def test_what_is_no_command_is_refused(payload: bytes) -> None:
    with pytest.raises(NotACommandError):
        messages.read_command(payload)


@given(st.binary() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["msgType", "serviceId", "cmd", "mid", "paras"]), inner)).map(lambda value: json.dumps(value).encode()))  # fmt: skip  # noqa: E501
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    with contextlib.suppress(NotACommandError):
        messages.read_command(payload)
