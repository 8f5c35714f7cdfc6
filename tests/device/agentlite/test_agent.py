"""Children, data, commands, arguments and the life of an agent: on the emulator's ports, over real TLS."""

from __future__ import annotations

import json
import queue
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iot_northbound.core.signal_safe import Flag
from iot_northbound.device import MemoryQueue, SqliteQueue
from iot_northbound.device.agentlite import (
    AgentLite,
    BindConfig,
    DataIE,
    HubResult,
    HwErr,
    IotaMessage,
    MsgType,
    Topic,
    c_constants,
)
from iot_northbound.emulator.server import Emulator
from tests.certs import LOOPBACK_NAMES, Authority, TlsServer, server_context
from tests.clock import eventually
from tests.device.agentlite.world import (
    CODE,
    GATEWAY,
    SENSOR,
    WAIT,
    Heard,
    MakeAgent,
    add_sensor,
    bind,
    command,
    ended,
    history,
    login,
    refused,
    register,
)
from tests.emulator.conftest import Wire

# -- children ----------------------------------------------------------------------------------------------------------


def test_a_child_is_added_reported_for_and_removed(agent: AgentLite, wire: Wire) -> None:
    gateway_id = login(agent, wire)
    heard = Heard(agent)
    child = add_sensor(agent)
    again = agent.hub_service.add_device(SENSOR, cookie=29011).result(WAIT)
    assert (again.result, again.device_id, again.cookie) == (HubResult.DEVICE_EXISTS, child, 29011)
    assert agent.hub_service.update_device_status(child, "OFFLINE", "NOT_ACTIVE").result(WAIT).device_id == child
    assert agent.data_trans_service.data_report(child, "Climate", '{"temperature": 21.5}').result(WAIT).ok
    assert history(wire, gateway_id, child) == [{"temperature": 21.5}]
    assert agent.hub_service.rmv_device(child, cookie=122).result(WAIT).cookie == 122
    error = refused(HwErr.ID, lambda: agent.hub_service.rmv_device(child).result(WAIT))
    assert error.message is not None
    assert error.message.result is HubResult.DEVICE_NOTEXIST
    agent.close()
    assert heard.order.count(Topic.ADDDEV_RSP) == heard.order.count(Topic.RMVDEV_RSP) == 2
    assert heard.order.count(Topic.DEVSTATUS_RSP) == 1


def test_after_a_connect_child_states_go_first_then_what_waited_in_order_then_the_new(
    agent: AgentLite, wire: Wire, emulator: Emulator
) -> None:
    gateway_id = login(agent, wire)
    child = add_sensor(agent)
    agent.hub_service.update_device_status(child, "ONLINE", "NONE").result(WAIT)
    heard = Heard(agent)
    emulator.control.add_fault("mqtt_refuse", code=3, count=3)
    emulator.control.mqtt_kick(gateway_id)
    heard.next(Topic.LOGIN_DISCONNECT)
    calls = [
        agent.data_trans_service.data_report(child, "Climate", {"temperature": number}) for number in range(10)
    ]  # fmt: skip
    heard.next(Topic.LOGIN_CONNECTED)
    calls.append(agent.data_trans_service.data_report(child, "Climate", {"temperature": 10}))
    assert all(each.result(WAIT).ok for each in calls)
    assert [each["temperature"] for each in history(wire, gateway_id, child)][::-1] == list(range(11))
    journal = emulator.control.journal()
    status = max(each["seq"] for each in journal if each["kind"] == "agentlite" and each["method"] == "PUT")
    sent = [each for each in journal if each["kind"] == "mqtt" and str(each.get("topic")).endswith("categories/data")]
    reports = [each["seq"] for each in sent]
    assert len(reports) >= 11
    assert status < min(reports)


def test_what_is_not_sent_survives_a_restart_in_a_queue_with_a_file(
    make_agent: MakeAgent, wire: Wire, tmp_path: Path
) -> None:
    def waiting() -> SqliteQueue:
        return SqliteQueue(tmp_path / "reports.db")

    first = make_agent(queue=waiting)
    device_id = bind(first, wire)
    first.login_config.mqtt_port = 1
    first.login_service.login()
    call = first.data_trans_service.data_report(device_id, "Gateway", {"uptime": 3})
    first.close()
    refused(HwErr.NOEND, lambda: call.result(WAIT))
    second = make_agent(queue=waiting)
    second.login_service.login().result(WAIT)
    assert eventually(lambda: history(wire, device_id, device_id)) == [{"uptime": 3}]


