"""What simulated devices do, from a TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from iot_northbound.core.suggest import did_you_mean
from iot_northbound.core.textfiles import read_text
from iot_northbound.device.simulate.values import Value, value_of
from iot_northbound.errors import InvalidArgumentError, SdkCode

_ANSWER = re.compile(r"(success|fail|never)|slow:([0-9]+(?:\.[0-9]+)?)")
_RAMP = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:/s)?")
_LONGEST = 86_400.0


class Outcome(StrEnum):
    """What happens to a command."""

    SUCCESS = "success"
    FAIL = "fail"
    NEVER = "never"


@attrs.frozen
class Answer:
    """How devices answer commands: with which outcome, after how many seconds."""

    outcome: Outcome = Outcome.SUCCESS
    delay: float = 0.0

    @classmethod
    def read(cls, text: str) -> Answer:
        """Return the answer that a text describes: success, fail, never, or slow:2 for success after 2 s.

        Raises:
            ValueError: it describes none.
        """
        found = _ANSWER.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not an answer: give success, fail, never or slow:SECONDS")
        return cls(Outcome(found[1])) if found[1] else cls(Outcome.SUCCESS, min(float(found[2]), _LONGEST))


def read_ramp(text: str) -> float:
    """Return the connections per second of a text like 200 or 200/s.

    Raises:
        ValueError: it is another text, or 0.
    """
    found = _RAMP.fullmatch(text)
    if found is None or not float(found[1]):
        raise ValueError(f"{text!r} is not a rate of connections: give a number per second above 0, for example 200/s")
    return float(found[1])


@attrs.frozen
class Scenario:
    """What simulated devices do.

    Attributes:
        devices: how many there are; None: as many as there are credentials.
        model: the product model, by its productId or as a file.
        interval: seconds between two reports of a device.
        ramp: how many devices begin to connect per second; None: all at once.
        answer: what happens to commands.
        seconds: how long they report; None: until they are stopped.
        services: what they report: the values of each property of each service.
    """

    devices: int | None = None
    model: str | None = None
    interval: float = 5.0
    ramp: float | None = None
    answer: Answer = attrs.Factory(Answer)
    seconds: float | None = None
    services: Mapping[str, Mapping[str, Value]] = attrs.field(factory=dict, repr=False)


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in a file.

    Raises:
        InvalidArgumentError: the file cannot be read, or says something that a scenario does not have (1007).
    """
    try:
        content = tomllib.loads(read_text(path))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:  # also if it is not UTF-8
        raise _wrong(path, f"is not TOML: {error}") from None
    known = [each.name for each in attrs.fields(Scenario)]
    for name in content:
        if name not in known:
            raise _wrong(path, f"has {name!r}, which no scenario has{did_you_mean(name, known)}")
    try:
        return Scenario(**{name: _READERS[name](value) for name, value in content.items()})
    except ValueError as error:
        raise _wrong(path, str(error)) from None


def _wrong(path: Path, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{path} {what}")


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"has devices = {value!r}: it must be a whole number of 1 or more")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"has model = {value!r}: it must be text")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST:
        raise ValueError(f"has {value!r} as a time: it must be a number of seconds above 0 and up to {_LONGEST:.0f}")
    return float(value)


def _services(value: object) -> dict[str, dict[str, Value]]:
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise ValueError("has services that are not tables: write [services.NAME], and a property per line")
    return {
        service: {name: value_of(f"services.{service}.{name}", given) for name, given in properties.items()}
        for service, properties in value.items()
    }


_READERS: dict[str, Any] = {
    "devices": _count,
    "model": _text,
    "interval": _seconds,
    "ramp": lambda value: read_ramp(str(value)),
    "answer": lambda value: Answer.read(str(value)),
    "seconds": _seconds,
    "services": _services,
}
