"""The heartbeat of a process with leases: it renews them, takes free shards, and gives up those above its share."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from iot_northbound.core.clock import Clock
from iot_northbound.core.signal_safe import Flag
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import Deliver, InboxError
from iot_northbound.push.inboxes import postgres_schema as sql
from iot_northbound.push.inboxes.leases import Leases
from iot_northbound.push.inboxes.putting import shard_of

if TYPE_CHECKING:
    from iot_northbound.push.inboxes.postgres_engine import Session

_EACH = 1.0
"""Seconds between two heartbeats, at most: so soon a process gets what another one has released."""
_FLUSH = 5.0
_LATE = "their leases were not renewed in time"

Tell = Callable[[Callable[[str], bool]], int]


class Beating:
    """The thread that beats.

    Args:
        owner: the name of this process.
        session: a connection of its own, so that nothing delays it.
        leases: what this process has.
        deliver: called for the messages of a shard that is kept after all.
        tell: called with a test of devices that are no longer ours; returns how many of them a handler still has.
        clock: the source of time between two heartbeats.
        look: called when there are shards to look at.
    """

    def __init__(
        self,
        owner: str,
        session: Session,
        leases: Leases,
        deliver: Deliver,
        tell: Tell,
        clock: Clock,
        look: Callable[[], None],
    ) -> None:
        self._owner, self._session, self._leases = owner, session, leases
        self._deliver, self._tell, self._clock, self._look = deliver, tell, clock, look
        self._end = Flag()
        self._away = False
        self._thread = threading.Thread(target=self._beat_on, name="iot-northbound-inbox-lease", daemon=True)

    def start(self) -> None:
        """Take shards, then keep them.

        Raises:
            InboxError: the server is away.
        """
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Beat no longer, and release all shards."""
        self._end.set()
        self._thread.join()
        with self._leases.changed:
            held = {shard: each.epoch for shard, each in self._leases.held.items()}
        try:
            self._session.rows(sql.RELEASE, shards=list(held), epochs=list(held.values()))
            self._session.rows(sql.LEAVE, owner=self._owner)
        except InboxError as error:
            log.warning("the leases of the inbox could not be released, and run out by themselves: %s", error)
        self._session.close()

    def _beat_on(self) -> None:
        while not self._clock.wait(self._end, min(self._leases.lease / 3, _EACH)):
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001  # the thread must live as long as the inbox is open
                if not self._away:
                    log.error("the leases of the inbox cannot be renewed: %s", error)
                self._away = True
                self._lose_if_invalid()
            else:
                if self._away:
                    log.info("the leases of the inbox are renewed again")
                self._away = False

    def beat(self) -> None:
        """Renew the leases; take free shards, or give up some.

        Raises:
            InboxError: the server is away.
        """
        leases = self._leases
        with leases.changed:
            epochs = {shard: held.epoch for shard, held in leases.held.items()}
        sent = leases.now()
        given = {"owner": self._owner, "lease": leases.lease}
        rows = self._session.rows(sql.BEAT, **given, shards=list(epochs), epochs=list(epochs.values()))
        ((living, kept, server),) = rows
        with leases.changed:
            is_other = server != leases.server
            lost = leases.beaten(sent, kept, server)
        self._note_lost(lost, "the server was restarted, or is another one" if is_other else _LATE)
        most = -(-leases.count // living)
        if len(leases.held) < most:
            self._take(most - len(leases.held))
        else:
            self._give_up(len(leases.held) - most)

    def _take(self, most: int) -> None:
        leases = self._leases
        given = {"owner": self._owner, "lease": leases.lease, "held": list(leases.held), "most": most}
        rows = self._session.rows(sql.TAKE, **given)
        unclean = [before for _, _, before, _ in rows if before not in ("", self._owner)]
        with leases.changed:
            leases.takeovers += len(unclean)
            for shard, epoch, before, last in rows:
                leases.take(shard, epoch, last if before in unclean else 0)
        if unclean:
            log.warning("took over %d shards of the inbox from %s", len(unclean), ", ".join(sorted(set(unclean))))
        if rows:
            self._look()

    def _give_up(self, count: int) -> None:
        """Give up so many shards, as soon as their handlers have finished."""
        leases = self._leases
        with leases.changed:
            giving = [shard for shard, held in leases.held.items() if held.giving_up is not None]
            keeping = [shard for shard in leases.held if shard not in giving]
            for shard in random.sample(keeping, max(count - len(giving), 0)):
                leases.held[shard].giving_up = leases.now()
                giving.append(shard)
        idle = [shard for shard in giving if not self._withdraw({shard})]
        with leases.changed:
            if idle and leases.flushed(_FLUSH):
                given = {shard: leases.release(shard) for shard in idle}
                giving = [shard for shard in giving if shard not in given]
            else:
                given = {}
            for shard in giving:
                since = leases.held[shard].giving_up or 0.0
                if leases.now() - since > leases.lease:  # a handler is slow, and the other devices must not wait
                    for got in leases.resume(shard):
                        self._deliver(got.id, got.device)
        if given:
            self._session.rows(sql.RELEASE, shards=list(given), epochs=list(given.values()))

    def _lose_if_invalid(self) -> None:
        with self._leases.changed:
            lost = set() if self._leases.valid else set(self._leases.held)
            self._leases.lose(lost)
        self._note_lost(lost, _LATE)

    def _note_lost(self, lost: set[int], why: str) -> None:
        if lost:
            self._withdraw(lost)
            log.error("%d shards of the inbox were lost: %s", len(lost), why)

    def _withdraw(self, shards: set[int]) -> int:
        """Take the devices of shards from the workers; return how many a handler still has."""
        count = self._leases.count
        return self._tell(lambda device: shard_of(device, count) in shards)
