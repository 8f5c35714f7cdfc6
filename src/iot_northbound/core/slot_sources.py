"""Where the slots of the limit come from: this process, or what the application's processes share."""

import contextlib
import logging
import os
import socket
from typing import Protocol

from iot_northbound.core.clock import Clock
from iot_northbound.core.signal_safe import BriefLock
from iot_northbound.errors import SharedStateError
from iot_northbound.shared import slots
from iot_northbound.shared.state import HeldSlot, Slot, State, StateAwayError

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

    This process remembers its own. It stores them again when the engine lost its data, or was away. While the engine is
    away, the process has its part of the limit: as much as each gets if all that asked last go on.
    """

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._own = OwnSlots(clock)
        self._born = ""
        """The name of the data that have the slots of this process; empty if they may not have all of them."""
        self.processes = 1
        self._away = False
        self._name()

    def _name(self) -> None:
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"

    def after_fork(self) -> None:
        """Be another process: at the start, and in a forked child."""
        self._own.after_fork()
        self._name()

    def take(self, turn: int, limit: int, hold: float, id: str) -> Slot:
        """Take a slot, or learn when to ask again."""
        try:
            slot = self._state.take(self._owner, turn, limit, hold, id)
            if slot.born != self._born:
                slot = self._stored_again(slot, turn, limit, hold, id)
        except StateAwayError as error:
            self._note(error)
            return self._own.take(turn, max(1, limit // self.processes), hold, id)
        self._note(None)
        self.processes = slot.processes
        if slot.granted:
            self._own.settle(id, hold)
        return slot

    def _stored_again(self, slot: Slot, turn: int, limit: int, hold: float, id: str) -> Slot:
        if held := self._own.held():
            if slot.granted:  # without knowing of the others
                self._state.settle(id, 0.0)
            self._state.put_back(held)
            slot = self._state.take(self._owner, turn, limit, hold, id)
        self._born = slot.born
        return slot

    def _note(self, error: StateAwayError | None) -> None:
        if error is not None:
            self._born = ""  # it may miss what is granted meanwhile
        if self._away == (error is not None):
            return
        self._away = error is not None
        if error is None:
            log.info("the shared limit at %s is back", self._state.shown)
        else:
            part = f"this process keeps 1/{self.processes} of the limit by itself"
            log.warning("the shared limit at %s is away, and %s: %s", self._state.shown, part, error)

    def settle(self, id: str, seconds: float) -> None:
        """Let a slot end `seconds` from now; 0 frees it at once."""
        self._own.settle(id, seconds)
        with contextlib.suppress(StateAwayError, SharedStateError):  # it ends by itself
            self._state.settle(id, seconds)

    def pause(self, seconds: float) -> None:
        """Let nobody take a slot for this long."""
        self._own.pause(seconds)
        with contextlib.suppress(StateAwayError, SharedStateError):  # the platform refuses again, if need be
            self._state.pause(seconds)
