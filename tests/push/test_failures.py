"""A handler may raise anything; its device goes on, and so do all others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.core.failures import described, name_of
from iot_northbound.push import HandlerRetry, MemoryInbox, Message, SqliteInbox
from iot_northbound.push.failures import log
from tests.clock import eventually
from tests.push.helpers import Log, Recorder, data_body


class Fails(Exception):
    def __str__(self) -> str:
        raise ValueError("no text either")


class Ends(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class ReturnsANumber(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class ReturnsATrap(Exception):
    def __str__(self) -> str:
        class Trap(str):
            def __format__(self, _: str) -> str:
                raise SystemExit

            def __getitem__(self, _: Any) -> str:
                raise SystemExit

        return Trap("trap")


class Lies(Exception):
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise SystemExit

    @property
    def __traceback__(self) -> None:  # type: ignore[override]
        raise KeyboardInterrupt

    @property
    def __cause__(self) -> None:  # type: ignore[override]
        raise GeneratorExit


class NamesItself(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit


class Nameless(Exception, metaclass=NamesItself):
    pass


class Deep(Exception):
    def __str__(self) -> str:
        return str(self)


ERRORS: dict[str, Callable[[], BaseException]] = {
    "Fails": Fails,
    "Ends": Ends,
    "ReturnsANumber": ReturnsANumber,
    "ReturnsATrap": ReturnsATrap,
    "Lies": Lies,
    "Nameless": Nameless,
    "Deep": Deep,
    "Exception: xxx": lambda: Exception("x" * 1_000_000),
    "Exception: \\ud800": lambda: Exception("\ud800 \0 \n"),
    "Exception: its text": lambda: Exception(Ends()),
    "SystemExit": lambda: SystemExit(1),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "StopIteration": StopIteration,
    "BaseExceptionGroup": lambda: BaseExceptionGroup("several", [SystemExit(), Ends()]),
    "MemoryError": MemoryError,
}
"""What a handler raises, by what its dead letter says. Made when it is raised: pytest itself ends on some of them."""


@pytest.mark.parametrize("says", ERRORS)
@pytest.mark.parametrize("durable", [False, True])
def test_whatever_a_handler_raises_its_message_is_set_aside_and_its_device_goes_on(
    tmp_path: Path, durable: bool, says: str
) -> None:
    inbox = SqliteInbox(tmp_path / "inbox") if durable else MemoryInbox()
    receiver, handled = Recorder(inbox, threads=1, retry=HandlerRetry(attempts=2, first=0)), Log()

    @receiver.on_body
    def fail(body: str) -> None:
        if receiver.event.raw["n"] == 1:
            raise ERRORS[says]()
        handled.add((receiver.event.device, receiver.event.raw["n"]))

    with receiver:
        for device, number in (("d1", 1), ("d1", 2), ("d2", 3)):
            assert receiver.receive(data_body(device, number)).status == 200
        assert sorted(handled.wait_for(2)) == [("d1", 2), ("d2", 3)]
        eventually(lambda: receiver.metrics().dead == 1)
        (letter,) = receiver.dead_letters()
        assert letter.error.encode("utf-8", "backslashreplace").decode().startswith(says)
        assert len(letter.error) <= 2_000
        assert receiver.replay() == 1
        eventually(lambda: receiver.metrics().dead == 1)


def test_no_error_of_an_inbox_ends_a_worker() -> None:
    class Broken(MemoryInbox):
        broken = 2

        def get(self, message_id: int) -> Message:
            if self.broken:
                self.broken -= 1
                raise SystemExit
            return super().get(message_id)

    receiver = Recorder(Broken(), threads=1)
    with receiver:
        receiver.receive(data_body("d1", 1))
        receiver.receive(data_body("d2", 2))
        receiver.receive(data_body("d3", 3))
        receiver.log.wait_for(1)
        assert receiver._running.workers is not None
        assert receiver._running.workers._threads[0].is_alive()


class Unnameable:
    def __getattr__(self, name: str) -> None:
        raise SystemExit

    def __repr__(self) -> str:
        raise SystemExit

    def __call__(self, body: Any) -> None:
        raise ValueError("no name")


def test_a_function_without_a_name_can_fail_too(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Recorder(MemoryInbox(), retry=HandlerRetry(attempts=1))
    assert name_of(Unnameable()) == "a Unnameable"
    with receiver:
        receiver.on_body(lambda body: Unnameable()(body))
        receiver.receive(data_body())
        eventually(lambda: receiver.metrics().dead == 1)


def test_an_error_is_described_by_type_and_text() -> None:
    assert described(ValueError("a reason")) == "ValueError: a reason"
    assert described(Ends()) == "Ends: its text is not available"
    assert type(described(ReturnsATrap())) is str


class Raising(logging.Handler):
    """A handler, and a filter, of an application that raises on what `picky` chooses; the rest is kept."""

    def __init__(
        self,
        error: type[BaseException] = ValueError,
        picky: Callable[[logging.LogRecord], object] = lambda record: True,
    ) -> None:
        super().__init__()
        self._error, self._picky = error, picky
        self.lines: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if self._picky(record):
            raise self._error("no log today")
        return True

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


AddHandler = Callable[[Raising], Raising]


@pytest.fixture
def logged() -> Iterator[AddHandler]:
    """Return a function that adds a handler to the receiver's logger for this test."""
    logger = logging.getLogger("iot_northbound.push")
    added: list[Raising] = []
    level = logger.level

    def add(handler: Raising) -> Raising:
        logger.addHandler(handler)
        logger.addFilter(handler.filter)
        logger.setLevel(logging.INFO)
        added.append(handler)
        return handler

    yield add
    logger.setLevel(level)
    for handler in added:
        logger.removeHandler(handler)
        logger.removeFilter(handler.filter)


