"""Keeps the token and renews it.

The newest login ends the earlier token of the whole application. So only one renewal runs at a time. A thread that
finds an expired token in the meantime waits for this renewal and shares its result, also if it is a failure.
"""

import logging
import threading
from collections.abc import Callable

from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.keeping import Held, Keeper
from iot_northbound.core.refusals import Notes
from iot_northbound.core.renewals import NO_TIME, Renewal, Renewals, copy_of
from iot_northbound.core.signal_safe import Flag
from iot_northbound.errors import ClientClosedError, InvalidArgumentError, NorthApiException, SdkCode
from iot_northbound.tokens import SHORTEST, Grant, TokenState, TokenStatus

log = Log("iot_northbound.tokens", own_threads=False)

RETRY_FIRST, RETRY_CAP = 1.0, 60.0
"""Seconds before a failed renewal in the background is first repeated, and the longest pause between later repeats."""
COOL_DOWN = 1.0
"""Seconds for which calls share a failed renewal and do not try again."""
LOOK_AGAIN = 0.5
"""Seconds until the timer looks again, if another process is just renewing the token."""
UNDISTURBED = 0.95
"""A token that ends with this part of its life behind it has not ended early."""
STOP_PATIENCE = 5.0
"""Seconds that `stop` waits for a renewal in the background. After that the thread ends by itself."""


class _Timer(threading.Thread):
    """The background thread, and the event that wakes it."""

    def __init__(self, run: Callable[["_Timer"], None]) -> None:
        super().__init__(target=run, args=(self,), name="iot-northbound-token-timer", daemon=True)
        self.wake = Flag()


