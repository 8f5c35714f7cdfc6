from __future__ import annotations

import json
from typing import Any

import pytest

from iot_northbound.push import Message
from iot_northbound.push.parse import COMMAND_STATUS, UNKNOWN, NotAMessageError, parse
from iot_northbound.testing.messages import PUSH_KINDS, push_body


def read(**fields: Any) -> Message:
    return parse(json.dumps(fields).encode(), 1.0)


@pytest.mark.parametrize("kind", PUSH_KINDS)
def test_each_kind_is_recognised_by_its_json(kind: str) -> None:
    assert parse(push_body(kind), 1.0).kind == kind


def test_the_kind_goes_by_json_not_by_text() -> None:
    spaced = b'{ "notifyType" : "deviceAdded", "x": "\\"notifyType\\":\\"deviceDeleted\\"" }'
    assert parse(spaced, 1.0).kind == "deviceAdded"


def test_blanks_around_the_key_and_the_kind_are_forgiven() -> None:
    assert read(**{"notifyType ": " deviceAdded"}).kind == "deviceAdded"


def test_a_blank_that_the_reference_has_within_a_kind_is_forgiven() -> None:
    assert read(notifyType="fwUpgradeStateChangeNo tify").kind == "fwUpgradeStateChangeNotify"


@pytest.mark.parametrize("key", ["service", "services"])
def test_several_services_under_the_kind_of_one_are_several(key: str) -> None:
    assert read(notifyType="deviceDataChanged", **{key: [{"serviceId": "Meter"}]}).kind == "deviceDatasChanged"
    assert read(notifyType="deviceDataChanged", **{key: {"serviceId": "Meter"}}).kind == "deviceDataChanged"


def test_a_command_status_change_is_known_without_a_type() -> None:
    for without in ({}, {"notifyType": None}, {"notifyType": ""}):
        assert read(deviceId="d", commandId="c", result=None, **without).kind == COMMAND_STATUS


@pytest.mark.parametrize("fields", [{}, {"notifyType": 7}, {"notifyType": None}, {"notifyType": ""}, {"deviceId": "d"}])
def test_a_message_without_a_kind_is_unknown(fields: Any) -> None:
    assert read(**fields).kind == UNKNOWN


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"   ", "not JSON"),
        (b"ok", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":NaN}', "NaN is not a JSON value"),
        (b'{"a":-Infinity}', "not a JSON value"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
        (b"[1]", "a list, and a push is an object"),
        (b'"text"', "a text"),
        (b"null", "null"),
        (b"true", "a true or false"),
        (b"12", "a number"),
        (b'{"a":"\xff\xfe"}', "not UTF-8"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "nested too deeply"),
        (b"[" * 500_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_not_an_object_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(NotAMessageError, match=reason):
        parse(body, 1.0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_of_json_is_read(encoding: str) -> None:
    assert parse('{"deviceId":"Zähler-水"}'.encode(encoding), 1.0).device == "Zähler-水"


def test_a_wrong_charset_does_not_spoil_utf_8_and_a_right_one_is_used() -> None:
    text = '{"deviceId":"Zähler"}'
    assert parse(text.encode(), 1.0, "application/json;charset=ISO-8859-1").device == "Zähler"
    assert parse(text.encode("latin-1"), 1.0, 'application/json; Charset="iso-8859-1"').device == "Zähler"
    assert parse('{"deviceId":"中国"}'.encode("gbk"), 1.0, "application/json;charset=GBK").device == "中国"
    assert parse('{"deviceId":"中国"}'.encode("gbk"), 1.0, 'a/b; x="y;charset=utf-8"; CHARSET=GBK').device == "中国"


@pytest.mark.parametrize("charset", ["no-such-thing", "hex", "utf-7", "punycode", "idna", "unicode_escape"])
def test_a_charset_outside_the_list_is_not_used(charset: str) -> None:
    with pytest.raises(NotAMessageError, match=f"'{charset}' is not accepted"):
        parse(b'{"a":"\xff"}' + b"a-" * 500_000, 1.0, f"text/plain; charset={charset}")


@pytest.mark.parametrize(
    ("fields", "device"),
    [
        ({"deviceId": "d"}, "d"),
        ({"header": {"deviceId": "d"}}, "d"),
        ({"header": {"from": "/devices/d/services/s"}}, "d"),
        ({"ruleId": "r"}, "ruleId:r"),
        ({"appId": "a", "model": "m"}, "appId:a"),
        ({"deviceId": 5}, "5"),
        ({"deviceId": 5.0}, "5"),
        ({"deviceId": 9007199254740993}, "9007199254740993"),
        ({"header": {"deviceId": 0}}, "0"),
        ({"ruleId": 7}, "ruleId:7"),
        ({"deviceId": [5], "appId": 8}, "appId:8"),
        ({"deviceId": True}, ""),
        ({"deviceId": {}}, ""),
        ({"header": []}, ""),
        ({}, ""),
    ],
)
def test_order_is_kept_by_device_rule_or_application(fields: Any, device: str) -> None:
    assert read(**fields).device == device


def test_keys_are_storable_whatever_json_smuggles_in() -> None:
    strange = parse(b'{"notifyType":"\\ud800x","deviceId":"\\udfff\\u0000"}', 1.0)
    strange.kind.encode()
    strange.device.encode()
    assert len(read(deviceId="d" * 100_000).device) < 200
