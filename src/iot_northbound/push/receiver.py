"""PushMessageReceiver: takes what the platform pushes, answers once it is safe, and hands it to the application."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl as tls
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.push import arguments, reply
from iot_northbound.push.access import NOTHING, ROUTE, Access, Gate, Peer, Told
from iot_northbound.push.dispatch import BODY, EVENT, UNFIT, Dispatcher
from iot_northbound.push.events import Event
from iot_northbound.push.failures import log
from iot_northbound.push.handlers import Handlers
from iot_northbound.push.inbox import DeadLetter, Inbox, InboxError, InboxFullError, InboxStats
from iot_northbound.push.memory_inbox import MemoryInbox
from iot_northbound.push.metrics import Counters, Metrics
from iot_northbound.push.parse import PROBE, NotAMessageError, parse
from iot_northbound.push.reply import Reply
from iot_northbound.push.retry import HandlerRetry
from iot_northbound.push.workers import Workers

if TYPE_CHECKING:
    from iot_northbound.core.fields import JsonObject
    from iot_northbound.push.asgi import AsgiAdapter
    from iot_northbound.push.server import ReceiverServer
    from iot_northbound.push.wsgi import WsgiAdapter


D = TypeVar("D")
E = TypeVar("E")

ANSWER_WITHIN = 12.0
"""Seconds after which the platform is told to come back; it waits 15 itself."""


class PushMessageReceiver(Handlers):
    """Receives push messages (sections 1.6.7 and 2.3.5): override the methods of `Handlers`, or register functions.

    A message is answered 200 once it is safe in the inbox, and handled afterwards, at least once: in order of arrival
    for each device, devices side by side. `with receiver:` (or `start` and `stop`) runs the handlers; the first
    message starts them too.

    Handlers get the message's DTO alone, as in the Java SDK; the rest of it is `self.event`, from any handler::

        @receiver.on(NotifyDeviceDataChangedDTO)
        def store(body: NotifyDeviceDataChangedDTO) -> None:
            save(body.device_id, body.service, receiver.event.raw.get("a field the reference does not know"))

    Args:
        inbox: where messages are safe: `SqliteInbox(path)`. Without one they are in memory, for trying, and lost with
            the process (only `serve` makes a durable one by itself).
        threads: handlers that run at the same time.
        retry: how often a failed handler is called.
        access: who may post; everybody unless given.
        route: the path that is posted to, and ``/cmd`` below it.
        body_limit: bytes of the largest body; larger ones are answered 413.
        clock: where time comes from.

    Raises:
        InvalidArgumentError: a method named like a handler is none, or is a coroutine, or does not take the message as
            its one argument; the inbox is none; the route is no path; a number is too small (1007).
        TypeError: an argument has a wrong type; the text names it.
    """

    def __init__(
        self,
        inbox: Inbox | None = None,
        *,
        threads: int = 8,
        retry: HandlerRetry | None = None,
        access: Access | None = None,
        route: str = ROUTE,
        body_limit: int = 1 << 20,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        arguments.whole("threads", threads)
        arguments.whole("body_limit", body_limit)
        arguments.check("route", route, str)
        arguments.check("retry", retry, HandlerRetry, type(None))
        arguments.check("access", access, Access, type(None))
        arguments.check_inbox(inbox)
        arguments.check_clock(clock)
        self._inbox: Inbox | None = inbox
        self._clock = clock
        self._threads, self._retry = threads, retry or HandlerRetry()
        self.gate = Gate(access or Access(), route, body_limit)
        self._counters = Counters(clock)
        self._dispatch = Dispatcher(self)
        self._workers: Workers | None = None
        self._running: Inbox | None = None
        self._process = 0
        self._starting = threading.Lock()
        self._stopped = False

    # Registering

    # Told apart by number, so that a handler of several kinds takes their union and not their common base.
    @overload
    def on(self, kind: type[D], /) -> Callable[[Callable[[D], object]], Callable[[D], object]]: ...
    @overload
    def on(
        self, kind: type[D], other: type[E], /
    ) -> Callable[[Callable[[D | E], object]], Callable[[D | E], object]]: ...
    @overload
    def on(
        self, kind: type[Any], other: type[Any], third: type[Any], /, *more: type[Any]
    ) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]: ...
    def on(self, *kinds: type[Any]) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]:
        """Register a function for the messages of one or more DTO classes; several may be registered for a kind.

        Raises:
            InvalidArgumentError: a class is no notification's, or the function is a coroutine or does not take the
                message as its one argument (1007). `on_body` and `on_unknown` refuse such functions too.
        """

        def register(handler: Callable[[Any], object]) -> Callable[[Any], object]:
            self._dispatch.add(kinds, handler)
            return handler

        return register

    def on_body(self, handler: Callable[[str], object]) -> Callable[[str], object]:
        """Register a function that gets the text of every message, before the handlers of its kind."""
        self._dispatch.append(BODY, handler)
        return handler

    def on_unknown(self, handler: Callable[[JsonObject], object]) -> Callable[[JsonObject], object]:
        """Register a function that gets the JSON of each message that no kind fits."""
        self._dispatch.append(UNFIT, handler)
        return handler

    @property
    def event(self) -> Event:
        """The message that the calling handler was called for.

        Raises:
            RuntimeError: the caller is no handler.
        """
        event = EVENT.get(None)
        if event is None:
            raise RuntimeError("event is there within a handler only, on the thread it was called on")
        return event

    # Receiving

    def receive(
        self,
        body: bytes | str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        path: str | None = None,
        peer: Peer | None = None,
    ) -> Reply:
        """Return the answer to a request; wait until the message is safe where it is to be 200.

        No body and no state of the inbox makes it raise. All that a web framework's view needs::

            answer = receiver.receive(request.body, request.headers)

        Args:
            body: the request's body; a text is taken as UTF-8.
            headers: its headers; the names' case does not matter.
            method: its method.
            path: its path, checked against the route; None if the framework has routed it.
            peer: who sent it, if `Access` is to judge that.


        Raises:
            TypeError: an argument has a wrong type; the text names it.
        """
        body = arguments.as_body(body)
        told = Told.of(arguments.headers(headers))
        arguments.check("method", method, str)
        arguments.check("path", path, str, type(None))
        arguments.check("peer", peer, Peer, type(None))
        if (refusal := self.refuses(method, path, "", len(body), peer or Peer(), told)) is not None:
            return refusal
        plain = self.gate.unpacked(body, told)
        return self.refuse(plain) if isinstance(plain, Reply) else self.accept(plain, told.content_type)

    def accept(self, body: bytes | str, content_type: str = "") -> Reply:
        """Return the answer to a body whose path and sender are right (what `receive` does after its checks).

        Raises:
            TypeError: an argument has a wrong type (`accept_async` raises it too).
        """
        body = _checked(body, content_type)
        try:
            taken = self._put(body, content_type)
            return taken if isinstance(taken, Reply) else self._answer(taken.result(ANSWER_WITHIN))
        except Exception as error:  # noqa: BLE001  # logged there; whatever it is, the platform has to come back
            return self._failed(error)

    async def accept_async(self, body: bytes | str, content_type: str = "") -> Reply:
        """Return the same as `accept`, without blocking the event loop meanwhile."""
        body = _checked(body, content_type)
        try:
            taken = self._put(body, content_type)
            if isinstance(taken, Reply):
                return taken
            async with asyncio.timeout(ANSWER_WITHIN):
                return self._answer(await asyncio.wrap_future(taken))
        except Exception as error:  # noqa: BLE001  # logged there; whatever it is, the platform has to come back
            return self._failed(error)

    def refuses(
        self, method: str, path: str | None, mounted_at: str, length: int | None, peer: Peer, told: Told = NOTHING
    ) -> Reply | None:
        """Return why a request is refused before its body is read, counted; None when it may pass."""
        refusal = self.gate.refuses(method, path, mounted_at, length, peer, told)
        return None if refusal is None else self.refuse(refusal)

    def refuse(self, refusal: Reply) -> Reply:
        """Return a refusal, counted."""
        self._counters.refused(refusal.status)
        self.missed()
        return refusal

    def missed(self) -> None:
        """Take note that a message came, was not taken, and that nobody knows whose it was."""
        inbox = self._running
        if inbox is not None and not self._inherited:
            inbox.refused_another()

    def _put(self, body: bytes, content_type: str) -> Reply | Future[bool]:
        """Return a refusal, or the future that is done when the message is safe."""
        try:
            message = parse(body, self._clock.now(), content_type)
        except NotAMessageError as error:
            return self.refuse(reply.not_a_message(str(error)))
        if message.kind == PROBE:
            log.info("the platform tests the callback: %r", message.text[:40])
        if self._stopped:
            raise InboxError("the receiver was stopped")
        if self._inherited:
            # Neither its threads nor its file survive a fork; answering 200 here would lose the message.
            raise InboxError("the receiver was started before this process was forked; start it in each process")
        if self._running is None:
            self._start(by_message=True)
        return self._open_inbox().put(message)

    def _answer(self, new: bool) -> Reply:
        if new:
            self._counters.accepted()
        else:
            self._counters.duplicate()
        return reply.OK

    def _failed(self, error: Exception) -> Reply:
        if isinstance(error, InboxError):
            log.warning("a message was not taken: %s", error)
            refusal = reply.not_now(str(error))
            if not isinstance(error, InboxFullError):  # a full inbox knows whose message it refused
                return self.refuse(refusal)
            self._counters.refused(refusal.status)
            return refusal
        if isinstance(error, TimeoutError):
            log.error("the inbox took more than %.0f s to keep a message", ANSWER_WITHIN)
            return self.refuse(reply.not_now("the inbox is too slow now"))
        log.failure(logging.ERROR, error, "receiving failed")
        return self.refuse(reply.not_now("receiving failed; the receiver's log says why"))

    # Running

    def start(self) -> Self:
        """Open the inbox and handle what waits in it, then what comes; harmless when running.

        Raises:
            InboxInUseError: another receiver works on the inbox.
            InboxError: it cannot be opened.
        """
        self._start(by_message=False)
        return self

    def _start(self, *, by_message: bool) -> None:
        with self._starting:
            if self._inherited:
                self._workers = self._running = None
            if self._workers is not None or (by_message and self._stopped):  # a late message does not undo a stop
                return
            inbox = self._inbox
            if inbox is None:
                log.warning("no inbox was given: messages are kept in memory, and lost with this process")
                inbox = self._inbox = MemoryInbox(clock=self._clock)
            workers = Workers(
                inbox,
                self._dispatch,
                threads=self._threads,
                retry=self._retry,
                clock=self._clock,
                counters=self._counters,
            )
            inbox.start(workers.add)
            workers.start()
            self._stopped = False
            self._workers, self._running, self._process = workers, inbox, os.getpid()

    @property
    def _inherited(self) -> bool:
        """Whether what runs is another process's, which this one was forked from."""
        return self._running is not None and self._process != os.getpid()

    def stop(self, timeout: float = 30.0) -> bool:
        """Take nothing more, handle what waits for at most `timeout` seconds, and close the inbox.

        Returns:
            Whether everything was handled. What was not stays in a durable inbox for the next start; messages between
            two attempts are not waited for.
        """
        arguments.seconds("timeout", timeout)
        with self._starting:
            workers, inbox, self._stopped = self._workers, self._running, True
            if workers is None or inbox is None or self._inherited:
                return True
            finished = workers.stop(timeout)
            if not finished and not inbox.durable:
                log.error("%d messages were lost: they were in memory only", inbox.stats().waiting)
            inbox.stop()
            self._workers = self._running = None
            return finished

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Looking after it

    def metrics(self) -> Metrics:
        """Return depth, age, rate, failures and the rest at this moment; nothing waits where it does not run."""
        inbox = self._running
        return self._counters.metrics(inbox.stats() if inbox is not None else InboxStats(0, 0, 0, None))

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest messages that handlers failed on too often.

        Raises:
            InboxError: the receiver does not run (`replay` and `discard` raise it too).
            TypeError: an argument has a wrong type (theirs too).
        """
        arguments.whole("limit", limit, least=0)
        return self._open_inbox().dead_letters(limit)

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Hand dead letters to the handlers again, all or those named; return how many."""
        return self._open_inbox().replay(None if ids is None else arguments.ids(ids))

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters for good; return how many."""
        return self._open_inbox().discard(arguments.ids(ids))

    def _open_inbox(self) -> Inbox:
        if self._running is None:
            raise InboxError("the receiver does not run; start() it first")
        return self._running

    # Mounting and serving

    @cached_property
    def wsgi(self) -> WsgiAdapter:
        """The receiver as a WSGI application."""
        from iot_northbound.push.wsgi import WsgiAdapter

        return WsgiAdapter(self)

    @cached_property
    def asgi(self) -> AsgiAdapter:
        """The receiver as an ASGI application."""
        from iot_northbound.push.asgi import AsgiAdapter

        return AsgiAdapter(self)

    def server(
        self, host: str = "127.0.0.1", port: int = 8686, *, ssl: tls.SSLContext | None = None, **options: Any
    ) -> ReceiverServer:
        """Return a server for this receiver: a context manager that serves on a thread of its own.

        Without an inbox of its own, the receiver gets a durable one: ``iot-northbound-inbox.sqlite3`` in the working
        directory.

        Args:
            host: address to listen on; ``0.0.0.0`` for every one.
            port: port to listen on; 0 takes a free one, told by the server's `address`.
            ssl: the server's side of TLS, such as `server_context` makes; None serves plain HTTP, for a proxy in front.
            options: `limits` (serving.Limits), `drain` (seconds that a stop gives the handlers).
        """
        from iot_northbound.push.server import ReceiverServer

        if self._inbox is None:
            from iot_northbound.push.sqlite_inbox import SqliteInbox

            self._inbox = SqliteInbox("iot-northbound-inbox.sqlite3", clock=self._clock)
        return ReceiverServer(self, host, port, ssl, **options)

    def serve(
        self, host: str = "127.0.0.1", port: int = 8686, *, ssl: tls.SSLContext | None = None, **options: Any
    ) -> None:
        """Serve in the foreground until SIGTERM or SIGINT, then finish what was taken; `server` explains the rest."""
        self.server(host, port, ssl=ssl, **options).serve_forever()


def _checked(body: bytes | str, content_type: str) -> bytes:
    arguments.check("content_type", content_type, str)
    return arguments.as_body(body)
