"""Request DTOs: what the reference fixes is held, and no more."""

import json
import typing
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from tests.dto.examples import REQUESTS, example, value_for
from tests.facts import ENDPOINTS

from iot_northbound import dto
from iot_northbound.core.fields import FieldSpec, Items, Range, Text, specs
from iot_northbound.core.wire import encode_body
from iot_northbound.dto import (
    BatchTaskCreateInDTO2,
    CommandDTO,
    CommandDTOV4,
    CommandNA2CloudHeader,
    CreateDeviceGroupInDTO,
    DataConfigDTO,
    DeviceCmdParam,
    DeviceGroupWithDeviceListDTO,
    DeviceInfoDTO,
    ModifyDeviceInforInDTO,
    OperateDevices,
    OperatePolicy,
    PostDeviceCommandInDTO2,
    QueryBatchDevicesInfoInDTO,
    QueryDeviceCmdCancelTaskInDTO2,
    QueryDeviceCommandInDTO2,
    QueryDeviceDataHistoryInDTO,
    QueryDeviceGroupMembersInDTO,
    QueryUpgradeTaskListInDTO,
    RegDirectDeviceInDTO2,
    ServiceDesiredDTO,
    Tag2,
    UpdateDeviceCommandInDTO,
)
from iot_northbound.errors import InvalidArgumentError


@pytest.mark.parametrize("name", REQUESTS)
def test_mandatory_fields_are_enough(name: str) -> None:
    made = example(REQUESTS[name], everything=False)
    for spec in specs(REQUESTS[name]).values():
        assert (getattr(made, spec.name) is None) is not spec.mandatory


@pytest.mark.parametrize("name", REQUESTS)
def test_every_field_can_be_set(name: str) -> None:
    made = example(REQUESTS[name])
    assert all(getattr(made, spec.name) is not None for spec in specs(REQUESTS[name]).values())


MANDATORY = [(name, spec) for name, cls in REQUESTS.items() for spec in specs(cls).values() if spec.mandatory]


@pytest.mark.parametrize(("name", "spec"), MANDATORY, ids=lambda v: v if isinstance(v, str) else v.name)
def test_a_missing_mandatory_field_is_named(name: str, spec: FieldSpec) -> None:
    cls = REQUESTS[name]
    values = {s.name: value_for(s.type, s.rules) for s in specs(cls).values() if s.mandatory and s.name != spec.name}
    with pytest.raises(InvalidArgumentError) as caught:
        cls(**values)
    assert caught.value.error_code == "1007"
    assert f"{name}.{spec.name}" in str(caught.value)
    assert "mandatory" in str(caught.value)


def _breaking(spec: FieldSpec) -> list[tuple[Any, str]]:
    """Return values that break a field's rules, each with a part of the sentence that must tell the rule."""
    bad: list[tuple[Any, str]] = []
    for rule in spec.rules:
        if isinstance(rule, Text):
            if rule.low:
                bad.append(("y" * (rule.low - 1), str(rule.low)))
            if rule.high is not None:
                bad.append(("y" * (rule.high + 1), str(rule.high)))
        elif isinstance(rule, Range):
            if rule.low is not None:
                bad.append((rule.low - 1, str(rule.low)))
            if rule.high is not None:
                bad.append((rule.high + 1, str(rule.high)))
        elif isinstance(rule, Items):
            assert rule.high is not None
            bad.append((["y"] * (rule.high + 1), str(rule.high)))
        else:
            bad += [("2026-02-12T12:12:12Z", "yyyyMMdd"), (datetime(2026, 2, 12), "time zone")]
    return bad


BROKEN = [
    (name, spec, value, told)
    for name, cls in REQUESTS.items()
    for spec in specs(cls).values()
    for value, told in _breaking(spec)
]


@pytest.mark.parametrize(("name", "spec", "value", "told"), BROKEN, ids=[f"{n}.{s.name}" for n, s, _, _ in BROKEN])
def test_a_broken_rule_names_field_value_and_rule(name: str, spec: FieldSpec, value: Any, told: str) -> None:
    made = example(REQUESTS[name])
    with pytest.raises(InvalidArgumentError) as caught:
        setattr(made, spec.name, value)
    message = str(caught.value)
    assert caught.value.error_code == "1007"
    assert f"{name}.{spec.name}" in message
    assert told in message
    assert ("***" if spec.secret else repr(value)[:20]) in message
    if spec.secret and value:
        assert value not in message


