from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device.field_http import (
    CODE_EXPIRED,
    NO_SUCH_DEVICE,
    NOT_REGISTERED,
    FieldHttp,
    UndocumentedWireError,
)
from iot_northbound.emulator.server import Emulator
from iot_northbound.errors import (
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    NotAuthorizedError,
    NotFoundError,
    TlsError,
    UnreadableAnswerError,
)
from iot_northbound.ssl_config import SSLConfig
from tests.certs import LOOPBACK_NAMES, Authority, TlsServer, server_context
from tests.clock import FakeClock
from tests.emulator.conftest import Wire

INFO = {
    "nodeId": "gw-1", "manufacturerId": "Acme", "deviceType": "Gateway", "model": "GW1", "protocolType": "MQTT",
}  # fmt: skip
CHILD = {**INFO, "nodeId": "sensor-1", "deviceType": "Sensor", "name": None}
REGISTRATION = "/iocm/app/reg/v1.1.0/deviceCredentials"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("home"), mqtt_port=0, agentlite_port=0) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(emulator: Emulator) -> None:
    emulator.control.reset()


def port_of(emulator: Emulator, url: str = "agentlite_url") -> int:
    return int(str(getattr(emulator, url)).rpartition(":")[2])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def http(emulator: Emulator, clock: FakeClock) -> Iterator[FieldHttp]:
    made = FieldHttp("127.0.0.1", port_of(emulator), ca_path=emulator.device_ca, clock=clock)
    yield made
    made.close()


@pytest.fixture
def registered(emulator: Emulator) -> str:
    wire = Wire(emulator).login()
    status, answer = wire.call("POST", REGISTRATION, {"nodeId": "gw-1", "verifyCode": "code-7531", "timeout": 60})
    wire.close()
    assert status == 200, answer
    return str(answer["deviceId"])


@pytest.fixture
def gateway(http: FieldHttp, registered: str) -> FieldHttp:
    bound = http.bind("code-7531", INFO)
    http.login(bound.app_id, bound.device_id, bound.secret)
    return http


def test_a_device_binds_and_logs_in(http: FieldHttp, registered: str, emulator: Emulator, clock: FakeClock) -> None:
    bound = http.bind("code-7531", INFO)
    assert (bound.device_id, bound.app_id) == (registered, emulator.app_id)
    assert bound.secret == emulator.control.device_credentials(registered)["secret"]
    assert dict(bound.addresses) == {"addrHAServer": "127.0.0.1", "addrLVSServer": "127.0.0.1"}
    assert bound.mqtt_port == port_of(emulator, "mqtt_url")
    login = http.login(bound.app_id, bound.device_id, bound.secret)
    assert login.expires == clock.now() + 3_600
    assert login.mqtt_client_id
    shown = f"{bound} {login} {http}"
    assert not any(each in shown for each in (bound.secret, login.access_token, str(login.refresh_token)))


def test_codes_that_are_unknown_or_expired_raise_with_the_code_of_the_platform(
    http: FieldHttp, registered: str, emulator: Emulator
) -> None:
    with pytest.raises(NorthApiException) as unknown:
        http.bind("another-code", INFO)
    assert unknown.value.error_code == NOT_REGISTERED
    assert "another-code" not in str(unknown.value)
    emulator.control.advance(61)
    with pytest.raises(NorthApiException) as expired:
        http.bind("code-7531", INFO)
    assert expired.value.error_code == CODE_EXPIRED


def test_a_login_that_does_not_fit_raises(http: FieldHttp, registered: str, emulator: Emulator) -> None:
    http.bind("code-7531", INFO)
    with pytest.raises(NotAuthorizedError) as wrong:
        http.login(emulator.app_id, registered, "wrong-secret")
    assert "wrong-secret" not in str(wrong.value)
    with pytest.raises(NotFoundError) as missing:
        http.login(emulator.app_id, "no-such-device", "s3cr3t")
    assert missing.value.error_code == NO_SUCH_DEVICE


def test_a_gateway_adds_updates_and_removes_a_child(gateway: FieldHttp, emulator: Emulator) -> None:
    added = gateway.add_child(CHILD)
    assert (added.node_id, added.existed) == ("sensor-1", False)
    again = gateway.add_child(CHILD)
    assert (again.device_id, again.existed) == (added.device_id, True)
    gateway.update_child(added.device_id, "OFFLINE", "BRIDGE_OFFLINE")
    with pytest.raises(InvalidArgumentError, match="statusDetail"):
        gateway.update_child(added.device_id, "OFFLINE", "ASLEEP")
    both = gateway.sync_children([CHILD, {**CHILD, "nodeId": "sensor-2"}])
    assert [(each.node_id, each.existed) for each in both] == [("sensor-1", True), ("sensor-2", False)]
    assert both[0].device_id == added.device_id
    gateway.remove_child(added.device_id)
    with pytest.raises(NotFoundError):
        gateway.remove_child(added.device_id)
    with pytest.raises(NotFoundError):
        gateway.update_child("a/../b?c#d", "ONLINE")


