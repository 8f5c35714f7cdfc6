"""Version packages: 1.10.1 to 1.10.3."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.rules import packages
from tests.emulator.calling import Caller, code_of
from tests.emulator.scene import CATEGORY, METER_IDENTITY, package, response_fields


def names(app: Caller, **query: str) -> list[str]:
    return [row["fileId"] for row in app.call("GET", CATEGORY, **query).body["data"]]


def test_packages_are_found_by_their_fields(app: Caller, other: Caller) -> None:
    firmware = package(app)
    software = package(app, fileType="softwarePackage", version="7")
    package(other)
    assert names(app) == [firmware, software]
    assert names(app, fileType="softwarePackage") == [software]
    assert names(app, version="2.0", deviceType="WaterMeter", model="HM20") == [firmware]
    assert names(app, manufacturerName="Hydralis Metering", version="7") == [software]
    assert names(app, manufactureName="Somebody Else") == []
    assert names(app, model="HM21") == []


def test_they_come_in_pages_of_ten_with_all_their_fields(app: Caller) -> None:
    ids = [package(app, version=str(number)) for number in range(12)]
    body = app.call("GET", CATEGORY, pageNo="1").body
    assert body.keys() == response_fields("1.10.1")
    assert (body["totalCount"], body["pageSize"]) == (12, 10)
    assert [row["fileId"] for row in body["data"]] == ids[10:]
    one = app.call("GET", f"{CATEGORY}/{ids[0]}").body
    assert one.keys() == response_fields("1.10.2")
    assert one["uploadTime"] == app.platform.now_text()
    assert one["date"] == "2023-11-14"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"pageNo": "-1"}, (400, "123029")),
        ({"pageSize": "0"}, (400, "123029")),
        ({"pageSize": "101"}, (400, "123029")),
        ({"pageNo": "one"}, (400, "120015")),
        ({"fileType": "hardwarePackage"}, (400, "120015")),
    ],
)
def test_a_bad_query_is_refused(app: Caller, query: dict[str, str], code: tuple[int, str]) -> None:
    assert code_of(app.call("GET", CATEGORY, **query)) == code


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_is_checked_before_it_is_looked_for(app: Caller, other: Caller, method: str) -> None:
    assert code_of(app.call(method, f"{CATEGORY}/a%20b")) == (400, "120015")
    assert code_of(app.call(method, f"{CATEGORY}/{package(other)}")) == (404, "123002")


def test_a_deleted_package_is_not_found(app: Caller) -> None:
    file_id = package(app)
    answer = app.call("DELETE", f"{CATEGORY}/{file_id}")
    assert (answer.status, answer.body) == (200, None)
    assert names(app) == []
    assert code_of(app.call("GET", f"{CATEGORY}/{file_id}")) == (404, "123002")


@pytest.mark.parametrize("change", [{"version": None}, {"fileType": "zip"}, {"fileId": "a b"}, {"name": ""}])
def test_an_impossible_package_is_refused(app: Caller, change: dict[str, Any]) -> None:
    given = {"name": "p", "version": "1", "fileType": "firmwarePackage", **METER_IDENTITY, **change}
    with pytest.raises(ValueError, match="cannot be used"):
        packages.add(app.platform, app.app_id, given)
    assert names(app) == []


def test_a_file_id_is_taken_once(app: Caller) -> None:
    package(app, fileId="meter-2.0")
    with pytest.raises(ValueError, match="already"):
        package(app, fileId="meter-2.0")
