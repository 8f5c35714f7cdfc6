"""PushMessageReceiver: accepts what the platform pushes, answers once it is safe, and calls the application."""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import arguments, reply
from iot_northbound.push.access import NOTHING, ROUTE, Access, Declared, Gate, Peer
from iot_northbound.push.dispatch import BODY, EVENT, UNFIT, Dispatcher
from iot_northbound.push.events import Event
from iot_northbound.push.failures import log
from iot_northbound.push.handlers import Handlers
from iot_northbound.push.inbox import DeadLetter, Inbox, InboxError, InboxFullError, Leased, Sink, as_inbox
from iot_northbound.push.metrics import Counters, Metrics
from iot_northbound.push.parse import PROBE, NotAMessageError, parse
from iot_northbound.push.reply import Reply
from iot_northbound.push.retry import HandlerRetry
from iot_northbound.push.running import Running
from iot_northbound.push.waits.waiting import Waiting
from iot_northbound.push.workers import Workers

if TYPE_CHECKING:
    from iot_northbound.core.fields import JsonObject
    from iot_northbound.push.asgi import AsgiAdapter
    from iot_northbound.push.server import ReceiverServer
    from iot_northbound.push.wsgi import WsgiAdapter


D = TypeVar("D")
E = TypeVar("E")

ANSWER_WITHIN = 12.0
"""Seconds after which the answer is 503, so that the platform tries again; the platform itself waits 15."""


