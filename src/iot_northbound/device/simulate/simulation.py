"""A fleet that does what a scenario says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.device.credentials import DeviceCredentials
from iot_northbound.device.fleet import Fleet, FleetCounts, FleetDevice
from iot_northbound.device.messages import Command
from iot_northbound.device.session import DeviceState
from iot_northbound.device.simulate.scenario import Outcome, Scenario
from iot_northbound.device.simulate.values import Services, Value, from_model
from iot_northbound.errors import InvalidArgumentError

_FAILED = 1


class Simulation:
    """Devices that connect, report at each interval from their first connection on, and answer commands.

    Args:
        scenario: what they do.
        credentials: who they are.
        host: the platform's host name or address.
        port: its MQTT port.
        model: the services of the product model, as the model's JSON has them.
        random: where chance comes from.
        clock: the time.
        options: the other arguments of `Fleet`.
    """

    def __init__(
        self,
        scenario: Scenario,
        credentials: Sequence[DeviceCredentials],
        host: str,
        port: int,
        *,
        model: Sequence[Mapping[str, Any]] = (),
        random: Random | None = None,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        wanted = scenario.devices if scenario.devices is not None else len(credentials)
        if wanted > len(credentials):
            raise InvalidArgumentError.of("devices", str(wanted), f"there are credentials for {len(credentials)}")
        self._scenario = scenario
        self._random = random or Random()  # noqa: S311 - values of sensors are not secrets
        self._clock = clock
        self._services = Services.of(model, scenario.services)
        self._bodies = _answers_of(model)
        self._reporting = True
        self.fleet = Fleet(host, port, on_command=self._answer, clock=clock, **options)
        self._numbers = {self.fleet.add(each): 0 for each in credentials[:wanted]}

    def start(self) -> None:
        """Connect the devices, and spread their reports over the interval."""
        self.fleet.start(self._scenario.ramp)
        self.fleet.call_soon(self._begin)

    def _begin(self) -> None:
        interval = self._scenario.interval
        for number, device in enumerate(self._numbers):
            self.fleet.call_later(interval * number / len(self._numbers), partial(self._report, device))

    def _report(self, device: FleetDevice) -> None:
        if not self._reporting or device.state == DeviceState.REFUSED:
            return
        self.fleet.call_later(self._scenario.interval, partial(self._report, device))
        if device.connects:
            number = self._numbers[device]
            self._numbers[device] += 1
            moment = datetime.fromtimestamp(self._clock.now(), UTC)
            device.report(self._services.entries(number, self._random, moment))

    def _answer(self, device: FleetDevice, command: Command) -> None:
        answer = self._scenario.answer
        if answer.outcome is Outcome.NEVER:
            return
        if answer.outcome is Outcome.FAIL:
            device.answer(command, _FAILED, {"error": "simulated failure"})
            return
        values = self._bodies.get((command.service_id, command.method), {})
        body = {name: value(0, self._random) for name, value in values.items()}
        self.fleet.call_later(answer.delay, partial(device.answer, command, 0, body))

    def finish(self, timeout: float) -> FleetCounts:
        """Report no more, wait up to this many seconds for the last acknowledgements, and return the counts."""
        self._reporting = False
        self.fleet.drain(timeout)
        return self.fleet.counts()

    def close(self) -> None:
        """Disconnect the devices."""
        self.fleet.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()


def _answers_of(model: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Value]]:
    """Return the values of the answer to each command of a product model."""
    return {
        (str(service.get("serviceId")), str(command.get("commandName"))): {
            str(each.get("paraName")): from_model(each)
            for response in (command.get("responses") or ())[:1]
            for each in response.get("paras") or ()
        }
        for service in model
        for command in service.get("commands") or ()
    }


def status(counts: FleetCounts, before: FleetCounts | None, seconds: float) -> dict[str, Any]:
    """Return what a fleet did since `before`, this many seconds ago, as JSON values."""
    latencies = counts.latencies - before.latencies if before else counts.latencies
    acknowledged = counts.acknowledged - (before.acknowledged if before else 0)
    return {
        "devices": counts.devices,
        "connected": counts.connected,
        "reports": counts.reports,
        "acknowledged": counts.acknowledged,
        "acknowledgedPerSecond": round(acknowledged / seconds, 1) if seconds > 0 else None,
        "pubackP50Ms": _ms(latencies.percentile(50)),
        "pubackP99Ms": _ms(latencies.percentile(99)),
        "open": counts.open,
        "dropped": counts.dropped,
        "commands": counts.commands,
        "answers": counts.answers,
        "unreadable": counts.unreadable,
        "connects": counts.connects,
        "reconnects": counts.reconnects,
        "refused": {str(code): count for code, count in sorted(counts.refused.items())},
        "unsubscribed": counts.unsubscribed,
        "failures": dict(sorted(counts.failures.items(), key=lambda each: -each[1])),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 2)
