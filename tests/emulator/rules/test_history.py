from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices
from tests.emulator.calling import Caller, code_of

REPORTED = "/iocm/app/data/v1.2.0/deviceDataHistory"
DESIRED = "/iocm/app/shadow/v1.5.0/deviceDesiredHistory"
DAY = 86400


def reported(app: Caller, device_id: str, **query: str) -> list[int]:
    answer = app.call("GET", REPORTED, deviceId=device_id, gatewayId=device_id, **{"pageSize": "2000", **query})
    assert answer.status == 200, answer
    return [each["data"]["x"] for each in answer.body["deviceDataHistoryDTOs"]]


@pytest.fixture
def sensor(platform: Platform, app: Caller) -> str:
    device_id = app.register("s", timeout=0)
    for n in range(6):
        devices.report(platform, device_id, "A", {"x": n})
        platform.advance(10)
    return device_id


def test_the_newest_report_comes_first_and_a_page_has_one_by_default(app: Caller, sensor: str) -> None:
    body = app.call("GET", REPORTED, deviceId=sensor, gatewayId=sensor).body
    assert (body["totalCount"], body["pageNo"], body["pageSize"]) == (6, 0, 1)
    assert body["deviceDataHistoryDTOs"] == [
        {"serviceId": "A", "deviceId": sensor, "gatewayId": sensor, "appId": "app-one", "data": {"x": 5},
         "timestamp": "20231114T221410Z"}
    ]  # fmt: skip


def test_pages_and_windows_cut_the_history(app: Caller, sensor: str) -> None:
    assert reported(app, sensor, pageNo="1", pageSize="4") == [1, 0]
    assert reported(app, sensor, startTime="20231114T221330Z", endTime="20231114T221350Z") == [3, 2, 1]


def test_an_empty_history_answers_zeros(app: Caller) -> None:
    device_id = app.register("n")
    empty = {"totalCount": 0, "pageNo": 0, "pageSize": 0}
    body = app.call("GET", REPORTED, deviceId=device_id, gatewayId=device_id, pageNo="3").body
    assert body == {**empty, "deviceDataHistoryDTOs": []}
    body = app.call("GET", DESIRED, deviceId="none", gatewayId="none").body
    assert body == {**empty, "DeviceDesiredHistoryDTO": []}


def test_a_gateways_history_includes_its_devices(platform: Platform, app: Caller) -> None:
    gateway = app.register("gw")
    sub = devices.add_sub_device(platform, gateway, "s")["deviceId"]
    devices.report(platform, sub, "A", {"x": 1})
    answer = app.call("GET", REPORTED, gatewayId=gateway)
    assert [each["deviceId"] for each in answer.body["deviceDataHistoryDTOs"]] == [sub]
    assert code_of(app.call("GET", REPORTED, deviceId=sub, gatewayId=sub)) == (200, "100418")


def test_reports_age_as_the_device_is_configured(platform: Platform, app: Caller, sensor: str) -> None:
    path = f"/iocm/app/dm/v1.4.0/devices/{sensor}"
    app.call("PUT", path, {"deviceConfig": {"dataConfig": {"dataAgingTime": 2}}})
    platform.advance(2 * DAY - 25)
    app.login()
    assert reported(app, sensor) == [5, 4]
    devices.report(platform, sensor, "A", {"x": 6})
    assert len(platform.table("reported")) == 3
    app.call("PUT", path, {"deviceConfig": {"dataConfig": {"dataAgingTime": 0}}})
    devices.report(platform, sensor, "A", {"x": 7})
    assert len(platform.table("reported")) == 3


def test_a_history_keeps_its_newest_rows(platform: Platform, app: Caller, sensor: str) -> None:
    platform.settings.history_rows_per_device = 3
    devices.report(platform, sensor, "A", {"x": 6})
    assert reported(app, sensor) == [6, 5, 4]


def test_desired_changes_are_found_by_service_and_property(app: Caller) -> None:
    lamp = app.register("lamp", productId="street-lamp-nb")
    for service, desired in [("Lamp", {"brightness": 1}), ("Lamp", {"switch": "ON"}), ("Schedule", {"plan": "p"})]:
        body = {"serviceDesireds": [{"serviceId": service, "desired": desired}]}
        app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{lamp}", body)

    def found(**query: str) -> list[Any]:
        answer = app.call("GET", DESIRED, deviceId=lamp, gatewayId=lamp, **query)
        return [each["desired"] for each in answer.body["DeviceDesiredHistoryDTO"]]

    assert found() == [{"plan": "p"}, {"switch": "ON"}, {"brightness": 1}]
    assert found(serviceId="Lamp") == [{"switch": "ON"}, {"brightness": 1}]
    assert found(property="brightness") == [{"brightness": 1}]
    assert found(pageNo="1", pageSize="2") == [{"brightness": 1}]