class PushMessageReceiver(Handlers, Waiting):
    """Receives push messages (sections 1.6.7 and 2.3.5). Override the methods of `Handlers`, or register functions.

    The answer to a message is 200 once the message is safe in the inbox. The handlers get it afterwards, at least once:
    in order of arrival per device, and several devices at the same time. `with receiver:` (or `start` and `stop`) runs
    the handlers; the first message starts them too.

    Handlers get only the DTO of the message, as in the Java SDK. Everything else about it is in `self.event`, which
    works in any handler::

        @receiver.on(NotifyDeviceDataChangedDTO)
        def store(body: NotifyDeviceDataChangedDTO) -> None:
            save(body.device_id, body.service, receiver.event.raw.get("a field the reference does not know"))

    Args:
        inbox: keeps the messages: `SqliteInbox(path)`, `PostgresInbox(…)`, or a URL for `open_inbox`. A sink such as
            `KafkaSink` hands them to another program. Without it, messages are kept in memory and are lost when the
            process ends, which is good for trying (but `serve` and `server` make a durable inbox themselves).
        threads: how many handlers run at the same time; 0 if this process only answers, and workers
            (``iot-northbound worker``) handle what is in the inbox.
        retry: how often a failed handler is called.
        access: who may post; without it everybody may.
        route: the path to post to; ``/cmd`` below it is accepted too.
        body_limit: size of the largest body in bytes; the answer to a larger one is 413.
        callback_url: the URL under which the platform reaches this receiver. What `commands` and `tasks` send has it as
            its callback URL, unless it has another one. It can be set later, for example to the URL of a server.
        clock: the source of time.

    Raises:
        InvalidArgumentError: the name of a `handle_…` method is misspelt; a handler is a coroutine, or does not take
            the message as its only argument; `inbox` is not an inbox; `route` is not a path; a number is too small;
            `threads` is 0 and no other process can open the inbox; there are handlers, and `inbox` is a sink (1007).
        TypeError: an argument has a wrong type; the message names it.
    """

    def __init__(
        self,
        inbox: Inbox | Sink | str | None = None,
        *,
        threads: int = 8,
        retry: HandlerRetry | None = None,
        access: Access | None = None,
        route: str = ROUTE,
        body_limit: int = 1 << 20,
        callback_url: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        arguments.whole("threads", threads, least=0)
        arguments.whole("body_limit", body_limit)
        arguments.check("route", route, str)
        arguments.check("retry", retry, HandlerRetry, type(None))
        arguments.check("access", access, Access, type(None))
        arguments.check_clock(clock)
        if isinstance(inbox, str):
            from iot_northbound.push.inboxes import open_inbox

            inbox = open_inbox(inbox, clock=clock)
        arguments.check_inbox(inbox)
        handled = inbox is None or as_inbox(inbox) is not None
        if not threads and handled and not isinstance(inbox, Leased):
            rule = "this inbox belongs to one process, so the same process must handle its messages: give 1 or more"
            raise InvalidArgumentError.of("threads", "0", rule)
        self.gate = Gate(access or Access(), route, body_limit)
        self._clock = clock
        self._counters = Counters(clock)
        self._dispatch = Dispatcher(self, runs=handled)

        def workers(inbox: Inbox, threads: int) -> Workers:
            rule = retry or HandlerRetry()
            return Workers(inbox, self._dispatch, threads=threads, retry=rule, clock=clock, counters=self._counters)

        self._running = Running(inbox, workers, threads, clock)
        Waiting.__init__(self, clock, callback_url)

    @property
    def inbox(self) -> Inbox | Sink | None:
        """The inbox or sink; None before the start of a receiver that was made without one."""
        return self._running.inbox

    # Registering

    # One overload per number of classes: so the type of a handler of several kinds is their union, not their base.
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
        """Register a function for the messages of one or more DTO classes. A kind may have several functions.

        Raises:
            InvalidArgumentError: a class is not the DTO of a notification; the function is a coroutine, or does not
                take the message as its only argument (1007). `on_body` and `on_unknown` refuse such functions too.
        """

        def register(handler: Callable[[Any], object]) -> Callable[[Any], object]:
            self._dispatch.add(kinds, handler)
            return handler

        return register

    def on_body(self, handler: Callable[[str], object]) -> Callable[[str], object]:
        """Register a function that gets the text of every message; it is called before the handlers of the kind."""
        self._dispatch.append(BODY, handler)
        return handler

    def on_unknown(self, handler: Callable[[JsonObject], object]) -> Callable[[JsonObject], object]:
        """Register a function that gets the JSON of each message that fits no kind."""
        self._dispatch.append(UNFIT, handler)
        return handler

    @property
    def event(self) -> Event:
        """The message that the calling handler is called for.

        Raises:
            RuntimeError: the caller is not a handler.
        """
        event = EVENT.get(None)
        if event is None:
            raise RuntimeError("event is available only in a handler, on the thread of its call")
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
        """Return the answer to a request. For an answer of 200, wait until the message is safe.

        It never raises because of a body or the state of the inbox. A view of a web framework needs only this::

            answer = receiver.receive(request.body, request.headers)

        Args:
            body: the request's body; a text is encoded as UTF-8.
            headers: its headers; upper and lower case in names are the same.
            method: its method.
            path: its path, which must be the route; None if the framework has checked it.
            peer: the sender; needed if `access` was given.

        Raises:
            TypeError: an argument has a wrong type; the message names it.
        """
        body = arguments.as_body(body)
        declared = Declared.of(arguments.headers(headers))
        arguments.check("method", method, str)
        arguments.check("path", path, str, type(None))
        arguments.check("peer", peer, Peer, type(None))
        if (refusal := self.refuses(method, path, "", len(body), peer or Peer(), declared)) is not None:
            return refusal
        plain = self.gate.unpacked(body, declared)
        return self.refuse(plain) if isinstance(plain, Reply) else self.accept(plain, declared.content_type)

    def accept(self, body: bytes | str, content_type: str = "") -> Reply:
        """Return the answer to a body whose path and sender were checked: what `receive` does after its checks.

        Raises:
            TypeError: an argument has a wrong type (`accept_async` raises it too).
        """
        arguments.check("content_type", content_type, str)
        body = arguments.as_body(body)
        try:
            taken = self._put(body, content_type)
            return taken if isinstance(taken, Reply) else self._answer(taken.result(ANSWER_WITHIN))
        except Exception as error:  # noqa: BLE001  # _failed logs it; the platform must send the message again
            return self._failed(error)

    async def accept_async(self, body: bytes | str, content_type: str = "") -> Reply:
        """Return the same as `accept`, without blocking the event loop."""
        arguments.check("content_type", content_type, str)
        body = arguments.as_body(body)
        try:
            taken = self._put(body, content_type)
            if isinstance(taken, Reply):
                return taken
            async with asyncio.timeout(ANSWER_WITHIN):
                return self._answer(await asyncio.wrap_future(taken))
        except Exception as error:  # noqa: BLE001  # _failed logs it; the platform must send the message again
            return self._failed(error)

    def refuses(
        self,
        method: str,
        path: str | None,
        mounted_at: str,
        length: int | None,
        peer: Peer,
        declared: Declared = NOTHING,
    ) -> Reply | None:
        """Return and count the refusal of a request before its body is read; None if it is not refused."""
        refusal = self.gate.refuses(method, path, mounted_at, length, peer, declared)
        return None if refusal is None else self.refuse(refusal)

    def refuse(self, refusal: Reply) -> Reply:
        """Count a refusal and return it."""
        self._counters.refused(refusal.status)
        self.missed()
        return refusal

    def missed(self) -> None:
        """Note that a message of an unknown device came and was not accepted."""
        self._running.refused_another()

    def _put(self, body: bytes, content_type: str) -> Reply | Future[bool]:
        """Return a refusal, or a future that is done when the message is safe."""
        try:
            message = parse(body, self._clock.now(), content_type)
        except NotAMessageError as error:
            return self.refuse(reply.not_a_message(str(error)))
        if message.kind == PROBE:
            log.info("the platform tests the callback URL: %r", message.text[:40])
        self._waits.heard(message)  # before the inbox has it, because what it says is true in any case
        return self._running.put(message)

    def _answer(self, new: bool) -> Reply:
        (self._counters.accepted if new else self._counters.duplicate)()
        return reply.OK

    def _failed(self, error: Exception) -> Reply:
        if isinstance(error, InboxError):
            log.warning("a message was not accepted: %s", error)
            refusal = reply.not_now(str(error))
            if not isinstance(error, InboxFullError):  # a full inbox knows the device of the refused message
                return self.refuse(refusal)
            self._counters.refused(refusal.status)
            return refusal
        if isinstance(error, TimeoutError):
            log.error("the inbox needed more than %.0f s to store a message", ANSWER_WITHIN)
            return self.refuse(reply.not_now("the inbox is too slow at the moment"))
        log.failure(logging.ERROR, error, "receiving failed")
        return self.refuse(reply.not_now("receiving failed; the receiver's log says why"))

    # Running

    def start(self, threads: int | None = None) -> Self:
        """Open the inbox and handle what waits in it, then what comes. Does nothing if the receiver runs already.

        Args:
            threads: how many handlers run at the same time, if this process is to differ from the others.

        Raises:
            InboxInUseError: another receiver uses the inbox.
            InboxError: the inbox cannot be opened.
        """
        if threads is not None:
            arguments.whole("threads", threads)
        self._running.start(threads)
        self._waits.start()
        return self

    def stop(self, timeout: float = 30.0) -> bool:
        """Accept nothing more, handle what waits for at most `timeout` seconds, and close the inbox.

        Whoever waits for a command or a task gets a `WaitStoppedError`.

        Returns:
            Whether everything was handled. A durable inbox keeps the rest for the next start. `stop` does not wait for
            messages that are between two attempts.
        """
        arguments.seconds("timeout", timeout)
        self._waits.stop()
        return self._running.stop(timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Watching it

    def metrics(self) -> Metrics:
        """Return depth, age, rate, failures and more at this moment. Nothing waits if the receiver does not run."""
        return self._counters.metrics(self._running.stats(), self._running.leases())

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest messages whose handlers failed too often.

        Raises:
            InboxError: the receiver does not run (`replay` and `discard` raise it too).
            TypeError: an argument has a wrong type (`replay` and `discard` raise it too).
        """
        arguments.whole("limit", limit, least=0)
        return self._running.opened().dead_letters(limit)

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Give dead letters to the handlers again: all, or those with these ids. Return how many."""
        return self._running.opened().replay(None if ids is None else arguments.ids(ids))

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters; return how many."""
        return self._running.opened().discard(arguments.ids(ids))

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

        A receiver without an inbox gets a durable one: ``iot-northbound-inbox.sqlite3`` in the working directory.

        Args:
            host: address to listen on; ``0.0.0.0`` listens on every address of the machine.
            port: port to listen on; 0 takes a free one, which the server's `address` reports.
            ssl: the server's side of TLS, for example from `server_context`. None serves plain HTTP, for a proxy in
                front that ends TLS.
            options: `limits` (serving.Limits), `drain` (how many seconds a stop gives the handlers).

        Raises:
            MissingExtraError: the extra ``receiver`` is not installed.
        """
        from iot_northbound.push.server import ReceiverServer

        if self._running.inbox is None:
            from iot_northbound.push.sqlite_inbox import SqliteInbox

            self._running.inbox = SqliteInbox("iot-northbound-inbox.sqlite3", clock=self._clock)
        return ReceiverServer(self, host, port, ssl, **options)

    def serve(
        self, host: str = "127.0.0.1", port: int = 8686, *, ssl: tls.SSLContext | None = None, **options: Any
    ) -> None:
        """Serve in the foreground until SIGTERM or SIGINT, then handle what was accepted; see `server`.

        Raises:
            MissingExtraError: the extra ``receiver`` is not installed.
        """
        self.server(host, port, ssl=ssl, **options).serve_forever()
