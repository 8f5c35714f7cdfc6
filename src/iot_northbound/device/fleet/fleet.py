"""Thousands of devices in one process."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.signal_safe import Flag
from iot_northbound.device import arguments
from iot_northbound.device.credentials import DeviceCredentials
from iot_northbound.device.fleet.counts import FleetCounts, Tally
from iot_northbound.device.fleet.device import FleetDevice, OnCommand
from iot_northbound.device.fleet.link import Link, Server
from iot_northbound.device.fleet.loop import Loop, Timer
from iot_northbound.device.fleet.pool import Pool
from iot_northbound.device.messages import Command
from iot_northbound.device.session import Backoff, DeviceState
from iot_northbound.device.tls import Wake
from iot_northbound.device.trust import policy_of
from iot_northbound.errors import ClientClosedError, InvalidArgumentError, NorthApiException, SdkCode
from iot_northbound.ssl_config import SSLConfig

log = Log("iot_northbound.device")

_RETURNS_PER_SECOND = 50
_LONGEST_SPREAD = 30.0


class Crew:
    """What the devices of a fleet share."""

    def __init__(self, server: Server, on_command: OnCommand) -> None:
        self.server = server
        self.clock = server.clock
        self.on_command = on_command
        self.tally = Tally()
        self.loop = Loop(server.clock, "iot-northbound-fleet")
        self.idle = Flag()
        self._pool = Pool()

    @property
    def timeout(self) -> float:
        """Seconds until the platform must have accepted a connection."""
        return self.server.timeout

    @property
    def pulse(self) -> float:
        """Seconds between two looks whether a ping is due."""
        return max(self.server.keepalive / 4, 0.25) if self.server.keepalive else 3600.0

    def connect(
        self,
        credentials: DeviceCredentials,
        shift: float,
        opened: Callable[[Link], object],
        failed: Callable[[str], object],
    ) -> None:
        """Connect on a thread of the pool, and tell the result on the fleet's thread.

        `shift` is added to the time for which the password is made: see `Hours`.
        """

        def work() -> None:
            if self.server.wake.closing:
                return
            try:
                connection = self.server.connect(credentials, shift)
            except NorthApiException as error:
                self.loop.call_soon(partial(failed, error.error_desc))
            except Exception as error:  # noqa: BLE001  # whatever it is, the device tries again
                log.warning("a connection failed in an unexpected way: %s", type(error).__name__)
                log.failure(logging.DEBUG, error, "a connection failed in an unexpected way")
                self.loop.call_soon(partial(failed, type(error).__name__))
            else:
                self.loop.call_soon(lambda: opened(Link(connection, self.loop.watch_writing)))

        if not self._pool.submit(work):
            self.loop.call_soon(partial(failed, "the system has no thread for the connection"))

    def forget(self, link: Link) -> None:
        """Watch a connection no longer, because it ends."""
        self.loop.unwatch(link.sock)

    def settled(self) -> None:
        """Note that a report has been acknowledged or given up."""
        if not self.tally.open:
            self.idle.set()

    def start(self) -> None:
        """Start the fleet's thread."""
        self.server.wake.open()
        self.loop.start()

    def end(self) -> None:
        """End the threads."""
        self.server.wake.closing = True
        self.server.wake.set()
        self._pool.end(self.server.wake.set)
        self.loop.stop()  # last, because it closes what the pool has still opened
        self.server.wake.close()