def test_an_expired_token_is_renewed_before_the_call(gateway: FieldHttp, emulator: Emulator, clock: FakeClock) -> None:
    clock.advance(3_601)
    emulator.control.clear_journal()
    gateway.add_child(CHILD)
    calls = [each["path"].rpartition("/")[2] for each in emulator.control.journal(kind="agentlite")]
    assert calls == ["refreshToken", "devices"]


def test_a_token_that_the_platform_does_not_know_any_more_is_replaced_by_a_new_login(
    gateway: FieldHttp, emulator: Emulator
) -> None:
    emulator.control.advance(31 * 86_400)  # the refresh token has expired too
    emulator.control.clear_journal()
    gateway.add_child(CHILD)
    calls = [(each["path"].rpartition("/")[2], each["status"]) for each in emulator.control.journal(kind="agentlite")]
    assert calls == [("devices", 403), ("refreshToken", 401), ("login", 200), ("devices", 200)]


def test_the_first_call_logs_in_by_itself(http: FieldHttp, registered: str) -> None:
    with pytest.raises(InvalidArgumentError, match="log in before"):
        http.add_child(CHILD)
    bound = http.bind("code-7531", INFO)
    http.use(bound.app_id, bound.device_id, bound.secret)
    assert http.add_child(CHILD).device_id


def test_many_threads_share_one_renewal(gateway: FieldHttp, emulator: Emulator, clock: FakeClock) -> None:
    clock.advance(3_601)
    emulator.control.clear_journal()
    failed: list[NorthApiException] = []

    def add(number: int) -> None:
        try:
            gateway.add_child({**CHILD, "nodeId": f"sensor-{number}"})
        except NorthApiException as error:
            failed.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert not failed
    calls = [each["path"].rpartition("/")[2] for each in emulator.control.journal(kind="agentlite")]
    assert (calls.count("refreshToken"), calls.count("devices")) == (1, 20)


def test_a_kept_connection_that_the_platform_has_closed_is_replaced(
    registered: str, tmp_path: Path, clock: FakeClock
) -> None:
    with Emulator(folder=tmp_path, agentlite_port=0) as first:
        http = FieldHttp("127.0.0.1", port := port_of(first), ca_path=first.device_ca, clock=clock)
        with pytest.raises(NorthApiException):
            http.bind("unknown", INFO)
    with Emulator(folder=tmp_path, agentlite_port=port), pytest.raises(NorthApiException) as refused:
        http.bind("unknown", INFO)
    assert refused.value.error_code == NOT_REGISTERED
    with pytest.raises(ConnectionFailedError):
        http.bind("unknown", INFO)
    http.close()


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[tuple[TlsServer, Path]]:
    """A TLS server that is not an emulator, and the file of its CA."""
    ca = Authority("foreign")
    path = tmp_path / "ca.pem"
    path.write_bytes(ca.pem)
    with TlsServer(server_context(ca.issue("localhost", LOOPBACK_NAMES), None, tmp_path)) as server:
        yield server, path


def test_a_foreign_host_is_told_no_secret(foreign: tuple[TlsServer, Path]) -> None:
    server, ca = foreign
    http = FieldHttp("localhost", server.port, ca_path=ca)
    with pytest.raises(UndocumentedWireError, match="field_wire=True"):
        http.bind("code-7531", INFO)
    with pytest.raises(UndocumentedWireError):
        http.login("app", "device", "s3cr3t-7531")
    http.close()
    assert len(server.requests) == 2
    assert b"7531" not in b"".join([*server.requests, *server.bodies])


def test_a_foreign_host_is_asked_if_the_field_wire_is_wanted(foreign: tuple[TlsServer, Path]) -> None:
    server, ca = foreign
    http = FieldHttp("localhost", server.port, ca_path=ca, field_wire=True)
    with pytest.raises(UnreadableAnswerError, match="deviceId, appId and secret"):
        http.bind("code-7531", INFO)
    with pytest.raises(UnreadableAnswerError, match="accessToken"):
        http.login("app", "device", "s3cr3t")
    http.close()
    assert server.requests[0].startswith(b"POST /iocm/dev/reg/v1.1.0/bind HTTP/1.1\r\n")