def test_what_a_full_queue_drops_is_told(make_agent: MakeAgent, wire: Wire) -> None:
    agent = make_agent(queue=lambda: MemoryQueue(1))
    device_id = bind(agent, wire)
    heard = Heard(agent)
    agent.login_config.mqtt_port = 1
    agent.login_service.login()
    dropped = agent.data_trans_service.data_report(device_id, "Gateway", {"uptime": 1}, cookie=1)
    agent.data_trans_service.data_report(device_id, "Gateway", {"uptime": 2}, cookie=2)
    refused(HwErr.DROP, lambda: dropped.result(WAIT))
    message = heard.next(Topic.DATA_REPORT_RSP)
    assert (message.cookie, message.get_uint(DataIE.RESULT)) == (1, 1)


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("properties", "status"), [({"result": 0}, "SUCCESSFUL"), ({"errcode": 3}, "FAILED")])
def test_a_command_is_answered_by_a_report_with_its_request_id(
    agent: AgentLite, wire: Wire, properties: dict[str, int], status: str
) -> None:
    device_id = login(agent, wire)
    heard = Heard(agent)
    command_id = command(wire, device_id, "Gateway", "PERMIT_JOIN")
    message = heard.next(Topic.COMMAND_RECEIVE)
    assert (message.device_id, message.service_id, message.method) == (device_id, "Gateway", "PERMIT_JOIN")
    assert json.loads(str(message.content)) == {"seconds": 60}
    report = agent.data_trans_service.data_report
    assert report(device_id, "Gateway", properties, message.request_id, cookie=7).result(WAIT).cookie == 7
    assert eventually(lambda: ended(wire, device_id, command_id))["status"] == status
    refused(HwErr.NOMATCH, lambda: report(device_id, "Gateway", properties, message.request_id))


def test_a_command_for_a_child_has_its_id_and_is_answered_in_its_name(agent: AgentLite, wire: Wire) -> None:
    login(agent, wire)
    child = add_sensor(agent)
    heard: queue.Queue[IotaMessage] = queue.Queue()
    agent.HW_BroadCastReg(f"IOTA_TOPIC_SERVICE_CMD_RECEIVE/{child}", lambda cookie, message: heard.put(message))
    command_id = command(wire, child, "Climate", "SET_REPORT_INTERVAL")
    message = heard.get(timeout=WAIT)
    assert (message.device_id, message.method) == (child, "SET_REPORT_INTERVAL")
    agent.IOTA_ServiceDataReport(0, message.request_id, child, "Climate", '{"result": 0}').result(WAIT)
    assert eventually(lambda: ended(wire, child, command_id))["status"] == "SUCCESSFUL"


# -- messages of one's own ---------------------------------------------------------------------------------------------


def test_bytes_are_published_and_heard_on_topics_of_ones_own(agent: AgentLite, wire: Wire, emulator: Emulator) -> None:
    device_id = login(agent, wire)
    heard = Heard(agent)
    data = agent.data_trans_service
    topic = f"/huawei/v1/devices/{device_id}/data/json"
    payload = {"msgType": "deviceReq", "data": [{"serviceId": "Gateway", "serviceData": {"uptime": 8}}]}
    assert data.mqtt_data_pub(topic, json.dumps(payload).encode(), cookie=3).result(WAIT).cookie == 3
    assert data.mqtt_data_pub(topic, json.dumps(payload), qos=0).result(WAIT).ok
    assert eventually(lambda: len(history(wire, device_id, device_id)) == 2)
    family = f"/gws/{device_id}/signaltrans/v2/categories"
    assert data.mqtt_sub_topic(f"{family}/#", cookie=4).result(WAIT).topic is Topic.MQTT_SUB_RSP
    emulator.control.mqtt_publish(device_id, f"{family}/event", "hello")
    message = heard.next(Topic.MQTT_DATA_RECV)
    assert (message.mqtt_topic, message.payload) == (f"{family}/event", b"hello")
    refused(HwErr.NOTALLOW, lambda: data.mqtt_sub_topic("/huawei/v1/devices/another/command/json").result(WAIT))


# -- order, arguments, life --------------------------------------------------------------------------------------------


