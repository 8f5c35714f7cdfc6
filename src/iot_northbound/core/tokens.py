"""Who holds the token and who renews it.

The platform's newest login ends the token before it, for the whole application. So one renewal runs at a time, and
whoever meets a used-up token meanwhile waits for that one and shares its outcome, failure included.
"""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from iot_northbound.core.clock import Clock
from iot_northbound.core.renewals import NO_TIME, Renewal, Renewals, copy_of
from iot_northbound.core.signal_safe import Flag
from iot_northbound.errors import ClientClosedError, NorthApiException, SdkCode
from iot_northbound.tokens import Grant, TokenState, TokenStatus, TokenStore

T = TypeVar("T")
log = logging.getLogger("iot_northbound.tokens")

RETRY_FIRST, RETRY_CAP = 1.0, 60.0
"""Seconds before the first repeat of a failed renewal in the background, and between later ones at most."""
COOL_DOWN = 1.0
"""Seconds for which callers share a failed renewal instead of trying one each."""
STOP_PATIENCE = 5.0
"""Seconds that `stop` waits for a renewal in the background; after that the thread ends by itself."""


class _Timer(threading.Thread):
    """The background thread, and what wakes it."""

    def __init__(self, run: Callable[["_Timer"], None]) -> None:
        super().__init__(target=run, args=(self,), name="iot-northbound-token-timer", daemon=True)
        self.wake = Flag()


