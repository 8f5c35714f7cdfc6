"""Each body has exactly the fields that its table lists."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.rules import notification_bodies as bodies
from tests.emulator.scene import push_fields

SERVICE = bodies.service_data("Battery", "Battery", {"batteryLevel": 80}, "20260101T000000Z")
IDS = ("d", "app", "op", "sub")
RESULT: dict[str, Any] = {
    "current": "2.0", "target": "2.0", "source": "1.0", "ok": True, "upgrade_time": "30", "detail": "done"
}  # fmt: skip
MODEL = {"deviceType": "Meter", "manufacturerName": "M", "manufacturerId": "m", "model": "x", "protocolType": "CoAP"}
CASES = [
    ("1.6.7.1", bodies.device_added("d", "d", "ENDPOINT", {"nodeId": "n"})),
    ("1.6.7.2", bodies.bind_device("d", "succeeded", {"nodeId": "n"})),
    ("1.6.7.3", bodies.device_info_changed("d", "g", {"nodeId": "n"})),
    ("1.6.7.4", bodies.device_data_changed("d", "g", None, SERVICE)),
    ("1.6.7.5", bodies.device_datas_changed("d", "g", "r", [SERVICE])),
    ("1.6.7.6", bodies.product_model("deviceCapabilitiesChanged", "app", MODEL)),
    ("1.6.7.7", bodies.product_model("deviceCapabilitiesAdded", "app", MODEL)),
    ("1.6.7.8", bodies.product_model("deviceCapabilitiesDeleted", "app", MODEL)),
    ("1.6.7.9", bodies.device_deleted("d", "g")),
    ("1.6.7.12", bodies.command_status("d", "c", "SENT", None)),
    ("1.6.7.13", bodies.rule_event("a", "r", "n", [{"type": "t"}], "20260101T000000Z", [], "and")),
    ("1.6.7.14", bodies.desired_status_changed("d", "s", {"a": 1}, "DELIVERED")),
    ("1.6.7.15", bodies.upgrade_state("software_upgrade", *IDS, "updating")),
    ("1.6.7.16", bodies.upgrade_result("software_upgrade", *IDS, **RESULT)),
    ("1.6.7.17", bodies.upgrade_state("firmware_upgrade", *IDS, "downloading")),
    ("1.6.7.18", bodies.upgrade_result("firmware_upgrade", *IDS, **RESULT)),
]


@pytest.mark.parametrize(("section", "body"), CASES, ids=[section for section, _ in CASES])
def test_a_body_has_its_tables_fields(section: str, body: bodies.Body) -> None:
    assert body.keys() == push_fields(section)


def test_nested_structures_have_their_tables_fields() -> None:
    assert bodies.device_info({}).keys() == push_fields("1.6.7.1", "DeviceInfo")
    assert SERVICE.keys() == push_fields("1.6.7.4", "DeviceServiceData")
    status = bodies.command_status("d", "c", "FAILED", {"reason": 1})
    assert status["result"].keys() == push_fields("1.6.7.12", "CommandResultForDevice")
    event = bodies.rule_event("a", "r", "n", [{"type": "t"}], "t", [{"type": "x", "exception": "e"}])
    assert event["reasons"][0].keys() == push_fields("1.6.7.13", "Reason")
    # An action carries its exception or its result, not both.
    assert event["actionsResults"][0].keys() == push_fields("1.6.7.13", "ActionResult") - {"result"}


def test_messages_with_a_header_have_their_tables_fields() -> None:
    confirm = bodies.message_confirm("r", "/devices/d", "/app", "delivered", "20260101T000000Z", {})
    response = bodies.command_rsp("r", "/devices/d", "/app", "d", "Camera", "MUTE", {})
    event = bodies.device_event("d", "Camera", "alarm", "/devices/d", "t", "t", {"x": 1})
    assert confirm.keys() == response.keys() == event.keys() == {"notifyType", "header", "body"}
    outer = {"notifyType", "header", "body"}
    assert confirm["header"].keys() == push_fields("1.6.7.10") - outer
    assert response["header"].keys() == push_fields("1.6.7.11") - outer
    assert event["header"].keys() == push_fields("2.3.5.10", "DeviceEventHeader")
    info = bodies.service_info_changed("d", "g", "s", "S", ["RESTART"])
    assert info.keys() == push_fields("2.3.5.6", "NotifyServiceInfoChangedDTO")


def test_a_command_status_names_no_kind_and_a_firmware_step_is_a_digit() -> None:
    assert "notifyType" not in bodies.command_status("d", "c", "SENT", None)
    steps = [bodies.upgrade_state("firmware_upgrade", *IDS, state) for state in ("idle", "downloading")]
    assert [(each["step"], each["stepDesc"]) for each in steps] == [("0", "idle"), ("1", "downloading")]


def test_a_failed_upgrade_says_so_in_every_field_for_it() -> None:
    failed = bodies.upgrade_result("software_upgrade", *IDS, **{**RESULT, "ok": False, "detail": "no space"})
    assert (failed["swUpgradeResult"], failed["errorCode"], failed["description"]) == ("FAIL", "1", "no space")
    assert bodies.upgrade_result("firmware_upgrade", *IDS, **{**RESULT, "ok": False})["status"] == "FAIL"