TYPED = [(name, spec) for name, cls in REQUESTS.items() for spec in specs(cls).values() if spec.type is not Any]


@pytest.mark.parametrize(("name", "spec"), TYPED, ids=lambda v: v if isinstance(v, str) else v.name)
def test_a_wrong_type_is_refused(name: str, spec: FieldSpec) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"1007: {name}\.{spec.name} = .*it must be .*, not complex"):
        setattr(example(REQUESTS[name]), spec.name, 1j)


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(InvalidArgumentError, match="whole number"):
        QueryDeviceCommandInDTO2(page_size=True)


@pytest.mark.parametrize(
    ("make", "fine", "refused"),
    [
        (lambda n: QueryDeviceCommandInDTO2(page_size=n), (1, 1000), (0, 1001)),
        (lambda n: QueryDeviceCommandInDTO2(page_no=n), (0, 10**9), (-1,)),
        (lambda n: QueryDeviceCmdCancelTaskInDTO2(page_size=n), (1, 1000), (0, 1001)),
        (lambda n: QueryBatchDevicesInfoInDTO(page_size=n), (1, 250), (0, 251)),
        (lambda n: QueryDeviceDataHistoryInDTO(device_id="d", gateway_id="g", page_size=n), (1, 2000), (2001,)),
        (lambda n: QueryDeviceGroupMembersInDTO(dev_group_id="g", page_size=n), (1, 1000), (1001,)),
        (lambda n: QueryUpgradeTaskListInDTO(page_size=n), (1, 100), (0, 101)),
        (lambda n: OperatePolicy(execute_type="now", retry_times=n), (1, 5), (0, 6)),
        (lambda n: DataConfigDTO(data_aging_time=n), (0, 90), (-1, 91)),
        (lambda n: RegDirectDeviceInDTO2(node_id="n", timeout=n), (0, 2147483647), (-1, 2147483648)),
        (lambda n: RegDirectDeviceInDTO2(node_id="n", psk="a" * n), (8, 32), (7, 33)),
        (lambda n: RegDirectDeviceInDTO2(node_id="n" * n), (1, 256), (0, 257)),
        (lambda n: Tag2(tag_name="n" * n, tag_value="v"), (1, 128), (0, 129)),
        (lambda n: Tag2(tag_name="n", tag_value="v" * n), (1, 1024), (0, 1025)),
        (lambda n: CreateDeviceGroupInDTO(name="n" * n), (1, 50), (0, 51)),
        (lambda n: DeviceGroupWithDeviceListDTO(dev_group_id="g", device_ids=["d"] * n), (0, 1000), (1001,)),
        (lambda n: OperateDevices(devices=["d"] * n), (0, 256), (257,)),
        (
            lambda n: BatchTaskCreateInDTO2(app_id="a", timeout=n, task_name="t", task_type="DeviceCmd", param={}),
            (10, 2880),
            (9, 2881),
        ),
    ],
)
def test_documented_limits(make: Any, fine: tuple[int, ...], refused: tuple[int, ...]) -> None:
    for value in fine:
        make(value)
    for value in refused:
        with pytest.raises(InvalidArgumentError):
            make(value)


def test_a_command_has_documented_limits() -> None:
    command = CommandDTOV4(service_id="s", method="m", paras={})
    for bad in ({"max_retransmit": 4}, {"max_retransmit": -1}, {"expire_time": -1}, {"callback_url": "u" * 1025}):
        with pytest.raises(InvalidArgumentError):
            PostDeviceCommandInDTO2(device_id="d", command=command, **bad)  # type: ignore[arg-type]
    PostDeviceCommandInDTO2(device_id="d", command=command, expire_time=0, max_retransmit=3, callback_url="u" * 1024)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RegDirectDeviceInDTO2(node_id="alone"),
        lambda: DeviceInfoDTO(name="no model, the product id says it"),
        lambda: ServiceDesiredDTO(desired={"level": 1.0}),
        lambda: UpdateDeviceCommandInDTO(status="A_STATUS_OF_TOMORROW"),
        lambda: CommandNA2CloudHeader(mode="MAYBE", method="DISCOVERY"),
        lambda: ModifyDeviceInforInDTO(mute="PERHAPS"),
        lambda: OperateDevices(),
        lambda: OperatePolicy(execute_type="custom"),
        lambda: QueryBatchDevicesInfoInDTO(),
    ],
)
def test_conditional_rules_and_new_values_are_the_platforms_to_judge(make: Any) -> None:
    make()