class Tokens:
    """Holds the token while the timer is on, and renews it: ahead of time in the background, at once when refused.

    Args:
        login: returns a new token by app id and secret, until the monotonic second given, if one is.
        refresh: returns a new token for a refresh token, likewise.
        store: where the token lives.
        clock: time.
    """

    def __init__(
        self,
        login: Callable[[float | None], Grant],
        refresh: Callable[[str, float | None], Grant],
        store: TokenStore,
        clock: Clock,
    ) -> None:
        self._login = login
        self._refresh = refresh
        self._store = store
        self._clock = clock
        self._running = False
        self._renewals = 0
        self._renewed_at: float | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._last_error: NorthApiException | None = None
        self.after_fork()

    def after_fork(self) -> None:
        """Begin without a thread or a renewal: at the start, and in a forked child, where its parent's are not."""
        self._shared = Renewals(self._clock)
        self._failed: tuple[float, NorthApiException] | None = None
        self._timer: _Timer | None = None

    # -- for callers -------------------------------------------------------------------------------------------------

    def current(self, until: float | None = None) -> str:
        """Return a usable token, renewing an expired one first; `until` is the caller's deadline.

        Raises:
            NorthApiException: no timer runs (1009), the renewal failed, or the store did (1001).
            RequestTimeoutError: the renewal did not end before the deadline (1003).
        """
        if not self._running:
            raise _no_token()
        if self._timer is None:
            self._start_timer()
        return self._usable(until).access_token

    def replace(self, refused: str, until: float | None = None) -> str:
        """Return a token that is not the refused one: the one somebody else got meanwhile, or a new one.

        Raises:
            NorthApiException: as `current` does.
        """
        if not self._running:
            raise _no_token()
        grant = self._load()
        if grant is not None and grant.access_token != refused:
            return self._usable(until).access_token
        return self._renew(grant, until, by_login=True).access_token

    def adopt(self, grant: Grant) -> None:
        """Hold a token the application fetched itself, since its login ended the one held before."""
        if self._running:
            self._keep(grant)
            self._wake_timer()

    # -- the timer ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Fetch a token and keep it fresh in the background; nothing happens when that runs already.

        Raises:
            NorthApiException: the first login failed; the timer is off then.
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
        """End the background thread and forget the token. A renewal under way in the thread gets a few seconds."""
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
            self._ask("clear", self._store.clear)

    def status(self) -> TokenStatus:
        """Return what can be said of the token without showing it."""
        grant = self._load()
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
        """The values no log may show."""
        try:
            grant = self._load()
        except Exception:
            log.exception("the token store failed while a text was cleared of secrets")
            return ()
        if grant is None:
            return ()
        return (grant.access_token, grant.refresh_token) if grant.refresh_token else (grant.access_token,)

    def _load(self) -> Grant | None:
        grant = self._ask("load", self._store.load)
        if grant is not None and not isinstance(grant, Grant):
            raise NorthApiException(
                SdkCode.CLIENT_INTERNAL, f"the token store holds a {type(grant).__name__}, not a Grant or None"
            )
        return grant

    def _ask(self, what: str, do: Callable[..., T], *args: Grant) -> T:
        """Return what the store does; a failure that is no exception of the SDK's becomes one."""
        try:
            return do(*args)
        except NorthApiException:
            raise
        except Exception as error:
            raise NorthApiException(
                SdkCode.CLIENT_INTERNAL, f"the token store failed to {what}: {type(error).__name__}"
            ) from error

    def _start_timer(self) -> None:
        """Start the background thread. If two are started at once, the one named last goes on."""
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
                self._timer = None  # whatever ended it; the next call starts another

    def _go_on(self, mine: _Timer) -> None:
        while self._running and mine is self._timer:
            failures = self._failures
            try:
                pause = self._until_next()
                if pause > 0:
                    self._clock.wait(mine.wake, pause)
                    mine.wake.clear()
                    continue
                self._renew(self._load())
            except ClientClosedError:
                return
            except Exception as error:
                # Beside refusals: a store of the application's own. The timer outlives it all the same.
                if self._failures == failures:
                    self._note_failure(error)
                log.warning(
                    "renewing the token failed (%d in a row), will go on trying: %s",
                    self._failures,
                    error,
                    exc_info=None if isinstance(error, NorthApiException) else error,
                )

    def _until_next(self) -> float:
        """Return the seconds until a renewal in the background is due."""
        now = self._clock.now()
        if self._failures:
            pause = min(RETRY_CAP, RETRY_FIRST * 2.0 ** min(self._failures - 1, 16))
            return self._failed_at + pause - self._clock.monotonic()
        grant = self._load()
        due = grant.renew_at - now if grant is not None else 0.0
        if self._renewed_at is not None:
            # A store that forgets, or a clock that jumps, must not make a storm of logins.
            due = max(due, self._renewed_at + RETRY_FIRST - self._clock.monotonic())
        return due

    # -- renewal -----------------------------------------------------------------------------------------------------

    def _usable(self, until: float | None) -> Grant:
        grant = self._load()
        if grant is not None and self._clock.now() < grant.expires_at:
            return grant
        return self._renew(grant, until)

    def _renew(self, seen: Grant | None, until: float | None = None, *, by_login: bool = False) -> Grant:
        """Return a newer token than the one seen; one thread fetches it, the others wait for that outcome."""
        while True:
            grant = self._shared.share(lambda renewal: self._lead(renewal, seen, until, by_login), until)
            if grant is not None:
                return grant

    def _lead(self, renewal: Renewal, seen: Grant | None, until: float | None, by_login: bool) -> Grant:
        grant = self._load()
        if grant is not None and grant != seen:
            return grant
        failed = self._failed
        if failed is not None and self._clock.monotonic() - failed[0] < COOL_DOWN:
            raise copy_of(failed[1])
        try:
            fetched = self._fetch(seen, by_login, until)
            self._keep(fetched)
            self._renewals += 1
            self._renewed_at = self._clock.monotonic()
            renewal.grant = fetched
        except NorthApiException as error:
            # Whoever has less time than the others, or is interrupted by an exception of the application's own, ends
            # its renewal without an outcome: the others try again.
            if until is None or self._clock.monotonic() < until - NO_TIME:
                renewal.error = self._note_failure(error)
                self._failed = (self._clock.monotonic(), renewal.error)
            raise
        finally:
            self._wake_timer()  # it has a new token to watch, or a failure to make good
        return fetched

    def _keep(self, grant: Grant) -> None:
        if self._running:
            self._ask("save", self._store.save, grant)
            if not self._running:  # it was stopped meanwhile, and has cleared the store already
                self._ask("clear", self._store.clear)
        self._note_success()

    def _note_success(self) -> None:
        self._failures = 0
        self._failed = None
        self._last_error = None

    def _note_failure(self, error: BaseException) -> NorthApiException:
        """Count a failure and return it as an exception to share: a copy, which holds no frames with secrets."""
        if isinstance(error, NorthApiException):
            shared = copy_of(error)
        else:
            told = f"renewing the token was broken off by {type(error).__name__}"
            shared = NorthApiException(SdkCode.CLIENT_INTERNAL, told)
        self._failures += 1
        self._failed_at = self._clock.monotonic()
        self._last_error = shared
        return shared

    def _fetch(self, seen: Grant | None, by_login: bool, until: float | None) -> Grant:
        if seen is not None and seen.refresh_token and not by_login:
            try:
                return self._refresh(seen.refresh_token, until)
            except NorthApiException as error:
                if error.http_status_code is None:
                    raise
                log.info("the refresh token was refused (%s), logging in", error.error_code)
        return self._login(until)


def _no_token() -> NorthApiException:
    return NorthApiException(SdkCode.NO_TOKEN, "the call carries no access token and the token timer is not running")
