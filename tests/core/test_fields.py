import inspect
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest

from iot_northbound.core.fields import (
    SECRET,
    Items,
    JsonObject,
    Range,
    Text,
    TimeIn,
    Wire,
    camel,
    check_id,
    recheck,
    request,
    response,
    specs,
)
from iot_northbound.errors import InvalidArgumentError


@request
class Inner:
    name: Annotated[str, Text(1, 3)]


@request
class Order:
    id: Annotated[str, Text.up_to(5)]
    count: Annotated[int | None, Range(1, 10)] = None
    weight: float | None = None
    fragile: bool | None = None
    lines: Annotated[list[Inner] | None, Items(0, 2)] = None
    extra: JsonObject | None = None
    anything: Any = None
    due: TimeIn | None = None
    from_: str | None = None
    callback_url: Annotated[str | None, Wire("callbackURL", also=("callbackUrl",))] = None
    password: Annotated[str | None, Text.up_to(4), SECRET] = None
    either: Inner | JsonObject | None = None


@response
class Answer:
    total_count: int | None = None
    token: Annotated[str | None, SECRET] = None


def test_wire_names_are_camel_case_unless_told() -> None:
    found = specs(Order)
    assert found["from_"].wire == "from"
    assert found["callback_url"].wire == "callbackURL"
    assert found["callback_url"].also == ("callbackUrl",)
    assert specs(Answer)["total_count"].wire == "totalCount"
    assert camel("device_data_history_dtos") == "deviceDataHistoryDtos"


