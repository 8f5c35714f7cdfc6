from __future__ import annotations

import pytest

from iot_northbound.device.agentlite import AgentLiteError, BindConfig, HwErr, LoginConfig

SECRET = "3f7a-not-a-real-secret"


def test_documented_keys_set_the_values_and_ports_may_be_text() -> None:
    bind, login = BindConfig(), LoginConfig()
    assert bind.port == 8943
    assert bind.setConfig(BindConfig.BIND_CONFIG_ADDR, "127.0.0.1")
    assert bind.setConfig(BindConfig.BIND_CONFIG_PORT, "8944")
    assert login.setConfig(LoginConfig.LOGIN_CONFIG_SECRET, SECRET)
    assert login.setConfig(LoginConfig.LOGIN_CONFIG_IOCM_ADDRESS, "iocm")
    assert login.setConfig(6, 8884)
    assert (bind.addr, bind.port) == ("127.0.0.1", 8944)
    assert (login.secret, login.iocm_addr, login.mqtt_port) == (SECRET, "iocm", 8884)
    assert SECRET not in repr(login)


@pytest.mark.parametrize("port", [0, 65_536, "", "x", "-1", 1.5, True, [8943]])
def test_a_port_beyond_the_range_is_refused_and_changes_nothing(port: object) -> None:
    config = LoginConfig(mqtt_port=8884)
    with pytest.raises(AgentLiteError, match="mqtt_port") as failure:
        config.setConfig(LoginConfig.LOGIN_CONFIG_MQTT_PORT, port)  # type: ignore[arg-type]
    assert failure.value.code is HwErr.PARA
    assert config.mqtt_port == 8884
    with pytest.raises(AgentLiteError, match="port"):
        BindConfig(port=port)  # type: ignore[arg-type]


def test_a_port_for_binding_is_never_none() -> None:
    with pytest.raises(AgentLiteError, match="port"):
        BindConfig().port = None  # type: ignore[assignment]
    LoginConfig().mqtt_port = None


@pytest.mark.parametrize("value", ["", 7, b"x"])
def test_text_that_is_none_is_refused_and_a_secret_is_not_shown(value: object) -> None:
    with pytest.raises(AgentLiteError, match="app_id"):
        LoginConfig(app_id=value)  # type: ignore[arg-type]
    with pytest.raises(AgentLiteError, match=r"secret = \*\*\*"):
        LoginConfig().secret = value  # type: ignore[assignment]


@pytest.mark.parametrize("key", [7, -1, True, "0", LoginConfig.LOGIN_CONFIG_APPID])
def test_an_unknown_key_is_refused_with_the_keys_there_are(key: object) -> None:
    with pytest.raises(AgentLiteError, match="ADDR, PORT") as failure:
        BindConfig().setConfig(key, "x")  # type: ignore[arg-type]
    assert failure.value.code is HwErr.ID
