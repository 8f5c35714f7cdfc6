"""Device groups: 1.9.1 to 1.9.8."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications
from tests.emulator.calling import Caller, code_of
from tests.emulator.scene import (
    ADD_MEMBERS,
    DEVICES,
    GROUPS,
    MEMBERS,
    REMOVE_MEMBERS,
    group,
    meter,
    response_fields,
)


def change(app: Caller, path: str, group_id: str, device_ids: Any) -> tuple[int, str | None]:
    return code_of(app.call("POST", path, {"devGroupId": group_id, "deviceIds": device_ids}))


def members(app: Caller, group_id: str) -> list[str]:
    answer = app.call("GET", MEMBERS, devGroupId=group_id, pageSize="1000")
    ids: list[str] = answer.body["deviceIds"]
    return ids


def test_a_new_group_is_answered_with_its_members(app: Caller) -> None:
    device_id = meter(app, "m")
    body = {"name": "North7", "description": "north", "maxDevNum": 3, "deviceIds": [device_id, device_id]}
    answer = app.call("POST", GROUPS, body)
    assert answer.status == 200
    assert answer.body.keys() == response_fields("1.9.1")
    assert (answer.body["curDevNum"], answer.body["deviceIds"]) == (1, [device_id])
    one = app.call("GET", f"{GROUPS}/{answer.body['id']}").body
    assert one.keys() == response_fields("1.9.5")
    assert (one["maxDevNum"], one["curDevNum"], one["creator"]) == (3, 1, "app-one")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "with blank"}, (400, "50400")),
        ({"name": "x" * 51}, (400, "50400")),
        ({}, (400, "50400")),
        ({"name": "a", "maxDevNum": -1}, (400, "50400")),
        ({"name": "a", "maxDevNum": "many"}, (400, "50400")),
        ({"name": "a", "deviceIds": ["nobody"]}, (400, "50400")),
        ({"name": "a", "maxDevNum": 1, "deviceIds": ["p", "q"]}, (400, "100609")),
        ({"name": "taken"}, (200, "100602")),
        ({"name": "a", "appId": "app-two"}, (200, "100217")),
        ({"name": "a", "appId": "app-none"}, (200, "100203")),
    ],
)
def test_an_impossible_group_is_refused(app: Caller, other: Caller, body: Any, code: tuple[int, str]) -> None:
    group(app, "taken")
    assert code_of(app.call("POST", GROUPS, body)) == code
    assert app.call("GET", GROUPS).body["totalCount"] == 1


def test_the_number_of_groups_is_limited_per_application(app: Caller, other: Caller) -> None:
    app.platform.settings.group_limit = 2
    group(app, "a")
    group(app, "b")
    assert code_of(app.call("POST", GROUPS, {"name": "c"})) == (200, "100607")
    group(other, "a")


def test_modifying_keeps_a_description_and_checks_the_limits(app: Caller) -> None:
    devices = [meter(app, name) for name in ("a", "b")]
    group_id = group(app, "old", description="kept", deviceIds=devices)
    group(app, "taken")
    path = f"{GROUPS}/{group_id}"
    answer = app.call("PUT", path, {"name": "new"})
    assert answer.body.keys() == response_fields("1.9.3")
    assert (answer.body["name"], answer.body["description"]) == ("new", "kept")
    assert code_of(app.call("PUT", path, {"name": "taken"})) == (200, "100602")
    assert code_of(app.call("PUT", path, {"name": "new", "maxDevNum": 1})) == (200, "100601")
    assert app.call("PUT", path, {"name": "new", "maxDevNum": 2}).body["maxDevNum"] == 2
    assert code_of(app.call("PUT", f"{GROUPS}/none", {"name": "x"})) == (200, "100603")


def test_modifying_without_a_maximum_removes_it(app: Caller) -> None:
    path = f"{GROUPS}/{group(app, 'limited', maxDevNum=2, deviceIds=[meter(app, 'a')])}"
    assert app.call("PUT", path, {"name": "limited"}).body["maxDevNum"] == 0
    assert app.call("GET", path).body["maxDevNum"] == 0


def test_a_deleted_group_leaves_its_devices(app: Caller) -> None:
    device_id = meter(app, "m")
    group_id = group(app, deviceIds=[device_id])
    answer = app.call("DELETE", f"{GROUPS}/{group_id}")
    assert (answer.status, answer.body) == (200, None)
    assert code_of(app.call("GET", f"{GROUPS}/{group_id}")) == (200, "100603")
    assert code_of(app.call("GET", MEMBERS, devGroupId=group_id)) == (200, "100603")
    assert app.device(device_id).status == 200
    again = group(app, deviceIds=[device_id])
    assert members(app, again) == [device_id]


def test_the_list_is_complete_without_a_page_number_and_has_one_group_per_page_by_default(app: Caller) -> None:
    names = ["a", "b", "c"]
    for name in names:
        group(app, name)
    everything = app.call("GET", GROUPS).body
    assert everything.keys() == response_fields("1.9.4")
    assert everything["list"][0].keys() == response_fields("1.9.4", "QueryDevGroupDTOCloud2NA")
    assert [row["name"] for row in everything["list"]] == names
    page = app.call("GET", GROUPS, pageNo="1").body
    assert ([row["name"] for row in page["list"]], page["totalCount"], page["pageSize"]) == (["b"], 3, 1)
    assert [row["name"] for row in app.call("GET", GROUPS, name="c").body["list"]] == ["c"]
    assert code_of(app.call("GET", GROUPS, pageNo="-1")) == (400, "50400")


def test_adding_is_all_or_none_and_repeating_it_changes_nothing(app: Caller) -> None:
    a, b, c = (meter(app, name) for name in "abc")
    group_id = group(app, maxDevNum=2)
    answer = app.call("POST", ADD_MEMBERS, {"devGroupId": group_id, "deviceIds": [a]})
    assert answer.body == {"devGroupId": group_id, "deviceIds": [a]}
    assert change(app, ADD_MEMBERS, group_id, [b, "nobody"]) == (400, "100604")
    assert change(app, ADD_MEMBERS, group_id, [b, c]) == (200, "100601")
    assert members(app, group_id) == [a]
    assert change(app, ADD_MEMBERS, group_id, [a, b]) == (200, None)
    assert members(app, group_id) == [a, b]


@pytest.mark.parametrize("path", [ADD_MEMBERS, REMOVE_MEMBERS])
def test_a_bad_membership_is_refused(app: Caller, other: Caller, path: str) -> None:
    group_id, foreign = group(app), meter(other, "foreign")
    assert change(app, path, group_id, [foreign]) == (400, "100604")
    assert change(app, path, group_id, []) == (400, "100604")
    assert change(app, path, group_id, ["x"] * 1001) == (400, "100604")
    assert change(app, path, group_id, None) == (400, "50400")
    assert change(app, path, group_id, "abc") == (400, "50400")
    assert change(app, path, "none", ["x"]) == (200, "100603")
    assert change(other, path, group_id, [foreign]) == (200, "100603")


def test_removing_is_all_or_none(app: Caller) -> None:
    a, b, c = (meter(app, name) for name in "abc")
    group_id = group(app, deviceIds=[a, b])
    assert change(app, REMOVE_MEMBERS, group_id, [a, c]) == (400, "100604")
    assert members(app, group_id) == [a, b]
    assert change(app, REMOVE_MEMBERS, group_id, [a]) == (200, None)
    assert members(app, group_id) == [b]


def test_members_come_in_pages_of_ten(app: Caller) -> None:
    devices = [meter(app, f"m{number}") for number in range(12)]
    group_id = group(app, deviceIds=devices)
    page = app.call("GET", MEMBERS, devGroupId=group_id, pageNo="1").body
    assert page == {"totalCount": 12, "pageNo": 1, "pageSize": 10, "deviceIds": devices[10:]}
    assert page.keys() == response_fields("1.9.6")
    assert code_of(app.call("GET", MEMBERS)) == (400, "50400")
    assert code_of(app.call("GET", MEMBERS, devGroupId=group_id, pageSize="1001")) == (400, "50400")


def test_a_deleted_device_is_no_longer_in_its_groups(app: Caller) -> None:
    a, b = meter(app, "a"), meter(app, "b")
    groups = [group(app, name, deviceIds=[a, b]) for name in ("one", "two")]
    assert app.call("DELETE", f"{DEVICES}/{a}").status in (200, 204)
    assert [members(app, group_id) for group_id in groups] == [[b], [b]]
    assert app.call("GET", f"{GROUPS}/{groups[0]}").body["curDevNum"] == 1


def test_an_authorised_application_works_in_the_others_groups(app: Caller, other: Caller) -> None:
    applications.authorise_application(app.platform, "app-one", "app-two")
    device_id = meter(app, "m")
    body = {"name": "shared", "appId": "app-one", "deviceIds": [device_id]}
    made = other.call("POST", GROUPS, body).body
    assert (made["appId"], made["curDevNum"]) == ("app-one", 1)
    assert app.call("GET", f"{GROUPS}/{made['id']}").body["creator"] == "app-two"
    assert code_of(other.call("GET", f"{GROUPS}/{made['id']}")) == (200, "100603")
    assert other.call("GET", f"{GROUPS}/{made['id']}", accessAppId="app-one").body["name"] == "shared"


class GroupsAgainstAModel(RuleBasedStateMachine):
    """Groups and members are the same as in a dict of lists."""

    groups: Bundle[str] = Bundle("groups")
    devices: Bundle[str] = Bundle("devices")

    def __init__(self) -> None:
        super().__init__()
        platform = Platform(clock=Clock(), ids=Ids("model"))
        applications.add_application(platform, "app-one", "secret-one")
        self.app = Caller(platform).login()
        self.model: dict[str, list[str]] = {}
        self.limits: dict[str, int] = {}
        self.alive: list[str] = []
        self.count = 0

    @rule(target=devices)
    def register(self) -> str:
        self.count += 1
        device_id = meter(self.app, f"n{self.count}")
        self.alive.append(device_id)
        return device_id

    @rule(target=groups, limit=st.integers(0, 3))
    def create(self, limit: int) -> str:
        self.count += 1
        group_id = group(self.app, f"g{self.count}", maxDevNum=limit)
        self.model[group_id], self.limits[group_id] = [], limit
        return group_id

    @rule(group_id=groups, chosen=st.lists(devices, min_size=1, max_size=3))
    def add(self, group_id: str, chosen: list[str]) -> None:
        code = change(self.app, ADD_MEMBERS, group_id, chosen)
        if group_id not in self.model:
            assert code == (200, "100603")
            return
        new = [each for each in dict.fromkeys(chosen) if each not in self.model[group_id]]
        if any(each not in self.alive for each in chosen):
            assert code == (400, "100604")
        elif self.limits[group_id] and len(self.model[group_id]) + len(new) > self.limits[group_id]:
            assert code == (200, "100601")
        else:
            assert code == (200, None)
            self.model[group_id] += new

    @rule(group_id=groups, chosen=st.lists(devices, min_size=1, max_size=2))
    def remove(self, group_id: str, chosen: list[str]) -> None:
        code = change(self.app, REMOVE_MEMBERS, group_id, chosen)
        if group_id not in self.model:
            assert code == (200, "100603")
        elif all(each in self.model[group_id] for each in chosen):
            assert code == (200, None)
            self.model[group_id] = [each for each in self.model[group_id] if each not in chosen]
        else:
            assert code == (400, "100604")

    @rule(group_id=consumes(groups))
    def delete_group(self, group_id: str) -> None:
        assert self.app.call("DELETE", f"{GROUPS}/{group_id}").status == 200
        self.model.pop(group_id, None)

    @rule(device_id=devices)
    def delete_device(self, device_id: str) -> None:
        self.app.call("DELETE", f"{DEVICES}/{device_id}")
        if device_id in self.alive:
            self.alive.remove(device_id)
        for held in self.model.values():
            if device_id in held:
                held.remove(device_id)

    @invariant()
    def everything_is_as_in_the_model(self) -> None:
        listed = self.app.call("GET", GROUPS).body["list"]
        assert [row["id"] for row in listed] == list(self.model)
        for row in listed:
            assert row["curDevNum"] == len(self.model[row["id"]])
            assert members(self.app, row["id"]) == self.model[row["id"]]


TestGroupsAgainstAModel = GroupsAgainstAModel.TestCase
TestGroupsAgainstAModel.settings = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_a_given_id_is_not_used(app: Caller) -> None:
    first = group(app, "first", id="mine")
    assert first != "mine"
    assert group(app, "second", id="mine") not in ("mine", first)
    assert code_of(app.call("GET", f"{GROUPS}/mine")) == (200, "100603")
