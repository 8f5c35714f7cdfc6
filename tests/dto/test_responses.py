"""Response and notification DTOs: what the platform sends is read leniently."""

import typing
from typing import Any

import attrs
import pytest
from tests.dto.examples import RESPONSES
from tests.facts import NOTIFICATIONS as DOCUMENTED

from iot_northbound.core.fields import specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.wire import ShapeError, structure
from iot_northbound.dto import (
    NOTIFICATIONS,
    BatchTaskCreateOutDTO,
    CommandDTOV4,
    DeviceCommandRespV4,
    DeviceGroupWithDeviceListDTO,
    NotifyDeviceDatasChangedDTO,
    NotifyNBCCommandStatusChangedDTO,
    NotifyType,
    QueryDeviceDesiredHistoryOutDTO,
    QueryDeviceGroupMembersOutDTO,
    QueryDeviceGroupsOutDTO,
    QueryUpgradeSubTaskOutDTO,
    QueryUpgradeTaskOutDTO,
)

PROMISED = {
    "AuthOutDTO": {"access_token": "accessToken"},
    "AuthRefreshOutDTO": {"access_token": "accessToken"},
    "BatchTaskCreateOutDTO": {"task_id": "taskID"},
    "CreateDeviceCmdCancelTaskOutDTO": {"task_id": "taskId"},
    "CreateDeviceGroupOutDTO": {"id": "id"},
    "CreateUpgradeTaskOutDTO": {"operation_id": "operationId"},
    "PostDeviceCommandOutDTO2": {"command_id": "commandId"},
    "RegDeviceWithSecretOutDTO": {"device_id": "deviceId"},
    "RegDirectDeviceOutDTO": {"device_id": "deviceId"},
}
"""What a call exists to return, by class: without it the answer is unreadable."""


def promised(name: str) -> dict[str, str]:
    """Return the least an answer has to hold."""
    return dict.fromkeys(PROMISED.get(name, {}).values(), "given")


@pytest.mark.parametrize("name", RESPONSES)
def test_only_what_a_call_exists_for_is_mandatory_and_nulls_are_read(name: str) -> None:
    cls = RESPONSES[name]
    least = promised(name)
    empty = structure(least, cls)
    nulls = structure(dict.fromkeys((spec.wire for spec in specs(cls).values()), None) | least, cls)
    assert empty == nulls == cls(**dict.fromkeys(PROMISED.get(name, {}), "given"))
    rest = {attribute.name for attribute in attrs.fields(cls)} - set(PROMISED.get(name, {}))
    assert all(getattr(empty, field) is None for field in rest)


@pytest.mark.parametrize("name", PROMISED)
def test_an_answer_without_what_the_call_exists_for_is_refused(name: str) -> None:
    (wire,) = PROMISED[name].values()
    for answer in ({}, {wire: None}):
        with pytest.raises(ShapeError) as raised:
            structure(answer, RESPONSES[name])
        assert str(raised.value) == f"$.{wire} should be text, not null"


ENUMS = [
    (name, spec.name, spec.wire, spec.type)
    for name, cls in RESPONSES.items()
    for spec in specs(cls).values()
    if isinstance(spec.type, type) and issubclass(spec.type, OpenEnum)
]


@pytest.mark.parametrize(("name", "field", "wire", "enum"), ENUMS, ids=lambda v: v if isinstance(v, str) else "")
def test_unknown_enumeration_values_survive(name: str, field: str, wire: str, enum: type[OpenEnum]) -> None:
    read = getattr(structure({wire: "A_VALUE_OF_TOMORROW"} | promised(name), RESPONSES[name]), field)
    assert isinstance(read, enum)
    assert read == "A_VALUE_OF_TOMORROW"
    assert not read.is_known
    known = next(iter(enum))
    assert getattr(structure({wire: str(known)} | promised(name), RESPONSES[name]), field) is known


def test_both_spellings_are_read() -> None:
    for key in ("taskID", "taskId"):
        assert structure({key: "t-1"}, BatchTaskCreateOutDTO).task_id == "t-1"
    for key in ("DeviceDesiredHistoryDTO", "deviceDesiredHistory"):
        read = structure({key: [{"deviceId": "d-1"}]}, QueryDeviceDesiredHistoryOutDTO)
        assert read.device_desired_history_dto is not None
        assert read.device_desired_history_dto[0].device_id == "d-1"
    for key in ("services", "service"):
        push = structure({key: [{"serviceId": "Battery", "data": {"level": None}}]}, NotifyDeviceDatasChangedDTO)
        assert push.services is not None
        assert push.services[0].data == {"level": None}
    for key, inner in (("data", "extendInfo"), ("date", "extendPara")):
        page = structure({key: [{inner: {"a": "b"}}]}, QueryUpgradeSubTaskOutDTO)
        assert page.data is not None
        assert page.data[0].extend_info == {"a": "b"}


