from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices
from tests.emulator.calling import Caller, code_of
from tests.facts import ENDPOINTS

PATH = "/iocm/app/dm/v1.4.0/devices"


@pytest.fixture
def fleet(platform: Platform, app: Caller, other: Caller) -> list[str]:
    """Thirty devices of one application, a second apart, and one of another."""
    ids = []
    for n in range(30):
        info = {"model": "m", "deviceType": "Even" if n % 2 == 0 else "Odd", "name": f"name {n % 3}"}
        ids.append(app.register(f"n{n}", timeout=0, deviceInfo=info))
        platform.advance(1)
    other.register("foreign")
    for device_id in ids[:10]:
        devices.set_online(platform, device_id)
    return ids


def ids_of(app: Caller, **query: str) -> list[str]:
    answer = app.call("GET", PATH, **query)
    assert answer.status == 200, answer
    return [each["deviceId"] for each in answer.body["devices"]]


def test_pages_are_numbered_from_0_newest_first_and_cover_all(app: Caller, fleet: list[str]) -> None:
    seen = []
    for number in range(4):
        seen += ids_of(app, pageNo=str(number), pageSize="8")
        body = app.last.body
        assert (body["totalCount"], body["pageNo"], body["pageSize"]) == (30, number, 8)
    assert seen == fleet[::-1]
    assert ids_of(app, pageNo="4", pageSize="8") == []
    assert app.last.body["totalCount"] == 30


def test_a_page_has_25_devices_by_default(app: Caller, fleet: list[str]) -> None:
    assert len(ids_of(app, pageNo="0")) == app.last.body["pageSize"] == 25


def test_sort_turns_the_order(app: Caller, fleet: list[str]) -> None:
    assert ids_of(app, pageNo="1", pageSize="7", sort="ASC") == fleet[7:14]
    assert ids_of(app, pageNo="1", pageSize="7", sort="desc") == fleet[::-1][7:14]


def test_filters_can_be_combined(app: Caller, fleet: list[str]) -> None:
    found = ids_of(app, pageNo="0", sort="ASC", status="ONLINE", deviceType="Even", name="name 0")
    assert found == [fleet[0], fleet[6]]
    assert app.last.body["totalCount"] == 2
    assert ids_of(app, pageNo="0", location="nowhere") == []
    assert len(ids_of(app, pageNo="0", status="INACTIVE", nodeType="UNKNOWN", location="")) == 20


def test_filters_follow_changes(platform: Platform, app: Caller, fleet: list[str]) -> None:
    assert len(ids_of(app, pageNo="0", status="ONLINE")) == 10
    devices.set_offline(platform, fleet[0])
    app.call("DELETE", f"{PATH}/{fleet[1]}")
    assert ids_of(app, pageNo="0", status="ONLINE", sort="ASC") == fleet[2:10]
    assert ids_of(app, pageNo="0", status="OFFLINE") == [fleet[0]]


def test_a_time_window_selects_by_registration_and_includes_both_its_seconds(app: Caller, fleet: list[str]) -> None:
    window = {"startTime": "20231114T221325Z", "endTime": "20231114T221327Z"}
    assert ids_of(app, pageNo="0", sort="ASC", **window) == fleet[5:8]
    assert app.last.body["totalCount"] == 3
    assert ids_of(app, pageNo="0", startTime="20231114T221327Z", endTime="20231114T221325Z") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "100218"),
        ({"gatewayId": ""}, "100218"),
        ({"pageNo": "-1"}, "100216"),
        ({"pageNo": "x"}, "100216"),
        ({"pageNo": "0", "pageSize": "0"}, "100216"),
        ({"pageNo": "0", "pageSize": "251"}, "100216"),
        ({"pageNo": "0", "sort": "UP"}, "100405"),
        ({"pageNo": "0", "status": "AWAKE"}, "100405"),
        ({"pageNo": "0", "nodeType": "THING"}, "100405"),
        ({"pageNo": "0", "select": "psk"}, "100405"),
        ({"pageNo": "0", "startTime": "2023-11-14"}, "100405"),
    ],
)
def test_a_query_is_checked(app: Caller, query: dict[str, str], code: str) -> None:
    assert code_of(app.call("GET", PATH, **query)) == (400, code)


@pytest.mark.parametrize("section", ["1.5.1", "1.5.2", "1.4.9", "1.5.3", "1.5.4", "1.5.5", "1.4.7"])
def test_answers_have_exactly_the_documented_fields(platform: Platform, app: Caller, section: str) -> None:
    device_id = app.register("n", productId="street-lamp-nb")
    devices.report(platform, device_id, "Lamp", {"brightness": 5})
    desire = {"serviceDesireds": [{"serviceId": "Lamp", "desired": {"brightness": 9}}]}
    assert app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{device_id}", desire).status == 200
    facts = next(each for each in ENDPOINTS if each["rest_section"] == section)
    query = {} if "{" in facts["path"] else {"deviceId": device_id, "gatewayId": device_id, "pageNo": "0"}
    answer = app.call("GET", facts["path"].replace("{deviceId}", device_id), **query)
    assert answer.status == facts["success_status"]
    structures = facts["response"].get("structures", {})

    def compare(value: object, fields: list[dict[str, str]], where: str) -> None:
        assert isinstance(value, dict), where
        assert set(value) == {field["name"] for field in fields}, where
        for field in fields:
            kind, inner = field["type"], value[field["name"]]
            name = kind.removeprefix("List<").rstrip(">").strip()
            if name in structures and inner is not None:
                for item in inner if kind.startswith("List") else [inner]:
                    compare(item, structures[name], f"{where}.{field['name']}")

    compare(answer.body, facts["response"]["fields"], section)
