import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from iot_northbound.device import Command, CommandFailed, Pending
from iot_northbound.device.commands import Commands
from iot_northbound.device.messages import JSON, CodecWire
from iot_northbound.device.workers import MOST
from iot_northbound.errors import InvalidArgumentError
from tests.clock import eventually
from tests.push.test_failures import ERRORS


class Device:
    def __init__(self, threads: int = 2, codec: Any = JSON) -> None:
        self.answers: list[dict[str, Any]] = []
        self.commands = Commands(CodecWire(codec), threads, self.answer, "test")

    def answer(self, payload: bytes) -> Pending[None]:
        self.answers.append(json.loads(payload))
        return Pending()

    def on(self, handler: Callable[[Command], Any], service: str | None = None, method: str | None = None) -> None:
        self.commands.register(service, method, handler)

    def get(self, mid: int | None = 1, service: str = "WaterMeter", method: str = "SET", **paras: Any) -> None:
        wire = {"msgType": "cloudReq", "serviceId": service, "cmd": method, "paras": paras}
        self.commands.received(json.dumps(wire if mid is None else wire | {"mid": mid}).encode())

    def answered(self, count: int = 1) -> list[tuple[int, int, Any]]:
        eventually(lambda: len(self.answers) >= count and not self.commands.open)
        assert all(each["msgType"] == "deviceRsp" for each in self.answers)
        return [(each["mid"], each["errcode"], each["body"]) for each in self.answers]


def test_what_a_handler_returns_is_the_answer() -> None:
    device = Device()
    device.on(lambda command: {"was": command.paras["value"]})
    device.get(2016, value="OPEN")
    assert device.answered() == [(2016, 0, {"was": "OPEN"})]


def test_a_handler_without_a_result_answers_with_an_empty_body() -> None:
    device = Device()
    device.on(lambda command: None)
    device.get()
    assert device.answered() == [(1, 0, {})]


def test_the_most_exact_handler_gets_the_command() -> None:
    device = Device()
    for service, method in ((None, None), (None, "SET"), ("A", None), ("A", "SET")):
        device.on(partial(lambda key, command: {"by": list(key)}, (service, method)), service, method)
    for mid, (service, method) in enumerate([("A", "SET"), ("A", "X"), ("B", "SET"), ("B", "X")], 1):
        device.get(mid, service, method)
    assert {mid: body["by"] for mid, _, body in device.answered(4)} == {
        1: ["A", "SET"],
        2: ["A", None],
        3: [None, "SET"],
        4: [None, None],
    }


def test_a_failure_is_answered_with_its_number_and_body() -> None:
    def handler(command: Command) -> None:
        raise CommandFailed(7, {"why": "stuck"})

    device = Device()
    device.on(handler)
    device.get()
    assert device.answered() == [(1, 7, {"why": "stuck"})]


@pytest.mark.parametrize("result", [7, "ok", {"x": object()}, {"x": float("inf")}])
def test_a_result_that_cannot_be_sent_is_a_failure(result: Any) -> None:
    device = Device()
    device.on(lambda command: result)
    device.get()
    assert device.answered() == [(1, 1, {"error": "failed"})]


def test_the_platform_hears_nothing_of_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    def handler(command: Command) -> None:
        raise RuntimeError("the password is hunter2")

    device = Device()
    device.on(handler)
    device.get()
    assert device.answered() == [(1, 1, {"error": "failed"})]
    assert "the handler of the command SET of WaterMeter failed" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_handler_that_wants_to_end_the_program_is_answered_and_the_next_command_runs() -> None:
    device = Device(threads=1)
    device.on(lambda command: sys.exit(3), method="REBOOT")
    device.on(lambda command: {"on": True}, method="ON")
    device.get(1, method="REBOOT")
    device.get(2, method="ON")
    assert device.answered(2) == [(1, 1, {"error": "failed"}), (2, 0, {"on": True})]


def test_a_command_without_a_handler_is_answered_and_hinted_at_once(caplog: pytest.LogCaptureFixture) -> None:
    device = Device()
    device.get(1)
    device.get(2)
    assert sorted(device.answered(2)) == [(1, 1, {"error": "not supported"}), (2, 1, {"error": "not supported"})]
    assert caplog.text.count("there is no handler for the command SET of WaterMeter") == 1


def test_answers_go_out_in_the_order_in_which_handlers_return() -> None:
    gate = threading.Event()
    device = Device()
    device.on(lambda command: {"waited": gate.wait(30)}, None, "SLOW")
    device.on(lambda command: {}, None, "FAST")
    device.get(1, method="SLOW")
    device.get(2, method="FAST")
    eventually(lambda: device.answers)
    gate.set()
    assert [mid for mid, _, _ in device.answered(2)] == [2, 1]


def test_a_command_that_runs_is_not_run_a_second_time() -> None:
    gate, runs = threading.Event(), []
    device = Device()

    def handler(command: Command) -> None:
        runs.append(command)
        gate.wait(30)

    device.on(handler)
    device.get(5)
    device.get(5)
    eventually(lambda: runs)
    gate.set()
    assert device.answered() == [(5, 0, {})]
    device.get(5)  # it is open no longer: another command
    assert device.answered(2) == [(5, 0, {})] * 2
    assert len(runs) == 2


