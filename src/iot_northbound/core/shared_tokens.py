"""The token of several processes together: who renews it, who waits, and what happens while its engine is away.

A lease lets one process at a time renew. The platform does not know of leases: a process that froze before its login
and wakes later ends the token of its successor. So a late token is not simply thrown away. It is taken if its request
was surely sent after the answer of the stored one.
"""

import contextlib
import json
import logging
import os
import random
import secrets
import socket
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, NoReturn

from iot_northbound import errors
from iot_northbound.core.asking import Asking
from iot_northbound.core.clock import Clock
from iot_northbound.core.keeping import Held
from iot_northbound.core.refusals import Notes
from iot_northbound.core.renewals import NO_TIME
from iot_northbound.core.shared_notes import SharedNotes
from iot_northbound.core.signal_safe import Counter, Flag
from iot_northbound.errors import ClientClosedError, NorthApiException, RequestTimeoutError, SdkCode, SharedStateError
from iot_northbound.shared.seal import Seal
from iot_northbound.shared.state import Busy, Failed, Mine, Newer, StateAwayError, TokenRecord
from iot_northbound.tokens import Grant

log = logging.getLogger("iot_northbound.tokens")

EARLIEST, LATEST = 0.75, 0.8
"""The part of a token's life after which a process renews it; each process draws its own."""
FIRST_LOOK, LOOK_GROWTH, LONGEST_LOOK = 0.05, 1.5, 0.5
"""Seconds between a waiter's looks at a renewal of another process, and their growth."""
ALONE_PAUSE = 60.0
"""Seconds between two logins of a process whose engine is away."""
ENDED_BY_OTHERS = 3
"""After so many tokens that ended early, another program is the likely reason, not the death of a process."""
_KINDS = (*errors.BY_KIND.values(), errors.RequestTimeoutError, errors.ConnectionFailedError)
"""The classes of failures that processes tell each other."""
_TOLD = 500
"""How many characters of a failure other processes get to read."""


class Away(StrEnum):
    """What a client does if it needs a token while the shared state is away."""

    FAIL = "fail"
    """Its calls fail with a SharedStateError."""
    ALONE = "alone"
    """It logs in by itself, at most once a minute."""


class _Known(NamedTuple):
    """The token that was there last."""

    gen: int
    """Negative while it is not stored."""
    record: bytes
    token: tuple[str, str | None] | None
    """Access token and refresh token; None if this process cannot open the record."""
    sent: float
    """When its request was sent, by the clock that counts suspended time."""
    lifetime: float


