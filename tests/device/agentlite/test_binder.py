from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.core.signal_safe import Flag
from iot_northbound.device.agentlite import (
    Accepted,
    AgentLiteError,
    AlgType,
    BindIE,
    BindResult,
    HwErr,
    IotaDeviceInfo,
    IotaMessage,
    StoreError,
    Topic,
    binder,
)
from iot_northbound.device.agentlite.binder import Binder
from iot_northbound.device.agentlite.events import Events
from iot_northbound.device.agentlite.store import Store, Stored
from iot_northbound.device.field_http import Bound, UndocumentedWireError
from iot_northbound.errors import ConnectionFailedError, NorthApiException, SdkCode, WaitTimeoutError
from tests.clock import FakeClock, eventually
from tests.device.test_workers import no_more_threads

INFO = IotaDeviceInfo("gw-1", "Acme", "Gateway", "GW1", "MQTT")
SECRET = "3f7a-not-a-real-secret"
NOT_REGISTERED = NorthApiException("100410", "not registered")
EXPIRED = NorthApiException("100411", "expired")
UNREACHABLE = ConnectionFailedError(SdkCode.NO_ANSWER, "no platform there")


class Port:
    """A port that answers as the test says, and counts."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closed = False

    def bind(self, verify_code: str, device_info: dict[str, str], /) -> Bound:
        self.asked.append((verify_code, device_info))
        answer = self.answers.pop(0) if self.answers else NOT_REGISTERED
        if answer is not None:
            raise answer
        return Bound(device_id="device-1", app_id="app-1", secret=SECRET)

    def close(self) -> None:
        self.closed = True


class SlowPort(Port):
    """A port that answers when the test says so."""

    def __init__(self, *answers: Exception | None) -> None:
        super().__init__(*answers)
        self.began, self.go_on = Flag(), Flag()

    def bind(self, verify_code: str, device_info: dict[str, str], /) -> Bound:
        self.began.set()
        self.go_on.wait(10)
        return super().bind(verify_code, device_info)


def stored(bound: Bound) -> Stored:
    return Stored(bound.device_id, bound.app_id, bound.secret, "iocm", 8943, "mqtt", 8883)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.events = Events("test")
        self.store = Store(folder)
        self.binder = Binder(self.events, self.store, self.clock, "test")
        self.heard: list[IotaMessage] = []
        self.events.listen(frozenset({Topic.BINDDEVICE_RSP}), "bench", self.heard.append)

    def bind(self, port: Port) -> Accepted:
        return self.binder.bind(port, "code", INFO, AlgType.AES_256_GCM, stored)

    def half_minute(self, port: Port, asked: int) -> None:
        """Pass the 30 seconds after that many attempts."""
        eventually(lambda: len(port.asked) == asked and self.clock.waits)
        assert self.clock.waits == [pytest.approx(30.0)]
        self.clock.advance(29.9)
        assert len(port.asked) == asked
        self.clock.advance(0.2)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.binder.close()
    made.events.close()
    made.store.close()


def test_a_bind_gives_the_credentials_to_the_observers_and_stores_them(bench: Bench) -> None:
    port = Port(None)
    message = bench.bind(port).result(10)
    assert message.result is BindResult.SUCCESS
    assert (message.device_id, message.app_id, message.device_secret) == ("device-1", "app-1", SECRET)
    assert message.get_string(BindIE.HA_ADDR) == "iocm"
    assert message.get_uint(BindIE.MQTT_PORT) == 8883
    assert bench.store.load() == Stored("device-1", "app-1", SECRET, "iocm", 8943, "mqtt", 8883)
    assert port.asked == [("code", INFO.wire())]
    bench.events.close()
    assert bench.heard == [message]
    eventually(lambda: port.closed)


def test_six_attempts_thirty_seconds_apart_then_one_event_and_no_more(bench: Bench) -> None:
    port = Port(UNREACHABLE, NOT_REGISTERED)
    call = bench.bind(port)
    for asked in range(1, 6):
        bench.half_minute(port, asked)
        assert bench.heard == []
    error = call.exception(10)
    assert isinstance(error, AgentLiteError)
    assert error.code is HwErr.OVERTIMES
    assert len(port.asked) == 6
    bench.events.close()
    assert [each.result for each in bench.heard] == [BindResult.DEVICE_NOT_BOUND]
    with pytest.raises(AgentLiteError, match="make a new AgentLite") as failure:
        bench.bind(Port(None))
    assert failure.value.code is HwErr.OVERTIMES


def test_who_gives_up_waiting_hears_why_the_last_attempt_failed(bench: Bench) -> None:
    port = Port(UNREACHABLE, NOT_REGISTERED)
    call = bench.bind(port)
    bench.half_minute(port, 1)
    eventually(lambda: len(port.asked) == 2 and bench.clock.waits)  # the second attempt has failed
    with pytest.raises(WaitTimeoutError, match=r"attempt 2 of 6 has failed with 100410 \(.*goes on.* each 30 s"):
        call.result(0)


def test_a_later_attempt_that_succeeds_ends_it(bench: Bench) -> None:
    port = Port(NOT_REGISTERED, UNREACHABLE, None)
    call = bench.bind(port)
    bench.half_minute(port, 1)
    bench.half_minute(port, 2)
    assert call.result(10).ok
    assert len(port.asked) == 3
    assert bench.bind(Port(None)).result(10).ok


def test_whoever_has_the_result_of_a_bind_may_bind_again_although_its_port_is_still_open(bench: Bench) -> None:
    may_close = threading.Event()
    port = Port(None)
    port.close = lambda: may_close.wait(60)  # type: ignore[assignment]
    assert bench.bind(port).result(10).ok
    assert bench.bind(Port(None)).result(10).ok
    may_close.set()


@pytest.mark.parametrize(
    ("failure", "result", "code"),
    [
        (EXPIRED, BindResult.VERIFICATION_CODE_EXPIRED, HwErr.AUTH),
        (UndocumentedWireError(SdkCode.INVALID_ARGUMENT, "foreign"), BindResult.FAILED, HwErr.NOTSUPPORT),
        (RuntimeError("a mistake of ours"), BindResult.FAILED, HwErr.ERR),
    ],
)
def test_what_no_wait_can_mend_ends_it_at_once(
    bench: Bench, failure: Exception, result: BindResult, code: HwErr
) -> None:
    port = Port(failure)
    error = bench.bind(port).exception(10)
    assert isinstance(error, AgentLiteError)
    assert error.code is code
    assert error.message is not None
    assert error.message.result is result
    assert len(port.asked) == 1
    eventually(lambda: port.closed)
    assert eventually(lambda: _began(bench)).result(10).ok


def _began(bench: Bench) -> Accepted | None:
    try:
        return bench.bind(Port(None))
    except AgentLiteError:
        return None  # the thread of the earlier bind is about to end


def test_there_is_one_bind_at_a_time(bench: Bench) -> None:
    port = Port()
    bench.bind(port)
    eventually(lambda: bench.clock.waits)
    with pytest.raises(AgentLiteError, match="under way") as failure:
        bench.bind(Port(None))
    assert failure.value.code is HwErr.STATE


def test_a_close_ends_the_wait_and_fails_the_call(bench: Bench) -> None:
    port = Port()
    call = bench.bind(port)
    eventually(lambda: bench.clock.waits)
    bench.binder.close()
    error = call.exception(10)
    assert isinstance(error, AgentLiteError)
    assert error.code is HwErr.NOEND
    assert port.closed


def test_a_close_does_not_wait_for_a_platform_that_does_not_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binder, "PATIENCE", 0.0)
    port = SlowPort(None)
    call = bench.bind(port)
    assert port.began.wait(10)
    bench.binder.close()
    error = call.exception(0)
    assert isinstance(error, AgentLiteError)
    assert error.code is HwErr.NOEND
    port.go_on.set()
    eventually(lambda: port.closed)
    assert bench.store.load() is None


def test_credentials_that_cannot_be_stored_still_reach_the_observers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise StoreError(HwErr.FILEOPEN, "the disk is full")

    monkeypatch.setattr(bench.store, "save", full)
    error = bench.bind(Port(None)).exception(10)
    assert isinstance(error, StoreError)
    assert "the device is bound, but the disk is full" in str(error)
    bench.events.close()
    assert [each.device_secret for each in bench.heard] == [SECRET]
    assert SECRET not in caplog.text


def test_a_bind_that_got_no_thread_can_be_repeated(bench: Bench) -> None:
    with no_more_threads(), pytest.raises(AgentLiteError) as caught:
        bench.bind(Port())
    assert caught.value.code is HwErr.ERR
    assert bench.bind(Port(None)).result(10).topic is Topic.BINDDEVICE_RSP
