"""Rows as DTOs, and as mappings with JSON or Python names, nested or flat, with values as text."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import InvalidArgumentError, dto
from iot_northbound.bulk.jobs import Modification
from iot_northbound.bulk.rows import columns, plain, request_of, visible
from iot_northbound.core import wire

WITH_SECRET = dto.RegDeviceWithSecretInDTO
LAMP = dto.RegDirectDeviceInDTO2(
    node_id="lamp-7", timeout=0, is_secure=True, psk="12ab34cd", device_info=dto.DeviceInfoDTO(model="L1", name="Lampe")
)


@pytest.mark.parametrize(
    "row",
    [
        LAMP,
        {
            "nodeId": "lamp-7",
            "timeout": 0,
            "isSecure": True,
            "psk": "12ab34cd",
            "deviceInfo": {"model": "L1", "name": "Lampe"},
        },
        {
            "node_id": "lamp-7",
            "timeout": "0",
            "is_secure": "TRUE",
            "psk": "12ab34cd",
            "device_info.model": "L1",
            "deviceInfo.name": "Lampe",
        },
        {"node_id": "lamp-7", "timeout": "0", "is_secure": "true", "psk": "12ab34cd", "model": "L1", "name": "Lampe"},
        {
            "node_id": "lamp-7",
            "timeout": "+0",
            "isSecure": "true",
            "psk": "12ab34cd",
            "deviceInfo": '{"model": "L1", "name": "Lampe"}',
            "verifyCode": "",
            "imsi": None,
        },
        {
            "node_id": "lamp-7",
            "timeout": 0,
            "isSecure": True,
            "psk": "12ab34cd",
            "deviceInfo": dto.DeviceInfoDTO(model="L1", name="Lampe"),
        },
    ],
)
def test_all_forms_of_a_row_mean_the_same(row: Any) -> None:
    assert request_of(dto.RegDirectDeviceInDTO2, row) == LAMP


def test_a_row_of_a_csv_reader_is_a_row() -> None:
    (row,) = csv.DictReader(io.StringIO("nodeId,timeout,name\nlamp-7,5,\n"))
    assert request_of(dto.RegDirectDeviceInDTO2, row) == dto.RegDirectDeviceInDTO2(node_id="lamp-7", timeout=5)


def test_lists_and_json_may_be_text() -> None:
    row = {"deviceId": "d1", "tags": '[{"tagName": "a", "tag_value": "b"}]', "name": "x"}
    assert request_of(Modification, row).tags == [dto.Tag2(tag_name="a", tag_value="b")]
    command = {"deviceId": "d1", "serviceId": "Lamp", "method": "SET", "paras": '{"level": 1.0, "none": null}'}
    assert request_of(dto.PostDeviceCommandInDTO2, command).command.paras == {"level": 1.0, "none": None}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"nodeId": "a", "tiemout": 5}, "'tiemout'.*did you mean timeout"),
        ({"nodeId": "a", "zzz": 5}, "'zzz'.*the fields are .*nodeId"),
        ({"nodeId": "a", "node_id": "b"}, "given twice"),
        ({"nodeId": "a", "deviceInfo": "{}", "model": "L1"}, "device_info is given as a whole too"),
        ({"nodeId": "a", "model": "L1", "deviceInfo": {}}, "given twice"),
        ({"nodeId": "a", "deviceInfo": "{"}, "deviceInfo.*must be JSON"),
        ({"nodeId": "a", "deviceInfo": "[" * 100_000}, "deviceInfo.*must be JSON"),
        ({"nodeId": "a", None: ["x", "y"]}, "2 cells more.*more cells than columns"),
        ({"nodeId": "a", "timeout": "1.5"}, "timeout.*whole number"),
        ({"nodeId": "a", "timeout": "9" * 5000}, "timeout.*whole number"),
        ({"nodeId": "a", "timeout": "٣"}, "timeout.*whole number"),
        ({"nodeId": "a", "isSecure": "yes"}, "is_secure.*True or False"),
        ({"nodeId": 867530912345678}, "node_id.*text"),
        ({"nodeId": ""}, "node_id.*mandatory"),
        ({7: "a"}, "7.*no such field"),
        (["lamp-7"], "a list.*mapping"),
        ("lamp-7", "a str.*mapping"),
        (None, "a NoneType.*mapping"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(row: Any, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        request_of(dto.RegDirectDeviceInDTO2, row)


def test_a_secret_that_breaks_its_rule_is_not_shown() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        request_of(dto.RegDirectDeviceInDTO2, {"nodeId": "a", "psk": "hush-hush-" * 20})
    assert "hush" not in str(caught.value)


def test_a_dto_whose_list_was_broken_since_is_refused() -> None:
    changes = dto.ModifyDeviceInforInDTO(tags=[dto.Tag2(tag_name="a", tag_value="b")])
    changes.tags.append("no tag")  # type: ignore[union-attr,arg-type]
    with pytest.raises(InvalidArgumentError, match="tags"):
        request_of(dto.ModifyDeviceInforInDTO, changes)


def test_a_row_is_shown_without_its_secrets() -> None:
    assert visible(LAMP) == {
        "nodeId": "lamp-7",
        "timeout": 0,
        "isSecure": True,
        "deviceInfo": {"model": "L1", "name": "Lampe"},
    }
    row = {"nodeId": "a", "secret": "hush-hush"}
    assert visible(request_of(WITH_SECRET, row)) == {"deviceInfo": {"nodeId": "a"}}


def test_a_short_name_that_two_fields_have_is_no_name() -> None:
    assert columns(dto.PostDeviceCommandInDTO2)["method"] == ("command", "method")
    assert columns(dto.RegDirectDeviceInDTO2)["productId"] == ("product_id",)


@given(
    st.dictionaries(
        st.one_of(st.none(), st.text(max_size=12), st.sampled_from(sorted(columns(dto.RegDirectDeviceInDTO2)))),
        st.one_of(
            st.none(),
            st.text(max_size=40),
            st.integers(),
            st.floats(),
            st.lists(st.none()),
            st.dictionaries(st.text(), st.none()),
        ),
        max_size=6,
    )
)
def test_any_mapping_is_a_row_or_is_refused_by_name(row: dict[Any, Any]) -> None:
    if isinstance(row.get(None), int | float | type(None)):
        row.pop(None, None)  # a CSV reader puts a list there
    try:
        made = request_of(dto.RegDirectDeviceInDTO2, row)
    except InvalidArgumentError:
        return
    assert isinstance(made, dto.RegDirectDeviceInDTO2)


def test_an_answer_survives_as_json_with_what_the_platform_sent_in_addition() -> None:
    sent = {
        "commandId": "c1",
        "status": "SOMETHING_NEW",
        "creationTime": "20260101T000000Z",
        "isHD": True,
        "command": {"serviceId": "s", "method": "m", "paras": {"a": None}},
    }
    answer = wire.structure(sent, dto.PostDeviceCommandOutDTO2)
    assert plain(answer) == sent
    again = wire.structure(plain(answer), dto.PostDeviceCommandOutDTO2)
    assert (again, again.unknown_fields) == (answer, {"isHD": True})