class Fleet:
    """Connects many devices to one platform, with one thread for all of them and at most 16 for the handshakes.

    Each device has its own connection, its own password for each attempt, and its own queue. A device whose
    connection ends tries again after a random time, and the devices of a fleet that lose the platform together come
    back spread over half a minute. What they report meanwhile waits, in order.

    Args:
        host: the platform's host name or address.
        port: its MQTT port.
        ca_path: PEM file with the CA of the platform's certificate; by default the system's CAs are trusted.
        ssl_config: how TLS checks the platform, instead of `ca_path`.
        on_command: called with the device and the command, on the fleet's thread: it must not wait. It calls
            `device.answer`, now or later. By default every command is answered with errcode 1, "not supported".
        keepalive: seconds without a packet after which a device sends a ping; 0 for no pings.
        timeout: seconds until the platform must have accepted a connection.
        queue_limit: how many reports of a device may wait. If there are more, its oldest is dropped and counted.
        backoff: how long a device waits before another attempt; by default up to 1 s for each 50 devices, but at most
            30 s, doubled with each failure up to 60 s.
        clock: the time.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
        TlsError: a certificate file cannot be used (1006).
    """

    def __init__(
        self,
        host: str,
        port: int = 8883,
        *,
        ca_path: str | Path | None = None,
        ssl_config: SSLConfig | None = None,
        on_command: OnCommand | None = None,
        keepalive: int = 120,
        timeout: float = 20.0,
        queue_limit: int = 1_000,
        backoff: Backoff | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        arguments.check_place(host, port, ca_path, ssl_config)
        policy = policy_of(ca_path, ssl_config)
        server = Server(host, port, policy, clock, keepalive, timeout, Wake())
        self._crew = Crew(server, on_command or _not_supported)
        self._queue_limit = queue_limit
        self._backoff = backoff
        self._devices: dict[str, FleetDevice] = {}
        self._started = self._closed = False

    def add(self, credentials: DeviceCredentials) -> FleetDevice:
        """Return a new device of the fleet. Add all devices before `start`.

        Raises:
            InvalidArgumentError: a device with this id is in the fleet already (1007).
            ClientClosedError: the fleet was started (1001).
        """
        if self._started:
            raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "add all devices before the fleet starts")
        if credentials.id in self._devices:
            raise InvalidArgumentError.of("credentials.id", repr(credentials.id), "it is in the fleet already")
        device = FleetDevice(self._crew, credentials, self._queue_limit)
        self._devices[credentials.id] = device
        self._crew.tally.devices += 1
        return device

    @property
    def devices(self) -> Iterable[FleetDevice]:
        """The devices, in the order in which they were added."""
        return self._devices.values()

    def start(self, ramp: float | None = None) -> None:
        """Begin to connect the devices, `ramp` of them per second; None begins with all at once.

        Raises:
            ClientClosedError: the fleet was started or closed before (1001).
        """
        if self._started or self._closed:
            raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "a fleet can be started once: make a new one")
        self._started = True
        self._crew.start()
        atexit.register(self.close)
        self._crew.loop.call_soon(partial(self._start_all, ramp))

    def spread(self) -> float:
        """Return over how many seconds the devices spread their first attempts after they lose the platform."""
        return min(max(1.0, len(self._devices) / _RETURNS_PER_SECOND), _LONGEST_SPREAD)

    def _start_all(self, ramp: float | None) -> None:
        backoff = self._backoff or Backoff(first=self.spread())
        for number, device in enumerate(self.devices):
            device.start(backoff, number / ramp if ramp else 0.0)

    def call_soon(self, call: Callable[[], object]) -> None:
        """Call a function on the fleet's thread; it must not wait."""
        self._crew.loop.call_soon(call)

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call a function on the fleet's thread after this time. Only functions that run there may ask for it."""
        return self._crew.loop.call_later(seconds, call)

    def counts(self) -> FleetCounts:
        """Return what the fleet has done so far."""
        return self._crew.loop.ask(self._crew.tally.freeze)

    def states(self) -> dict[DeviceState, int]:
        """Return how many devices are in each state."""
        found = dict.fromkeys(DeviceState, 0)
        for device in self.devices:
            found[device.state] += 1
        return found

    def drain(self, timeout: float) -> bool:
        """Wait until the platform has acknowledged every report; return whether it did in this time."""
        crew = self._crew
        crew.idle.clear()
        crew.loop.ask(crew.settled)
        return crew.clock.wait(crew.idle, timeout)

    def close(self) -> None:
        """Say goodbye for all devices, close their connections and end the threads. Without effect the second time."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        if self._started and self._crew.loop.is_here:
            self._crew.loop.ask(self._stop_all)
            self._crew.end()

    def _stop_all(self) -> None:
        for device in self.devices:
            device.stop()

    def __enter__(self) -> Self:
        if not self._started:
            self.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()


def _not_supported(device: FleetDevice, command: Command) -> None:
    device.answer(command, 1, {"error": "not supported"})
