"""Response and notification DTOs: what the platform sends is read leniently."""

import typing
from typing import Any

import attrs
import pytest
from tests.dto.examples import RESPONSES
from tests.facts import NOTIFICATIONS as DOCUMENTED

from iot_northbound.core.fields import specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.core.wire import ShapeError, structure
from iot_northbound.dto import (
    NOTIFICATIONS,
    AuthOutDTO,
    AuthRefreshOutDTO,
    BatchTaskCreateOutDTO,
    CancelTaskStatus,
    CommandDTOV4,
    CommandStatus,
    DeviceCommandRespV4,
    DeviceGroupWithDeviceListDTO,
    DeviceInfo,
    InvokeDeviceServiceOutDTO,
    InvokeStatus,
    NotifyDeviceDatasChangedDTO,
    NotifyNBCCommandStatusChangedDTO,
    NotifyType,
    OperateType,
    OperationStatus,
    Pagination,
    QueryDeviceDesiredHistoryOutDTO,
    QueryDeviceGroupMembersOutDTO,
    QueryDeviceGroupsOutDTO,
    QueryUpgradeSubTaskOutDTO,
    QueryUpgradeTaskOutDTO,
    SubOperationStatus,
)
from iot_northbound.dto import CreateDeviceCmdCancelTaskOutDTO as CancelTask

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


@pytest.mark.parametrize("name", RESPONSES)
def test_every_field_is_read_under_every_name_the_class_gives_it(name: str) -> None:
    cls = RESPONSES[name]
    for spec in specs(cls).values():
        value: Any = {str: "7", int: 7, float: 7, bool: True, dict: {}, list: []}.get(
            typing.get_origin(spec.type) or spec.type, {} if attrs.has(spec.type) else "7"
        )
        least = {key: each for key, each in promised(name).items() if key != spec.wire}
        for spelling in (
            spec.wire,
            *spec.also,
            spec.wire.upper(),
            spec.wire.lower(),
            spec.name.strip("_"),
            f" {spec.wire}",
        ):
            read = structure(least | {spelling: value}, cls)
            assert getattr(read, spec.name) is not None, spelling
            assert read.unknown_fields == {}, spelling


@pytest.mark.parametrize("page", [cls for name, cls in RESPONSES.items() if "total_count" in specs(cls)])
def test_every_page_reads_its_total_under_both_names(page: type[Any]) -> None:
    if "page_no" in specs(page):
        assert structure({"totalSize": 5}, page).total_count == structure({"totalCount": "5"}, page).total_count == 5


def test_spellings_of_the_vendors_sdks_and_of_the_samples_are_read() -> None:
    sent = structure({"status": "SENT", "timeStamp": "20260212T121212Z"}, InvokeDeviceServiceOutDTO)
    assert (sent.status, sent.timestamp) == (InvokeStatus.SENT, "20260212T121212Z")
    assert structure({"totalCount": 3}, Pagination).total_size == 3
    info = structure({"manufacturer": "m", "type": 90}, DeviceInfo)
    assert (info.manufacturer_name, info.device_type) == ("m", "90")
    task = structure({"status": "FAIL", "operateType": "FIRMWARE_UPGRADE"}, QueryUpgradeTaskOutDTO)
    assert task.status is not None
    assert (task.status, task.status.canonical) == ("FAIL", OperationStatus.FAILED)
    assert task.operate_type is OperateType.FIRMWARE_UPGRADE
    part = structure({"data": [{"status": "FAIL"}]}, QueryUpgradeSubTaskOutDTO)
    assert part.data is not None
    assert part.data[0].status is SubOperationStatus.FAIL
    revoked = structure({"taskId": "t", "status": "WAITTING", "deviceCommands": [{"status": "PENDDING"}]}, CancelTask)
    assert revoked.status is not None
    assert revoked.status.canonical is CancelTaskStatus.WAITING
    assert revoked.device_commands is not None
    assert revoked.device_commands[0].status is not None
    assert revoked.device_commands[0].status.canonical is CommandStatus.PENDING


def test_every_dto_of_an_answer_keeps_what_it_does_not_know() -> None:
    for name, cls in RESPONSES.items():
        assert structure({"ofTomorrow": [1]} | promised(name), cls).unknown_fields == {"ofTomorrow": [1]}, name
        for spec in specs(cls).values():
            inner = typing.get_args(spec.type)[0] if typing.get_origin(spec.type) is list else spec.type
            assert not attrs.has(inner) or issubclass(inner, Received), (name, spec.name)


EXPIRES: list[tuple[Any, int | None]] = [
    (3600, 3600),
    ("3600", 3600),
    (3600.0, 3600),
    ("3600.0", 3600),
    (" 3600 ", 3600),
    (None, None),
    ("3600s", None),
    (3599.5, None),
    ({}, None),
    (True, None),
    (-5, -5),
    ("1" * 400, int("1" * 400)),
]


@pytest.mark.parametrize("cls", [AuthOutDTO, AuthRefreshOutDTO])
@pytest.mark.parametrize(("raw", "read"), EXPIRES, ids=lambda value: str(value)[:10])
def test_a_login_succeeds_whatever_it_says_of_its_end(cls: Any, raw: Any, read: int | None) -> None:
    granted = structure({"accessToken": "t", "expiresIn": raw}, cls)
    assert (granted.access_token, granted.expires_in) == ("t", read)
    assert granted.unknown_fields == ({"expiresIn": raw} if read is None and raw is not None else {})


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
