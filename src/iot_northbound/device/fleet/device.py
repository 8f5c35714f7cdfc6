"""A device of a fleet: its connection, what it has to send, and what it hears."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from iot_northbound.core.failures import Log
from iot_northbound.device import messages, topics
from iot_northbound.device.credentials import DeviceCredentials
from iot_northbound.device.hours import Hours
from iot_northbound.device.queue import MemoryQueue, Message
from iot_northbound.device.session import Backoff, DeviceState, Outbox

if TYPE_CHECKING:
    from iot_northbound.device.fleet.fleet import Crew
    from iot_northbound.device.fleet.link import Link
    from iot_northbound.device.fleet.loop import Timer

log = Log("iot_northbound.device")

_WRONG_CREDENTIALS, _SERVER_UNAVAILABLE = 4, 3
_FAILED = 1
_LONGEST_SILENCE = 30.0
"""Seconds that a PUBACK may take."""

OnCommand = Callable[["FleetDevice", messages.Command], object]


class FleetDevice:
    """A device of a `Fleet`. Its methods may be called on any thread; the fleet's thread does the work."""

    __slots__ = (
        "_attempts",
        "_backoff",
        "_connected_at",
        "_connects",
        "_credentials",
        "_crew",
        "_failures",
        "_hours",
        "_last_error",
        "_link",
        "_open_mids",
        "_outbox",
        "_pulse",
        "_state",
        "_timer",
        "_topic",
    )

    def __init__(self, crew: Crew, credentials: DeviceCredentials, queue_limit: int) -> None:
        self._crew = crew
        self._credentials = credentials
        self._backoff = Backoff()
        self._outbox = Outbox(MemoryQueue(queue_limit), credentials.id)
        self._topic = topics.report_topic(credentials.id)
        self._open_mids: set[int] = set()
        self._link: Link | None = None
        self._attempts = 0
        self._hours: Hours | None = None
        """The hours that are tried while a login is repeated at once."""
        self._timer: Timer | None = None
        self._pulse: Timer | None = None
        self._state = DeviceState.IDLE
        self._connects = 0
        self._failures = 0
        self._connected_at = 0.0
        self._last_error: str | None = None

    def __repr__(self) -> str:
        return f"FleetDevice({self.id!r}, {self._state})"

    @property
    def id(self) -> str:
        """The id that the device logs in with."""
        return self._credentials.id

    @property
    def state(self) -> DeviceState:
        """Where the device is."""
        return self._state

    @property
    def last_error(self) -> str | None:
        """Why the last attempt failed or the last connection ended; None if neither has happened."""
        return self._last_error

    @property
    def connects(self) -> int:
        """How often the platform has accepted a connection of the device."""
        return self._connects

    @property
    def pending(self) -> int:
        """How many reports and answers the platform has not acknowledged yet."""
        return len(self._outbox)

    @property
    def dropped(self) -> int:
        """How many reports a full queue has given up."""
        return self._outbox.dropped

    def report(self, entries: Sequence[messages.Entry]) -> None:
        """Queue a report of one or several services; it is sent as soon as the device is connected.

        Args:
            entries: `(service_id, data)` or `(service_id, data, event_time)` for each service.

        Raises:
            InvalidArgumentError: an entry is not as described (1007).
        """
        payload = messages.report(entries, self._crew.clock.now())
        self._crew.loop.call(partial(self._take, payload))

    def answer(self, command: messages.Command, errcode: int = 0, body: Mapping[str, Any] | None = None) -> None:
        """Answer a command; `errcode` 0 means success. The platform expects no answer to one without a mid.

        Raises:
            InvalidArgumentError: JSON cannot express the body (1007).
        """
        payload = messages.answer(command.mid, errcode, body)
        if command.mid is not None:
            self._crew.loop.call(partial(self._take_answer, command.mid, payload))

    # From here on, everything runs on the fleet's thread.

    def start(self, backoff: Backoff, delay: float) -> None:
        """Connect after this time."""
        self._backoff = backoff
        self._state = DeviceState.CONNECTING
        self._timer = self._crew.loop.call_later(delay, self._connect)

    def stop(self) -> None:
        """Say goodbye to the platform and end."""
        link, self._link = self._link, None
        if link is not None:
            self._crew.forget(link)
            link.leave()
        if self._state == DeviceState.CONNECTED:
            self._crew.tally.connected -= 1
        self._rest()
        self._state = DeviceState.CLOSED

    def _take(self, payload: bytes) -> None:
        tally = self._crew.tally
        tally.reports += 1
        _, dropped = self._outbox.add(Message(self._topic, payload))
        tally.dropped += len(dropped)
        self._pump()

    def _take_answer(self, mid: int, payload: bytes) -> None:
        self._open_mids.discard(mid)
        if self._link is not None:  # the platform asks again after a lost connection
            self._crew.tally.answers += 1
            self._outbox.add_urgent(Message(self._topic, payload))
            self._pump()

    def _pump(self) -> None:
        link = self._link
        if link is None or not link.accepted:
            return
        while (item := self._outbox.next()) is not None:
            mid = link.publish(item.message.topic, item.message.payload, item.message.qos)
            self._outbox.sent(mid, item, self._crew.clock.monotonic())
        link.flush()

    def _connect(self) -> None:
        self._state = DeviceState.CONNECTING
        self._attempts += 1
        number = self._attempts
        shift = 0.0 if self._hours is None else self._hours.shift
        self._crew.connect(self._credentials, shift, partial(self._opened, number), partial(self._failed, number))

    def _too_late(self) -> None:
        self._ended(None, "the platform did not answer CONNECT in time")

    def _opened(self, number: int, link: Link) -> None:
        if number != self._attempts:  # stopped meanwhile
            link.close()
            return
        self._link = link
        link.listen(
            accepted=self._accepted,
            ended=self._ended,
            confirmed=self._confirmed,
            subscribed=self._subscribed,
            received=lambda payload: self._crew.loop.call_soon(partial(self._received, link, payload)),
        )
        self._timer = self._crew.loop.call_later(self._crew.timeout, self._too_late)
        self._crew.loop.watch(link.sock, self._ready)
        link.flush()

    def _failed(self, number: int, reason: str) -> None:
        if number == self._attempts:
            self._crew.tally.failures[reason] += 1
            self._again(reason)

    def _ready(self) -> None:
        link = self._link
        if link is None:
            return
        if link.ready() and self._link is link:
            self._crew.loop.call_soon(self._ready)
        if self._link is link:
            self._outbox.tidy()
            self._pump()
            if self._link is link:
                link.flush()

    def _accepted(self) -> None:
        crew = self._crew
        if self._timer is not None:
            self._timer.cancel()
        self._state = DeviceState.CONNECTED
        self._connected_at = crew.clock.monotonic()
        self._hours = None
        crew.tally.connected += 1
        crew.tally.connects += 1
        crew.tally.reconnects += self._connects > 0
        self._connects += 1
        if self._link is not None:
            self._link.subscribe(topics.command_topic(self.id))
        self._pulse = crew.loop.call_later(crew.pulse, self._beat)

    def _beat(self) -> None:
        link, crew = self._link, self._crew
        if link is None:
            return
        self._pulse = crew.loop.call_later(crew.pulse, self._beat)
        oldest = self._outbox.oldest
        if oldest is not None and crew.clock.monotonic() - oldest > _LONGEST_SILENCE:
            self._ended(None, "the platform acknowledges nothing")
            return
        link.tick()
        if self._link is link:
            link.flush()

    def _subscribed(self, granted: bool) -> None:
        if not granted:
            self._crew.tally.unsubscribed += 1
            log.warning("%s may not subscribe to its commands", self.id)

    def _confirmed(self, mid: int) -> None:
        item = self._outbox.confirmed(mid)
        if item is not None and item.seq is not None:  # no answer to a command
            self._crew.tally.acknowledged += 1
            self._crew.tally.latencies.add(self._crew.clock.monotonic() - item.sent_at)
            self._crew.settled()

    def _received(self, link: Link, payload: bytes) -> None:
        if self._link is not link:
            return
        tally = self._crew.tally
        try:
            command = messages.read_command(payload)
        except messages.NotACommandError as error:
            tally.unreadable += 1
            log.warning("%s got a message that is not a command: %s", self.id, error)
            return
        if command is None or command.mid in self._open_mids:
            return
        tally.commands += 1
        if command.mid is not None:
            self._open_mids.add(command.mid)
        try:
            self._crew.on_command(self, command)
        except BaseException as error:  # noqa: BLE001 - the platform learns that it failed, and no more
            self.answer(command, _FAILED)
            log.error("on_command failed for %s: %s", self.id, type(error).__name__)

    def _ended(self, code: int | None, reason: str) -> None:
        """Go on after a connection that the platform refused, or that ended."""
        link, self._link = self._link, None
        if link is None:
            return
        crew = self._crew
        crew.forget(link)
        link.close()
        if link.accepted:
            crew.tally.connected -= 1
            crew.tally.disconnects += 1
        elif code is None or code == _SERVER_UNAVAILABLE:
            crew.tally.failures[reason] += 1
        if code is None or code == _SERVER_UNAVAILABLE or link.accepted:
            self._again(reason)
        elif code == _WRONG_CREDENTIALS and self._has_another_hour(link.hour):
            self._rest()
            self._connect()
        else:
            crew.tally.refused[code] += 1
            self._last_error = reason
            self._rest()
            self._state = DeviceState.REFUSED
            log.error("the platform refuses %s with code %d: %s", self.id, code, reason)

    def _has_another_hour(self, hour: str) -> bool:
        if self._hours is None:
            self._hours = Hours(checked=self._credentials.sign_type == 1)
        return self._hours.refused(hour, self._crew.clock.now())

    def _again(self, reason: str) -> None:
        """Try again later."""
        now = self._crew.clock.monotonic()
        if self._state == DeviceState.CONNECTED and now - self._connected_at >= self._backoff.healthy:
            self._failures = 0
        self._last_error = reason
        self._hours = None
        self._rest()
        self._state = DeviceState.WAITING
        self._timer = self._crew.loop.call_later(self._backoff.delay(self._failures), self._connect)
        self._failures += 1

    def _rest(self) -> None:
        """Forget what belonged to the connection or to the attempt; what was under way waits again."""
        for timer in (self._timer, self._pulse):
            if timer is not None:
                timer.cancel()
        self._timer = self._pulse = None
        self._attempts += 1  # whatever is still being opened comes too late
        self._outbox.lost()
        self._open_mids.clear()