@pytest.fixture
def answering(serve: Any, pki: Any) -> Iterator[Any]:
    """Make a connection to a host that answers each call with this."""
    made: list[FieldHttp] = []

    def connect(answer: Any) -> FieldHttp:
        server = serve(lambda seen, wire: (200, LOGIN if seen.path.endswith("login") else answer))
        made.append(FieldHttp(server.host, server.port, ssl_config=pki.tls, field_wire=True, clock=FakeClock()))
        return made[-1]

    yield connect
    for each in made:
        each.close()


LOGIN: dict[str, Any] = {"accessToken": 81742, "timeout": "3600"}


def test_numbers_and_text_stand_for_each_other_in_answers(answering: Any) -> None:
    bound = answering({"deviceId": 7, "appId": "app", "secret": 5310.0, "mqttPort": "8883", "addrHAServer": "x"}).bind(
        "code-7531", INFO
    )
    assert (bound.device_id, bound.secret, bound.mqtt_port) == ("7", "5310", 8883)
    assert bound.addresses == {"addrHAServer": "x", "mqttPort": "8883"}
    http = answering({"deviceId": 9, "result": "1"})
    login = http.login("app", "7", "secret")
    assert (login.access_token, login.refresh_token, login.expires) == ("81742", None, FakeClock().now() + 3600)
    child = http.add_child(CHILD)
    assert (child.device_id, child.existed) == ("9", True)


@pytest.mark.parametrize("lasts", ["soon", -1.5, 10**30, [], {}, True, None])
def test_a_time_that_is_none_is_an_unknown_one(answering: Any, lasts: Any) -> None:
    assert answering(LOGIN)._granted({**LOGIN, "timeout": lasts}).expires is None


@pytest.mark.parametrize("devices", [5, "text", True, [5, None], {"a": 1}, [{"nodeId": []}], [{"nodeId": "sensor-1"}]])
def test_devices_of_any_other_shape_are_an_unreadable_answer(answering: Any, devices: Any) -> None:
    http = answering({"devices": devices})
    http.use("app", "7", "secret")
    with pytest.raises(UnreadableAnswerError, match="deviceId"):
        http.sync_children([CHILD])


def test_a_single_device_stands_for_a_list_of_one(answering: Any) -> None:
    http = answering({"devices": {"nodeId": "sensor-1", "deviceId": 12}})
    http.use("app", "7", "secret")
    assert [each.device_id for each in http.sync_children([CHILD])] == ["12"]


def test_a_server_of_another_ca_or_name_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("another").pem)
    for ssl_config in (
        SSLConfig(trust_ca_path=other),
        SSLConfig(trust_ca_path=emulator.device_ca, expected_hostname="elsewhere.example"),
    ):
        http = FieldHttp("127.0.0.1", port_of(emulator), ssl_config=ssl_config)
        with pytest.raises(TlsError):
            http.bind("code-7531", INFO)


@pytest.mark.parametrize("url", ["mqtt_url", "base_url"])
def test_at_another_port_the_error_advises_no_client_certificate(emulator: Emulator, url: str) -> None:
    http = FieldHttp("127.0.0.1", port_of(emulator, url), ca_path=emulator.device_ca)
    with pytest.raises(NorthApiException, match=r"the port for AgentLite \(8943 by default\)") as caught:
        http.bind("code-7531", INFO)
    assert "self_cert_path" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host": ""}, "host"),
        ({"host": "a/b"}, "host"),
        ({"host": "user@host"}, "host"),
        ({"port": 0}, "port"),
        ({"port": "8943"}, "port"),
        ({"ca_path": "ca.pem", "ssl_config": SSLConfig()}, "ssl_config is given too"),
    ],
)
def test_an_argument_with_a_mistake_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        FieldHttp(**{"host": "localhost", **given})


@pytest.mark.parametrize("name", ["nodeId", "manufacturerId", "deviceType", "model", "protocolType"])
def test_device_information_without_a_mandatory_field_is_refused(http: FieldHttp, name: str) -> None:
    for value in (None, "", 7):
        with pytest.raises(InvalidArgumentError, match=name):
            http.bind("code", {**INFO, name: value})


def test_nothing_secret_reaches_the_log(
    gateway: FieldHttp, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        gateway.add_child(CHILD)
        gateway.refresh()
    assert "Bearer" not in caplog.text
    assert "code-7531" not in caplog.text
