"""Where the slots of the limit come from: this process, or what the application's processes share."""

import contextlib
import logging
import os
import socket
from typing import Protocol

from iot_northbound.core.asking import Asking
from iot_northbound.core.clock import Clock
from iot_northbound.core.signal_safe import BriefLock
from iot_northbound.errors import SharedStateError
from iot_northbound.shared import slots
from iot_northbound.shared.slots import WINDOW
from iot_northbound.shared.state import HeldSlot, Slot, StateAwayError

log = logging.getLogger("iot_northbound")


class SlotSource(Protocol):
    """The steps that a waiting call needs; see `slots` for the rule."""

    processes: int
    """How many processes share the limit."""

    def take(self, turn: int, limit: int, hold: float, id: str) -> Slot:
        """Take a slot, or learn when to ask again."""
        ...

    def settle(self, id: str, seconds: float) -> None:
        """Let a slot end `seconds` from now, even if it was not granted; 0 frees it at once."""
        ...

    def pause(self, seconds: float) -> None:
        """Let nobody take a slot for this long."""
        ...

    def after_fork(self) -> None:
        """Make new what a forked child must not share with its parent."""
        ...


class OwnSlots:
    """The slots of this process."""

    processes = 1

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flow = slots.Flow()
        self._flow.born = "this process"  # it lost nothing, so it is not fresh
        self._slots = slots.MemorySlots()
        self.after_fork()

    def after_fork(self) -> None:
        """Begin with a free lock: at the start, and in a forked child."""
        self._lock = BriefLock()

    def take(self, turn: int, limit: int, hold: float, id: str) -> Slot:
        """Take a slot, or learn when to ask again."""
        with self._lock:
            return slots.take(self._flow, self._slots, self._clock.monotonic(), "", turn, limit, hold, id)

    def settle(self, id: str, seconds: float) -> None:
        """Let a slot end `seconds` from now; 0 frees it at once."""
        with self._lock:
            now = self._clock.monotonic()
            self._slots.drop(now)
            slots.settle(self._flow, self._slots, now, id, seconds)

    def pause(self, seconds: float) -> None:
        """Let nobody take a slot for this long."""
        with self._lock:
            slots.pause(self._flow, self._clock.monotonic(), seconds)

    def held(self) -> list[HeldSlot]:
        """Return the slots with the seconds that are left of each."""
        with self._lock:
            now = self._clock.monotonic()
            self._slots.drop(now)
            return [HeldSlot(id, end - now) for id, end in self._slots.ends.items()]


class SharedSlots:
    """The slots of all processes of the application.

    This process remembers its own. It stores them again when the engine lost its data, or when some were granted here
    because the engine was away. Meanwhile the process has its part of the limit: as much as each gets if all that asked
    last go on. If it used less before, others may still use the rest. So it gets its part little by little.
    """

    def __init__(self, asking: Asking, clock: Clock) -> None:
        self._asking = asking
        self._state = asking.state
        self._clock = clock
        self._own = OwnSlots(clock)
        self._granted_here = 0
        """How many slots were granted without the engine."""
        self._stored = "", 0
        """The name of the data that have the slots of this process, and how many were granted here until then."""
        self.processes = 1
        self._alone: tuple[float, int] | None = None
        """Since when the engine has been away, and how many slots this process had then."""
        self._name()

    def _name(self) -> None:
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"

    def after_fork(self) -> None:
        """Be another process: at the start, and in a forked child."""
        self._own.after_fork()
        self._name()

    def take(self, turn: int, limit: int, hold: float, id: str) -> Slot:
        """Take a slot, or learn when to ask again."""
        granted_here = self._granted_here  # before the question: what is granted meanwhile is not stored by it
        try:
            slot = self._asking.ask(self._state.take, self._owner, turn, limit, hold, id)
            if self._stored != (slot.born, granted_here):
                slot = self._stored_again(slot, turn, limit, hold, id)
                self._stored = slot.born, granted_here
        except StateAwayError as error:
            return self._take_here(error, turn, limit, hold, id)
        if self._alone is not None:
            self._alone = None
            log.info("the shared limit at %s is back", self._state.shown)
        self.processes = slot.processes
        if slot.granted:
            self._own.settle(id, hold)
        return slot

    def _stored_again(self, slot: Slot, turn: int, limit: int, hold: float, id: str) -> Slot:
        held = self._own.held()
        if not held:
            return slot
        if slot.granted:  # without knowing of the others
            self._asking.ask(self._state.settle, id, 0.0)
        self._asking.ask(self._state.put_back, held)
        return self._asking.ask(self._state.take, self._owner, turn, limit, hold, id)

    def _take_here(self, error: StateAwayError, turn: int, limit: int, hold: float, id: str) -> Slot:
        now = self._clock.monotonic()
        alone = self._alone
        if alone is None:
            self._alone = alone = now, len(self._own.held())
            rule = f"this process keeps 1/{self.processes} of the limit by itself"
            log.warning("the shared limit at %s is away, and %s: %s", self._state.shown, rule, error)
        since, had = alone  # not what is there now: another thread may have found the engine back
        part = limit // self.processes
        if had < part and self.processes > 1:
            part = had + int((part - had) * min((now - since) / WINDOW, 1.0))
        slot = self._own.take(turn, max(part, 1), hold, id)
        if slot.granted:
            self._granted_here += 1
        return slot

    def settle(self, id: str, seconds: float) -> None:
        """Let a slot end `seconds` from now; 0 frees it at once."""
        self._own.settle(id, seconds)
        with contextlib.suppress(StateAwayError, SharedStateError):  # it ends by itself
            self._asking.ask(self._state.settle, id, seconds)

    def pause(self, seconds: float) -> None:
        """Let nobody take a slot for this long."""
        self._own.pause(seconds)
        with contextlib.suppress(StateAwayError, SharedStateError):  # the platform refuses again, if need be
            self._asking.ask(self._state.pause, seconds)