class SharedTokens:
    """Keeps the token in a shared state.

    Args:
        asking: where, and whether it is away.
        seal: seals and opens it.
        clock: time.
        away: what to do while the state is away.
        app_id: the application's id, for the warning about other programs.
        chance: draws this process's moment to renew.
    """

    is_shared = True

    def __init__(
        self,
        asking: Asking,
        seal: Seal,
        clock: Clock,
        *,
        away: str = Away.FAIL,
        app_id: str = "",
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._asking = asking
        self._state = asking.state
        self._awake = asking.awake
        self._seal = seal
        self._clock = clock
        self._away = Away(away)
        self._app_id = app_id
        self._chance = chance
        self.notes: Notes = SharedNotes(asking, self._generation_of)
        self._known: _Known | None = None
        self._warned_of: bytes | None = None
        self._unsaved = 0
        self._alone_at: float | None = None
        self._stopped = Flag()
        self.by_others = Counter()
        """Renewals of other processes that this one has seen."""
        self.waits = Counter()
        """How often this process waited for another one's renewal."""
        self.lost_fences = Counter()
        """Renewals whose lease had gone to another process before they ended."""
        self._begin()

    def _begin(self) -> None:
        self.part = EARLIEST + (LATEST - EARLIEST) * self._chance()
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def after_fork(self) -> None:
        """Become another owner, that renews at another moment."""
        self._begin()
        self._stopped = Flag()

    @property
    def generation(self) -> int:
        """How many tokens were stored until the last one that was here; 0 if that one is not stored."""
        known = self._known
        return max(known.gen, 0) if known is not None else 0

    # -- the token that is there -------------------------------------------------------------------------------------

    def load(self) -> Held:
        """Return the token that is there; while the state is away, the one that was there last."""
        try:
            known = self._known  # before the question: a token that is saved meanwhile is not lost
            found = self._asking.ask(self._state.read)
            if known is not None and self._left(known) > 0 and (known.gen < 0 or found.gen < known.gen):
                # It was got while the state was away, or the state has lost it: it goes in, if it is the newest.
                self._save(0, known)
                known = self._known
                found = self._asking.ask(self._state.read)
        except StateAwayError:
            return self._held(self._known)
        return self._held(self._opened(found, known))

    def known(self) -> Grant | None:
        """Return the token that was there last."""
        return self._held(self._known).grant

    def _held(self, known: _Known | None) -> Held:
        if known is None:
            return Held(None, 0)
        if known.token is None:
            return Held(None, known.gen)
        granted_at = self._clock.now() - (self._awake() - known.sent)
        return Held(Grant(*known.token, granted_at, known.lifetime), known.gen)

    def _opened(self, found: TokenRecord, before: _Known | None) -> _Known:
        """Return a record, and keep it, unless another thread has a newer one since `before` was the last one."""
        known, new = self._known, None
        if found.record is not None:
            if known is not None and known.record == found.record:
                token = known.token
            else:
                token = self._read(found.record)
                if known is not None:
                    self.by_others.add()
            sent = self._awake() - (found.lifetime - found.left)
            new = _Known(found.gen, found.record, token, sent, found.lifetime)
        known = self._known  # from here to the change without a call, so that no thread comes between
        if known is not None and known is not before and (known.gen > found.gen or known.gen < 0):
            return known
        self._known = new
        return new or _Known(found.gen, b"", None, 0.0, 0.0)

    def _read(self, record: bytes) -> tuple[str, str | None] | None:
        content = self._seal.open(record)
        if content is not None:
            told = json.loads(content)
            return told["access"], told["refresh"]
        if self._warned_of != record:
            self._warned_of = record
            log.warning(
                "the shared token in %s cannot be opened and will be replaced: it is damaged, or a process of this "
                "application has another secret",
                self._state.shown,
            )
        return None

    def _left(self, known: _Known) -> float:
        return known.sent + known.lifetime - self._awake() if known.token is not None else 0.0

    # -- renewal -----------------------------------------------------------------------------------------------------

    def renew(
        self, seen: Held, fetch: Callable[[], Grant], until: float | None, *, can_wait: bool = False
    ) -> Grant | None:
        """Return another token than the one seen: one from `fetch`, or one that another process got meanwhile.

        Raises:
            SharedStateError: the state is away, and this client does not log in alone (1001).
            RequestTimeoutError: another process's renewal did not end before the deadline (1003).
            NorthApiException: the renewal failed, here or in another process within the last second.
        """
        look, stopped = FIRST_LOOK, self._stopped
        while True:
            asked = self._awake()
            lease = self._state.lease
            try:
                answer = self._asking.ask(self._state.acquire, self._owner, lease, _gen(seen))
            except StateAwayError as error:
                if can_wait:
                    return None
                if not self._is_patient(until):
                    return self._fetch_alone(fetch, error)
                self._wait(LONGEST_LOOK, until, stopped)
                continue
            if isinstance(answer, Mine):
                if self._awake() - asked > lease * 2 / 3:
                    self._give_up(answer.fence)  # this process froze in between: it begins again
                elif (grant := self._lead(answer.fence, fetch)) is not None:
                    return grant
            elif isinstance(answer, Newer):
                seen = self.load()
                if seen.grant is not None and self._clock.now() < seen.grant.expires_at:
                    return seen.grant
            elif isinstance(answer, Failed) and self._is_of_this_secret(answer.failure):
                raise _told(answer.failure)
            elif can_wait:
                return None
            else:
                left = answer.seconds if isinstance(answer, Busy) else look
                self._wait(min(left, look, LONGEST_LOOK), until, stopped)
                look *= LOOK_GROWTH

    def _wait(self, seconds: float, until: float | None, stopped: Flag) -> None:
        self.waits.add()
        if until is not None and self._clock.monotonic() + seconds > until - NO_TIME:
            what = "another process's renewal of the token did not end before the call's deadline"
            raise RequestTimeoutError(SdkCode.NO_ANSWER, what)
        self._clock.sleep(seconds, stopped)
        if stopped.is_set():
            raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "the token timer was stopped while the call waited for it")

    def _lead(self, fence: int, fetch: Callable[[], Grant]) -> Grant | None:
        """Get a token under the lease and store it; None if it came too late: then another one is there, or comes."""
        done = Flag()
        sent = self._awake()
        failure = ""
        grant = None
        try:
            # Without one, as while the program ends, another process may get the lease; then its token counts.
            with contextlib.suppress(RuntimeError):
                threading.Thread(
                    target=self._keep_lease, args=(fence, done), name="iot-northbound-token-lease", daemon=True
                ).start()
            grant = fetch()
        except NorthApiException as error:
            failure = self._failure_of(error)
            raise
        finally:
            done.set()
            if grant is None:
                self._give_up(fence, failure)
        if self._keep(fence, grant, sent):
            return grant
        self.lost_fences.add()
        log.info("a renewal of the token came after that of another process, whose token is used now")
        return None

    def _keep(self, fence: int, grant: Grant, sent: float) -> bool:
        """Store a token; return False if a newer one is there."""
        known = self._not_stored(grant, sent)
        try:
            return self._save(fence, known)
        except StateAwayError:
            self._known = known  # it goes in when the state is back
            return True

    def _not_stored(self, grant: Grant, sent: float) -> _Known:
        token = grant.access_token, grant.refresh_token
        record = self._seal.close(json.dumps({"access": token[0], "refresh": token[1]}).encode())
        self._unsaved -= 1
        return _Known(self._unsaved, record, token, sent, grant.expires_in)

    def _save(self, fence: int, known: _Known) -> bool:
        # The engine's time first: whatever passes from then on makes the token older, never younger.
        sent = self._asking.ask(self._state.time) - (self._awake() - known.sent)
        gen = self._asking.ask(self._state.save, fence, known.record, known.lifetime, sent)
        if gen is None:
            return False
        self._known = known._replace(gen=gen)
        return True

    def _keep_lease(self, fence: int, done: Flag) -> None:
        """Extend the lease while a renewal is in progress. One that is lost does not break off a request."""
        lease = self._state.lease
        while not self._clock.wait(done, lease / 3):
            with contextlib.suppress(StateAwayError, SharedStateError):
                if not self._asking.ask(self._state.extend, fence, lease):
                    return

    def _give_up(self, fence: int, failure: str = "") -> None:
        with contextlib.suppress(StateAwayError, SharedStateError):  # the lease ends by itself
            self._asking.ask(self._state.fail, fence, failure)

    def adopt(self, grant: Grant) -> None:
        """Keep a token that the application got itself, unless one that was sent for later is there."""
        self._keep(0, grant, self._awake() - max(self._clock.now() - grant.granted_at, 0.0))

    def forget(self) -> None:
        """Forget the token here. It stays in the state for the others, and callers who wait for it stop waiting."""
        stopped, self._stopped = self._stopped, Flag()
        stopped.set()
        self._known = None

    # -- failures that processes share -------------------------------------------------------------------------------

    def _failure_of(self, error: NorthApiException) -> str:
        """Return a failure for the other processes; nothing if it is only this process's own."""
        if error.http_status_code is None and not isinstance(
            error, errors.RequestTimeoutError | errors.ConnectionFailedError
        ):
            return ""
        return json.dumps(
            {
                "by": self._seal.name,
                "class": type(error).__name__,
                "code": error.error_code,
                "desc": error.error_desc[:_TOLD],
                "status": error.http_status_code,
                "endpoint": error.endpoint,
            }
        )

    def _is_of_this_secret(self, failure: str) -> bool:
        """Whether it says something of our own logins: another secret's failure does not."""
        try:
            return bool(json.loads(failure)["by"] == self._seal.name)
        except (ValueError, LookupError, TypeError):
            return False

    # -- the state is away -------------------------------------------------------------------------------------------

    def _is_patient(self, until: float | None) -> bool:
        """Whether a call waits for the state. It does as long as for a process that died while it renewed."""
        if self._away is not Away.FAIL or self._asking.away_for >= self._state.lease:
            return False
        return until is None or self._clock.monotonic() + LONGEST_LOOK <= until - NO_TIME

    def _fetch_alone(self, fetch: Callable[[], Grant], error: StateAwayError) -> Grant:
        now = self._awake()
        if self._away is Away.FAIL:
            self._fail(error, "start it, or set shared_away='alone'")
        if self._alone_at is not None and now - self._alone_at < ALONE_PAUSE:
            self._fail(error, f"alone, a process logs in once in {ALONE_PAUSE:.0f} s")
        self._alone_at = now
        grant = fetch()
        self._known = self._not_stored(grant, now)
        return grant

    def _fail(self, error: StateAwayError, cure: str) -> NoReturn:
        away = self._asking.away_for
        what = f"the shared state {self._state.shown} has been away for {away:.0f} s, and there is no token without it"
        raise SharedStateError(SdkCode.CLIENT_INTERNAL, f"{what} ({error}): {cure}") from error

    def ended_early(self, count: int) -> str | None:
        """Return what to warn of. A single token ends early when a process is killed while it renews."""
        if count != ENDED_BY_OTHERS:
            return None
        return (
            f"the platform ended the shared token before its time, {count} times: another program probably logs in "
            f"with the application id {self._app_id} and does not use shared={self._state.shown!r}"
        )

    def _generation_of(self, token: str) -> int | None:
        """Return the generation of a token; None if it is not the last one."""
        known = self._known
        return known.gen if known is not None and known.token is not None and known.token[0] == token else None


def _gen(seen: Held) -> int:
    return seen.mark if isinstance(seen.mark, int) else 0


def _told(failure: str) -> NorthApiException:
    told = json.loads(failure)
    kind = next((each for each in _KINDS if each.__name__ == told["class"]), NorthApiException)
    desc = f"{told['desc'].rstrip('.')} (another process tried it within the last second)"
    error: NorthApiException = kind(told["code"], desc, http_status_code=told["status"], endpoint=told["endpoint"])
    return error