def test_calls_out_of_order_are_refused(agent: AgentLite, wire: Wire) -> None:
    refused(HwErr.STATE, agent.login_service.login)
    refused(HwErr.STATE, agent.login_service.logout)
    refused(HwErr.STATE, lambda: agent.hub_service.add_device(SENSOR))
    refused(HwErr.STATE, lambda: agent.data_trans_service.mqtt_data_pub("a", b""))
    login(agent, wire)
    refused(HwErr.STATE, agent.login_service.login)
    refused(HwErr.STATE, lambda: agent.bind_service.bind(CODE, GATEWAY))
    agent.close()
    agent.close()
    refused(HwErr.NOTLOAD, agent.login_service.login)
    refused(HwErr.NOTLOAD, lambda: agent.bind_service.bind(CODE, GATEWAY))


def test_wrong_arguments_are_refused_by_name_and_change_nothing(agent: AgentLite, wire: Wire) -> None:
    refused(HwErr.PARA, lambda: agent.bind_service.bind("", GATEWAY))
    refused(HwErr.PARA, lambda: agent.bind_service.bind(CODE, {"nodeId": "gw-1"}))  # type: ignore[arg-type]
    device_id = login(agent, wire)
    data, hub = agent.data_trans_service, agent.hub_service
    for call, says in (
        (lambda: data.data_report("", "Gateway", {}), "device_id"),
        (lambda: data.data_report(device_id, "Gateway", "[1]"), "JSON object"),
        (lambda: data.data_report(device_id, "Gateway", "{"), "JSON object"),
        (lambda: data.data_report(device_id, "Gateway", {"a": float("nan")}), "data"),
        (lambda: data.data_report(device_id, "Gateway", {}, cookie=65_536), "65535"),
        (lambda: data.mqtt_data_pub("a/+", b""), "topic"),
        (lambda: data.mqtt_data_pub("a", b"", qos=2), "qos"),
        (lambda: data.mqtt_data_pub("a", 7), "service_data"),  # type: ignore[arg-type]
        (lambda: hub.add_device("sensor"), "IotaDeviceInfo"),  # type: ignore[arg-type]
        (lambda: hub.update_device_status("child", "AWAY"), "ONLINE"),
        (lambda: agent.set_alg_type(3), "AES_128_GCM"),
    ):
        assert says in str(refused(HwErr.PARA, call))
    refused(HwErr.CALLBACK, lambda: hub.register_observer(object()))  # type: ignore[arg-type]
    refused(HwErr.ID, lambda: agent.IOTA_ConfigSetStr(99, "x"))
    assert history(wire, device_id, device_id) == []


