"""A device binds, logs in and out, and loses its connection: on the emulator's ports, over real TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from iot_northbound.device.agentlite import (
    AgentLite,
    AgentLiteError,
    AlgType,
    BindIE,
    BindResult,
    DataIE,
    HwErr,
    LoginConfig,
    LoginReason,
    MsgType,
    Topic,
)
from iot_northbound.emulator.server import Emulator
from tests.clock import eventually
from tests.device.agentlite.world import (
    CODE,
    GATEWAY,
    WAIT,
    Heard,
    MakeAgent,
    bind,
    history,
    login,
    refused,
    register,
)
from tests.emulator.conftest import Wire


def test_a_device_binds_logs_in_and_its_report_is_in_the_history(agent: AgentLite, wire: Wire) -> None:
    heard = Heard(agent)
    device_id = bind(agent, wire)
    assert heard.next(Topic.BINDDEVICE_RSP).result is BindResult.SUCCESS
    assert agent.login_service.login().result(WAIT).topic is Topic.LOGIN_CONNECTED
    call = agent.data_trans_service.data_report(device_id, "Gateway", {"uptime": 5}, cookie=1211)
    assert call.result(WAIT).ok
    reported = heard.next(Topic.DATA_REPORT_RSP)
    assert (reported.device_id, reported.cookie, reported.get_uint(DataIE.RESULT, 9)) == (device_id, 1211, 0)
    assert history(wire, device_id, device_id) == [{"uptime": 5}]


@pytest.mark.parametrize("alg_type", list(AlgType))
def test_after_a_restart_a_login_works_from_what_the_bind_has_stored(
    make_agent: MakeAgent, wire: Wire, alg_type: AlgType
) -> None:
    first = make_agent(alg_type=alg_type)
    bind(first, wire)
    first.close()
    second = make_agent()
    assert second.login_service.login().result(WAIT).ok


def test_a_login_with_values_of_its_own_needs_no_bind(
    make_agent: MakeAgent, emulator: Emulator, wire: Wire, tmp_path: Path
) -> None:
    agent = make_agent()
    bound = agent.bind_service.bind(CODE, GATEWAY) if register(wire) else None
    assert bound is not None
    message = bound.result(WAIT)
    agent.close()
    folder = tmp_path / "other"
    folder.mkdir()
    with AgentLite(folder, ca_path=emulator.device_ca) as other:
        refused(HwErr.STATE, other.login_service.login)
        for key, value in (
            (LoginConfig.LOGIN_CONFIG_DEVICEID, message.device_id),
            (LoginConfig.LOGIN_CONFIG_APPID, message.app_id),
            (LoginConfig.LOGIN_CONFIG_SECRET, message.device_secret),
            (LoginConfig.LOGIN_CONFIG_IOCM_ADDR, "localhost"),
            (LoginConfig.LOGIN_CONFIG_MQTT_PORT, str(message.get_uint(BindIE.MQTT_PORT))),
        ):
            assert other.login_config.setConfig(key, str(value))
        assert other.login_service.login().result(WAIT).ok
        assert str(message.device_secret) not in repr(other.login_config)


def test_an_unregistered_device_and_an_expired_code_have_their_results(
    make_agent: MakeAgent, emulator: Emulator, wire: Wire
) -> None:
    agent = make_agent()
    register(wire)
    emulator.control.advance(61)
    error = agent.bind_service.bind(CODE, GATEWAY).exception(WAIT)
    assert isinstance(error, AgentLiteError)
    assert error.message is not None
    assert error.message.result is BindResult.VERIFICATION_CODE_EXPIRED
    assert CODE not in str(error)


def test_a_logout_tells_the_reason_null_and_a_new_login_follows(
    agent: AgentLite, wire: Wire, emulator: Emulator
) -> None:
    device_id = login(agent, wire)
    heard = Heard(agent)
    message = agent.login_service.logout().result(WAIT)
    assert (message.get_msg_type(), message.reason) == (MsgType.LOGOUT_RSP, LoginReason.NULL)
    assert heard.next(Topic.LOGIN_DISCONNECT) is message
    eventually(lambda: emulator.control.mqtt_sessions() == [])
    refused(HwErr.STATE, lambda: agent.data_trans_service.data_report(device_id, "Gateway", {}))
    refused(HwErr.STATE, agent.login_service.logout)
    assert agent.login_service.login().result(WAIT).ok


def test_a_wrong_secret_ends_the_login_and_the_next_one_may_have_another(
    agent: AgentLite, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    device_id = bind(agent, wire)
    heard = Heard(agent)
    agent.login_config.secret = "not-the-secret-9876"
    agent.login_config.device_id = device_id
    error = refused(HwErr.AUTH, lambda: agent.login_service.login().result(WAIT))
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.AUTH_FAILED
    assert "not-the-secret" not in str(error) + caplog.text
    agent.login_config.secret = None
    assert agent.login_service.login().result(WAIT).ok


def test_a_connection_that_ends_comes_back_by_itself_with_both_events(
    agent: AgentLite, wire: Wire, emulator: Emulator
) -> None:
    device_id = login(agent, wire)
    heard = Heard(agent)
    emulator.control.mqtt_kick(device_id)
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.CONNECTION_ERR
    assert heard.next(Topic.LOGIN_CONNECTED).reason is LoginReason.NULL
    assert agent.data_trans_service.data_report(device_id, "Gateway", {"uptime": 1}).result(WAIT).ok


def test_a_busy_platform_is_told_apart(agent: AgentLite, wire: Wire, emulator: Emulator) -> None:
    bind(agent, wire)
    heard = Heard(agent)
    emulator.control.add_fault("mqtt_refuse", code=3, count=1)
    assert agent.login_service.login().result(WAIT).ok
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.SERVER_BUSY


def test_a_platform_that_is_not_there_is_told_apart(agent: AgentLite, wire: Wire) -> None:
    bind(agent, wire)
    heard = Heard(agent)
    agent.login_config.mqtt_port = 1
    call = agent.login_service.login()
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.NETWORK_UNAVAILABLE
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.NETWORK_UNAVAILABLE
    agent.login_service.logout().result(WAIT)
    refused(HwErr.NOEND, lambda: call.result(WAIT))


def test_a_certificate_of_an_unknown_authority_is_a_connection_error(
    make_agent: MakeAgent, agent: AgentLite, wire: Wire
) -> None:
    bind(agent, wire)
    agent.close()
    other = make_agent(ca_path=None)
    heard = Heard(other)
    other.login_service.login()
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.CONNECTION_ERR


def test_a_device_that_the_platform_has_deleted_is_told_so_and_forgets_its_credentials(
    agent: AgentLite, wire: Wire, emulator: Emulator
) -> None:
    device_id = login(agent, wire)
    heard = Heard(agent)
    emulator.control.unbind_gateway(device_id)
    message = heard.next(Topic.UNBIND)
    assert message.get_msg_type() is MsgType.RECEIVE_CMD
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.DEVICE_RMVED
    assert heard.order.index(Topic.UNBIND) < heard.order.index(Topic.LOGIN_DISCONNECT)
    assert "no bind has stored" in str(refused(HwErr.STATE, agent.login_service.login))
    assert bind(agent, wire) != device_id
    assert agent.login_service.login().result(WAIT).ok


def test_a_device_that_was_deleted_meanwhile_does_not_exist(agent: AgentLite, wire: Wire) -> None:
    device_id = bind(agent, wire)
    status, _ = wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
    assert status == 204
    heard = Heard(agent)
    refused(HwErr.AUTH, lambda: agent.login_service.login().result(WAIT))
    assert heard.next(Topic.LOGIN_DISCONNECT).reason is LoginReason.DEVICE_NOEXIST