def test_names_python_keeps_lose_their_underscore_on_the_wire() -> None:
    page = structure({"list": [{"name": "floor1"}]}, QueryDeviceGroupsOutDTO)
    assert page.list_ is not None
    assert page.list_[0].name == "floor1"


def test_a_class_of_both_sides_does_not_hold_its_rules_in_answers() -> None:
    read = structure({"command": {"serviceId": "", "method": None}, "status": "SENT"}, DeviceCommandRespV4)
    assert isinstance(read.command, CommandDTOV4)
    assert read.command.service_id == ""
    assert read.command.paras is None
    many = structure({"devGroupId": "", "deviceIds": ["d"] * 2000}, DeviceGroupWithDeviceListDTO)
    assert len(many.device_ids) == 2000
    task = structure(
        {"policy": {"executeType": None, "startTime": "whenever", "retryTimes": 99}}, QueryUpgradeTaskOutDTO
    )
    assert task.policy is not None
    assert task.policy.start_time == "whenever"


@pytest.mark.parametrize("detail", [{"result": 0}, None, "done", "absent"])
def test_a_commands_result_can_be_anything(detail: Any) -> None:
    result: dict[str, Any] = {"resultCode": "SUCCESSFUL"}
    if detail != "absent":
        result["resultDetail"] = detail
    push = structure({"deviceId": "d", "commandId": "c", "result": result}, NotifyNBCCommandStatusChangedDTO)
    assert push.result is not None
    assert push.result.result_code == "SUCCESSFUL"
    assert push.result.result_detail == (None if detail == "absent" else detail)


def test_every_documented_notification_has_its_class() -> None:
    documented = {n["notify_type"] for n in DOCUMENTED if n["notify_type"]}
    assert documented == set(NOTIFICATIONS) == {str(member) for member in NotifyType}
    for notification in DOCUMENTED:
        if notification["dto"] and notification["notify_type"]:
            assert NOTIFICATIONS[notification["notify_type"]].__name__ == notification["dto"]


@pytest.mark.parametrize("notification", [n for n in DOCUMENTED if n.get("fields")], ids=lambda n: n["section"])
def test_every_field_of_the_rest_chapter_is_in_the_class(notification: dict[str, Any]) -> None:
    cls = NOTIFICATIONS.get(notification["notify_type"], NotifyNBCCommandStatusChangedDTO)
    wires = {spec.wire for spec in specs(cls).values()}
    header = next((spec.type for spec in specs(cls).values() if spec.wire == "header"), None)
    if header is not None:
        wires |= {spec.wire for spec in specs(header).values()}
    assert {field["name"] for field in notification["fields"]} <= wires


def test_responses_are_typed_throughout() -> None:
    """Free values stand only where the reference leaves the type open, or platforms differ."""
    free = {(name, s.name) for name, cls in RESPONSES.items() for s in specs(cls).values() if s.type is Any}
    assert free == {
        ("ActionResult", "info"),
        ("ActionResult", "result"),
        ("ActionResult", "trans_info"),
        ("NBCommandResult", "result_detail"),
        ("OperationInfo", "extend_para"),
        ("QuerySingleDeviceInfoOutDTO", "connection_info"),
        ("QuerySingleDeviceInfoOutDTO", "location"),
        ("QueryTaskDetailDTOCloud2NA", "error"),
        ("QueryTaskDetailDTOCloud2NA", "output"),
        ("QueryUpgradeTaskOutDTO", "extend_para"),
        ("Reason", "info"),
        ("Reason", "trans_info"),
        ("SubOperationInfo", "extend_info"),
    }
    for cls in RESPONSES.values():
        typing.get_type_hints(cls)


def test_lists_of_plain_values_are_read() -> None:
    assert structure({"deviceIds": ["d1", "d2"]}, QueryDeviceGroupMembersOutDTO).device_ids == ["d1", "d2"]
    assert structure({"deviceIds": ["d1", 2, {}]}, QueryDeviceGroupMembersOutDTO).device_ids == ["d1", "2"]
