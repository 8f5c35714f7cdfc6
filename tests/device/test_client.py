import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device import (
    Backoff,
    Command,
    DeviceClient,
    DeviceCredentials,
    DeviceRefusedError,
    DeviceState,
    MemoryQueue,
    ReportDroppedError,
    SubscriptionRefusedError,
    client,
)
from iot_northbound.errors import (
    ClientClosedError,
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    RequestTimeoutError,
    WaitTimeoutError,
)
from tests.clock import FakeClock, eventually
from tests.device.conftest import COMMAND, CREDENTIALS, DATA, MakeDevice
from tests.device.peer import Peer

HOUR = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


def values(peer: Peer) -> list[Any]:
    return [json.loads(each.payload)["data"][0]["serviceData"] for each in peer.published if each.topic == DATA]


# -- login -------------------------------------------------------------------------------------------------------------


def test_the_login_is_that_of_the_reference(peer: Peer, make_device: MakeDevice) -> None:
    make_device(clock=FakeClock(HOUR)).start(timeout=30)
    (login,) = peer.logins
    assert (login.client_id, login.username) == ("pump-02_0_1_2026112512", "pump-02")
    assert login.password == CREDENTIALS.password(HOUR)
    assert (login.level, login.keepalive, login.flags) == (4, 120, 0b1100_0010)
    assert peer.subscribed == [[COMMAND]]


def test_each_attempt_has_a_password_of_its_own(peer: Peer, make_device: MakeDevice) -> None:
    clock = FakeClock(HOUR)
    device = make_device(clock=clock).start(timeout=30)
    clock.advance(3600)
    peer.cut()
    eventually(lambda: len(peer.logins) == 2 and device.state is DeviceState.CONNECTED)
    assert [each.client_id[-10:] for each in peer.logins] == ["2026112512", "2026112513"]
    assert peer.logins[1].password == CREDENTIALS.password(HOUR + 3600)


