"""Upgrades that do not go straight on: busy devices, other devices, silence."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.rules import devices, scripts, upgrades
from tests.emulator.calling import Caller
from tests.emulator.rules.upgrading import KINDS, create, custom, listen, operation, results, retrying, subs
from tests.emulator.scene import (
    DEVICES,
    OPERATIONS,
    meter,
    package,
    pushed,
    settle,
    subscribe,
)


@pytest.fixture
def file_id(app: Caller) -> str:
    return package(app, fileId="meter-2.0")


class TestABusyDevice:
    """A device takes one upgrade at a time; the attempt of a second one fails like any other failed attempt."""

    def test_the_attempt_fails_for_good_without_retries_and_is_pushed(self, app: Caller, file_id: str) -> None:
        listen(app)
        device_id = meter(app, "m")
        first = create(app, {"devices": [device_id]})
        second = create(app, {"devices": [device_id]})
        assert operation(app, first)["status"] == "processing"
        assert operation(app, second)["status"] == "failed"
        (sub,) = subs(app, second)
        assert (sub["status"], sub["detailInfo"]) == ("fail", "another upgrade of the device is under way")
        assert None not in (sub["startTime"], sub["stopTime"])
        assert results(app) == [(second, "FAIL")]

    def test_the_attempt_is_made_again_and_succeeds_once_the_device_is_free(self, app: Caller, file_id: str) -> None:
        listen(app)
        device_id = meter(app, "m")
        first = create(app, {"devices": [device_id]})
        second = create(app, {"devices": [device_id]}, policy=retrying(2))
        app.platform.advance(app.platform.settings.upgrade_retry_delay)
        assert operation(app, second)["status"] == "processing"
        scripts.attach(app.platform, device_id)
        settle(app.platform)
        assert results(app) == [(first, "SUCCESS")]
        app.platform.advance(app.platform.settings.upgrade_retry_delay)
        assert results(app) == [(first, "SUCCESS"), (second, "SUCCESS")]
        row = app.platform.table(upgrades.SUB_OPERATIONS).where(operationId=second).first()
        assert row is not None
        assert row["attempts"] == 3

    def test_the_attempts_are_used_up(self, app: Caller, file_id: str) -> None:
        listen(app)
        device_id = meter(app, "m")
        create(app, {"devices": [device_id]})
        second = create(app, {"devices": [device_id]}, policy=retrying(1))
        assert operation(app, second)["status"] == "processing"
        app.platform.advance(app.platform.settings.upgrade_retry_delay)
        assert operation(app, second)["status"] == "failed"
        assert results(app) == [(second, "FAIL")]

    def test_one_that_waits_for_its_next_attempt_does_not_occupy_the_device(self, app: Caller, file_id: str) -> None:
        device_id = meter(app, "m")
        scripts.attach(app.platform, device_id, answer="fail")
        first = create(app, {"devices": [device_id]}, policy=retrying(1))
        assert operation(app, first)["status"] == "processing"
        scripts.attach(app.platform, device_id)
        second = create(app, {"devices": [device_id]})
        assert operation(app, second)["status"] == "success"
        app.platform.advance(app.platform.settings.upgrade_retry_delay)
        assert operation(app, first)["status"] == "success"

    def test_nothing_is_taken_from_a_device_between_two_attempts(self, app: Caller, file_id: str) -> None:
        listen(app, "fwUpgradeStateChangeNotify")
        device_id = meter(app, "m", online=True)
        create(app, {"devices": [device_id]})
        second = create(app, {"devices": [device_id]}, policy=retrying(1))
        part = subs(app, second)[0]["subOperationId"]
        upgrades.report_state(app.platform, part, "downloading")
        upgrades.finish(app.platform, part, ok=True)
        assert operation(app, second)["status"] == "processing"
        assert pushed(app.platform) == []


class TestOtherDevices:
    """Only NB-IoT devices can be upgraded. The part of another device fails and is not repeated."""

    def device(self, app: Caller, node_id: str, protocol: str | None) -> str:
        info = {
            "deviceType": "Bollard",
            "model": "B1",
            "manufacturerName": "Pole Works",
            "manufacturerId": "POLE",
            **({} if protocol is None else {"protocolType": protocol}),
        }
        return app.register(node_id, deviceInfo=info, timeout=0)

    @pytest.mark.parametrize("protocol", ["MQTT", "ZigBee", "Modbus", None])
    @pytest.mark.parametrize(("kind", "file_type", "field", "short"), KINDS)
    def test_the_subtask_fails_and_is_pushed(
        self, app: Caller, kind: str, file_type: str, field: str, short: str, protocol: str | None
    ) -> None:
        listen(app, f"{short}UpgradeResultNotify")
        listen(app, f"{short}UpgradeStateChangeNotify")
        identity = {"deviceType": "Bollard", "model": "B1", "manufacturerName": "Pole Works"}
        package(app, fileId="meter-2.0", fileType=file_type, **identity)
        device_id = self.device(app, "p", protocol)
        scripts.attach(app.platform, device_id)
        operation_id = create(app, {"devices": [device_id]}, kind, policy=retrying(5))
        found = operation(app, operation_id)
        assert (found["status"], found["staResult"]["fail"]) == ("failed", 1)
        (sub,) = subs(app, operation_id)
        assert f"protocolType is {protocol}" in sub["detailInfo"]
        (result,) = pushed(app.platform)
        assert result["swUpgradeResult" if short == "sw" else "status"] == "FAIL"
        assert app.device(device_id).body["deviceInfo"][field] is None

    @pytest.mark.parametrize("protocol", ["CoAP", "LWM2M", "lwm2m", "COAP"])
    def test_the_others_of_an_operation_go_on(self, app: Caller, protocol: str) -> None:
        identity = {"deviceType": "Bollard", "model": "B1", "manufacturerName": "Pole Works"}
        package(app, fileId="meter-2.0", **identity)
        devices_ = [self.device(app, "good", protocol), self.device(app, "bad", "MQTT")]
        for device_id in devices_:
            scripts.attach(app.platform, device_id)
        operation_id = create(app, {"devices": devices_})
        assert [row["status"] for row in subs(app, operation_id)] == ["success", "fail"]

    def test_one_behind_a_policy_that_waits_fails_when_its_turn_comes(self, app: Caller) -> None:
        package(app, fileId="meter-2.0", deviceType="Bollard", model="B1", manufacturerName="Pole Works")
        device_id = self.device(app, "p", "MQTT")
        operation_id = create(app, {"devices": [device_id]}, policy={"executeType": "device_online"})
        assert operation(app, operation_id)["status"] == "wait"
        devices.set_online(app.platform, device_id)
        assert operation(app, operation_id)["status"] == "failed"


def test_a_part_that_never_began_is_pushed_when_its_window_ends(app: Caller, file_id: str) -> None:
    listen(app)
    device_id = meter(app, "silent")
    operation_id = create(app, {"devices": [device_id]}, policy=custom(app, 100, 600))
    app.platform.advance(600)
    assert results(app) == [(operation_id, "FAIL")]


class TestTheStatusDetail:
    """While a device writes its firmware it is OFFLINE, as FIRMWARE_UPDATING says."""

    def begin(self, app: Caller, kind: str = "firmware", **fields: Any) -> tuple[str, str]:
        device_id = meter(app, "m", online=True)
        operation_id = create(app, {"devices": [device_id]}, kind, **fields)
        return device_id, subs(app, operation_id)[0]["subOperationId"]

    def status(self, app: Caller, device_id: str) -> tuple[str, str]:
        info = app.device(device_id).body["deviceInfo"]
        return info["status"], info["statusDetail"]

    def test_it_shows_from_updating_until_the_device_is_heard_again(self, app: Caller, file_id: str) -> None:
        subscribe(app, "deviceInfoChanged")
        device_id, part = self.begin(app)
        for state in ("downloading", "downloaded"):
            upgrades.report_state(app.platform, part, state)
            assert self.status(app, device_id) == ("ONLINE", "NONE")
        upgrades.report_state(app.platform, part, "updating")
        assert self.status(app, device_id) == ("OFFLINE", "FIRMWARE_UPDATING")
        upgrades.report_state(app.platform, part, "idle")
        assert self.status(app, device_id) == ("ONLINE", "NONE")
        told = [body["deviceInfo"] for body in pushed(app.platform, "deviceInfoChanged")]
        assert [info["statusDetail"] for info in told][-2:] == ["FIRMWARE_UPDATING", "NONE"]

    @pytest.mark.parametrize("ok", [True, False])
    def test_a_result_brings_the_device_back(self, app: Caller, file_id: str, ok: bool) -> None:
        device_id, part = self.begin(app)
        upgrades.report_state(app.platform, part, "updating")
        upgrades.finish(app.platform, part, ok=ok)
        assert self.status(app, device_id) == ("ONLINE", "NONE")

    def test_data_bring_the_device_back(self, app: Caller, file_id: str) -> None:
        device_id, part = self.begin(app)
        upgrades.report_state(app.platform, part, "updating")
        devices.report(app.platform, device_id, "Battery", {"batteryLevel": 9})
        assert self.status(app, device_id) == ("ONLINE", "NONE")

    @pytest.mark.parametrize("end", ["timeout", "retry", "stop"])
    def test_a_device_that_stays_silent_is_offline_without_it(self, app: Caller, file_id: str, end: str) -> None:
        device_id, part = self.begin(app, **({"policy": retrying(1)} if end == "retry" else {}))
        upgrades.report_state(app.platform, part, "updating")
        if end == "stop":
            upgrades.stop(app.platform, app.call("GET", OPERATIONS).body["data"][0]["operationId"])
        else:
            app.platform.advance(app.platform.settings.upgrade_timeout)
            app.login()
        assert self.status(app, device_id) == ("OFFLINE", "NONE")

    def test_a_software_upgrade_does_not_show_it(self, app: Caller) -> None:
        package(app, fileId="meter-2.0", fileType="softwarePackage")
        device_id, part = self.begin(app, "software")
        upgrades.report_state(app.platform, part, "updating")
        assert self.status(app, device_id) == ("ONLINE", "NONE")

    def test_a_deleted_device_stops_its_upgrade(self, app: Caller, file_id: str) -> None:
        device_id, part = self.begin(app)
        upgrades.report_state(app.platform, part, "updating")
        assert app.call("DELETE", f"{DEVICES}/{device_id}").status == 204
        upgrades.finish(app.platform, part, ok=True)
        assert operation(app, app.call("GET", OPERATIONS).body["data"][0]["operationId"])["status"] == "stop"