def test_a_spec_tells_type_rules_and_whether_it_is_mandatory() -> None:
    found = specs(Order)
    assert found["id"].mandatory
    assert found["id"].type is str
    assert found["id"].rules == (Text(0, 5),)
    assert not found["count"].mandatory
    assert found["count"].type is int
    assert found["lines"].type == list[Inner]
    assert found["either"].type == Inner | JsonObject
    assert found["password"].secret
    assert not any(spec.mandatory for spec in specs(Answer).values())


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("id", None, "Order.id = None: it is mandatory"),
        ("id", "", "Order.id = '': it is mandatory and must not be empty"),
        ("id", 5, "Order.id = 5: it must be text, not int"),
        ("id", "123456", "Order.id = '123456': it must be at most 5 characters"),
        ("count", 0, "Order.count = 0: it must be 1 to 10"),
        ("count", 11, "Order.count = 11: it must be 1 to 10"),
        ("count", 1.0, "Order.count = 1.0: it must be a whole number, not float"),
        ("count", True, "Order.count = True: it must be a whole number, not bool"),
        ("weight", True, "it must be a number, not bool"),
        ("fragile", 1, "it must be True or False, not int"),
        ("lines", "abc", "it must be a list of Inner, not str"),
        ("lines", [1], "it must be a list of Inner, not list"),
        ("lines", [Inner(name="a")] * 3, "it must be 0 to 2 entries"),
        ("extra", [], "it must be a JSON object (dict), not list"),
        ("due", "tomorrow", "it must be UTC as yyyyMMddTHHmmssZ"),
        ("due", datetime(2026, 1, 1), "it must be a datetime with a time zone"),
        ("due", 5, "it must be a datetime or text, not int"),
        ("either", 5, "it must be Inner or a JSON object (dict), not int"),
    ],
)
def test_a_refusal_names_field_value_and_rule(field: str, value: Any, told: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Order(**{"id": "1", field: value})
    assert caught.value.error_code == "1007"
    assert told in caught.value.error_desc


def test_open_limits_are_told_as_such() -> None:
    assert Range(0).broken_by(-1) == "0 or more"
    assert Range(high=3).broken_by(4) == "3 or less"
    assert Text(2).broken_by("a") == "at least 2 characters"
    assert Items(1).broken_by([]) == "at least 1 entries"
    assert Range(0).broken_by(10**30) is None
    assert Text(2).broken_by("ab") is None


def test_a_forgotten_field_meets_the_rule_not_a_type_error() -> None:
    with pytest.raises(InvalidArgumentError, match=r"Order\.id = None: it is mandatory"):
        Order()  # type: ignore[call-arg]


def test_rules_hold_at_assignment_too() -> None:
    order = Order(id="1")
    with pytest.raises(InvalidArgumentError, match=r"Order\.count = 11"):
        order.count = 11
    assert order.count is None


def test_rules_hold_again_before_sending() -> None:
    order = Order(id="1", lines=[Inner(name="a")])
    assert order.lines is not None
    recheck(order)
    order.lines.extend([Inner(name="b"), Inner(name="c")])
    with pytest.raises(InvalidArgumentError, match=r"Order\.lines"):
        recheck(order)


def test_long_values_are_cut_in_the_message() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Order(id="x" * 100_000)
    assert len(str(caught.value)) < 400
    assert "100002 characters" in str(caught.value)


def test_secrets_show_nowhere() -> None:
    order = Order(id="1", password="hush")
    assert "hush" not in repr(order)
    assert "hush" not in repr(Answer(token="hush"))
    for wrong in ("hush!", ["hush"]):
        with pytest.raises(InvalidArgumentError) as caught:
            Order(id="1", password=wrong)  # type: ignore[arg-type]
        assert "hush" not in str(caught.value)
        assert "hush" not in repr(caught.value)
        assert "Order.password = ***" in str(caught.value)


def test_acceptable_values_are_kept_as_they_are() -> None:
    extra = {"a": None, "b": 1.0, "c": [{"d": 2**70}]}
    order = Order(id="1", weight=3, extra=extra, due=datetime(2026, 1, 1, tzinfo=UTC), either={"name": 1})
    assert order.extra is extra
    assert order.weight == 3
    assert order.either == {"name": 1}
    assert Order(id="1", due="20260101T000000123Z").due == "20260101T000000123Z"
    assert Order(id="1", lines=(Inner(name="a"),)).lines  # type: ignore[arg-type]


def test_unknown_arguments_are_a_programming_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        Order(id="1", colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("value", ["", " ", "\t\n"])
def test_an_empty_id_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"device_id = .*must not be empty"):
        check_id("device_id", value)


def test_an_id_is_text() -> None:
    with pytest.raises(InvalidArgumentError, match="device_id = 7: it must be text, not int"):
        check_id("device_id", 7)
    assert check_id("device_id", " a/b ") == " a/b "


@request
class RushOrder(Order):
    """An order in a hurry.

    Attributes:
        hours: how soon.
        pin: proves who ordered.
    """

    hours: Annotated[int, Range(1, 48)]
    pin: Annotated[str | None, SECRET] = None


def test_a_subclass_holds_the_inherited_rules_and_its_own() -> None:
    assert list(specs(RushOrder)) == [*specs(Order), "hours", "pin"]
    assert [spec.name for spec in specs(RushOrder).values() if spec.mandatory] == ["id", "hours"]
    assert specs(RushOrder)["callback_url"] == specs(Order)["callback_url"]
    rush = RushOrder(id="1", hours=2, password="hush", pin="hush")
    assert "hush" not in repr(rush)
    broken: list[tuple[str, Any]] = [("id", "123456"), ("id", None), ("count", 11), ("hours", 49), ("hours", None)]
    for field, value in broken:
        with pytest.raises(InvalidArgumentError, match=rf"RushOrder\.{field} = "):
            setattr(rush, field, value)
        with pytest.raises(InvalidArgumentError, match=rf"RushOrder\.{field} = "):
            RushOrder(**{"id": "1", "hours": 2, field: value})
    with pytest.raises(AttributeError):
        rush.colour = "red"  # type: ignore[attr-defined]


def test_a_subclass_is_another_class_though_its_values_are_the_same() -> None:
    @response
    class Same(Answer):
        """The same fields under another name."""

    assert Same(total_count=1) == Same(total_count=1)
    assert Same(total_count=1) != Answer(total_count=1)
    assert "hush" not in repr(Same(token="hush"))


def test_a_subclass_tells_the_inherited_fields_before_its_own() -> None:
    @response
    class Near:
        """Near.

        Attributes:
            street: where;
                at length.
        """

        street: str | None = None

    @response
    class Far(Near):
        """Far.

        In words.

        Attributes:
            country: which.
        """

        country: str | None = None

    @response
    class Farther(Far):
        """Farther."""

    fields = "Attributes:\n    street: where;\n        at length.\n    country: which."
    assert Far.__doc__ == f"Far.\n\nIn words.\n\n{fields}"
    assert Farther.__doc__ == f"Farther.\n\n{fields}"


def test_values_that_have_no_text_pass_where_they_fit_and_are_named_by_type_where_not() -> None:
    endless: list[Any] = []
    for _ in range(100_000):
        endless = [endless]
    assert Order(id="a", extra={"deep": endless, "long": 10**5000}).extra
    with pytest.raises(InvalidArgumentError, match=r"Order.fragile = a int: it must be True or False"):
        Order(id="a", fragile=10**5000)  # type: ignore[arg-type]


@request
class _Base:
    """What both have.

    Attributes:
        size: how large.
        label: what stands on it, over
            two lines: mandatory too.
    """

    size: int | None = None
    label: str


@request
class Parcel(_Base):
    """Something to send.

    Attributes:
        to: who gets it.
        by: who brings it.
    """

    to: str
    by: str | None = None


def test_help_tells_which_fields_are_mandatory() -> None:
    for signature in (inspect.signature(Parcel), inspect.signature(Parcel.__init__)):
        without = [p.name for p in signature.parameters.values() if p.default is p.empty and p.name != "self"]
        assert sorted(without) == ["label", "to"]
    told = inspect.getdoc(Parcel)
    assert told is not None
    lines = told.splitlines()
    assert "    label: mandatory; what stands on it, over" in lines
    assert "    to: mandatory; who gets it." in lines
    assert "    by: who brings it." in lines
    assert told.count("mandatory; ") == 2


def test_a_forgotten_mandatory_field_is_told_by_the_validator_all_the_same() -> None:
    with pytest.raises(InvalidArgumentError, match=r"Parcel.to = None: it is mandatory"):
        Parcel(label="x")  # type: ignore[call-arg]