def test_the_same_number_over_a_new_connection_is_another_command() -> None:
    gate = threading.Event()
    device = Device()
    device.on(lambda command: gate.wait(30) and {"old": 1}, None, "OLD")
    device.on(lambda command: {"new": 1}, None, "NEW")
    device.get(5, method="OLD")
    device.commands.new_connection()
    device.get(5, method="NEW")
    eventually(lambda: device.answers)
    gate.set()
    assert device.answered() == [(5, 0, {"new": 1})]  # the old answer would be taken for the new command's


def test_an_answer_goes_out_over_a_later_connection() -> None:
    gate = threading.Event()
    device = Device()
    device.on(lambda command: gate.wait(30) and {"late": 1})
    device.get(5)
    device.commands.new_connection()
    gate.set()
    assert device.answered() == [(5, 0, {"late": 1})]


def test_a_command_without_a_number_is_run_and_not_answered() -> None:
    runs: list[Command] = []
    device = Device()
    device.on(runs.append)
    device.get(None)
    eventually(lambda: runs and not device.commands.open)
    assert device.answers == []


def test_a_message_that_is_no_command_is_dropped_with_one_hint(caplog: pytest.LogCaptureFixture) -> None:
    device = Device()
    device.commands.received(b"\x00\x01secret")
    device.commands.received(b"\x00\x01secret")
    assert caplog.text.count("was dropped") == 1
    assert "secret" not in caplog.text


def test_a_codec_that_fails_costs_one_message(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def encode(self, message: dict[str, Any]) -> bytes:
            return json.dumps(message).encode()

        def decode(self, payload: bytes) -> dict[str, Any]:
            return {"msgType": "cloudReq", "serviceId": "A", "cmd": "B", "mid": 1 // len(payload)}

    device = Device(codec=Broken())
    device.on(lambda command: {})
    device.commands.received(b"")
    device.commands.received(b"x")
    assert device.answered() == [(1, 0, {})]
    assert "the codec failed" in caplog.text


def test_a_flood_of_commands_is_answered_as_busy() -> None:
    gate = threading.Event()
    device = Device(threads=1)
    device.on(lambda command: {"waited": gate.wait(30)})
    for mid in range(MOST + 11):
        device.get(mid)
    assert [each["body"] for each in device.answers] == [{"error": "busy"}] * 10
    gate.set()
    assert len(device.answered(MOST + 11)) == MOST + 11


def test_two_handlers_for_the_same_commands_are_refused() -> None:
    device = Device()
    device.on(lambda command: {}, "A", "B")
    with pytest.raises(InvalidArgumentError, match="have a handler already"):
        device.on(lambda command: {}, "A", "B")
    with pytest.raises(InvalidArgumentError, match="must decorate a function"):
        device.on("no function", "A", "C")  # type: ignore[arg-type]


@pytest.mark.parametrize("errcode", [0, True, "1", None])
def test_a_failure_needs_a_number_that_is_not_success(errcode: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="errcode"):
        CommandFailed(errcode)


class Raises(logging.Filter):
    """The logging of an application that fails itself."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def filter(self, record: logging.LogRecord) -> bool:
        raise self.error


@pytest.fixture(params=[None, ValueError, SystemExit])
def logger(request: pytest.FixtureRequest) -> Iterator[None]:
    log = logging.getLogger("iot_northbound.device")
    added = Raises(request.param) if request.param else None
    if added:
        log.addFilter(added)
    yield
    if added:
        log.removeFilter(added)


@pytest.mark.usefixtures("logger")
@pytest.mark.parametrize("says", ERRORS)
def test_whatever_a_handler_raises_its_command_is_answered_and_the_next_one_runs(says: str) -> None:
    device = Device(threads=1)

    def handle(command: Command) -> None:
        if command.mid == 1:
            raise ERRORS[says]()

    device.on(handle)
    device.get(1)
    device.get(2)
    assert device.answered(2) == [(1, 1, {"error": "failed"}), (2, 0, {})]


def ends(work: Callable[[], object]) -> bool:
    """Do something on another thread; return whether it came to its end there."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    return done.is_set()


@pytest.mark.usefixtures("logger")
@pytest.mark.parametrize("says", ERRORS)
def test_whatever_a_codec_raises_the_thread_that_reads_goes_on(says: str) -> None:
    class Codec:
        def decode(self, payload: bytes) -> Any:
            raise ERRORS[says]()

        def encode(self, body: Any) -> bytes:
            raise ERRORS[says]()

    device = Device(codec=Codec())
    assert ends(lambda: device.commands.received(b"anything"))
    assert device.answers == []


@pytest.mark.usefixtures("logger")
@pytest.mark.parametrize("says", ERRORS)
def test_whatever_a_done_callback_raises_its_thread_and_the_other_callbacks_go_on(says: str) -> None:
    pending: Pending[int] = Pending()
    called = threading.Event()

    def fail(_: object) -> None:
        raise ERRORS[says]()

    pending.add_done_callback(fail)
    pending.add_done_callback(lambda _: called.set())
    assert ends(lambda: pending.succeed(1))
    assert called.is_set()


def test_ctrl_c_in_a_done_callback_of_the_main_thread_is_not_lost() -> None:
    pending: Pending[int] = Pending()
    pending.succeed(1)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pending.add_done_callback(interrupt)
