"""Software and firmware upgrades: 1.10.4 to 1.10.8."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.rules import devices, scripts, upgrades
from tests.emulator.calling import Caller, code_of
from tests.emulator.rules.upgrading import KINDS, ask, create, custom, operation, subs
from tests.emulator.scene import (
    DEVICES,
    MANAGEMENT,
    METER_IDENTITY,
    OPERATIONS,
    group,
    meter,
    package,
    pushed,
    response_fields,
    settle,
)


@pytest.mark.parametrize(("kind", "file_type", "field", "short"), KINDS)
def test_an_upgrade_goes_step_by_step_and_ends_with_the_new_version(
    app: Caller, kind: str, file_type: str, field: str, short: str
) -> None:
    package(app, fileId="meter-2.0", fileType=file_type)
    for name in (f"{short}UpgradeStateChangeNotify", f"{short}UpgradeResultNotify"):
        app.call("POST", MANAGEMENT, {"notifyType": name, "callbackUrl": "https://na.example/up"})
    device_id = meter(app, "m")
    devices.report_info(app.platform, device_id, **{field: "1.0"})
    scripts.attach(app.platform, device_id)
    operation_id = create(app, {"devices": [device_id]}, kind)
    states = pushed(app.platform, f"{short}UpgradeStateChangeNotify")
    names = [body["swUpgradeState" if short == "sw" else "stepDesc"] for body in states]
    assert names == ["downloading", "downloaded", "updating", "idle"]
    (result,) = pushed(app.platform, f"{short}UpgradeResultNotify")
    assert [result[name] for name in ("sourceVersion", "curVersion", "targetVersion")] == ["1.0", "2.0", "2.0"]
    assert result["swUpgradeResult" if short == "sw" else "status"] == "SUCCESS"
    assert app.device(device_id).body["deviceInfo"][field] == "2.0"
    found = operation(app, operation_id)
    assert found.keys() == response_fields("1.10.6")
    assert (found["status"], found["operateType"]) == ("success", f"{kind}_upgrade")
    assert found["extendPara"] == {"fileVersion": "2.0"}
    assert found["targets"]["devices"] == [device_id]
    (sub,) = subs(app, operation_id)
    assert sub.keys() - {"extendInfo"} == response_fields("1.10.7", "SubOperationInfo")
    assert (sub["status"], sub["extendPara"]["sourceVersion"]) == ("success", "1.0")
    assert result["subOperationId"] == sub["subOperationId"]


@pytest.fixture
def file_id(app: Caller) -> str:
    return package(app, fileId="meter-2.0")


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ({}, "123022"),
        ({"devices": []}, "123022"),
        ({"devices": ["a"], "deviceGroups": ["g"]}, "123023"),
        ({"devices": ["a"] * 257}, "123024"),
        ({"deviceGroups": ["g"] * 257}, "123024"),
        ({"deviceGroups": ["g"]}, "123019"),
        ({"deviceGroups": ["g"], "manufacturerName": "M"}, "123020"),
        ({"deviceGroups": ["g"], "manufacturerName": "M", "deviceType": "T"}, "123021"),
        ({"deviceGroups": ["meters"], **METER_IDENTITY, "model": "HM21"}, "123016"),
        ({"devices": "all"}, "120015"),
        (None, "120015"),
    ],
)
@pytest.mark.parametrize("kind", ["firmware", "software"])
def test_bad_targets_are_refused(app: Caller, file_id: str, targets: Any, code: str, kind: str) -> None:
    if kind == "software":
        package(app, fileId="software", fileType="softwarePackage")
    fields = {"fileId": "software"} if kind == "software" else {}
    assert code_of(ask(app, targets, kind, **fields)) == (400, code)


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({}, "123025"),
        ({"executeType": "later"}, "123025"),
        ({"executeType": "custom"}, "123026"),
        ({"executeType": "custom", "startTime": "tomorrow", "endTime": "20300101T000000Z"}, "123026"),
        ({"executeType": "now", "retryType": True}, "123028"),
        ({"executeType": "now", "retryType": True, "retryTimes": 6}, "123028"),
        ({"executeType": "now", "retryType": "yes"}, "120015"),
    ],
)
def test_a_bad_policy_is_refused(app: Caller, file_id: str, policy: Any, code: str) -> None:
    assert code_of(ask(app, {"devices": [meter(app, "m")]}, policy=policy)) == (400, code)


@pytest.mark.parametrize(("start", "end", "code"), [(20, 10, "123032"), (-60, 600, "123033"), (60, 360, "123034")])
def test_a_window_lies_ahead_and_is_longer_than_five_minutes(
    app: Caller, file_id: str, start: int, end: int, code: str
) -> None:
    assert code_of(ask(app, {"devices": [meter(app, "m")]}, policy=custom(app, start, end))) == (400, code)


def test_package_and_targets_must_exist_and_fit(app: Caller, other: Caller, file_id: str) -> None:
    lamp = app.register("lamp", productId="street-lamp-nb")
    lamps = group(app, "lamps", deviceIds=[lamp])
    assert lamps
    assert code_of(ask(app, {"devices": [meter(app, "m")]}, fileId="none")) == (404, "123002")
    assert code_of(ask(app, {"devices": [meter(app, "n")]}, "software")) == (400, "123016")
    assert code_of(ask(app, {"devices": [lamp]})) == (400, "123016")
    assert code_of(ask(app, {"devices": [meter(other, "foreign")]})) == (404, "123002")
    assert code_of(ask(app, {"deviceGroups": ["none"], **METER_IDENTITY})) == (404, "123002")
    assert code_of(ask(app, {"deviceGroups": ["lamps"], **METER_IDENTITY})) == (404, "123002")


def test_a_group_upgrade_takes_the_members_that_fit(app: Caller, file_id: str) -> None:
    a, b = meter(app, "a"), meter(app, "b")
    lamp = app.register("lamp", productId="street-lamp-nb")
    group(app, "mixed", deviceIds=[a, lamp])
    group(app, "meters", deviceIds=[b, a])
    operation_id = create(app, {"deviceGroups": ["mixed", "meters"], **METER_IDENTITY})
    assert [row["deviceId"] for row in subs(app, operation_id)] == [a, b]


def test_a_refused_package_fails_the_upgrade_after_its_retries(app: Caller, file_id: str) -> None:
    app.call("POST", MANAGEMENT, {"notifyType": "fwUpgradeResultNotify", "callbackUrl": "https://na.example/up"})
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id, answer="fail")
    policy = {"executeType": "now", "retryType": True, "retryTimes": 2}
    operation_id = create(app, {"devices": [device_id]}, policy=policy)
    pause = app.platform.settings.upgrade_retry_delay
    for _ in range(2):
        assert operation(app, operation_id)["status"] == "processing"
        assert pushed(app.platform) == []
        app.platform.advance(pause)
    found = operation(app, operation_id)
    assert (found["status"], found["staResult"]["fail"]) == ("failed", 1)
    assert [body["status"] for body in pushed(app.platform)] == ["FAIL"]
    assert app.platform.table(upgrades.SUB_OPERATIONS).where(deviceId=device_id).first()["attempts"] == 3  # type: ignore[index]


def test_a_device_that_is_never_heard_times_out_and_is_shown_as_failed(app: Caller, file_id: str) -> None:
    operation_id = create(app, {"devices": [meter(app, "m")]})
    assert operation(app, operation_id)["staResult"]["processing"] == 1
    app.platform.advance(app.platform.settings.upgrade_timeout)
    app.login()
    found = operation(app, operation_id)
    assert (found["status"], found["staResult"]["timeout"], found["staResult"]["fail"]) == ("failed", 1, 0)
    (sub,) = subs(app, operation_id, subOperationStatus="fail")
    assert "the device said nothing" in sub["detailInfo"]


def test_device_online_waits_for_the_device(app: Caller, file_id: str) -> None:
    device_id, online = meter(app, "m"), meter(app, "n")
    scripts.attach(app.platform, online)
    operation_id = create(app, {"devices": [device_id, online]}, policy={"executeType": "device_online"})
    assert [row["status"] for row in subs(app, operation_id)] == ["wait", "success"]
    scripts.attach(app.platform, device_id)
    settle(app.platform)
    assert operation(app, operation_id)["status"] == "success"


def test_a_sleeping_device_takes_up_an_upgrade_when_it_is_heard(app: Caller, file_id: str) -> None:
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id, asleep=True)
    app.platform.advance(60)
    operation_id = create(app, {"devices": [device_id]})
    assert operation(app, operation_id)["status"] == "processing"
    devices.report(app.platform, device_id, "Battery", {"batteryLevel": 9})
    settle(app.platform)
    assert operation(app, operation_id)["status"] == "success"


def test_a_window_opens_and_closes(app: Caller, file_id: str) -> None:
    good, silent = meter(app, "good"), meter(app, "silent")
    scripts.attach(app.platform, good)
    operation_id = create(app, {"devices": [good, silent]}, policy=custom(app, 100, 600))
    app.platform.advance(99)
    assert operation(app, operation_id)["staResult"]["wait"] == 2
    assert operation(app, operation_id)["policy"]["executeType"] == "custom"
    app.platform.advance(1)
    settle(app.platform)
    assert [row["status"] for row in subs(app, operation_id)] == ["success", "processing"]
    app.platform.advance(500)
    found = operation(app, operation_id)
    assert (found["status"], found["staResult"]["timeout"]) == ("failed", 1)


@pytest.mark.parametrize(("kind", "file_type", "field", "short"), KINDS)
def test_an_answers_targets_are_filled_from_the_package(
    app: Caller, kind: str, file_type: str, field: str, short: str
) -> None:
    package(app, fileId="meter-2.0", fileType=file_type)
    device_id = meter(app, "m")
    group(app, "meters", deviceIds=[device_id])
    for given in ({"devices": [device_id]}, {"deviceGroups": ["meters"], **METER_IDENTITY}):
        operation_id = create(app, given, kind)
        expected = {"deviceGroups": None, "devices": None, **METER_IDENTITY, **given}
        assert operation(app, operation_id)["targets"] == expected
        listed = app.call("GET", OPERATIONS).body["data"]
        assert next(row["targets"] for row in listed if row["operationId"] == operation_id) == expected


def test_stopping_and_deleting_end_what_is_open(app: Caller, file_id: str) -> None:
    a, b = meter(app, "a"), meter(app, "b")
    stopped = create(app, {"devices": [a]})
    gone = create(app, {"devices": [b]})
    upgrades.stop(app.platform, stopped)
    app.call("DELETE", f"{DEVICES}/{b}")
    for operation_id in (stopped, gone):
        found = operation(app, operation_id)
        assert (found["status"], found["staResult"]["stop"]) == ("stop", 1)
    with pytest.raises(LookupError):
        upgrades.stop(app.platform, "none")


def test_an_upgrade_without_a_script_goes_on_by_reported_states(app: Caller, file_id: str) -> None:
    device_id = meter(app, "m", online=True)
    operation_id = create(app, {"devices": [device_id]})
    (sub,) = subs(app, operation_id)
    upgrades.report_state(app.platform, sub["subOperationId"], "downloaded")
    app.platform.advance(app.platform.settings.upgrade_timeout - 1)
    app.login()
    upgrades.finish(app.platform, sub["subOperationId"], ok=True, detail="done")
    assert operation(app, operation_id)["status"] == "success"
    upgrades.finish(app.platform, sub["subOperationId"], ok=False)
    assert operation(app, operation_id)["status"] == "success"
    with pytest.raises(ValueError, match="must be one of"):
        upgrades.report_state(app.platform, sub["subOperationId"], "dancing")


def test_operations_and_their_parts_are_found_with_filters_and_pages(app: Caller, other: Caller, file_id: str) -> None:
    ids = [meter(app, f"m{number}") for number in range(12)]
    first = create(app, {"devices": ids})
    app.platform.advance(10)
    second = create(app, {"devices": ids[:1]})
    body = app.call("GET", OPERATIONS).body
    assert body.keys() == response_fields("1.10.8")
    assert body["data"][0].keys() == response_fields("1.10.8", "OperationInfo")
    found = lambda **query: [row["operationId"] for row in app.call("GET", OPERATIONS, **query).body["data"]]  # noqa: E731
    assert found() == [second, first]
    assert found(operationStatus="failed") == [second]
    assert found(deviceId=ids[5]) == [first]
    assert found(operationType="software_upgrade") == []
    assert found(deviceType="WaterMeter", pageNo="1", pageSize="1") == [first]
    assert len(subs(app, first)) == 10
    assert len(subs(app, first, pageNo="1")) == 2
    assert len(subs(app, first, subOperationStatus="processing", pageSize="100")) == 12
    assert other.call("GET", OPERATIONS).body["totalCount"] == 0
    for path in (OPERATIONS, f"{OPERATIONS}/{first}/subOperations"):
        assert code_of(app.call("GET", path, pageSize="101")) == (400, "123029")
        assert code_of(app.call("GET", path, pageNo="x")) == (400, "120015")
    assert code_of(other.call("GET", f"{OPERATIONS}/{first}")) == (404, "123009")
    assert code_of(app.call("GET", f"{OPERATIONS}/a%20b")) == (400, "120015")
