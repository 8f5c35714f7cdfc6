"""What the processes of one application share, as the atomic steps that every engine offers.

Each step is one transaction or one script. All times are those of the engine: callers give and get durations only, so
that it does not matter whether the clocks of the machines agree.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

COOL_DOWN = 1.0
"""Seconds for which the whole application shares a failed renewal and does not try again."""
ROUNDING = 1.0
"""Seconds by which a lease may seem to last longer than it does: more than that, and the clock was set back."""
FORGET = 600.0
"""Seconds after which an endpoint's note is forgotten, if nobody writes it again."""


class StateAwayError(Exception):
    """The engine did not answer, or refused to work. It may be back later. The text has no password."""


def plain(text: str) -> str:
    """Return a text that every engine can store: no NUL, and no half of a character."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


class TokenRecord(NamedTuple):
    """The shared token, as `read` finds it."""

    gen: int
    """Counts the saved tokens; 0 if there was none yet."""
    record: bytes | None
    """The sealed token; None if there is none."""
    left: float
    """Seconds until it expires; negative if it has."""
    lifetime: float


class Newer(NamedTuple):
    """Another token than the seen one is there: read it."""


class Failed(NamedTuple):
    """Somebody's renewal failed within the cool-down."""

    failure: str


class Busy(NamedTuple):
    """Somebody else renews."""

    seconds: float
    """Until that lease ends by itself."""


class Mine(NamedTuple):
    """This caller renews, and nobody else until the lease ends."""

    fence: int


Acquired = Newer | Failed | Busy | Mine


class Forbidden(NamedTuple):
    """An endpoint refused a new token."""

    age: float
    """Seconds since that was noted."""
    pause: float
    """Seconds in which it causes no further login."""
    gen: int
    """The generation of the refused token."""


class Slot(NamedTuple):
    """The answer to a question for a place in the shared limit."""

    granted: bool
    again_in: float
    """Seconds until it is worth asking again; 0 if granted."""
    born: str
    """The name of the engine's data. Another name means that the engine lost them."""
    processes: int
    """How many processes asked in the last minute, this one included."""


class HeldSlot(NamedTuple):
    """A slot that this process holds, to put back into an engine that lost its data."""

    id: str
    seconds: float
    """Until it is free again."""


class StateStatus(NamedTuple):
    """What is stored, for people. It contains no token."""

    gen: int
    present: bool
    """Whether a token is stored."""
    left: float
    lifetime: float
    age: float
    """Seconds since the request for the stored token was sent."""
    owner: str
    """Who took the lease last; empty if nobody did."""
    lease_left: float
    """Seconds for which that lease lasts; 0 if nobody holds it."""
    failure: str
    """The last failed renewal; empty if the last one did not fail."""
    failed_ago: float
    forbidden: Mapping[str, Forbidden]
    slots: int
    """How many slots of the limit are taken."""
    waiting: int
    """How many processes wait for one."""
    processes: int
    """How many processes asked for one in the last minute."""
    paused: float
    """Seconds for which nobody gets one, because the platform said so."""


class State(Protocol):
    """The steps. Threads call them side by side; a forked process opens its own connection.

    Every step raises StateAwayError when the engine does not answer within two seconds or refuses to work, and
    SharedStateError when that is for a reason that time does not cure.
    """

    shown: str
    """The URL without user and password."""
    lease: float
    """Seconds for which a renewer holds the lease before it must be extended."""

    # -- the token ---------------------------------------------------------------------------------------------------

    def read(self) -> TokenRecord:
        """Return the stored token, and how long it lasts."""
        ...

    def acquire(self, owner: str, ttl: float, seen_gen: int) -> Acquired:
        """Take the lease to renew the generation that was seen.

        Newer if a record of another generation is there. Failed within COOL_DOWN of a failure. Busy while another lease
        lasts. Otherwise the fence grows by one, the lease lasts `ttl` from now, and it is Mine.
        """
        ...

    def extend(self, fence: int, ttl: float) -> bool:
        """Let the lease last `ttl` from now; False if it is another's."""
        ...

    def time(self) -> float:
        """Return the engine's time, for `save`. It means nothing else."""
        ...

    def save(self, fence: int, record: bytes, lifetime: float, sent: float) -> int | None:
        """Store a token whose request was not sent before `sent`; return its generation, or None if it is older.

        `sent` is the engine's time, so that a save that is late under way does not make the token younger. Taken if the
        fence is the current one, or if the request was surely sent after the answer of the stored token came:
        sent > answered. Then granted = sent, answered = now, gen grows by one, and failure and lease are cleared. A
        fence of 0 is nobody's. If there is no record, every token is taken.
        """
        ...

    def fail(self, fence: int, failure: str) -> None:
        """End the lease and store why nothing was renewed; nothing happens if the lease is another's.

        An empty failure only ends the lease.
        """
        ...

    def forbid(self, endpoint: str, pause: float, gen: int) -> None:
        """Note that this endpoint refused a new token of generation `gen`; a pause of 0 removes its note."""
        ...

    def forbidden(self) -> Mapping[str, Forbidden]:
        """Return the notes that are younger than FORGET."""
        ...

    def clear(self) -> None:
        """Remove token, failure and notes. The generation stays, so that nobody takes a later token for this one."""
        ...

    # -- the limit ---------------------------------------------------------------------------------------------------

    def take(self, owner: str, turn: int, limit: int, hold: float, id: str) -> Slot:
        """Take a slot for one call, or learn when to ask again; `turn` is one of slots.Turn, where the rule is."""
        ...

    def settle(self, id: str, seconds: float) -> None:
        """Let a slot end `seconds` from now; 0 frees it at once."""
        ...

    def pause(self, seconds: float) -> None:
        """Let nobody take a slot for this long."""
        ...

    def put_back(self, slots: Sequence[HeldSlot]) -> None:
        """Store slots again, after the engine lost its data."""
        ...

    # -- both --------------------------------------------------------------------------------------------------------

    def status(self) -> StateStatus:
        """Return what is stored. It needs no lease."""
        ...

    def close(self) -> None:
        """Close this process's connections. What is stored stays. A later step opens them again."""
        ...