@pytest.mark.parametrize("code", [1, 2, 4, 5])
def test_a_refused_device_stops_and_says_why(
    peer: Peer, make_device: MakeDevice, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    peer.rules.codes = [code] * 9
    device = make_device(clock=FakeClock(HOUR))
    waiting = device.report("A", {})
    with pytest.raises(DeviceRefusedError, match=rf"pump-02 \(CONNACK {code}\)") as caught:
        device.start(timeout=30)
    assert caught.value.return_code == code
    assert device.state is DeviceState.REFUSED
    for call in (waiting.result, lambda: device.report("A", {}), device.start):
        with pytest.raises(DeviceRefusedError):
            call()
    assert len(peer.logins) == 1
    assert CREDENTIALS.secret not in f"{caught.value} {caught.value!r} {caplog.text} {device!r}"
    assert peer.logins[0].password not in f"{caught.value} {caplog.text}"


def test_a_login_that_the_turn_of_the_hour_spoilt_is_repeated_once(peer: Peer, make_device: MakeDevice) -> None:
    class Turning(FakeClock):
        """The hour turns as soon as a password was made."""

        def now(self) -> float:
            self.set_time_of_day(1)
            return super().now() - 1

    peer.rules.codes = [4]
    device = make_device(clock=Turning(HOUR - 0.5), backoff=Backoff(first=1_000, longest=1_000)).start(timeout=30)
    assert device.state is DeviceState.CONNECTED
    assert [each.client_id[-10:] for each in peer.logins] == ["2026112511", "2026112512"]


def test_without_a_check_of_the_hour_a_refused_login_is_final(peer: Peer, make_device: MakeDevice) -> None:
    class Turning(FakeClock):
        def now(self) -> float:
            self.set_time_of_day(3600)
            return super().now()

    peer.rules.codes = [4, 4]
    device = make_device(DeviceCredentials("pump-02", "s", sign_type=0), clock=Turning(HOUR))
    with pytest.raises(DeviceRefusedError):
        device.start(timeout=30)
    assert len(peer.logins) == 1


def test_a_server_without_room_is_tried_again(peer: Peer, make_device: MakeDevice) -> None:
    peer.rules.codes = [3, 3, 99]
    assert make_device().start(timeout=30).state is DeviceState.CONNECTED
    assert len(peer.logins) == 4


@pytest.mark.parametrize(
    "greeting",
    [
        b"\x20\x02\x00",
        b"\xff" * 20,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x90\x00",
        b"\x20\x00",
        b"\x30\x03\x00\x09a",
    ],
)
def test_garbage_in_place_of_a_login_answer_is_a_lost_connection(
    peer: Peer, make_device: MakeDevice, greeting: bytes
) -> None:
    peer.rules.greeting = greeting
    clock = FakeClock()
    device = make_device(clock=clock).start(wait=False)
    eventually(lambda: len(peer.logins) == 1 and peer.connections)
    peer.rules.greeting = None
    peer.cut()
    device.start(timeout=30)
    assert device.state is DeviceState.CONNECTED


def test_waits_between_attempts_grow_and_begin_anew_after_a_healthy_minute(peer: Peer, make_device: MakeDevice) -> None:
    clock = FakeClock()
    peer.rules.codes = [3, 3, 3]
    device = make_device(clock=clock, backoff=Backoff(random=lambda: 0.5)).start(wait=False)
    seen = []
    for _ in range(3):
        seen.append(eventually(lambda: clock.waits)[0])
        clock.advance(seen[-1] + 0.001)
        eventually(lambda: not clock.waits or clock.waits[0] > 0)
    assert seen == pytest.approx([0.5, 1.0, 2.0])
    device.start(timeout=30)
    peer.cut()
    assert eventually(lambda: clock.waits)[0] == pytest.approx(4.0)  # that connection did not live long
    clock.advance(5)
    eventually(lambda: device.state is DeviceState.CONNECTED)
    clock.advance(60)
    peer.cut()
    assert eventually(lambda: clock.waits)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("rule", ["answers_login", "suback"])
def test_a_server_that_says_nothing_is_given_up_and_tried_again(peer: Peer, make_device: MakeDevice, rule: str) -> None:
    setattr(peer.rules, rule, None)
    clock = FakeClock()
    device = make_device(clock=clock).start(wait=False)
    eventually(lambda: peer.logins if rule == "answers_login" else peer.subscribed)
    setattr(peer.rules, rule, 1)
    clock.advance(16)
    device.start(timeout=30)
    assert len(peer.logins) == 2


def test_an_impatient_start_says_why_the_last_attempt_failed(make_device: MakeDevice, peer: Peer) -> None:
    peer.rules.codes = [3] * 10_000
    device = make_device(clock=FakeClock(), backoff=Backoff(first=9, longest=9, random=lambda: 1)).start(wait=False)
    eventually(lambda: device.state is DeviceState.WAITING)
    with pytest.raises(WaitTimeoutError, match=r"not connected after 0 s: .*CONNACK 3") as caught:
        device.start(timeout=0)
    assert isinstance(caught.value.__cause__, ConnectionFailedError)
    assert isinstance(device.last_error, ConnectionFailedError)


# -- reports -----------------------------------------------------------------------------------------------------------


def test_a_report_is_done_at_its_puback(peer: Peer, device: DeviceClient) -> None:
    peer.rules.acknowledges = False
    pending = device.report("Battery", {"batteryLevel": 75}, datetime(2016, 5, 3, 12, 15, 40, tzinfo=UTC))
    (published,) = eventually(lambda: peer.published)
    assert not pending.done()
    assert published.topic == DATA
    assert published.payload == (
        b'{"msgType":"deviceReq","data":[{"serviceId":"Battery","serviceData":{"batteryLevel":75},'
        b'"eventTime":"20160503T121540Z"}]}'
    )
    peer.raw(b"\x40\x02\x00\x02")  # mid 1 was the subscription's
    pending.result(30)
    assert device.pending == 0


def test_a_report_of_qos_0_is_done_when_it_is_written(peer: Peer, device: DeviceClient) -> None:
    device.report_batch([("A", {"n": 1}), ("A", {"n": 2})], qos=0).result(30)
    (published,) = eventually(lambda: peer.published)
    assert published.qos == 0
    assert [each["serviceData"]["n"] for each in json.loads(published.payload)["data"]] == [1, 2]


def test_reports_of_an_offline_time_are_sent_in_order(peer: Peer, make_device: MakeDevice) -> None:
    device = make_device()
    results = [device.report("A", {"n": number}) for number in range(50)]
    assert device.pending == 50
    device.start(timeout=30)
    for each in results:
        each.result(30)
    assert values(peer) == [{"n": number} for number in range(50)]


def test_what_was_not_confirmed_before_a_cut_is_sent_again(peer: Peer, device: DeviceClient) -> None:
    peer.rules.acknowledges = False
    results = [device.report("A", {"n": number}) for number in range(30)]
    eventually(lambda: len(peer.published) == 20)  # the window
    peer.rules.acknowledges = True
    peer.cut()
    for each in results:
        each.result(30)
    assert [value["n"] for value in values(peer)[20:]] == [*range(30)]


def test_a_platform_that_confirms_nothing_is_left(peer: Peer, make_device: MakeDevice) -> None:
    clock = FakeClock()
    device = make_device(clock=clock).start(timeout=30)
    peer.rules.acknowledges = False
    pending = device.report("A", {})
    eventually(lambda: peer.published)
    peer.rules.acknowledges = True
    clock.advance(61)
    pending.result(30)
    assert len(peer.logins) == 2


def test_a_message_whose_puback_is_lost_is_sent_again_although_others_are_confirmed(
    peer: Peer, make_device: MakeDevice
) -> None:
    clock = FakeClock()
    device = make_device(clock=clock).start(timeout=30)
    peer.rules.forgets = b'"n":0'
    lost = device.report("A", {"n": 0})
    eventually(lambda: peer.published)
    for number in range(1, 5):
        clock.advance(20)
        device.report("A", {"n": number}).result(30)
        peer.rules.forgets = None if number == 3 else peer.rules.forgets
    lost.result(30)
    assert values(peer).count({"n": 0}) == 2


def test_a_full_queue_announces_what_it_drops(make_device: MakeDevice) -> None:
    device = make_device(queue=MemoryQueue(2))
    announced: list[Any] = []
    device.on_dropped(lambda message: announced.append(json.loads(message.payload)["data"][0]["serviceData"]))
    results = [device.report("A", {"n": number}) for number in range(4)]
    eventually(lambda: announced == [{"n": 0}, {"n": 1}])
    assert (device.dropped, device.pending) == (2, 2)
    with pytest.raises(ReportDroppedError):
        results[0].result(0)


def test_fifty_threads_report_at_the_same_time(peer: Peer, device: DeviceClient) -> None:
    def work(number: int) -> None:
        for each in range(10):
            device.report("A", {"n": number * 100 + each}).result(30)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(value["n"] for value in values(peer)) == sorted(t * 100 + n for t in range(50) for n in range(10))


def test_a_large_report_arrives_whole(peer: Peer, device: DeviceClient) -> None:
    device.publish("/t", b"x" * 3_000_000).result(30)
    assert len(peer.published[0].payload) == 3_000_000


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (("", b""), "topic"),
        (("a/+", b""), "leave out"),
        (("a\0", b""), "NUL"),
        (("\ud800", b""), "UTF-8"),
        (("x" * 65_536, b""), "65535 bytes"),
        (("a", "text"), "payload"),
        (("a", b"", 2), "qos"),
        (("a", b"", True), "qos"),
    ],
)
def test_what_cannot_be_published_is_refused_by_name(device: DeviceClient, values: Any, part: str) -> None:
    with pytest.raises(InvalidArgumentError, match=part):
        device.publish(*values)


