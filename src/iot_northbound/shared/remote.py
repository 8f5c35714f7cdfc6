"""What the engines on other machines have in common: who is refused for good, and the steps of the limit.

No step of the limit holds a lock while an answer is under way, because a process may freeze there. It looks, decides by
the rule of `slots.py`, and changes what is stored if nobody else did so meanwhile; otherwise it looks again.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, ParamSpec, TypeVar

from iot_northbound.errors import SdkCode, SharedStateError
from iot_northbound.shared import slots
from iot_northbound.shared.slots import Flow
from iot_northbound.shared.state import HeldSlot, Slot, StateAwayError

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that an operation waits for the engine."""
ENDS = 32
"""How many slots' ends a look returns: a caller with more callers before it asks again sooner than necessary."""


class RefusedError(Exception):
    """The engine refuses us for a reason that time does not cure. The text has no password."""


class Look(NamedTuple):
    """What an engine has stored of the limit."""

    now: float
    """The engine's time."""
    flow: str | None
    taken: int
    """How many slots there are that have not ended."""
    held: bool
    """Whether the slot that the step is about is one of them."""
    ends: Sequence[float]
    """The first of their ends, in order."""


class _SeenSlots:
    """The slots of a look, and what a step changes in them."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.now = look.now
        self.changes: dict[str, float | None] = {}

    def drop(self, now: float) -> None:
        """Note the time at which the rule looks: slots that ended before are removed with the change."""
        self.now = now

    def count(self) -> int:
        return self._look.taken

    def end(self, position: int) -> float:
        ends = self._look.ends
        return ends[min(position, len(ends) - 1)]

    def has(self, id: str) -> bool:
        return self._look.held

    def put(self, id: str, end: float) -> None:
        self.changes[id] = end

    def free(self, id: str) -> None:
        self.changes[id] = None


class RemoteState(abc.ABC):
    """The common part. A subclass has the statements of its engine, and the steps of the token."""

    shown: str
    lease: float

    def __init__(self, shown: str, lease: float) -> None:
        self.shown = shown
        self.lease = lease
        self._worked = False

    @abc.abstractmethod
    def _look(self, id: str) -> Look:
        """Return what is stored of the limit, and whether this slot is held."""

    @abc.abstractmethod
    def _change(self, look: Look, flow: str, now: float, changes: Mapping[str, float | None]) -> bool:
        """Store a flow and the changed slots, if the flow is still that of the look; drop slots that ended by `now`."""

    def _try(self, step: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Return what the step returns.

        Raises:
            StateAwayError: the engine is away.
            SharedStateError: it refuses us, and never worked for us.
        """
        try:
            answer = step(*arguments, **named)
        except RefusedError as error:
            if self._worked:  # what worked once may work again, such as after a new password
                raise StateAwayError(str(error)) from None
            text = f"the shared state {self.shown} cannot be used: {error}"
            raise SharedStateError(SdkCode.CLIENT_INTERNAL, text) from None
        self._worked = True
        return answer

    # -- the limit ---------------------------------------------------------------------------------------------------

    def take(self, owner: str, turn: int, limit: int, hold: float, id: str) -> Slot:
        """Take a slot for one call, or learn when to ask again."""
        return self._step(id, lambda flow, seen, now: slots.take(flow, seen, now, owner, turn, limit, hold, id))

    def settle(self, id: str, seconds: float) -> None:
        """Let a slot end `seconds` from now; 0 frees it at once."""
        self._step(id, lambda flow, seen, now: slots.settle(flow, seen, now, id, seconds))

    def pause(self, seconds: float) -> None:
        """Let nobody take a slot for this long."""
        self._step("", lambda flow, seen, now: slots.pause(flow, now, seconds))

    def put_back(self, held: Sequence[HeldSlot]) -> None:
        """Store slots again, after the engine lost its data."""
        self._step("", lambda flow, seen, now: slots.put_back(flow, seen, now, held))

    def limit_status(self) -> slots.LimitStatus:
        """Return what is stored for the limit."""
        return self._step("", slots.status)

    def _step(self, id: str, step: Callable[[Flow, _SeenSlots, float], T]) -> T:
        while True:
            look = self._try(self._look, id)
            flow, seen = Flow.load(look.flow), _SeenSlots(look)
            answer = step(flow, seen, look.now)
            text = flow.dump()
            if self._try(self._change, look, text, seen.now, seen.changes):
                return answer
