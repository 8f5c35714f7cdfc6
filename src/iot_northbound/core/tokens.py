"""Who holds the token and who renews it.

The platform's newest login ends the token before it, for the whole application. So one renewal runs at a time, and
whoever meets a used-up token meanwhile waits for that one and shares its outcome, failure included.
"""

import logging
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import attrs

from iot_northbound.core.clock import Clock
from iot_northbound.errors import NorthApiException, SdkCode

log = logging.getLogger("iot_northbound.tokens")

RENEW_AT = 0.8
"""The part of a token's life after which it is renewed ahead of its end."""
RETRY_FIRST, RETRY_CAP = 1.0, 60.0
"""Seconds before the first repeat of a failed renewal in the background, and between later ones at most."""
COOL_DOWN = 1.0
"""Seconds for which callers share a failed renewal instead of trying one each."""


def _hide(value: object) -> str:
    return "None" if value is None else "'***'"


@attrs.frozen
class Grant:
    """A token with its age, in seconds of the epoch."""

    access_token: str = attrs.field(repr=_hide)
    refresh_token: str | None = attrs.field(repr=_hide)
    granted_at: float
    expires_in: float

    @property
    def expires_at(self) -> float:
        """When the platform stops taking the token."""
        return self.granted_at + self.expires_in

    @property
    def renew_at(self) -> float:
        """When a background renewal is due."""
        return self.granted_at + max(RENEW_AT * self.expires_in, RETRY_FIRST)


class TokenStore(Protocol):
    """Where the token lives between calls. Several threads call it at once."""

    def load(self) -> Grant | None:
        """Return the token held, or None."""
        ...

    def save(self, grant: Grant) -> None:
        """Hold this token in place of the one before."""
        ...

    def clear(self) -> None:
        """Forget the token."""
        ...


class MemoryTokenStore:
    """A token store of this process alone."""

    def __init__(self) -> None:
        self._grant: Grant | None = None

    def load(self) -> Grant | None:
        """Return the token held, or None."""
        return self._grant

    def save(self, grant: Grant) -> None:
        """Hold this token in place of the one before."""
        self._grant = grant

    def clear(self) -> None:
        """Forget the token."""
        self._grant = None


class TokenState(StrEnum):
    """How usable the held token is."""

    NONE = "none"
    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


@attrs.frozen
class TokenStatus:
    """What `client.token_status` tells; no secret in it."""

    state: TokenState
    timer_running: bool
    expires_at: float | None
    """Seconds since the epoch."""
    renewals: int
    """Renewals that succeeded since the client was made, the first login included."""
    failures_in_a_row: int
    last_error: NorthApiException | None


