"""Every name of chapters 5 to 7 exists and leads to its Python name. The data file was written from the chapters."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device import agentlite
from iot_northbound.device.agentlite import (
    AgentLite,
    DeviceStatus,
    HwErr,
    IotaDeviceInfo,
    LoginReason,
    Mute,
    StatusDetail,
    Topic,
    c_constants,
)

NAMES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "agentlite_names.json").read_text())


def python(path: str) -> Any:
    found: Any = agentlite
    for name in path.split("."):
        found = getattr(found, name)
    return found


def documented(name: str) -> Any:
    """A constant or function of C stands alone; one of Java stands in a class."""
    if "." in name:
        return python(name)
    return next(getattr(place, name) for place in (c_constants, agentlite, AgentLite) if hasattr(place, name))


@pytest.mark.parametrize("name", [*NAMES["c_constants"], *NAMES["java_constants"]])
def test_a_documented_constant_is_its_python_name_and_has_its_number(name: str) -> None:
    path, number = {**NAMES["c_constants"], **NAMES["java_constants"]}[name]
    assert documented(name) is python(path)
    if number is not None:
        assert int(python(path)) == number


@pytest.mark.parametrize("name", NAMES["field"])
def test_a_name_that_was_seen_in_the_field_exists_too(name: str) -> None:
    path = NAMES["field"][name]
    assert callable(documented(name)) if path.rpartition(".")[2].islower() else documented(name) is python(path)


@pytest.mark.parametrize("name", NAMES["calls"])
def test_a_documented_call_takes_the_documented_arguments_in_their_order(name: str) -> None:
    path, order = NAMES["calls"][name]
    assert callable(python(path))
    call = documented(name)
    spelled = getattr(call, "order", None)
    if spelled is not None:
        assert call.__wrapped__ is python(path)
        assert list(spelled) == order
        return
    parameters = [each for each in inspect.signature(call).parameters.values() if each.kind is not each.KEYWORD_ONLY]
    assert [each.name for each in parameters if each.name != "self"] == order


def test_each_login_reason_has_the_number_of_c_beside_that_of_java() -> None:
    assert {each.name: each.c_value for each in LoginReason} == NAMES["c_login_reasons"]
    assert all(LoginReason.from_c(each.c_value) is each for each in LoginReason)
    assert LoginReason.from_c(4) is LoginReason.UNKNOWN


def test_there_are_no_return_codes_beyond_the_documented_ones() -> None:
    assert {each.c_name for each in HwErr} | {"HW_SUCCESS"} == {
        name for name, (path, _) in NAMES["c_constants"].items() if path.startswith("HwErr")
    }
    assert {20, 21}.isdisjoint(map(int, HwErr))


@pytest.mark.parametrize("kind", [HwErr, LoginReason, agentlite.BindResult, agentlite.HubResult, agentlite.AlgType])
def test_every_number_says_what_it_means(kind: Any) -> None:
    assert all(each.meaning for each in kind)


def test_device_information_has_the_documented_fields_in_their_order() -> None:
    info = IotaDeviceInfo("a", "b", "c", "d", "e")
    assert info.wire() == dict(zip(NAMES["device_info"][:5], "abcde", strict=True))
    full = IotaDeviceInfo(
        "a", "b", "c", "d", "e", name="f", description="g", manufacturer_name="h", mac="i", location="j",
        sw_version="k", fw_version="l", hw_version="m", bridge_id="n", status="ONLINE", status_detail="NONE",
        mute="FALSE",
    )  # fmt: skip
    assert list(full.wire()) == NAMES["device_info"]


@pytest.mark.parametrize(("name", "kind"), [("status", DeviceStatus), ("statusDetail", StatusDetail), ("mute", Mute)])
def test_the_words_of_a_status_are_the_documented_ones(name: str, kind: Any) -> None:
    assert [str(each) for each in kind] == NAMES["words"][name]


@pytest.mark.parametrize("name", [name for name in NAMES["c_constants"] if name.startswith("IOTA_TOPIC_")])
def test_a_broadcast_of_c_is_found_by_its_text(name: str) -> None:
    assert Topic.of(name) is documented(name)


@pytest.mark.parametrize("name", [name for name in NAMES["java_constants"] if ".TOPIC_" in name])
def test_a_broadcast_of_android_is_found_by_its_text(name: str) -> None:
    assert Topic.of(name.partition(".")[2]) is documented(name)
