"""Commands: which function handles which, and the answer to each."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from iot_northbound.core.failures import Log
from iot_northbound.device.failures import ReportDroppedError
from iot_northbound.device.messages import Command, CommandWire, NotACommandError
from iot_northbound.device.pending import Pending
from iot_northbound.device.workers import Workers
from iot_northbound.errors import InvalidArgumentError, SdkCode

log = Log("iot_northbound.device")

SUCCESS, FAILED = 0, 1


class CommandFailed(Exception):
    """A handler raises it to answer a command with a failure.

    Args:
        errcode: what the platform gets; any whole number except 0, which means success.
        body: more about the failure, for the application.
    """

    def __init__(self, errcode: int = FAILED, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(errcode, body)
        if not isinstance(errcode, int) or isinstance(errcode, bool) or errcode == SUCCESS:
            raise InvalidArgumentError.of("errcode", repr(errcode)[:80], "it must be a whole number, and not 0")
        self.errcode = errcode
        self.body = dict(body or {})


class LaterAnswer:
    """What a handler returns if it has no answer yet.

    Attributes:
        sent: is done when the platform has confirmed the answer.
    """

    def __init__(self) -> None:
        self.sent: Pending[None] = Pending("the PUBACK of an answer")
        self.given: Pending[tuple[int, Mapping[str, Any]]] = Pending("the answer to a command")

    def give(self, errcode: int = SUCCESS, body: Mapping[str, Any] | None = None) -> None:
        """Answer now, on any thread; only the first answer counts."""
        self.given.succeed((errcode, body or {}))


Handler = Callable[[Command], Mapping[str, Any] | LaterAnswer | None]


class Commands:
    """The handlers of a device. Each command runs on one of the threads and is answered when its handler returns.

    Args:
        wire: reads commands and writes answers.
        threads: how many commands can run at the same time.
        answer: sends an answer.
        name: the name of the threads.
    """

    def __init__(self, wire: CommandWire, threads: int, answer: Callable[[bytes], Pending[None]], name: str) -> None:
        self._wire = wire
        self._answer = answer
        self._workers = Workers(threads, name)
        self._handlers: dict[tuple[str | None, str | None], Handler] = {}
        self._lock = threading.Lock()
        self._open: dict[int, object] = {}
        """What runs, by mid; the value changes when the platform gives the number to another command."""
        self._earlier: set[int] = set()
        """Numbers that came over an earlier connection."""
        self._hinted: set[object] = set()

    @property
    def open(self) -> int:
        """How many commands wait or run."""
        return self._workers.open

    def register(self, service_id: str | None, method: str | None, handler: Handler) -> None:
        """Let the handler handle these commands; None means every service, or every method.

        Raises:
            InvalidArgumentError: there is a handler for just these, or it cannot be called (1007).
        """
        if not callable(handler):
            raise InvalidArgumentError.of("on_command", type(handler).__name__, "it must decorate a function")
        if (service_id, method) in self._handlers:
            raise InvalidArgumentError.of("on_command", f"({service_id!r}, {method!r})", "these have a handler already")
        self._handlers[service_id, method] = handler

    def new_connection(self) -> None:
        """Note that mids from here on may repeat earlier ones: they are then other commands."""
        with self._lock:
            self._earlier = set(self._open)

    def received(self, payload: bytes) -> None:
        """Run the handler of a command, and answer it. A command that runs already is not run again."""
        try:
            command = self._wire.read(payload)
        except NotACommandError as error:
            self._hint(str(error), "a message on the command topic was dropped: %s", error)
            return
        except BaseException as error:  # noqa: BLE001 - a codec of the application may raise anything
            self._hint(type(error), "a message on the command topic was dropped: the codec failed", error=error)
            return
        if command is None:
            return
        token = self._admit(command.mid)
        if token is None:
            return
        if not self._workers.submit(lambda: self._run(command, token)):
            self._finish(command, token, FAILED, {"error": "busy"})

    def close(self) -> None:
        """Start no more handlers."""
        self._workers.close()

    def _admit(self, mid: int | None) -> object | None:
        """Return what stands for this run of the command; None if the command runs already."""
        token = object()
        if mid is None:
            return token
        with self._lock:
            if mid in self._open and mid not in self._earlier:
                return None
            self._earlier.discard(mid)
            self._open[mid] = token
        return token

    def _run(self, command: Command, token: object) -> None:
        handler = self._handler_of(command)
        if handler is None:
            key = (command.service_id, command.method)
            self._hint(key, "there is no handler for the command %s of %s: answered as failed", key[1], key[0])
            self._finish(command, token, FAILED, {"error": "not supported"})
            return
        try:
            body = handler(command)
            if isinstance(body, LaterAnswer):
                sent = body.sent
                body.given.add_done_callback(lambda given: self._finish(command, token, *given.result(), sent))
                return
            if not isinstance(body, Mapping | None):
                raise TypeError(f"a command's handler must return a mapping or None, not {type(body).__name__}")
            self._finish(command, token, SUCCESS, body)
        except CommandFailed as failed:
            self._finish(command, token, failed.errcode, failed.body)
        except BaseException:  # sys.exit() too: it would end the thread, and nobody would answer
            # The platform gets no detail: an exception's text may contain what it should not see.
            log.exception("the handler of the command %s of %s failed", command.method, command.service_id)
            self._finish(command, token, FAILED, {"error": "failed"})

    def _finish(
        self,
        command: Command,
        token: object,
        errcode: int,
        body: Mapping[str, Any] | None,
        sent: Pending[None] | None = None,
    ) -> None:
        sent = sent or Pending()
        if command.mid is None:  # the platform expects no answer
            sent.succeed(None)
            return
        with self._lock:
            if self._open.get(command.mid) is not token:
                sent.fail(ReportDroppedError(SdkCode.QUEUE, "the number of the command belongs to another one now"))
                return
            del self._open[command.mid]
            self._earlier.discard(command.mid)
        try:
            payload = self._wire.answer(command, errcode, body)
        except BaseException:
            log.exception("the answer to the command %s of %s cannot be sent", command.method, command.service_id)
            payload = self._wire.answer(command, FAILED, {"error": "failed"})
        self._answer(payload).add_done_callback(sent.follow)

    def _handler_of(self, command: Command) -> Handler | None:
        service, method = command.service_id, command.method
        for key in ((service, method), (service, None), (None, method), (None, None)):
            if (handler := self._handlers.get(key)) is not None:
                return handler
        return None

    def _hint(self, key: object, text: str, *values: object, error: BaseException | None = None) -> None:
        """Log a warning, the first time only."""
        if key not in self._hinted and len(self._hinted) < 100:
            self._hinted.add(key)
            if error is None:
                log.warning(text, *values)
            else:
                log.failure(logging.WARNING, error, text, *values)
