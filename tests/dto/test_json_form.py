"""DTOs as data for JSON, and from JSON, with the platform's names."""

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dto.examples import CLASSES, REQUESTS, RESPONSES, example

from iot_northbound import dto
from iot_northbound.core.wire import encode_body, structure
from iot_northbound.errors import InvalidArgumentError

SECRET = "nobody-may-read-this-1"
DEVICE = {"deviceId": "d-1", "deviceInfo": {"nodeId": "n-1", "status": "ONLINE"}, "createTime": "20260212T121212Z"}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_comes_back_from_its_json(name: str) -> None:
    made = example(CLASSES[name])
    data = made.to_json()
    read = CLASSES[name].from_json(json.dumps(data))
    assert type(read) is CLASSES[name]
    assert read.to_json() == data
    if name in RESPONSES and "datetime" not in repr(made):
        assert read == made


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_is_sent(name: str) -> None:
    made = example(REQUESTS[name])
    assert made.to_json() == json.loads(encode_body(made))


@pytest.mark.parametrize("source", [json.dumps(DEVICE), json.dumps(DEVICE).encode(), bytearray(b'{"deviceId":"d-1"}')])
def test_text_and_bytes_are_read(source: str | bytes | bytearray) -> None:
    assert dto.QuerySingleDeviceInfoOutDTO.from_json(source).device_id == "d-1"


def test_parsed_json_is_read_and_not_kept() -> None:
    paras = {"value": 1}
    source = MappingProxyType({"serviceId": "Lamp", "method": "SET", "paras": paras})
    made = dto.CommandDTO.from_json(source)
    paras["value"] = 2
    assert made.paras == {"value": 1}
    data = made.to_json()
    data["paras"]["value"] = 3
    assert made.paras == {"value": 1}


def test_enumerations_and_times_are_plain_text() -> None:
    data = dto.QuerySingleDeviceInfoOutDTO.from_json(DEVICE).to_json()
    assert data == DEVICE
    assert type(data["deviceInfo"]["status"]) is str
    assert type(data["createTime"]) is str
    moment = datetime(2026, 2, 12, 12, 12, 12, tzinfo=UTC)
    assert dto.QueryDeviceCommandInDTO2(start_time=moment).to_json() == {"startTime": "20260212T121212Z"}


def test_what_an_answer_had_beyond_its_class_is_kept() -> None:
    source = DEVICE | {"colour": {"r": 1}, "gatewayId": ["not", "text"], "services": [{"serviceId": "s"}, 7]}
    made = dto.QuerySingleDeviceInfoOutDTO.from_json(source)
    assert made.services is not None
    assert len(made.services) == 1
    assert made.to_json() == source
    assert dto.QuerySingleDeviceInfoOutDTO.from_json(made.to_json()).unknown_fields == made.unknown_fields


@given(st.data())
def test_any_answer_is_the_same_after_two_ways(data: st.DataObject) -> None:
    cls: Any = data.draw(st.sampled_from(list(RESPONSES.values())))
    known = list(example(cls).to_json())
    names = st.sampled_from(known) | st.text() if known else st.text()
    sent = example(cls).to_json() | data.draw(st.dictionaries(names, VALUES, max_size=4))
    try:
        made = structure(json.loads(json.dumps(sent)), cls)
    except ValueError:
        return  # a field that the answer must have does not fit
    again = cls.from_json(json.dumps(made.to_json()))
    assert again == made
    assert again.unknown_fields == made.unknown_fields
    assert again.to_json() == made.to_json()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", r"cannot be read \(Expecting value: line 1 column 1"),
        ("{", "cannot be read"),
        (b"\xff{}", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"nodeId": NaN}', "NaN is not JSON"),
        ({"nodeId": float("inf")}, "cannot be read"),
        ({"nodeId": object()}, "cannot be read"),
        ({"nodeId": b"n"}, "cannot be read"),
        ("[]", "it must be an object, not a list"),
        ("null", "it must be an object, not null"),
        (None, "it must be an object, not null"),
        (7, "it must be an object, not a number"),
        ({}, "RegDirectDeviceInDTO2.node_id = None: it is mandatory"),
        ({"node_id": "n"}, r"'node_id': it has no such field; did you mean nodeId"),
        ({"nodeId": "n", "colour": 1}, "'colour': it has no such field; it has "),
        ({"nodeId": "n", "timeout": "soon"}, "timeout = 'soon': it must be a whole number, not str"),
        ({"nodeId": "n", "deviceInfo": {"modle": "M"}}, r"RegDirectDeviceInDTO2.deviceInfo = 'modle'.*mean model"),
        ({"nodeId": "n", "deviceInfo": "M"}, "device_info = 'M': it must be DeviceInfoDTO, not str"),
        ({"nodeId": "n" * 257}, "at most 256 characters"),
    ],
)
def test_a_bad_request_says_what_is_wrong(source: Any, why: str) -> None:
    with pytest.raises(InvalidArgumentError, match=why) as caught:
        dto.RegDirectDeviceInDTO2.from_json(source)
    assert caught.value.error_code == "1007"


def test_an_item_of_a_list_is_named_by_its_place() -> None:
    tags = [{"tagName": "a", "tagValue": "b"}, {"tagNam": "a"}]
    with pytest.raises(InvalidArgumentError, match=r"ModifyDeviceInforInDTO.tags\[1\] = 'tagNam'.*tagName"):
        dto.ModifyDeviceInforInDTO.from_json({"tags": tags})


def test_an_answer_without_what_it_exists_for_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"RegDirectDeviceOutDTO = the JSON: \$.deviceId should be text"):
        dto.RegDirectDeviceOutDTO.from_json("{}")


@pytest.mark.parametrize("source", [f'{{"psk": "{SECRET}"', {"psk": [SECRET]}, {"psk": SECRET * 9}, {"x": [SECRET]}])
def test_a_refused_secret_is_not_shown(source: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        dto.RegDirectDeviceInDTO2.from_json(source)
    assert SECRET not in f"{caught.value}{caught.value!r}"
    assert caught.value.__cause__ is None


def test_secrets_are_data() -> None:
    made = dto.RegDeviceWithSecretInDTO(device_info=dto.MqttDeviceInfoDTO(node_id="n", model="M"), secret=SECRET)
    assert made.to_json()["secret"] == SECRET
    assert SECRET not in repr(made)
