"""A handler may raise anything; its device goes on, and so do all others."""

import asyncio
import logging

import pytest

from iot_northbound.push import HandlerRetry, MemoryInbox, SqliteInbox
from iot_northbound.push.failures import log_failure, name_of, told
from tests.clock import eventually
from tests.push.helpers import Log, Recorder, data_body


class Fails(Exception):
    def __str__(self):
        raise ValueError("no text either")


class Ends(Exception):
    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__


class ReturnsANumber(Exception):
    def __str__(self):
        return 5


class ReturnsATrap(Exception):
    def __str__(self):
        class Trap(str):
            def __format__(self, _):
                raise SystemExit

            def __getitem__(self, _):
                raise SystemExit

        return Trap("trap")


class Lies(Exception):
    @property
    def __class__(self):
        raise SystemExit

    @property
    def __traceback__(self):
        raise KeyboardInterrupt

    @property
    def __cause__(self):
        raise GeneratorExit


class NamesItself(type):
    @property
    def __name__(cls):
        raise SystemExit


class Nameless(Exception, metaclass=NamesItself):
    pass


class Deep(Exception):
    def __str__(self):
        return str(self)


ERRORS = {
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
def test_whatever_a_handler_raises_its_message_is_set_aside_and_its_device_goes_on(tmp_path, durable, says):
    inbox = SqliteInbox(tmp_path / "inbox") if durable else MemoryInbox()
    receiver, handled = Recorder(inbox, threads=1, retry=HandlerRetry(attempts=2, first=0)), Log()

    @receiver.on_body
    def fail(body):
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


def test_an_inbox_that_raises_anything_ends_no_worker():
    class Broken(MemoryInbox):
        broken = 2

        def get(self, message_id):
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
        assert receiver._workers._threads[0].is_alive()


class Unnameable:
    def __getattr__(self, name):
        raise SystemExit

    def __repr__(self):
        raise SystemExit

    def __call__(self, body):
        raise ValueError("no name")


def test_a_function_without_a_name_can_fail_too(caplog):
    receiver = Recorder(MemoryInbox(), retry=HandlerRetry(attempts=1))
    assert name_of(Unnameable()) == "a Unnameable"
    with receiver:
        receiver.on_body(lambda body: Unnameable()(body))
        receiver.receive(data_body())
        eventually(lambda: receiver.metrics().dead == 1)


def test_an_error_is_told_by_type_and_text():
    assert told(ValueError("a reason")) == "ValueError: a reason"
    assert told(Ends()) == "Ends: its text cannot be had"
    assert type(told(ReturnsATrap())) is str


def test_a_log_that_fails_on_the_traceback_gets_one_line():
    lines = []

    class Picky(logging.Handler):
        def emit(self, record):
            if record.exc_info:
                raise SystemExit
            lines.append(record.getMessage())

    log = logging.Logger("picky")
    log.addHandler(Picky())
    log_failure(log, logging.ERROR, Ends(), "%s failed", "it")
    assert lines == ["it failed: Ends: its text cannot be had"]
