"""KafkaSink: hands messages over to a Kafka topic. The answer is 200 once the brokers have confirmed the message."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

from iot_northbound._extras import needs_extra
from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.arguments import check, check_clock
from iot_northbound.push.duplicates import DuplicateWindow, Seen
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import InboxError, InboxFullError, InboxLimits, InboxStats, Ledger
from iot_northbound.push.parse import Message

with needs_extra("kafka"):
    from confluent_kafka import KafkaError, KafkaException, Producer

LONGEST = 10_000
"""Milliseconds after which a message that is not confirmed has failed; the platform gets its answer within 12 s."""
FORCED: Mapping[str, Any] = MappingProxyType(
    {
        "enable.idempotence": True,  # a repeat of the library is written once, and never in front of a later message
        "acks": "all",
        "partitioner": "murmur2_random",  # the Java clients' rule: all producers put a device on the same partition
    }
)
_OURS = frozenset(
    {
        *FORCED,
        *("bootstrap.servers", "metadata.broker.list", "request.required.acks", "delivery.timeout.ms"),
        *("transactional.id", "delivery.report.only.error", "on_delivery", "dr_cb", "dr_msg_cb", "error_cb", "logger"),
    }
)
"""Settings of librdkafka that this class makes itself, or that would break its promise."""
_POLL = 0.1
_END_WITHIN = LONGEST / 1_000 + 1


class KafkaSink:
    """Hands messages over to a Kafka topic, for consumers that are there already.

    A receiver with it parses and checks what comes, and answers 200 once all in-sync replicas have confirmed the
    message. It has no handlers. A message that is not confirmed within 10 s is answered 503: the platform will repeat
    it.

    Each message is a record: its key is the device, so that the messages of a device keep their order; its value is the
    body, in UTF-8; its headers are ``kind``, ``received_at`` (seconds since the epoch), ``slot`` (a digest of the body)
    and ``repeats`` (when the same slot again is the same message: ``always``, ``later``, ``next`` or ``never``).
    Repetitions are recognised in each process by itself.

    It connects with the first message, in each process by itself, so a receiver may be created before a server forks.

    Args:
        bootstrap: the brokers: ``host:port``, several with commas.
        topic: the topic. The brokers must have it, or make it.
        settings: settings of librdkafka, such as ``{"security.protocol": "SSL", "ssl.ca.location": path}``. They may
            make ``message.timeout.ms`` shorter. They cannot change how messages are confirmed and put on partitions.
        duplicates: how far back repetitions are recognised; None switches that off.
        clock: the source of time.

    Raises:
        InvalidArgumentError: a setting is unknown, cannot be used, or is not to be changed (1007).
        TypeError: an argument has a wrong type; the message names it.
        MissingExtraError: the extra ``kafka`` is not installed.
    """

    durable = True

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        settings: Mapping[str, Any] | None = None,
        *,
        duplicates: DuplicateWindow | None = DuplicateWindow(),  # noqa: B008  # frozen
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check("bootstrap", bootstrap, str)
        check("topic", topic, str)
        check("settings", settings, Mapping, type(None))
        check("duplicates", duplicates, DuplicateWindow, type(None))
        check_clock(clock)
        for name, value in (("bootstrap", bootstrap), ("topic", topic)):
            if not value.strip() or "\0" in value:
                raise InvalidArgumentError.of(name, repr(value), "it must not be empty")
        self._where = f"{topic} at {bootstrap}"
        self._topic = topic
        self._settings = {**_checked(settings or {}), "bootstrap.servers": bootstrap}
        self._duplicates, self._clock = duplicates, clock
        self._lock = threading.Lock()
        self._begin()

    def __repr__(self) -> str:
        return f"KafkaSink({self._settings['bootstrap.servers']!r}, {self._topic!r})"

    def _begin(self) -> None:
        self._process = os.getpid()
        self._link: _Link | None = None
        self._last_id = 0
        self._ledger = Ledger(InboxLimits(), Seen(self._duplicates, self._clock))
        self._open: dict[bytes, Future[bool]] = {}
        """The answer of each message that is not confirmed yet, by its digest: its repetitions wait for it."""
        self._is_away = False
        self._reason = "no broker can be reached"

    def put(self, message: Message) -> Future[bool]:
        """Send a message; the future is done once the brokers have confirmed it.

        Raises:
            InboxFullError: too many messages wait for the brokers.
            InboxError: it cannot be sent.
        """
        if self._process != os.getpid():
            self._lock = threading.Lock()  # in a forked child, the old one may be locked forever
            self._begin()
        answer: Future[bool] = Future()
        answer.set_running_or_notify_cancel()
        value = message.text.encode()
        with self._lock:
            seen = self._ledger.seen
            repeated = self._ledger.repeated(message, len(value))
            if repeated:
                seen.remember(message, dropped=True)
                first = self._open.get(message.recognition.identity)
                if first is None:
                    answer.set_result(False)
                else:
                    first.add_done_callback(lambda done: _repeat(done, answer))
                return answer
            try:
                self._produce(message, value, answer)
            except InboxError:
                seen.interrupt(message)
                raise
            seen.remember(message)
        return answer

    def _produce(self, message: Message, value: bytes, answer: Future[bool]) -> None:
        link = self._link
        if link is None or link.is_broken:
            if link is not None:
                link.end()
            self._link = link = _Link(self._settings, self._note)
        self._last_id += 1
        message_id = self._last_id

        def confirmed(error: KafkaError | None, _: object) -> None:
            self._confirmed(link, message_id, message, answer, error)

        try:
            link.producer.produce(
                self._topic,
                value,
                # With an empty key, all messages that are not about a device would be on one partition.
                message.device.encode() or None,
                on_delivery=confirmed,
                headers=[
                    ("kind", message.kind.encode()),
                    ("received_at", repr(message.received_at).encode()),
                    ("slot", message.recognition.identity.hex().encode()),
                    ("repeats", message.recognition.repeats.value.encode()),
                ],
            )
        except BufferError:
            waiting = len(self._ledger.waiting)
            raise InboxFullError(f"{waiting} messages wait for Kafka, and there is no room for another one") from None
        except KafkaException as error:
            raise self._failure(link, error.args[0]) from None
        self._ledger.add(message_id, message.received_at, len(value))
        self._open[message.recognition.identity] = answer

    def _confirmed(
        self, link: _Link, message_id: int, message: Message, answer: Future[bool], error: KafkaError | None
    ) -> None:
        """Answer a message whose delivery report came."""
        with self._lock:
            self._ledger.remove(message_id)
            if self._open.get(message.recognition.identity) is answer:
                del self._open[message.recognition.identity]
            if error is not None:
                self._ledger.seen.interrupt(message)
            is_back = self._is_away and error is None
            self._is_away = self._is_away and not is_back
        if is_back:
            log.warning("Kafka is back: %s", self._where)
        if error is None:
            answer.set_result(True)
            return
        if error.code() == KafkaError._MSG_TIMED_OUT:
            self._note_away(error.str())
        answer.set_exception(self._failure(link, error))

    def _failure(self, link: _Link, error: KafkaError) -> InboxError:
        if error.fatal():
            link.is_broken = True
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return InboxError("the message is larger than message.max.bytes allows: make the body_limit smaller")
        return InboxError(f"Kafka did not confirm the message for {self._where}: {error.str()}")

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._note_away(self._reason)
        else:
            self._reason = error.str()

    def _note_away(self, reason: str) -> None:
        with self._lock:
            known, self._is_away = self._is_away, True
        if not known:
            log.warning("Kafka is away, and pushes are answered 503: %s: %s", self._where, reason)

    def stats(self) -> InboxStats:
        """Return how many messages wait for the brokers."""
        with self._lock:
            return self._ledger.stats()

    def stop(self) -> None:
        """Wait until each message is confirmed or has failed (10 s at most), and close the connections."""
        if self._process != os.getpid():
            return
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()


class _Link:
    """A producer, and the thread that takes its delivery reports.

    The frame of this thread keeps the producer. So the producer is not deleted in a forked child: librdkafka would wait
    there for threads that the child does not have, and end the process.
    """

    def __init__(self, settings: Mapping[str, Any], note: Callable[[KafkaError], None]) -> None:
        try:
            self.producer = Producer({**settings, "error_cb": note, "logger": _lines})
        except KafkaException as error:
            raise InboxError(f"Kafka's client cannot start: {error.args[0].str()}") from None
        self.is_broken = False
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=_serve, args=(self.producer, self._ending), name="iot-northbound-kafka", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Let it close once each message has its delivery report."""
        self._ending.set()

    def close(self) -> None:
        """Wait until each message has its delivery report, and close."""
        self.end()
        self._thread.join()


