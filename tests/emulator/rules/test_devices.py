from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices
from tests.emulator.calling import Caller, code_of

Told = list[tuple[str, str, dict[str, Any]]]


def kinds(told: Told) -> list[str]:
    return [kind for _, kind, _ in told]


def status(app: Caller, device_id: str) -> tuple[str, str]:
    info = app.device(device_id).body["deviceInfo"]
    return info["status"], info["statusDetail"]


def test_a_new_device_waits_inactive_and_is_announced(app: Caller, told: Told) -> None:
    device_id = app.register("n", productId="home-gateway-mqtt")
    assert status(app, device_id) == ("INACTIVE", "NOT_ACTIVE")
    [(owner, kind, body)] = told
    assert (owner, kind, body["deviceId"], body["gatewayId"]) == ("app-one", "deviceAdded", device_id, device_id)
    assert body["nodeType"] == "GATEWAY"


def test_a_registration_that_is_not_bound_in_time_is_deleted(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n", timeout=60)
    platform.advance(59)
    assert app.device(device_id).status == 200
    told.clear()
    platform.advance(1)
    assert code_of(app.device(device_id)) == (404, "100403")
    assert kinds(told) == ["bindDevice", "deviceDeleted"]
    assert told[0][2]["resultCode"] == "expired"


@pytest.mark.parametrize(("fields", "seconds"), [({}, 180), ({"timeout": 0}, None)])
def test_the_binding_time_is_180_seconds_by_default_and_endless_with_0(
    platform: Platform, app: Caller, fields: dict[str, int], seconds: int | None
) -> None:
    device_id = app.register("n", **fields)
    assert app.last.body["timeout"] == (seconds or 0)
    platform.advance(181)
    app.login()
    assert (app.device(device_id).status == 200) is (seconds is None)


def test_a_bound_device_stays(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n", timeout=60)
    told.clear()
    devices.activate(platform, device_id)
    devices.activate(platform, device_id)
    assert [(kind, body["deviceInfo"]["status"]) for _, kind, body in told] == [
        ("bindDevice", "ONLINE"),
        ("deviceInfoChanged", "ONLINE"),
        ("deviceInfoChanged", "OFFLINE"),
    ]
    assert status(app, device_id) == ("OFFLINE", "NONE")
    platform.advance(100)
    answer = app.call("GET", f"/iocm/app/reg/v1.1.0/deviceCredentials/{device_id}")
    assert answer.body == {"deviceId": device_id, "activated": True, "name": None}


def test_a_report_activates_brings_online_and_is_seen_everywhere(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n", productId="water-meter-nb")
    told.clear()
    devices.report(platform, device_id, "WaterMeter", {"totalVolume": 1.0}, "20231114T221300Z")
    devices.report(platform, device_id, "WaterMeter", {"valveState": "OPEN"})
    assert status(app, device_id) == ("ONLINE", "NONE")
    [service] = app.device(device_id).body["services"]
    assert service["data"] == {"totalVolume": 1.0, "valveState": "OPEN"}
    assert service["eventTime"] == "20231114T221320Z"
    assert kinds(told)[:4] == ["bindDevice", "deviceInfoChanged", "deviceDataChanged", "deviceDatasChanged"]
    first = told[2][2]["service"]
    assert first == {
        "serviceId": "WaterMeter", "serviceType": "WaterMeter", "data": {"totalVolume": 1.0},
        "eventTime": "20231114T221300Z",
    }  # fmt: skip
    assert told[3][2]["services"] == [first]


def test_services_reported_together_are_pushed_together(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n")
    told.clear()
    services = [{"serviceId": name, "data": {"x": 1}} for name in ("A", "B")]
    devices.report_services(platform, device_id, services)
    assert kinds(told)[2:] == ["deviceDataChanged", "deviceDataChanged", "deviceDatasChanged"]
    assert [each["serviceId"] for each in told[-1][2]["services"]] == ["A", "B"]


def test_a_frozen_devices_data_are_dropped(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n")
    app.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{device_id}", {"mute": "TRUE"})
    devices.report(platform, device_id, "A", {"x": 1})
    body = app.device(device_id).body
    assert (body["services"], body["deviceInfo"]["mute"]) == ([], "TRUE")
    assert "deviceDataChanged" not in kinds(told)


def test_an_impossible_report_is_refused_and_changes_nothing(platform: Platform, app: Caller) -> None:
    device_id = app.register("n", productId="water-meter-nb")
    before = platform.dump()
    with pytest.raises(ValueError, match="has no service 'Lamp'"):
        devices.report(platform, device_id, "Lamp", {})
    with pytest.raises(LookupError, match="no device 'none'"):
        devices.report(platform, "none", "Lamp", {})
    assert platform.dump() == before


def test_a_device_reports_its_own_information(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n")
    devices.report_info(platform, device_id, swVersion="1.2", batteryLevel="80")
    info = app.device(device_id).body["deviceInfo"]
    assert (info["swVersion"], info["batteryLevel"]) == ("1.2", "80")
    assert told[-1][1] == "deviceInfoChanged"
    assert told[-1][2]["deviceInfo"]["swVersion"] == "1.2"


def test_devices_behind_a_gateway_go_with_it(platform: Platform, app: Caller, told: Told) -> None:
    gateway = app.register("gw", productId="home-gateway-mqtt")
    sensor = devices.add_sub_device(platform, gateway, "s1", productId="climate-sensor-zigbee")["deviceId"]
    assert app.device(sensor).body["gatewayId"] == gateway
    assert status(app, sensor)[0] == "ONLINE"
    page = app.call("GET", "/iocm/app/dm/v1.4.0/devices", gatewayId=gateway).body
    assert {each["deviceId"] for each in page["devices"]} == {gateway, sensor}
    with pytest.raises(ValueError, match="already has"):
        devices.add_sub_device(platform, gateway, "s1")
    with pytest.raises(ValueError, match="itself connected"):
        devices.add_sub_device(platform, sensor, "s2")
    told.clear()
    assert app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{gateway}").status == 204
    assert [body["deviceId"] for _, kind, body in told if kind == "deviceDeleted"] == [sensor, gateway]
    assert len(platform.table("devices")) == 0


def test_without_cascade_devices_behind_a_gateway_become_direct(platform: Platform, app: Caller) -> None:
    gateway = app.register("gw")
    sensor = devices.add_sub_device(platform, gateway, "s1")["deviceId"]
    app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{gateway}", cascade="false")
    assert app.device(sensor).body["gatewayId"] == sensor


def test_a_deleted_device_leaves_no_timer_and_no_history(platform: Platform, app: Caller) -> None:
    waiting, heard = app.register("n1"), app.register("n2")
    devices.report(platform, heard, "A", {"x": 1})
    for device_id in (waiting, heard):
        app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
    assert platform.next_due() is None
    assert len(platform.table("reported")) == 0


# --- reports of several services ---


def test_one_service_is_pushed_to_the_subscribers_of_either_kind(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n")
    told.clear()
    devices.report(platform, device_id, "A", {"x": 1}, request_id="r7")
    data, batch = (body for _, kind, body in told if kind.startswith("deviceData"))
    assert batch["services"] == [data["service"]]
    assert (data["requestId"], batch["requestId"]) == ("r7", "r7")


def test_a_report_without_a_service_is_refused(platform: Platform, app: Caller) -> None:
    with pytest.raises(ValueError, match="at least one service"):
        devices.report_services(platform, app.register("n"), [])


# --- gateways and alarms ---


def test_a_gateway_removes_a_device_behind_it(platform: Platform, app: Caller, told: Told) -> None:
    gateway, other = app.register("gw", timeout=0), app.register("gw2", timeout=0)
    kept, gone = (devices.add_sub_device(platform, gateway, node)["deviceId"] for node in ("a", "b"))
    told.clear()
    for not_its in (other, gateway, "nobody"):
        with pytest.raises(LookupError, match="has no device"):
            devices.remove_sub_device(platform, gateway, not_its)
    with pytest.raises(LookupError):
        devices.remove_sub_device(platform, other, gone)
    devices.remove_sub_device(platform, gateway, gone)
    assert [(kind, body["deviceId"], body["gatewayId"]) for _, kind, body in told] == [("deviceDeleted", gone, gateway)]
    assert code_of(app.device(gone)) == (404, "100403")
    assert app.device(kept).status == 200


def test_an_alarm_shows_in_both_queries_until_the_next_one(platform: Platform, app: Caller) -> None:
    device_id = app.register("n", timeout=0)
    assert app.device(device_id).body["alarmInfo"] is None
    devices.report_alarm(platform, device_id, "major", alarm_time="20231114T221300Z")
    alarm = {"alarmSeverity": "major", "alarmStatus": True, "alarmTime": "20231114T221300Z"}
    assert app.device(device_id).body["alarmInfo"] == alarm
    assert app.call("GET", "/iocm/app/dm/v1.4.0/devices", pageNo="0").body["devices"][0]["alarmInfo"] == alarm
    devices.report_alarm(platform, device_id, "major", on=False)
    assert app.device(device_id).body["alarmInfo"] == {
        "alarmSeverity": "major", "alarmStatus": False, "alarmTime": platform.now_text(),
    }  # fmt: skip
    with pytest.raises(ValueError, match="form"):
        devices.report_alarm(platform, device_id, "major", alarm_time="now")