def test_a_log_that_fails_on_the_traceback_gets_one_line(logged: AddHandler) -> None:
    handler = logged(Raising(picky=lambda record: record.exc_info))
    log.failure(logging.ERROR, ValueError("a reason"), "%s failed", "it")
    log.failure(logging.ERROR, Ends(), "%s failed", "it")
    assert handler.lines == ["it failed: ValueError: a reason", "it failed: Ends: its text is not available"]


@pytest.mark.parametrize("make", [lambda text: ValueError(text), lambda text: ExceptionGroup(text, [ValueError(text)])])
def test_a_long_text_of_an_error_is_cut_in_the_log(logged: AddHandler, make: Callable[[str], Exception]) -> None:
    handler = logged(Raising(picky=lambda record: record.exc_info))
    log.failure(logging.WARNING, make("begins" + "x" * 3_000_000 + "ends"), "it failed")
    (line,) = handler.lines
    assert len(line) < 11_000
    assert "begins" in line
    assert "ends" in line
    assert "characters are left out" in line


def test_the_log_of_a_handler_that_fails_at_length_is_short(
    logged: AddHandler, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Recorder(MemoryInbox(), retry=HandlerRetry(attempts=1))

    @receiver.on_body
    def fail(body: str) -> None:
        raise ValueError("x" * 1_000_000)

    with receiver, caplog.at_level(logging.DEBUG):
        receiver.receive(data_body())
        eventually(lambda: receiver.metrics().dead == 1)
    assert "left out" in caplog.text
    assert len(caplog.text) < 20_000


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("durable", [False, True])
def test_a_log_that_raises_makes_no_message_come_again(
    tmp_path: Path, logged: AddHandler, durable: bool, error: type[BaseException]
) -> None:
    inbox = SqliteInbox(tmp_path / "inbox") if durable else MemoryInbox()
    receiver = Recorder(inbox, threads=1, retry=HandlerRetry(attempts=2, first=0))
    # On the receiver's own threads only: what it raises on the test's thread would be Ctrl+C.
    logged(Raising(error, lambda record: error is ValueError or record.threadName != "MainThread"))
    failed = Log()

    @receiver.on_body
    def fail(body: str) -> None:
        if receiver.event.raw["n"] == 1:
            failed.add(receiver.event.attempt)
            raise ValueError("on purpose")

    with receiver:
        for body in (data_body("d1", 1), b'{"deviceId": "d1", "n": 2}', data_body("d1", 3)):
            assert receiver.receive(body).status == 200
        eventually(lambda: receiver.metrics().depth == 0)
        assert failed.items == [1, 2]
        assert receiver.metrics().dead == 1
        assert len(receiver.log.items) == 3
        assert receiver.receive(b"no JSON").status == 400
        assert receiver.receive(b"push success.").status == 200


def test_a_log_that_raises_does_not_end_the_thread_that_writes(
    tmp_path: Path, logged: AddHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = SqliteInbox(tmp_path / "inbox")
    logged(Raising())
    with Recorder(inbox) as receiver:
        assert inbox._store is not None
        with monkeypatch.context() as broken:
            broken.setattr(inbox._store._file, "transaction", None)
            assert receiver.receive(data_body("d1", 1)).status == 503
        assert receiver.receive(data_body("d1", 1)).status == 200
        receiver.log.wait_for(1)