def test_a_host_that_is_no_emulator_is_refused_at_once_and_hears_no_verification_code(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    authority = Authority("foreign")
    ca = tmp_path / "foreign-ca.pem"
    ca.write_bytes(authority.pem)
    with TlsServer(server_context(authority.issue("localhost", LOOPBACK_NAMES), None, tmp_path)) as server:
        agent = make_agent(bind_config=BindConfig("localhost", server.port), ca_path=ca)
        error = refused(HwErr.NOTSUPPORT, lambda: agent.bind_service.bind(CODE, GATEWAY).result(WAIT))
        assert "field_wire=True" in str(error)
        assert CODE.encode() not in b"".join([*server.requests, *server.bodies])


def test_a_work_path_belongs_to_one_agent_and_several_agents_live_side_by_side(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    make_agent()
    refused(HwErr.FILEOPEN, make_agent)
    other = tmp_path / "second"
    other.mkdir()
    AgentLite.init(str(other), None).destroy()
    refused(HwErr.FILEOPEN, lambda: AgentLite(tmp_path / "nowhere"))


def test_a_log_path_gets_a_log_file_without_secrets(make_agent: MakeAgent, wire: Wire, tmp_path: Path) -> None:
    agent = make_agent(log_path=tmp_path)
    login(agent, wire)
    refused(HwErr.ID, lambda: agent.hub_service.rmv_device("no-such-child").result(WAIT))
    agent.close()
    log = tmp_path / "agentlite.log"
    assert "a call about a child device has failed" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_calls_of_java_and_c_do_the_same(agent: AgentLite, wire: Wire) -> None:
    """The order of arguments is the documented one."""
    register(wire)
    messages: list[IotaMessage] = []

    class Observer:
        def update(self, message: IotaMessage) -> None:
            messages.append(message)

    observer = Observer()
    agent.hub_service.registerObserver(observer)
    assert agent.setAlgType(1)
    assert agent.IOTA_Bind(CODE, GATEWAY)
    device_id = eventually(lambda: agent._store.load()).device_id
    assert agent.IOTA_Login().result(WAIT)
    child = agent.hub_service.addDevice(29011, SENSOR).result(WAIT).device_id
    assert agent.IOTA_DeviceStatusUpdate(0, str(child), "ONLINE", "None").result(WAIT).ok
    assert agent.hub_service.deviceStatusUpdate(0, child, "OFFLINE", "DUTY_CYCLE").result(WAIT).ok
    report = agent.data_trans_service.dataReport(1211, None, device_id, "Gateway", '{"uptime": 2}')
    assert report.result(WAIT).cookie == 1211
    assert agent.IOTA_HubDeviceRemove(122, str(child)).result(WAIT).cookie == 122
    eventually(lambda: len(messages) == 4)
    agent.hub_service.removeObserver(observer)
    agent.hub_service.addDevice(0, SENSOR).result(WAIT)
    agent.IOTA_Destroy()
    assert [each.get_msg_type() for each in messages] == [
        MsgType.ADD_DEVICE_RSP,
        MsgType.UPDATE_DEVSTATUS_RSP,
        MsgType.UPDATE_DEVSTATUS_RSP,
        MsgType.RMV_DEVICE_RSP,
    ]


def test_the_calls_of_c_do_what_the_methods_do(make_agent: MakeAgent, emulator: Emulator, wire: Wire) -> None:
    agent = make_agent(bind_config=None)
    device_id = register(wire)
    heard: list[int] = []

    def receive(cookie: int, message: IotaMessage) -> None:
        heard.append(cookie)

    assert agent.IOTA_ConfigSetStr(c_constants.EN_IOTA_CONFIG_IOCM_ADDR, "localhost")
    port = int(str(emulator.agentlite_url).rpartition(":")[2])
    assert agent.IOTA_ConfigSetUint(c_constants.EN_IOTA_CFG_IOCM_PORT, port)
    assert (agent.bind_config.addr, agent.bind_config.port) == ("localhost", port)
    assert agent.IOTA_Bind(CODE, GATEWAY).result(WAIT).device_id == device_id
    assert agent.IOTA_Login().result(WAIT).ok
    topic = f"/huawei/v1/devices/{device_id}/data/json"
    agent.HW_BroadCastReg("IOTA_TOPIC_MQTT_DATA_PUB_RSP", receive)
    refused(HwErr.CALLBACK, lambda: agent.HW_BroadCastReg("IOTA_TOPIC_BIND_RSP", 7))  # type: ignore[arg-type]
    assert agent.IOTA_MqttDataPub(1211, topic, None, b"{}").result(WAIT).ok
    eventually(lambda: heard == [1211])
    agent.HW_BroadCastUnreg("IOTA_TOPIC_MQTT_DATA_PUB_RSP", receive)
    assert agent.IOTA_MqttDataPub(1212, topic, 1, b"{}").result(WAIT).ok
    assert agent.IOTA_SubscribeTopic(5, f"/huawei/v1/devices/{device_id}/command/json").result(WAIT).cookie == 5
    assert agent.IOTA_Logout().result(WAIT).ok
    agent.IOTA_Destroy()
    assert heard == [1211]


def test_an_observer_and_a_callback_may_close_the_agent(agent: AgentLite, wire: Wire) -> None:
    device_id = login(agent, wire)
    closed = Flag()

    @agent.on(Topic.DATA_REPORT_RSP)
    def close(message: IotaMessage) -> None:
        agent.close()
        closed.set()

    agent.data_trans_service.data_report(device_id, "Gateway", {"uptime": 1}).result(WAIT)
    assert closed.wait(WAIT)
    refused(HwErr.NOTLOAD, agent.login_service.login)


def test_many_threads_share_an_agent_and_each_gets_its_own_result(agent: AgentLite, wire: Wire) -> None:
    gateway_id = login(agent, wire)
    child = add_sensor(agent)

    def work(number: int) -> list[int]:
        report = agent.data_trans_service.data_report
        calls = [
            report(gateway_id, "Gateway", {"uptime": number}, cookie=number),
            report(child, "Climate", {"temperature": number}, cookie=number),
            agent.hub_service.update_device_status(child, "ONLINE", "NONE", cookie=number),
        ]
        return [call.result(WAIT).cookie for call in calls]

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(work, range(1, 51))) == [[number] * 3 for number in range(1, 51)]
    assert sorted(each["temperature"] for each in history(wire, gateway_id, child)) == list(range(1, 51))