class Tokens:
    """Keeps the token while the timer is on. It renews the token early in the background, and at once if it is refused.

    Args:
        login: returns a new token for app id and secret. Its argument is a deadline in monotonic seconds, or None.
        refresh: returns a new token for a refresh token, with a deadline too.
        keeper: who has the token, this process or several together.
        clock: time.
    """

    def __init__(
        self,
        login: Callable[[float | None], Grant],
        refresh: Callable[[str, float | None], Grant],
        keeper: Keeper,
        clock: Clock,
    ) -> None:
        self._login = login
        self._refresh = refresh
        self._keeper = keeper
        self._clock = clock
        self._running = False
        self._renewals = 0
        self._renewed_at: float | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._last_error: NorthApiException | None = None
        self._ended_early = 0
        self._begin()

    def after_fork(self) -> None:
        """Start without a thread or a renewal in a forked child, which does not have those of its parent."""
        self._keeper.after_fork()
        self._begin()

    def _begin(self) -> None:
        self._shared = Renewals(self._clock)
        self._failed: tuple[float, NorthApiException] | None = None
        self._timer: _Timer | None = None
        self._busy_until = 0.0
        self._tried: object = None
        """The mark of the token that was to be replaced last."""
        self._cut_short = ""

    # -- for callers -------------------------------------------------------------------------------------------------

    def current(self, until: float | None = None) -> str:
        """Return a valid token. If it has expired, it is renewed first. `until` is the caller's deadline.

        Raises:
            NorthApiException: the timer is off (1009), the renewal failed, or the store failed (1001).
            RequestTimeoutError: the renewal did not end before the deadline (1003).
        """
        if not self._running:
            raise _no_token()
        if self._timer is None:
            self._start_timer()
        return self._usable(until).access_token

    def replace(self, refused: str, until: float | None = None) -> str:
        """Return another token than the refused one: one that somebody else got in the meantime, or a new one.

        Raises:
            NorthApiException: as for `current`.
        """
        if not self._running:
            raise _no_token()
        held = self._keeper.load()
        if held.grant is not None and held.grant.access_token != refused:
            return self._usable(until).access_token
        return self._renew(held, until, by_login=True).access_token

    def is_current(self, token: str) -> bool:
        """Return whether no other token has come after this one."""
        grant = self._keeper.load().grant
        return grant is None or grant.access_token == token

    def was_replaced(self, refused: str) -> None:
        """Warn if a token that had time left was refused, and its successor is accepted: who ended it?"""
        if refused == self._cut_short:
            self._cut_short = ""
            self._ended_early += 1
            warning = self._keeper.ended_early(self._ended_early)
            if warning is not None:
                log.warning(warning)

    def adopt(self, grant: Grant) -> None:
        """Use a token that the application got itself, because its login has ended the earlier one."""
        if self._running or self._keeper.is_shared:
            self._keeper.adopt(grant)
            self._kept()
            self._wake_timer()

    @property
    def notes(self) -> Notes:
        """Where it is noted which endpoints refused a new token."""
        return self._keeper.notes

    # -- the timer ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Get a token and keep it fresh in the background. If this runs already, do nothing.

        Raises:
            NorthApiException: the first login failed, and the timer is off.
        """
        if self._running:
            return
        try:
            self._running = True
            self._usable(None)
        except BaseException:
            self.stop()
            raise
        self._start_timer()

    def stop(self) -> None:
        """End the background thread and forget the token. A renewal in progress gets a few seconds."""
        self._running = False
        self._failed = None
        try:
            timer = self._timer
            if timer is not None:
                timer.wake.set()
                if timer.is_alive() and timer is not threading.current_thread():
                    timer.join(STOP_PATIENCE)
                self._timer = None
        finally:
            self._keeper.forget()

    @property
    def renewals(self) -> int:
        """How many renewals succeeded, including the first login."""
        return self._renewals

    def status(self) -> TokenStatus:
        """Return the state of the token without the token itself."""
        grant = self._keeper.load().grant
        now = self._clock.now()
        if grant is None:
            state = TokenState.NONE
        elif now >= grant.expires_at:
            state = TokenState.EXPIRED
        else:
            state = TokenState.STALE if now >= grant.renew_at else TokenState.FRESH
        return TokenStatus(
            state,
            self._running,
            grant.expires_at if grant else None,
            self._renewals,
            self._failures,
            self._last_error,
        )

    @property
    def held(self) -> tuple[str, ...]:
        """The values that no log may show."""
        try:
            grant = self._keeper.known()
        except Exception:
            log.exception("the token store failed while secrets were removed from a text")
            return ()
        if grant is None:
            return ()
        return (grant.access_token, grant.refresh_token) if grant.refresh_token else (grant.access_token,)

    def _start_timer(self) -> None:
        """Start the background thread. If two are started at the same time, the later one continues."""
        timer = _Timer(self._run)
        before = self._timer
        try:
            self._timer = timer
            if before is not None:
                before.wake.set()
            timer.start()
        except BaseException:
            self._timer = None
            timer.wake.set()
            raise

    def _wake_timer(self) -> None:
        timer = self._timer
        if timer is not None:
            timer.wake.set()

    def _run(self, mine: _Timer) -> None:
        try:
            self._go_on(mine)
        finally:
            if self._timer is mine:
                self._timer = None  # for any reason; the next call starts another thread

    def _go_on(self, mine: _Timer) -> None:
        while self._running and mine is self._timer:
            failures = self._failures
            try:
                pause, held = self._until_next()
                if held is None or pause > 0:
                    self._clock.wait(mine.wake, pause)
                    mine.wake.clear()
                    continue
                self._renew_early(held)  # the token that is due: another process may have a new one by now
            except ClientClosedError:
                return
            except Exception as error:  # noqa: BLE001  # the timer continues in any case
                # The platform's refusals and failures of the application's own store.
                if self._failures == failures:
                    self._note_failure(error)
                what = "the renewal of the token failed (%d in a row) and will be tried again"
                if isinstance(error, NorthApiException):
                    log.warning(f"{what}: %s", self._failures, error)
                else:
                    log.failure(logging.WARNING, error, what, self._failures)

    def _until_next(self) -> tuple[float, Held | None]:
        """Return the seconds until the next renewal in the background, and the token that it is to replace."""
        if self._failures:
            pause = min(RETRY_CAP, RETRY_FIRST * 2.0 ** min(self._failures - 1, 16))
            left = self._failed_at + pause - self._clock.monotonic()
            if left > 0:
                return left, None
            held = self._keeper.load()
            if held.grant is None or held.mark == self._tried:
                return left, held
            self._note_success()  # of another process, or of another thread in this moment
        else:
            held = self._keeper.load()
        due = 0.0
        if (grant := held.grant) is not None:
            due = grant.granted_at + max(self._keeper.part * grant.expires_in, SHORTEST) - self._clock.now()
        due = max(due, self._busy_until - self._clock.monotonic())
        if self._renewed_at is not None:
            # A store that loses the token, or a clock that jumps, must not cause a storm of logins.
            due = max(due, self._renewed_at + RETRY_FIRST - self._clock.monotonic())
        return due, held

    # -- renewal -----------------------------------------------------------------------------------------------------

    def _usable(self, until: float | None) -> Grant:
        held = self._keeper.load()
        if held.grant is not None and self._clock.now() < held.grant.expires_at:
            return held.grant
        return self._renew(held, until)

    def _renew(self, seen: Held, until: float | None = None, *, by_login: bool = False) -> Grant:
        """Return a newer token than the one seen. One thread gets it, and the others wait for the result."""
        while True:
            grant = self._shared.share(lambda renewal: self._lead(renewal, seen, until, by_login), until)
            if grant is not None:
                return grant

    def _renew_early(self, seen: Held) -> None:
        """Renew a token in the background, unless another process does that while the token is still good."""
        can_wait = seen.grant is not None and self._clock.now() < seen.grant.expires_at
        grant = self._shared.share(lambda renewal: self._lead(renewal, seen, None, can_wait=can_wait), None)
        if grant is None:
            self._busy_until = self._clock.monotonic() + LOOK_AGAIN

    def _lead(
        self, renewal: Renewal, seen: Held, until: float | None, by_login: bool = False, *, can_wait: bool = False
    ) -> Grant | None:
        held = self._keeper.load()
        if held.grant is not None and held.mark != seen.mark:
            return held.grant
        failed = self._failed
        if failed is not None and self._clock.monotonic() - failed[0] < COOL_DOWN:
            raise copy_of(failed[1])
        self._tried = held.mark
        try:
            grant = self._keeper.renew(held, lambda: self._fetch(held.grant, by_login, until), until, can_wait=can_wait)
            if grant is not None:
                self._kept()
                self._renewed_at = self._clock.monotonic()
                renewal.grant = grant
        except NorthApiException as error:
            # A thread with less time than the others, or one that an exception of the application interrupts, ends its
            # renewal without a result, and the others try again.
            if until is None or self._clock.monotonic() < until - NO_TIME:
                renewal.error = self._note_failure(error)
                self._failed = (self._clock.monotonic(), renewal.error)
            raise
        finally:
            self._wake_timer()  # there is a new token to watch, or a failure to repeat
        return grant

    def _kept(self) -> None:
        if not self._running:  # it was stopped in the meantime, and the token was already forgotten
            self._keeper.forget()
        self._note_success()

    def _note_success(self) -> None:
        self._failures = 0
        self._failed = None
        self._last_error = None

    def _note_failure(self, error: BaseException) -> NorthApiException:
        """Count a failure and return a copy that threads can share. It has no frames, which could contain secrets."""
        if isinstance(error, NorthApiException):
            shared = copy_of(error)
        else:
            desc = f"the renewal of the token was interrupted by {type(error).__name__}"
            shared = NorthApiException(SdkCode.CLIENT_INTERNAL, desc)
        self._failures += 1
        self._failed_at = self._clock.monotonic()
        self._last_error = shared
        return shared

    def _fetch(self, seen: Grant | None, by_login: bool, until: float | None) -> Grant:
        grant = self._exchanged(seen, until) if seen is not None and not by_login else None
        if grant is None:
            grant = self._login(until)
            if by_login and seen is not None and self._clock.now() < seen.granted_at + UNDISTURBED * seen.expires_in:
                self._cut_short = seen.access_token
        self._renewals += 1
        return grant

    def _exchanged(self, seen: Grant, until: float | None) -> Grant | None:
        """Return a token for the refresh token; None if there is none, or if the platform refuses it."""
        if not seen.refresh_token:
            return None
        try:
            return self._refresh(seen.refresh_token, until)
        except NorthApiException as error:
            if error.http_status_code is None:
                raise
            log.info("the refresh token was refused (%s), logging in", error.error_code)
        return None


def _no_token() -> NorthApiException:
    return NorthApiException(SdkCode.NO_TOKEN, "the call has no access token, and the token timer is not running")


def given_token(access_token: str) -> str:
    """Return the token that a caller gave, once it is checked.

    Raises:
        NorthApiException: it is empty (1009).
        InvalidArgumentError: a header cannot contain it (1007).
    """
    if not isinstance(access_token, str) or not access_token.strip():
        raise NorthApiException(SdkCode.NO_TOKEN, "access_token is empty")
    if not access_token.isascii() or not access_token.isprintable():
        raise InvalidArgumentError.of("access_token", "***", "it contains characters that HTTP headers do not allow")
    return access_token