def test_times_are_aware_datetimes_or_platform_text() -> None:
    for time in (datetime(2026, 2, 12, tzinfo=UTC), "20260212T121212Z", "20260212T121212345Z"):
        assert QueryBatchDevicesInfoInDTO(start_time=time).start_time == time


def test_batch_parameters_are_typed_or_free() -> None:
    typed = DeviceCmdParam(
        type="DeviceList", device_list=["d1"], command=CommandDTO(service_id="s", method="m"), max_retransmit=3
    )
    for param in (typed, {"type": "Broadcast", "command": {"serviceId": "s", "method": "m"}}):
        BatchTaskCreateInDTO2(app_id="a", timeout=10, task_name="t", task_type="DeviceCmd", param=param)


SECRET_FIELDS = [
    (name, spec)
    for name in dto.__all__
    if isinstance(cls := getattr(dto, name), type) and attrs.has(cls)
    for spec in specs(cls).values()
    if spec.wire in {"secret", "accessToken", "refreshToken", "psk", "verifyCode"}
]


@pytest.mark.parametrize(("name", "spec"), SECRET_FIELDS, ids=lambda v: v if isinstance(v, str) else v.name)
def test_secrets_never_show(name: str, spec: FieldSpec) -> None:
    cls = getattr(dto, name)
    made = example(cls)
    setattr(made, spec.name, "hush-hush-hush")
    assert spec.secret
    assert "hush" not in repr(made)
    assert "hush" not in str(made)


def test_no_rule_is_stricter_than_either_chapter_about_what_is_mandatory() -> None:
    """A field is mandatory only where every table that lists it says so."""
    documented: dict[tuple[str, str], set[str]] = {}
    for endpoint in ENDPOINTS:
        rest = {f["name"]: f.get("required") for f in endpoint["request"].get("fields", [])}
        for name, fields in endpoint.get("java_request", {}).get("structures", {}).items():
            for field in fields:
                said = documented.setdefault((name, field["name"]), set())
                said.add(field.get("required", "mandatory"))
                if name.endswith(("InDTO", "InDTO2")) and rest.get(field["name"]):
                    said.add(rest[field["name"]])
    for (name, wire), said in documented.items():
        spec = next((s for s in specs(REQUESTS[name]).values() if s.wire == wire), None) if name in REQUESTS else None
        if spec is not None and spec.mandatory:
            assert said <= {"mandatory"} or (name, wire) == ("CommandDTOV4", "paras"), (name, wire)


def test_annotations_use_no_enumeration_in_requests() -> None:
    for name, cls in REQUESTS.items():
        for spec in specs(cls).values():
            inner = typing.get_args(spec.type) or (spec.type,)
            assert not any(isinstance(each, type) and hasattr(each, "is_known") for each in inner), (name, spec.name)


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_set_is_sent_under_its_wire_name_and_nothing_else(name: str, everything: bool) -> None:
    cls = REQUESTS[name]
    sent = json.loads(encode_body(example(cls, everything=everything)))
    assert list(sent) == [spec.wire for spec in specs(cls).values() if everything or spec.mandatory]


def test_typed_batch_parameters_are_sent_as_the_free_ones_are() -> None:
    free = {
        "type": "DeviceList",
        "deviceList": ["d1"],
        "command": {"serviceId": "s", "method": "m", "paras": {"on": None}},
    }
    command = CommandDTO(service_id="s", method="m", paras={"on": None})
    typed = DeviceCmdParam(type="DeviceList", device_list=["d1"], command=command)
    bodies = [
        encode_body(BatchTaskCreateInDTO2(app_id="a", timeout=10, task_name="t", task_type="DeviceCmd", param=param))
        for param in (free, typed)
    ]
    assert bodies[0] == bodies[1]