def test_reports_are_found_by_service_and_property(platform: Platform, app: Caller) -> None:
    lamp = app.register("lamp", productId="street-lamp-nb")
    for service, data in [("Lamp", {"brightness": 1}), ("Lamp", {"switch": "ON"}), ("Schedule", {"plan": "p"})]:
        devices.report(platform, lamp, service, data)
        platform.advance(10)

    def found(**query: str) -> list[Any]:
        answer = app.call("GET", REPORTED, deviceId=lamp, gatewayId=lamp, **{"pageSize": "10", **query})
        assert answer.body["totalCount"] >= len(answer.body["deviceDataHistoryDTOs"])
        return [each["data"] for each in answer.body["deviceDataHistoryDTOs"]]

    assert found(serviceId="Lamp") == [{"switch": "ON"}, {"brightness": 1}]
    assert found(serviceId="") == found()
    assert found(property="brightness") == [{"brightness": 1}]
    assert found(serviceId="Lamp", property="plan") == []
    assert found(serviceId="Oven") == []
    assert found(serviceId="Lamp", pageNo="1", pageSize="1") == [{"brightness": 1}]
    app.call("GET", REPORTED, deviceId=lamp, gatewayId=lamp, property="switch")
    assert (app.last.body["totalCount"], app.last.body["pageSize"]) == (1, 1)


def test_a_gateways_history_is_searched_by_service_and_property_too(platform: Platform, app: Caller) -> None:
    gateway = app.register("gw")
    first, second = (devices.add_sub_device(platform, gateway, node)["deviceId"] for node in ("a", "b"))
    devices.report(platform, first, "A", {"x": 1})
    devices.report(platform, second, "B", {"y": 2})
    for query, device_id in [({"serviceId": "A"}, first), ({"property": "y"}, second)]:
        answer = app.call("GET", REPORTED, gatewayId=gateway, pageSize="10", **query)
        assert [each["deviceId"] for each in answer.body["deviceDataHistoryDTOs"]] == [device_id]


@pytest.mark.parametrize("by_device", [True, False])
def test_a_device_that_outlives_its_gateway_keeps_its_history(platform: Platform, app: Caller, by_device: bool) -> None:
    gateway = app.register("gw", productId="home-gateway-mqtt")
    info = {"manufacturerId": "NETZWERK", "model": "NC-1"}
    sub = devices.add_sub_device(platform, gateway, "s", **info)["deviceId"]
    devices.report(platform, sub, "Climate", {"humidity": 40})
    desired = {"serviceDesireds": [{"serviceId": "Climate", "desired": {"reportInterval": 60}}]}
    assert app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{sub}", desired).status == 200
    assert app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{gateway}", cascade="false").status == 204
    devices.report(platform, sub, "Climate", {"humidity": 41})
    ids = {"gatewayId": sub, **({"deviceId": sub} if by_device else {})}
    reports = app.call("GET", REPORTED, pageSize="10", **ids).body["deviceDataHistoryDTOs"]
    assert [(each["gatewayId"], each["data"]) for each in reports] == [
        (sub, {"humidity": 41}),
        (sub, {"humidity": 40}),
    ]
    asked = app.call("GET", DESIRED, **ids).body["DeviceDesiredHistoryDTO"]
    assert [(each["gatewayId"], each["desired"]) for each in asked] == [(sub, {"reportInterval": 60})]
    assert code_of(app.call("GET", REPORTED, gatewayId=gateway)) == (200, "100418")


@pytest.mark.parametrize(("path", "limit"), [(REPORTED, 2000), (DESIRED, 250)])
def test_a_history_query_is_checked(app: Caller, sensor: str, path: str, limit: int) -> None:
    assert code_of(app.call("GET", path)) == (400, "100419")
    ids = {"deviceId": sensor, "gatewayId": sensor}
    assert app.call("GET", path, pageSize=str(limit), **ids).status == 200
    for query in [{"pageSize": str(limit + 1)}, {"pageSize": "0"}, {"pageNo": "-1"}, {"endTime": "now"}]:
        assert code_of(app.call("GET", path, **ids, **query)) == (400, "100216")
