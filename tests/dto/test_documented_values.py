"""What an editor offers for a field is what the reference documents, and any other text still passes."""

import typing

import attrs
import pytest

from iot_northbound import dto
from iot_northbound.core.fields import specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.wire import encode_body, structure
from iot_northbound.errors import InvalidArgumentError

ALIASES = [name for name in dto.__all__ if name.endswith("In") and hasattr(dto, name.removesuffix("In"))]


def offered(alias: typing.Any) -> list[str]:
    return [
        value
        for part in typing.get_args(alias)
        if typing.get_origin(part) is typing.Literal
        for value in typing.get_args(part)
    ]


def test_there_are_aliases() -> None:
    assert {"NotifyTypeIn", "ExecuteTypeIn", "SortIn"} <= set(ALIASES)


@pytest.mark.parametrize("name", ALIASES)
def test_an_alias_offers_each_value_of_its_enumeration(name: str) -> None:
    enumeration = getattr(dto, name.removesuffix("In"))
    alias = getattr(dto, name)
    assert issubclass(enumeration, OpenEnum)
    assert enumeration in typing.get_args(alias)
    assert offered(alias) == [member.value for member in enumeration]


def test_an_upgrade_subscription_offers_the_types_that_contain_upgrade() -> None:
    assert sorted(offered(dto.UpgradeNotifyTypeIn)) == sorted(kind for kind in dto.NotifyType if "Upgrade" in kind)


def fields_with_values() -> list[tuple[type, str]]:
    return [
        (cls, attribute.name)
        for name in dto.__all__
        if attrs.has(cls := getattr(dto, name))
        for attribute in attrs.fields(cls)
        if "Literal[" in str(attribute.type)
    ]


@pytest.mark.parametrize(
    ("cls", "field"), [pytest.param(cls, field, id=f"{cls.__name__}.{field}") for cls, field in fields_with_values()]
)
def test_a_field_with_documented_values_is_text_that_takes_any_other_value(cls: type, field: str) -> None:
    assert specs(cls)[field].type is str
    made = structure({specs(cls)[each].wire: "x" for each in specs(cls)}, cls)
    setattr(made, field, "next-version")
    assert getattr(made, field) == "next-version"
    with pytest.raises(InvalidArgumentError, match="it must be text, not int"):
        setattr(made, field, 7)


def test_a_member_and_its_text_are_the_same_on_the_wire() -> None:
    texts = {
        encode_body(dto.OperatePolicy(execute_type=value))
        for value in (dto.ExecuteType.NOW, dto.ExecuteType("now"), "now")
    }
    assert texts == {b'{"executeType":"now"}'}
