from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from iot_northbound.dto import NotifyDeviceDatasChangedDTO, NotifyNBCCommandStatusChangedDTO
from iot_northbound.push.events import KINDS, Event
from iot_northbound.push.parse import COMMAND_STATUS, parse
from iot_northbound.testing.messages import PUSH_KINDS, push_body, push_message


def event(message: bytes | dict[str, Any]) -> Event:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Event.of(parse(body, 1_770_000_000.0), 7, 2)


@pytest.mark.parametrize("kind", PUSH_KINDS)
def test_each_kind_becomes_its_dto(kind: str) -> None:
    found = event(push_body(kind))
    assert type(found.body) is KINDS[kind]
    assert found.problem is None
    assert found.raw == push_message(kind)


def test_there_are_22_kinds() -> None:
    assert len(PUSH_KINDS) == 22


def test_the_event_has_device_and_time() -> None:
    found = event(push_body("deviceAdded"))
    assert (found.id, found.attempt, found.kind, found.device) == (7, 2, "deviceAdded", "device-1")
    assert found.received_at == datetime.fromtimestamp(1_770_000_000, UTC)


def test_unknown_fields_stay_reachable() -> None:
    found = event(push_body("deviceAdded", {"networkStatus": {"cell": 1.0}}))
    assert found.raw["networkStatus"] == {"cell": 1.0}


@pytest.mark.parametrize("time", ["20260301T101500Z", "20260301T101500250Z"])
def test_times_are_text_with_a_datetime(time: str) -> None:
    service = push_message("deviceDataChanged")["service"] | {"eventTime": time}
    found = event(push_body("deviceDataChanged", service=service)).body.service.event_time
    assert found == time
    assert found.datetime == datetime(2026, 3, 1, 10, 15, 0, 250_000 if "250" in time else 0, tzinfo=UTC)


def test_a_list_under_service_is_read_as_services() -> None:
    message = push_message("deviceDatasChanged")
    message["service"] = message.pop("services")
    found = event(message)
    assert isinstance(found.body, NotifyDeviceDatasChangedDTO)
    assert [each.service_id for each in found.body.services or ()] == ["Meter", "Battery"]


@pytest.mark.parametrize("key", ["service", "services"])
def test_several_services_under_the_kind_of_one_reach_the_handler_of_several(key: str) -> None:
    message = {**push_message("deviceDatasChanged"), "notifyType": "deviceDataChanged"}
    message[key] = message.pop("services")
    found = event(message).body
    assert isinstance(found, NotifyDeviceDatasChangedDTO)
    assert [each.service_id for each in found.services or ()] == ["Meter", "Battery"]


@pytest.mark.parametrize("detail", [{"a": 1}, None, "text", [1], 5])
@pytest.mark.parametrize("code", ["SUCCESS", "SUCCESSFUL", "FAIL", "FAILED", "DELIVERED", "NEW_ONE"])
def test_a_command_result_is_read_whatever_its_detail(detail: Any, code: Any) -> None:
    found = event(push_body(COMMAND_STATUS, result={"resultCode": code, "resultDetail": detail}))
    assert isinstance(found.body, NotifyNBCCommandStatusChangedDTO)
    assert found.body.result is not None
    assert found.body.result.result_code == code
    assert found.body.result.result_detail == detail


def test_a_command_result_without_detail_or_result_is_read() -> None:
    assert event(push_body(COMMAND_STATUS, result={"resultCode": "SENT"})).body.result.result_detail is None
    assert event(push_body(COMMAND_STATUS, result=None)).body.command_id == "command-1"


def test_the_mistakes_of_the_documented_samples_are_accepted() -> None:
    info = {"name": "s", "deviceType": 90, "mute": True, " model ": "m"}
    assert event(push_body("bindDevice", deviceInfo=info)).body.device_info.device_type == "90"
    assert event(push_body("bindDevice", deviceInfo=info)).body.device_info.model == "m"
    muted = event(push_body("serviceInfoChanged", serviceInfo={"muteCmds": "RECORD"})).body
    assert muted.service_info.mute_cmds == ["RECORD"]
    spaced = event({"notifyType ": "deviceModelDeleted", " manufacturerName": "m", "deviceType ": "t", "appId": "a"})
    assert (spaced.body.manufacturer_name, spaced.body.device_type) == ("m", "t")


@pytest.mark.parametrize("kind", PUSH_KINDS)
def test_nulls_everywhere_are_read(kind: str) -> None:
    nulls = dict.fromkeys(push_message(kind)) | ({} if kind == COMMAND_STATUS else {"notifyType": kind})
    assert event(nulls).problem is None


def test_a_message_that_fits_no_kind_says_why() -> None:
    assert "neither" in str(event({"a": 1}).problem)
    assert "'brandNew'" in str(event({"notifyType": "brandNew"}).problem)
    wrong = event(push_body("deviceDataChanged", service="text"))
    assert wrong.body is None
    assert "$.service should be an object, not text" in str(wrong.problem)


@pytest.mark.parametrize(
    ("kind", "part", "value"),
    [
        ("deviceAdded", "deviceInfo", "text"),
        ("deviceDatasChanged", "services", 5),
        ("messageConfirm", "header", []),
        ("commandRsp", "body", "text"),
        ("ruleEvent", "reasons", "text"),
        (COMMAND_STATUS, "result", "SUCCESSFUL"),
    ],
)
def test_a_message_without_the_part_it_is_about_fits_no_kind(kind: str, part: str, value: Any) -> None:
    wrong = event(push_body(kind, **{part: value}))
    assert wrong.body is None
    assert f"$.{part} should be" in str(wrong.problem)


def test_a_field_that_does_not_fit_does_not_affect_others() -> None:
    info = {"name": "s", "signalStrength": {"dBm": -87}, "isHD": True}
    found = event(push_body("deviceInfoChanged", deviceInfo=info, deviceId=["odd"]))
    assert found.problem is None
    assert (found.body.device_info.name, found.body.device_info.signal_strength) == ("s", None)
    assert found.body.device_info.unknown_fields == {"signalStrength": {"dBm": -87}, "isHD": True}
    assert found.body.unknown_fields == {"deviceId": ["odd"]}
