from __future__ import annotations

import copy
import pickle

import pytest

from iot_northbound.device.agentlite import (
    AgentLiteError,
    BindIE,
    BindResult,
    DataIE,
    DataResult,
    HubIE,
    HubResult,
    HwErr,
    IotaDeviceInfo,
    IotaMessage,
    LoginIE,
    LoginReason,
    MsgType,
    Topic,
)

COMMAND = IotaMessage(
    Topic.COMMAND_RECEIVE,
    {
        DataIE.REQUESTID: "12",
        DataIE.DEVICEID: "device-1",
        DataIE.SERVICEID: "Lamp",
        DataIE.METHOD: "SET",
        DataIE.CMDCONTENT: '{"on": true}',
    },
)


def test_a_command_is_read_by_elements_and_by_attributes() -> None:
    assert COMMAND.get_msg_type() is MsgType.RECEIVE_CMD
    assert COMMAND.get_string(DataIE.METHOD) == COMMAND.method == "SET"
    assert COMMAND.get_uint(DataIE.REQUESTID) == 12
    assert COMMAND.get_bytes(DataIE.CMDCONTENT) == b'{"on": true}'
    assert (COMMAND.device_id, COMMAND.service_id, COMMAND.request_id) == ("device-1", "Lamp", "12")
    assert COMMAND.content == '{"on": true}'
    assert COMMAND.result is None
    assert COMMAND.ok


def test_an_element_that_is_not_there_is_none_or_the_default() -> None:
    assert COMMAND.get_string(DataIE.RESULT) is None
    assert COMMAND.get_bytes(DataIE.RESULT) is None
    assert COMMAND.get_uint(DataIE.RESULT, -1) == -1
    assert COMMAND.get_uint(DataIE.METHOD, 7) == 7
    assert COMMAND.app_id is None


def test_a_result_is_a_number_and_its_text() -> None:
    message = IotaMessage(Topic.ADDDEV_RSP, {HubIE.RESULT: HubResult.DEVICE_EXISTS, HubIE.DEVICEID: "child"}, 29011)
    assert message.get_uint(HubIE.RESULT, 255) == 1
    assert message.get_string(HubIE.RESULT) == "1"
    assert message.get_uint(HubIE.COOKIE) == message.cookie == 29011
    assert message.result is HubResult.DEVICE_EXISTS
    assert not message.ok


def test_plain_numbers_read_elements_as_in_c() -> None:
    assert COMMAND.HW_MsgGetStr(4) == "SET"


def test_an_element_of_other_messages_is_refused_by_name() -> None:
    with pytest.raises(AgentLiteError, match="use DataIE") as failure:
        COMMAND.get_string(BindIE.APPID)
    assert failure.value.code is HwErr.ID


def test_a_disconnection_has_its_reason_under_each_documented_name() -> None:
    message = IotaMessage(Topic.LOGIN_DISCONNECT, {LoginIE.REASON: LoginReason.AUTH_FAILED})
    assert {message.get_uint(each) for each in (LoginIE.REASON, LoginIE.STATUS, LoginIE.RESULT)} == {3}
    assert message.reason is LoginReason.AUTH_FAILED
    assert message.get_msg_type() == 2
    assert COMMAND.reason is None


def test_a_repr_shows_no_secret() -> None:
    message = IotaMessage(Topic.BINDDEVICE_RSP, {BindIE.RESULT: BindResult.SUCCESS, BindIE.DEVICESECRET: "3f7a-secret"})
    assert message.device_secret == "3f7a-secret"
    assert "3f7a" not in repr(message)


def test_a_payload_is_bytes_and_text() -> None:
    message = IotaMessage(Topic.MQTT_DATA_RECV, {DataIE.MSGTOPIC: "a/b", DataIE.MSGCONTENT: b"\xff1"})
    assert message.payload == message.get_bytes(DataIE.MSGCONTENT) == b"\xff1"
    assert message.get_string(DataIE.MSGCONTENT) == "\ufffd1"
    assert message.mqtt_topic == "a/b"


def test_commands_and_the_news_of_an_unbind_have_the_documented_type_and_each_an_event() -> None:
    assert Topic.UNBIND.msg_type is Topic.COMMAND_RECEIVE.msg_type is MsgType.RECEIVE_CMD
    assert Topic.of(MsgType.RECEIVE_CMD) is Topic.COMMAND_RECEIVE
    assert Topic.of("UNBIND_DEVICE") is Topic.UNBIND
    assert {Topic.of(each) for each in MsgType} == set(Topic) - {Topic.UNBIND}


def test_an_unknown_event_is_refused_with_the_events_there_are() -> None:
    with pytest.raises(AgentLiteError, match="COMMAND_RECEIVE") as failure:
        Topic.of("IOTA_TOPIC_NOTHING")
    assert failure.value.code is HwErr.NOMATCH


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"node_id": ""}, "node_id"),
        ({"model": None}, "model"),
        ({"mac": 7}, "mac"),
        ({"status": "ONLINE"}, "mandatory with status"),
        ({"status": "AWAY", "status_detail": "NONE"}, "ONLINE, OFFLINE"),
        ({"status": "ONLINE", "status_detail": "GONE"}, "DUTY_CYCLE"),
        ({"mute": True}, "TRUE, FALSE"),
    ],
)
def test_device_information_with_a_wrong_value_is_refused_by_its_name(changes: dict[str, object], says: str) -> None:
    values = {"node_id": "a", "manufacturer_id": "b", "device_type": "c", "model": "d", "protocol_type": "e"}
    with pytest.raises(AgentLiteError, match=says) as failure:
        IotaDeviceInfo(**{**values, **changes})  # type: ignore[arg-type]
    assert failure.value.code is HwErr.PARA


def test_the_none_of_c_is_sent_as_the_word_of_java() -> None:
    info = IotaDeviceInfo("a", "b", "c", "d", "e", status="online", status_detail="None")
    assert info.wire()["statusDetail"] == "NONE"


def test_an_error_says_its_name_and_number_and_survives_a_pickle() -> None:
    error = AgentLiteError(HwErr.STATE, "log in first")
    assert str(error) == "HW_ERR_STATE (23): log in first"
    for each in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (each.code, str(each)) == (error.code, str(error))


def test_a_data_result_of_zero_is_a_success() -> None:
    message = IotaMessage(Topic.DATA_REPORT_RSP, {DataIE.RESULT: DataResult.SUCCESS})
    assert message.ok
    assert message.result is DataResult.SUCCESS
