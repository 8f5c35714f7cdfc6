"""A device that logs in: passwords, refusals, attempts that fail, and servers that are not there."""

from datetime import UTC, datetime

import pytest

from iot_northbound.device import Backoff, DeviceClient, DeviceCredentials, DeviceRefusedError, DeviceState
from iot_northbound.errors import ConnectionFailedError, NorthApiException, RequestTimeoutError, WaitTimeoutError
from tests.clock import FakeClock, eventually
from tests.device.conftest import COMMAND, CREDENTIALS, MakeDevice
from tests.device.peer import Peer

HOUR = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


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
    device = make_device(clock=FakeClock(HOUR + 1800))
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


@pytest.mark.parametrize(("seconds", "hours"), [(-2.0, ["11", "12"]), (2.0, ["12", "11"])])
def test_a_clock_that_is_a_little_wrong_does_not_lock_a_device_out_at_the_turn_of_the_hour(
    peer: Peer, make_device: MakeDevice, seconds: float, hours: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    peer.rules.codes = [4]
    device = make_device(clock=FakeClock(HOUR + seconds), backoff=Backoff(first=1_000, longest=1_000))
    device.start(timeout=30)
    assert [each.client_id[-2:] for each in peer.logins] == hours
    assert peer.logins[1].password == CREDENTIALS.password(HOUR - seconds)
    assert device.last_error is None
    assert f"the platform is in the hour 20261125{hours[1]}, and the clock of the device pump-02 in" in caplog.text


def test_a_wrong_secret_is_refused_for_good_at_the_turn_of_the_hour_too(peer: Peer, make_device: MakeDevice) -> None:
    peer.rules.codes = [4] * 9
    device = make_device(clock=FakeClock(HOUR - 60))
    with pytest.raises(DeviceRefusedError, match=r"By its clock it is 2026-11-25 11:59 in UTC"):
        device.start(timeout=30)
    assert device.state is DeviceState.REFUSED
    assert [each.client_id[-2:] for each in peer.logins] == ["11", "12", "11"]


def test_after_another_failure_a_device_begins_with_its_own_hour(peer: Peer, make_device: MakeDevice) -> None:
    peer.rules.codes = [4, 3]
    make_device(clock=FakeClock(HOUR - 2)).start(timeout=30)
    assert [each.client_id[-2:] for each in peer.logins] == ["11", "12", "11"]


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