@pytest.mark.parametrize(("name", "value"), [("queue", "x"), ("backoff", 3), ("host", "a b"), ("port", True)])
def test_a_device_that_cannot_be_made_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        DeviceClient(**{"credentials": CREDENTIALS, "host": "h", name: value})


# -- commands and messages ---------------------------------------------------------------------------------------------


def command(mid: int, method: str = "SET_VALVE") -> bytes:
    wire = {"msgType": "cloudReq", "serviceId": "WaterMeter", "cmd": method, "paras": {"value": "OPEN"}, "mid": mid}
    return json.dumps(wire).encode()


def test_a_message_that_cannot_be_handled_costs_no_connection(
    peer: Peer, make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def encode(self, message: dict[str, Any]) -> bytes:
            raise OSError("no room")

        def decode(self, payload: bytes) -> dict[str, Any]:
            return {"msgType": "cloudReq", "serviceId": "A", "cmd": "B", "mid": 1}

    device = make_device(codec=Broken()).start(timeout=30)
    device._commands.close()  # so the answer is made on the network thread: busy
    peer.publish("/huawei/v1/devices/pump-02/command/binary", b"x")
    eventually(lambda: peer.acknowledged)
    device.publish("own", b"y").result(30)
    assert len(peer.logins) == 1
    assert "could not be handled" in caplog.text


def test_a_command_is_acknowledged_handled_and_answered(peer: Peer, device: DeviceClient) -> None:
    @device.on_command("WaterMeter", "SET_VALVE")
    def set_valve(command: Command) -> dict[str, Any]:
        return {"result": command.paras["value"]}

    peer.publish(COMMAND, command(2016))
    (answer,) = eventually(lambda: peer.published)
    assert (answer.topic, json.loads(answer.payload)) == (
        DATA,
        {"msgType": "deviceRsp", "mid": 2016, "errcode": 0, "body": {"result": "OPEN"}},
    )
    assert len(peer.acknowledged) == 1
    assert set_valve(Command("A", "B", {"value": 1})) == {"result": 1}  # the decorator leaves it as it is


def test_a_handler_may_report_and_wait_for_the_result(peer: Peer, device: DeviceClient) -> None:
    device.on_command()(lambda command: {"sent": device.report("A", {}).result(30) is None})
    peer.publish(COMMAND, command(1))
    eventually(lambda: len(peer.published) == 2)
    assert json.loads(peer.published[1].payload)["body"] == {"sent": True}


def test_a_handler_that_never_returns_stops_nothing_else(peer: Peer, device: DeviceClient) -> None:
    gate = threading.Event()
    device.on_command(None, "STUCK")(lambda command: {"waited": gate.wait(60)})
    peer.publish(COMMAND, command(1, "STUCK"))
    device.report("A", {}).result(30)
    gate.set()


def test_messages_of_a_subscribed_topic_come_in_order_over_all_connections(peer: Peer, device: DeviceClient) -> None:
    got: list[tuple[str, bytes]] = []
    device.subscribe("/gws/pump-02/+/x", lambda topic, payload: got.append((topic, payload))).result(30)
    for number in range(20):
        peer.publish("/gws/pump-02/a/x", b"%d" % number)
    eventually(lambda: len(got) == 20)
    assert got == [("/gws/pump-02/a/x", b"%d" % number) for number in range(20)]
    peer.cut()
    eventually(lambda: len(peer.subscribed) == 3)
    assert peer.subscribed[-1] == [COMMAND, "/gws/pump-02/+/x"]


def test_a_refused_subscription_says_so_and_costs_nothing_else(peer: Peer, device: DeviceClient) -> None:
    peer.rules.suback = 0x80
    pending = device.subscribe("/other", lambda topic, payload: None)
    with pytest.raises(SubscriptionRefusedError, match="/other"):
        pending.result(30)
    device.report("A", {}).result(30)


@pytest.mark.parametrize("topic", ["", "a#", "#/a", "a+/b", "a\0b"])
def test_a_topic_that_is_none_cannot_be_subscribed(device: DeviceClient, topic: str) -> None:
    with pytest.raises(InvalidArgumentError, match="topic"):
        device.subscribe(topic, lambda topic, payload: None)


@pytest.mark.parametrize(
    "data", [b"\x30\x04\x00\x02\xff\xfe", b"\x40\x02\x99\x99", b"\xd0\x00", b"\x90\x03\x00\x77\x01"]
)
def test_odd_packets_cost_nothing(peer: Peer, device: DeviceClient, data: bytes) -> None:
    peer.raw(data)
    device.report("A", {}).result(30)


@pytest.mark.parametrize(
    "data", [b"\x40\x00", b"\x40\x01\x00", b"\x36\x03\x00\x01a", b"\x90\x00", b"\x30\xff\xff\xff\xff\xff"]
)
def test_broken_packets_cost_the_connection_at_most(peer: Peer, device: DeviceClient, data: bytes) -> None:
    peer.raw(data)
    device.report("A", {}).result(30)
    assert device.state is DeviceState.CONNECTED


# -- life --------------------------------------------------------------------------------------------------------------


def test_states_are_told_in_order(peer: Peer, make_device: MakeDevice) -> None:
    seen: list[DeviceState] = []
    device = make_device()
    device.on_state(seen.append)
    assert device.state is DeviceState.IDLE
    with device:
        peer.cut()
        eventually(lambda: len(peer.logins) == 2 and device.state is DeviceState.CONNECTED)
    eventually(lambda: DeviceState.CLOSED in seen)
    assert seen == ["connecting", "connected", "waiting", "connecting", "connected", "closed"]


def test_closing_sends_what_waits_and_then_disconnects(peer: Peer, make_device: MakeDevice) -> None:
    with make_device() as device:
        results = [device.report("A", {"n": number}) for number in range(100)]
    assert all(each.done() for each in results)
    eventually(lambda: peer.left == 1)
    assert len(values(peer)) == 100


def test_closing_is_bounded_and_what_is_left_fails(peer: Peer, device: DeviceClient) -> None:
    peer.rules.acknowledges = False
    pending = device.report("A", {})
    eventually(lambda: peer.published)
    device.close(0.01)
    device.close()
    with pytest.raises(ClientClosedError, match="before the platform confirmed"):
        pending.result(0)
    eventually(lambda: peer.left == 1)
    for call in (lambda: device.report("A", {}), device.start, lambda: device.subscribe("a", print)):
        with pytest.raises(ClientClosedError, match="closed"):
            call()


def test_a_with_block_does_not_wait_for_ever(
    make_device: MakeDevice, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_FIRST_CONNECT", 0.0)
    peer.rules.answers_login = False
    device = make_device()
    with pytest.raises(WaitTimeoutError), device:
        raise AssertionError
    assert device.state is DeviceState.CLOSED


def test_a_with_block_takes_a_device_that_was_started_without_a_wait(make_device: MakeDevice, peer: Peer) -> None:
    peer.rules.answers_login = False
    with make_device().start(wait=False) as device:
        assert device.state is not DeviceState.CONNECTED
        device.close(0)
    with pytest.raises(ClientClosedError), device:
        raise AssertionError


@pytest.mark.parametrize("refused", [True, False])
def test_a_subscription_that_is_not_confirmed_fails_at_the_end(
    make_device: MakeDevice, peer: Peer, refused: bool
) -> None:
    device = make_device()
    subscribed = device.subscribe("a/b", print)
    if refused:
        peer.rules.codes = [5]
        device.start(wait=False)
    else:
        device.close()
    with pytest.raises(DeviceRefusedError if refused else ClientClosedError):
        subscribed.result(30)


def test_a_device_that_never_connected_can_be_closed(make_device: MakeDevice, peer: Peer) -> None:
    peer.rules.codes = [3] * 10_000
    device = make_device(clock=FakeClock(), backoff=Backoff(first=9, longest=9, random=lambda: 1)).start(wait=False)
    eventually(lambda: device.state is DeviceState.WAITING)
    device.close()
    assert device.state is DeviceState.CLOSED
    make_device().close()


def test_closing_ends_a_handshake_that_hangs(tmp_path: Path, peer: Peer) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        device = DeviceClient(CREDENTIALS, "127.0.0.1", silent.getsockname()[1], ca_path=peer.ca_path)
        device.start(wait=False)
        connection, _ = silent.accept()
        device.close(0)
        assert not any(each.name == "device-pump-02" for each in threading.enumerate())
        connection.close()


def test_a_done_callback_may_close_the_device(peer: Peer, device: DeviceClient) -> None:
    device.report("A", {}).add_done_callback(lambda pending: device.close())
    eventually(lambda: peer.left == 1)
    assert device.state is DeviceState.CLOSED


def test_a_forked_child_is_told_that_the_connection_is_not_its_own(peer: Peer, device: DeviceClient) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            device.report("A", {})
        except NorthApiException as error:
            said = str(error)
        device.close()
        os.write(writer, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert b"was forked" in pipe.read()
    device.report("A", {}).result(30)
    assert peer.left == 0


def test_the_end_of_the_program_disconnects(peer: Peer) -> None:
    import subprocess
    import sys

    program = f"""
from iot_northbound.device import DeviceClient, DeviceCredentials
device = DeviceClient(DeviceCredentials("pump-02", "s"), "localhost", {peer.port}, ca_path={str(peer.ca_path)!r})
device.on_command()(lambda command: None)
device.start(timeout=30)
device.report("A", {{}})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    eventually(lambda: peer.left == 1)
    assert len(peer.published) == 1


# -- TLS ---------------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_named(peer: Peer) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    device = DeviceClient(CREDENTIALS, "127.0.0.1", port, ca_path=peer.ca_path, clock=FakeClock())
    device.start(wait=False)
    error = eventually(lambda: device.last_error)
    assert isinstance(error, ConnectionFailedError)
    assert f"127.0.0.1:{port} cannot be reached" in str(error)
    device.close()


def test_a_name_that_does_not_exist_is_named(peer: Peer) -> None:
    device = DeviceClient(CREDENTIALS, "no-such-host.invalid", ca_path=peer.ca_path, clock=FakeClock())
    device.start(wait=False)
    assert "'no-such-host.invalid' cannot be resolved" in str(eventually(lambda: device.last_error))
    device.close()


def test_a_silent_server_is_given_up_in_time(peer: Peer) -> None:
    import socket

    clock = FakeClock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        device = DeviceClient(CREDENTIALS, "127.0.0.1", silent.getsockname()[1], ca_path=peer.ca_path, clock=clock)
        device.start(wait=False)
        connection, _ = silent.accept()
        connection.recv(1)  # the handshake has begun
        clock.advance(16)
        error = eventually(lambda: device.last_error)
        assert isinstance(error, RequestTimeoutError | NorthApiException)
        assert "handshake" in str(error)
        device.close()
        connection.close()
