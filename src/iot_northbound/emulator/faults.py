"""Failing on purpose: which fault strikes which call, push, MQTT packet or message of a hub."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from itertools import count
from typing import Any, Literal

from iot_northbound.emulator.endpoints import names_of

Kind = Literal[
    "latency", "stall", "reset", "truncate", "garbage", "answer", "wrong_length", "drip",
    "push_lost", "push_double", "push_delay", "push_reorder",
    "mqtt_refuse", "mqtt_drop", "mqtt_no_puback", "mqtt_slow", "mqtt_double", "mqtt_silence",
    "hub_err", "hub_lost",
]  # fmt: skip
CALL_KINDS: Mapping[str, str] = {
    "latency": "waits `seconds`, then answers as usual",
    "stall": "does not answer, and keeps the connection open for `seconds` or until the client gives up",
    "reset": "ends the connection with a TCP reset",
    "truncate": "announces the whole answer, sends half of its body, and closes the connection",
    "garbage": "sends bytes that are not HTTP, and closes the connection",
    "answer": "answers with `status`, `body` and `headers` instead",
    "wrong_length": "announces `delta` bytes more (if negative: fewer) than the body has, and closes the connection",
    "drip": "sends the answer byte by byte, `seconds` apart",
}
PUSH_KINDS: Mapping[str, str] = {
    "push_lost": "counts the push as delivered without sending it, so it is **not repeated**",
    "push_double": "sends the push twice, one after the other; the last answer counts",
    "push_delay": "sends the push `seconds` late; repeats it only if that fails",
    "push_reorder": "sends the push after a later one, or after `seconds`; repeats it only if that fails",
}
MQTT_KINDS: Mapping[str, str] = {
    "mqtt_refuse": "refuses a right CONNECT with `code`",
    "mqtt_drop": "ends the connection instead of taking the packet; with `after`, once so many packets were taken",
    "mqtt_no_puback": "takes a report and does not acknowledge it",
    "mqtt_slow": "takes the packet, and all that follow on this connection, `seconds` later",
    "mqtt_double": "sends a command twice",
    "mqtt_silence": "does not answer PINGREQ",
}
HUB_KINDS: Mapping[str, str] = {
    "hub_err": "answers a hub's message with the status ERR instead",
    "hub_lost": "ends the hub's connection with a TCP reset instead of an answer",
}
_PACKETS = {"mqtt_refuse": "CONNECT", "mqtt_no_puback": "PUBLISH", "mqtt_double": "COMMAND", "mqtt_silence": "PINGREQ"}
"""The packet of the kinds that strike one packet only; COMMAND is a PUBLISH to the device."""
_SECONDS = {
    "latency": 1.0, "stall": 3_600.0, "drip": 0.05, "push_delay": 1.0, "push_reorder": 1.0, "mqtt_slow": 1.0
}  # fmt: skip
_DOES_WORK_FIRST = frozenset({"truncate", "wrong_length", "drip"})
_FRAMING = frozenset({"content-length", "transfer-encoding"})


@dataclass
class Fault:
    """One fault and where it strikes; `Control.add_fault` describes the options and checks their values.

    Raises:
        ValueError: The kind has no such option, or only the server may set a header.
    """

    kind: str
    endpoint: str = "*"
    notify_type: str = "*"
    url: str = ""
    count: int | None = None
    probability: float = 1.0
    when: str = "before"
    seconds: float | None = None
    status: int = 500
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delta: int = 10
    device: str = "*"
    topic: str = ""
    packet: str = "*"
    code: int = 3
    after: int = 0
    id: str = ""
    struck: int = 0

    def __post_init__(self) -> None:
        for option, fitting in _FITTING.items():
            if self.kind not in fitting and getattr(self, option) != _DEFAULTS[option]:
                raise ValueError(f"{option}: {self.kind} has no such option; it goes with {', '.join(fitting)}")
        if _FRAMING & {name.lower() for name in self.headers}:
            raise ValueError("headers: the server sets the answer's length; for a wrong one use the kind wrong_length")
        if self.seconds is None:
            self.seconds = _SECONDS.get(self.kind, 0.0)
        if self.kind in _DOES_WORK_FIRST:
            self.when = "after"

    @property
    def pause(self) -> float:
        """The pause in seconds."""
        return self.seconds or 0.0

    def describe(self) -> dict[str, Any]:
        """Return the fault as a JSON object, with its id and how often it struck."""
        return asdict(self)


_DEFAULTS = {
    each.name: each.default if each.default_factory is MISSING else each.default_factory() for each in fields(Fault)
}
_FITTING: Mapping[str, Collection[str]] = {
    "endpoint": CALL_KINDS,
    "when": (*CALL_KINDS, *HUB_KINDS),
    "notify_type": PUSH_KINDS,
    "url": PUSH_KINDS,
    "seconds": _SECONDS,
    "status": ("answer",),
    "body": ("answer",),
    "headers": ("answer",),
    "delta": ("wrong_length",),
    "device": (*MQTT_KINDS, *HUB_KINDS),
    "topic": ("mqtt_drop", "mqtt_no_puback", "mqtt_slow", "mqtt_double"),
    "packet": ("mqtt_drop", "mqtt_slow"),
    "code": ("mqtt_refuse",),
    "after": ("mqtt_drop",),
}
"""The options that not every kind has. An option at its default counts as not given."""


class FaultPlan:
    """All faults; the first that fits strikes.

    Args:
        seed: Seeds the random numbers for `probability`, so that a run can be repeated.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._faults: list[Fault] = []
        self._dice = random.Random(seed)  # noqa: S311 - chance for tests, not for secrets
        self._ids = count(1)

    @property
    def is_empty(self) -> bool:
        """Whether there is no fault at all."""
        return not self._faults

    def add(self, fault: Fault) -> Fault:
        """Add a fault and give it its id."""
        fault.id = f"fault-{next(self._ids)}"
        self._faults.append(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """Remove one fault; return whether it existed."""
        kept = [fault for fault in self._faults if fault.id != fault_id]
        found = len(kept) != len(self._faults)
        self._faults = kept
        return found

    def clear(self) -> None:
        """Remove all faults."""
        self._faults = []

    def start_over(self) -> None:
        """Remove all faults, and take the random numbers and the ids from the start again."""
        self._faults = []
        self._dice.seed(self._seed)
        self._ids = count(1)

    def reseed(self, seed: int) -> None:
        """Take the random numbers for `probability` from a seed."""
        self._dice.seed(seed)

    def list_(self) -> list[dict[str, Any]]:
        """Return all faults as JSON objects."""
        return [fault.describe() for fault in self._faults]

    def for_call(self, endpoint: str) -> Fault | None:
        """Return the fault that strikes this call, counting it, or None."""
        if not self._faults:
            return None
        names = names_of(endpoint)
        return self._strike(lambda fault: fault.kind in CALL_KINDS and fault.endpoint in names)

    def for_push(self, notify_type: str | None, url: str) -> Fault | None:
        """Return the fault that strikes this push, counting it, or None."""
        if not self._faults:
            return None
        return self._strike(
            lambda fault: (
                fault.kind in PUSH_KINDS and fault.notify_type in ("*", notify_type or "") and fault.url in url
            )
        )

    def for_mqtt(self, packet: str, names: Collection[str], topic: str = "", taken: int = 0) -> Fault | None:
        """Return the fault that strikes this packet, counting it, or None.

        Args:
            packet: CONNECT, PUBLISH, …, or COMMAND for a PUBLISH to the device.
            names: What the device is called: its deviceId and its nodeId.
            topic: The packet's topics.
            taken: How many packets the connection has brought before.
        """
        if not self._faults:
            return None
        return self._strike(
            lambda fault: (
                fault.kind in MQTT_KINDS
                and _PACKETS.get(fault.kind, packet) == packet
                and fault.packet in ("*", packet)
                and (fault.device == "*" or fault.device in names)
                and fault.topic in topic
                and taken >= fault.after
                and (packet != "COMMAND" or fault.kind == "mqtt_double")
            )
        )

    def for_hub(self, endpoint: str, hub_id: str | None) -> Fault | None:
        """Return the fault that strikes this hub's message or the call that brings it, counting it, or None.

        Args:
            endpoint: The call.
            hub_id: The hub; None if the message cannot be read.
        """
        if not self._faults:
            return None
        names = names_of(endpoint)
        return self._strike(
            lambda fault: (
                (fault.kind in CALL_KINDS and fault.endpoint in names)
                or (fault.kind in HUB_KINDS and hub_id is not None and fault.device in ("*", hub_id))
            )
        )

    def _strike(self, fits: Any) -> Fault | None:
        for fault in self._faults:
            if not fits(fault) or self._dice.random() >= fault.probability:
                continue
            fault.struck += 1
            if fault.count is not None and fault.struck >= fault.count:
                self.remove(fault.id)
            return fault
        return None