class _Renewal:
    """One renewal under way; those who meet it wait for its outcome."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.grant: Grant | None = None
        self.error: NorthApiException | None = None


class Tokens:
    """Holds the token while the timer is on, and renews it: ahead of time in the background, at once when refused.

    Args:
        login: returns a new token by app id and secret.
        refresh: returns a new token for a refresh token.
        store: where the token lives.
        clock: time.
    """

    def __init__(
        self, login: Callable[[], Grant], refresh: Callable[[str], Grant], store: TokenStore, clock: Clock
    ) -> None:
        self._login = login
        self._refresh = refresh
        self._store = store
        self._clock = clock
        self._running = False
        self._thread: threading.Thread | None = None
        self._renewals = 0
        self._failures = 0
        self._last_error: NorthApiException | None = None
        self.reset_locks()

    def reset_locks(self) -> None:
        """Make new locks and no thread: for the start, and for a forked child whose parent's threads are not there."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._renewal: _Renewal | None = None
        self._failed: tuple[float, NorthApiException] | None = None
        self._thread = None

    # -- for callers -------------------------------------------------------------------------------------------------

    def current(self) -> str:
        """Return a usable token, renewing an expired one first.

        Raises:
            NorthApiException: no token is held and no timer runs (1009), or the renewal failed.
        """
        if not self._running:
            raise NorthApiException(
                SdkCode.NO_TOKEN, "the call carries no access token and the token timer is not running"
            )
        if self._thread is None:
            self._start_thread()
        grant = self._store.load()
        if grant is not None and self._clock.now() < grant.expires_at:
            return grant.access_token
        return self._renew(grant).access_token

    def replace(self, refused: str) -> str:
        """Return a token that is not the refused one: the one somebody else got meanwhile, or a new one.

        Raises:
            NorthApiException: the renewal failed.
        """
        grant = self._store.load()
        if grant is not None and grant.access_token != refused:
            return grant.access_token
        return self._renew(grant, by_login=True).access_token

    def adopt(self, grant: Grant) -> None:
        """Hold a token the application fetched itself, since its login ended the one held before."""
        if self._running:
            self._store.save(grant)
            self._wake.set()

    # -- the timer ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Fetch a token and keep it fresh in the background; nothing happens when that runs already.

        Raises:
            NorthApiException: the first login failed; the timer is off then.
        """
        with self._lock:
            if self._running:
                return
            self._running = True
        try:
            self.current()
        except BaseException:
            self._running = False
            self.stop()
            raise

    def stop(self) -> None:
        """End the background thread and forget the token."""
        with self._lock:
            self._running = False
            thread, self._thread = self._thread, None
            self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._store.clear()

    def status(self) -> TokenStatus:
        """Return what can be said of the token without showing it."""
        grant = self._store.load()
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
        grant = self._store.load()
        if grant is None:
            return ()
        return (grant.access_token, grant.refresh_token) if grant.refresh_token else (grant.access_token,)

    def _start_thread(self) -> None:
        with self._lock:
            if self._running and self._thread is None:
                self._wake = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._wake,), name="iot-northbound-token-timer", daemon=True
                )
                self._thread.start()

    def _run(self, wake: threading.Event) -> None:
        while self._running and threading.current_thread() is self._thread:
            self._clock.wait(wake, self._until_next())
            wake.clear()
            if not self._running or threading.current_thread() is not self._thread:
                return
            if self._until_next() > 0:
                continue
            try:
                self._renew(self._store.load())
            except NorthApiException as error:
                log.warning("renewing the token failed (%d in a row), will go on trying: %s", self._failures, error)
            except Exception:
                # A store or a login of the application's own; the timer must outlive it all the same.
                self._failures += 1
                self._failed_at = self._clock.now()
                log.exception("renewing the token failed unexpectedly, will go on trying")

    _failed_at = 0.0

    def _until_next(self) -> float:
        """Return the seconds until a renewal in the background is due."""
        now = self._clock.now()
        if self._failures:
            pause = min(RETRY_CAP, RETRY_FIRST * 2.0 ** min(self._failures - 1, 16))
            return self._failed_at + pause - now
        grant = self._store.load()
        return grant.renew_at - now if grant is not None else 0.0

    # -- renewal -----------------------------------------------------------------------------------------------------

    def _renew(self, seen: Grant | None, *, by_login: bool = False) -> Grant:
        """Return a newer token than the one seen; one thread fetches it, the others wait for that outcome."""
        with self._lock:
            grant = self._store.load()
            if grant is not None and grant != seen:
                return grant
            if self._failed is not None and self._clock.monotonic() - self._failed[0] < COOL_DOWN:
                raise _again(self._failed[1])
            mine = self._renewal is None
            renewal = self._renewal = self._renewal or _Renewal()
        if not mine:
            renewal.done.wait()
            if renewal.grant is not None:
                return renewal.grant
            raise _again(renewal.error or NorthApiException(SdkCode.CLIENT_INTERNAL, "a renewal ended without outcome"))
        try:
            fetched = self._fetch(seen, by_login)
        except BaseException as error:
            self._note_failure(renewal, error)
            raise
        with self._lock:
            if self._running:
                self._store.save(fetched)
            self._renewals += 1
            self._failures = 0
            self._last_error = None
            self._failed = None
            self._renewal = None
            renewal.grant = fetched
        renewal.done.set()
        self._wake.set()
        return fetched

    def _note_failure(self, renewal: _Renewal, error: BaseException) -> None:
        shared = (
            error
            if isinstance(error, NorthApiException)
            else NorthApiException(
                SdkCode.CLIENT_INTERNAL, f"renewing the token was broken off by {type(error).__name__}"
            )
        )
        with self._lock:
            self._failures += 1
            self._failed_at = self._clock.now()
            self._last_error = shared
            self._failed = (self._clock.monotonic(), shared)
            self._renewal = None
            renewal.error = shared
        renewal.done.set()

    def _fetch(self, seen: Grant | None, by_login: bool) -> Grant:
        if seen is not None and seen.refresh_token and not by_login:
            try:
                return self._refresh(seen.refresh_token)
            except NorthApiException as error:
                if error.http_status_code is None:
                    raise
                log.info("the refresh token was refused (%s), logging in", error.error_code)
        return self._login()


def _again(error: NorthApiException) -> NorthApiException:
    """Return a copy of a shared failure, so that no two threads raise one object."""
    function, arguments, state = error.__reduce__()
    copy: NorthApiException = function(*arguments)
    copy.__dict__.update(state)
    return copy
