"""Which shards a process has, under which epochs, and which of their messages it has got: no I/O, no threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import attrs

from iot_northbound.push.inbox import UNDELIVERED

_VALID = 0.8
"""The part of a lease for which its owner relies on it."""
_NEVER = -1
"""The epoch of a message from another server."""


@attrs.frozen
class LeaseFigures:
    """What a process has of a shared inbox, and what became of its leases since the start.

    Attributes:
        shards: how many it has now.
        takeovers: shards that it took over from a process that ended without a word.
        lost: shards that it lost, because it could not renew their leases in time.
        fenced: messages that it handled, and that another process had taken over meanwhile.
    """

    shards: int = 0
    takeovers: int = 0
    lost: int = 0
    fenced: int = 0


@attrs.define(eq=False)
class Got:
    """A message that was delivered, and is neither done nor buried."""

    id: int
    shard: int
    device: str
    epoch: int
    received_at: float
    body: bytes | None
    """None: it is large, or was read already."""
    begun: bool = False
    """Whether a worker has begun it."""
    refused: bool = False
    """Whether a worker wanted to begin it when we could not rely on the lease."""


@attrs.define(eq=False)
class Held:
    """A shard that we have."""

    epoch: int
    suspects: int = 0
    """Messages up to this id may have been begun by an owner who ended without a word."""
    cursor: int = 0
    """The id of the last message that we got."""
    undelivered: int = 0
    more: bool = True
    """Whether there may be more messages than we had room for."""
    giving_up: float | None = None
    """Since when we give it up: no message is begun, and others get it when those in hand are finished."""


class Leases:
    """The shards of a process. Each method and attribute is used under the lock of `changed`.

    Args:
        shards: how many there are.
        lease: how many seconds a lease lasts.
        now: seconds of a clock that counts suspended time.
    """

    def __init__(self, shards: int, lease: float, now: Callable[[], float]) -> None:
        self.changed = threading.Condition()
        self.count, self.lease, self.now = shards, lease, now
        self.held: dict[int, Held] = {}
        self.got: dict[int, Got] = {}
        self.done: list[Got] = []
        """Handled messages that are still to be deleted."""
        self.deleting = 0
        """How many are being deleted."""
        self.takeovers = self.lost = self.fenced = 0
        self.server = ""
        """Which server gave us the shards."""
        self._strange: set[int] = set()
        """Messages of another server that a worker has. This one may give their ids to others."""
        self._valid_until = float("-inf")

    @property
    def valid(self) -> bool:
        """Whether the shards are certainly ours."""
        return self.now() < self._valid_until

    def figures(self) -> LeaseFigures:
        """Return the figures."""
        return LeaseFigures(len(self.held), self.takeovers, self.lost, self.fenced)

    # Shards

    def beaten(self, sent: float, kept: Iterable[int], server: str = "") -> set[int]:
        """Note a server's answer to a heartbeat that was sent at that time; return the shards that were lost.

        Whoever was late has lost all: a message may have been refused to a worker meanwhile. With another server, all
        is lost, too.
        """
        is_other, self.server = server != self.server, server
        lost = set(self.held) - set(kept if self.valid and not is_other else ())
        if is_other:
            self._strange |= {got.id for got in self.got.values() if got.begun}
            for got in (*self.got.values(), *self.done):
                got.epoch = _NEVER
        self._valid_until = sent + _VALID * self.lease
        self.lose(lost)
        return lost

    def lose(self, shards: set[int]) -> None:
        """Note that shards are no longer ours. What a worker has is still finished, under its old epoch."""
        self.lost += len(shards)
        for shard in shards:
            del self.held[shard]
        for got in [got for got in self.got.values() if got.shard in shards and not got.begun]:
            del self.got[got.id]

    def take(self, shard: int, epoch: int, suspects: int) -> None:
        """Note that a shard is ours."""
        self.held[shard] = Held(epoch, suspects)
        for got in self._got_of(shard):
            del self.got[got.id]  # of an epoch before

    def resume(self, shard: int) -> list[Got]:
        """Keep a shard that was to be given up; return its messages, which are to be delivered again."""
        held = self.held[shard]
        held.giving_up, held.more = None, True
        return self._got_of(shard)

    def release(self, shard: int) -> int:
        """Note that a shard was given up; return its epoch."""
        for got in self._got_of(shard):
            del self.got[got.id]
        return self.held.pop(shard).epoch

    def _got_of(self, shard: int) -> list[Got]:
        return sorted((got for got in self.got.values() if got.shard == shard), key=lambda got: got.id)

    # Messages

    def requests(self) -> dict[int, tuple[Held, int]]:
        """Return the shards to fetch from, with how many messages there is room for.

        Half of the room is divided among the shards, so that none waits for another. The other half is for those that
        need more: each may take half of what is left. A shard that is known to have more waits until it has room for
        several. All others are looked at whenever they have room, because what is handled may be slow.
        """
        half = UNDELIVERED // 2
        share = max(half // max(len(self.held), 1), 1)
        spare = half - sum(max(held.undelivered - share, 0) for held in self.held.values())
        found = {}
        for shard, held in self.held.items():
            extra = max(spare, 0) // 2 if held.more or held.undelivered >= share else 0
            room = max(share - held.undelivered, 0) + extra
            several = 2 * room > share or not held.undelivered
            if held.giving_up is None and room and (several or not held.more):
                found[shard] = (held, room)
                spare -= extra
        return found

    def deliver(self, held: Held, got: Got) -> bool:
        """Note a message that was fetched for a shard; return whether it is to be delivered."""
        if self.held.get(got.shard) is not held or held.giving_up is not None:
            return False
        held.cursor = got.id
        held.undelivered += 1
        self.got[got.id] = got
        return True

    def begin(self, message_id: int) -> tuple[Got, bool] | None:
        """Return a message that a worker is to begin, and whether it may have been begun before.

        None if it is no longer ours.
        """
        got = self.got.get(message_id)
        if got is None:
            return None
        held = self.held.get(got.shard)
        if held is None or held.epoch != got.epoch or held.giving_up is not None or not self.valid:
            got.refused = True
            return None
        got.begun, got.refused = True, False
        self._strange.discard(message_id)
        return got, message_id <= held.suspects

    def finish(self, message_id: int) -> Got | None:
        """Return a message that was handled or buried, if we had it.

        A worker says of a message that it was refused that it is done, too: that means nothing.
        """
        got = self.got.get(message_id)
        is_of_another = message_id in self._strange
        self._strange.discard(message_id)
        if got is None or got.refused or (is_of_another and not got.begun):
            return None
        del self.got[message_id]
        held = self.held.get(got.shard)
        if held is not None and held.epoch == got.epoch:
            held.undelivered -= 1
        return got

    def delete_later(self, batch: list[Got], server: str) -> None:
        """Note that handled messages could not be deleted: once more when the server is back, unless it is another."""
        if server != self.server:
            for got in batch:
                got.epoch = _NEVER
        self.done[:0] = batch

    def flushed(self, seconds: float) -> bool:
        """Wait until no handled message is to be deleted; return whether that was in time."""
        return self.changed.wait_for(lambda: not self.done and not self.deleting, seconds)