def _serve(producer: Producer, ending: threading.Event) -> None:
    while not ending.is_set():
        _guarded(producer.poll, _POLL)
    _guarded(producer.flush, _END_WITHIN)
    producer.purge()  # nothing is left, unless the library broke its own limit
    _guarded(producer.flush, _END_WITHIN)
    producer.close()


def _guarded(take: Callable[[float], object], seconds: float) -> None:
    """Take delivery reports. Whatever an application's log handler raises, the thread must go on."""
    try:
        take(seconds)
    except BaseException as error:  # noqa: BLE001 - see above
        log.error("a report of Kafka's client could not be handled: %s", type(error).__name__)


class _Lines:
    """Takes the lines that librdkafka logs. They are for those who look for a fault."""

    def log(self, _level: int, text: str, *values: object) -> None:
        log.debug(f"librdkafka: {text}", *values)


_lines = _Lines()


def _repeat(first: Future[bool], answer: Future[bool]) -> None:
    """Answer a repetition when its original is answered."""
    error = first.exception()
    if error is None:
        answer.set_result(False)
    else:
        answer.set_exception(error)


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings for a producer, once one was made with them: so a mistake is found at once, and named."""
    for name in settings:
        if name in _OURS:
            raise InvalidArgumentError.of("KafkaSink", name, "this setting is not to be changed")
    full: dict[str, Any] = {"message.timeout.ms": LONGEST, **settings, **FORCED}
    try:
        timeout = int(full["message.timeout.ms"])
    except (TypeError, ValueError):
        timeout = 0
    if not 0 < timeout <= LONGEST:
        raise InvalidArgumentError.of("KafkaSink", "message.timeout.ms", f"it must be from 1 to {LONGEST}")
    try:
        Producer({**full, "logger": _lines}).close()
    except KafkaException as error:
        raise InvalidArgumentError.of("KafkaSink", "a setting of librdkafka", error.args[0].str()) from None
    return full
