"""The way of every call: encode, token, rate limit, attempts, answer, DTO."""

import logging
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

from iot_northbound.core import wire
from iot_northbound.core.answers import Answer, cleared, read_answer, shown
from iot_northbound.core.authorizing import Authorizing
from iot_northbound.core.budget import LimitStats, NoLimit, RateLimit
from iot_northbound.core.clock import Clock
from iot_northbound.core.deadline import earlier, enclosing
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.hooks import Hooks, RequestEvent, ResponseEvent, RetryEvent, notify
from iot_northbound.core.redact import one_line, redact
from iot_northbound.core.retry import AttemptFailed, Backoff, Outcome, RetryQuota, outcome_of
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.tokens import Tokens, given_token
from iot_northbound.core.transport import Timeouts, Transport
from iot_northbound.errors import (
    ClientClosedError,
    NorthApiException,
    RequestTimeoutError,
    SdkCode,
    UnreadableAnswerError,
)

T = TypeVar("T")
LONGEST_PAUSE = 300.0
"""The longest pause before a repeat, in seconds. A call that would have to wait longer fails at once."""
JSON = "application/json; charset=UTF-8"
"""With the charset, as in the vendor's SDK: some gateways assume Latin-1 if there is no charset."""
log = logging.getLogger("iot_northbound")


class CallOptions(NamedTuple):
    """The time limits of a call, in seconds, and its number of attempts."""

    timeouts: Timeouts
    deadline: float | None
    max_attempts: int


class _Prepared:
    """A request that is ready to be sent, and the result of its attempts so far."""

    __slots__ = (
        "attempts",
        "body",
        "content_type",
        "dto",
        "endpoint",
        "options",
        "started",
        "target",
        "unknown",
        "until",
    )

    def __init__(self, endpoint: Endpoint[Any], target: str, dto: Any, options: CallOptions, started: float) -> None:
        self.endpoint = endpoint
        self.target = target
        self.dto = dto
        self.options = options
        self.started = started
        self.until = started + options.deadline if options.deadline is not None else None
        self.attempts = 0
        self.unknown = False
        self.body: bytes | None = None
        self.content_type = ""
        if dto is not None and endpoint.form:
            self.body, self.content_type = wire.encode_pairs(dto).encode(), "application/x-www-form-urlencoded"
        elif dto is not None:
            self.body, self.content_type = wire.encode_body(dto), JSON


class Pipeline:
    """Makes calls, with the transport, the token and the limits of one client.

    Args:
        transport: the connections.
        tokens: keeps and renews the token.
        clock: time; its monotonic seconds must be those of the machine, because sockets use them too.
        headers: the headers of every request.
        app_id: sent as app_key with authorized calls.
        own_secrets: values that, like the tokens, no log or exception may show.
        hooks: functions that are called at each attempt.
        rate_limit: makes calls wait for their turn.
        backoff: delays between attempts.
    """

    def __init__(
        self,
        transport: Transport,
        tokens: Tokens,
        clock: Clock,
        *,
        headers: Mapping[str, str],
        app_id: str,
        own_secrets: tuple[str, ...],
        hooks: Hooks,
        rate_limit: RateLimit | NoLimit,
        backoff: Backoff,
    ) -> None:
        self.transport = transport
        self.tokens = tokens
        self._clock = clock
        self._headers = dict(headers)
        self._app_id = app_id
        self._own_secrets = own_secrets
        self._closing = Flag()
        self._hooks = hooks
        self._rate_limit = rate_limit
        self._backoff = backoff
        self._quota = RetryQuota()
        self._authorizing = Authorizing(tokens)

    def after_fork(self) -> None:
        """Make new what a forked child must not share with its parent."""
        closing, self._closing = self._closing, Flag()
        if closing.is_set():
            self._closing.set()
        self.transport.reset()
        self.tokens.after_fork()
        self._quota = RetryQuota()
        self._rate_limit.after_fork()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def check_open(self) -> None:
        """Check that the client is not closed.

        Raises:
            ClientClosedError: it is closed (1001).
        """
        if self.is_closed:
            raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "the client is closed")

    def probe(self, options: CallOptions) -> str:
        """Return in words what the platform's root answered to one request.

        Silence, or an answer that is not HTTP, is also a proof that TLS works: a server that refuses us hangs up.

        Raises:
            NorthApiException: there is no connection, or it broke.
        """
        self.check_open()
        own = self._clock.monotonic() + options.deadline if options.deadline is not None else None
        until = earlier(own, enclosing())
        try:
            answer = self.transport.send("GET", "/", self._headers.copy(), None, options.timeouts, until)
        except AttemptFailed as failed:
            read = isinstance(failed.error, RequestTimeoutError | UnreadableAnswerError)
            if read and failed.outcome is Outcome.UNKNOWN:
                return f"both sides agreed; the root gave no answer ({failed.error.error_desc})"
            raise failed.error from failed.__cause__
        return f"both sides agreed; the root answered HTTP {answer.status}"

    def close(self) -> None:
        """Stop the timer, forget the token and close the connections. Calls that wait for their turn end at once."""
        self._closing.set()
        try:
            self.tokens.stop()
        finally:
            self.transport.close()

    def _secrets(self, prepared: _Prepared, token: str | None) -> tuple[str, ...]:
        given = (token,) if token else ()
        return (*self._own_secrets, *self.tokens.held, *given, *wire.secrets_in(prepared.dto))

    def call(
        self,
        endpoint: Endpoint[T],
        ids: Mapping[str, str],
        *,
        query: Any = None,
        body: Any = None,
        access_token: str | None = None,
        options: CallOptions,
        until: float | None = None,
    ) -> T:
        """Return the endpoint's result for this request.

        `until` is a second deadline, in seconds of the clock's monotonic time: that of an outer call that needs this
        one.

        Raises:
            NorthApiException: the call failed; the subclass says how.
        """
        self.check_open()
        target = endpoint.url(ids)
        if query is not None:
            pairs = wire.encode_pairs(query)
            target = f"{target}?{pairs}" if pairs else target
        prepared = _Prepared(endpoint, target, body, options, self._clock.monotonic())
        prepared.until = earlier(prepared.until, earlier(until, enclosing()))
        try:
            value, answer = self._authorized(prepared, access_token)
            return self._decode(prepared, endpoint, value, answer)
        except NorthApiException as error:
            # If the error already has an endpoint, it is that of the login or refresh. Then this call itself was not
            # sent, unless an earlier attempt was.
            if error.endpoint is None:
                error.endpoint = endpoint.name
                error.attempts = prepared.attempts
                error.elapsed = self._clock.monotonic() - prepared.started
            error.outcome_unknown = prepared.unknown and endpoint.method != "GET"
            raise

    # -- the token ---------------------------------------------------------------------------------------------------

    def _authorized(self, prepared: _Prepared, access_token: str | None) -> tuple[Any, Answer]:
        if not prepared.endpoint.authorized:
            return self._attempts(prepared, None)
        if access_token is not None:
            return self._attempts(prepared, given_token(access_token))
        name, until = prepared.endpoint.name, prepared.until
        return self._authorizing.call(name, until, lambda token: self._attempts(prepared, token))

    @property
    def limit_stats(self) -> LimitStats | None:
        """What the limit counted; None if there is none."""
        return self._rate_limit.stats()

    @property
    def calls_per_minute(self) -> int | None:
        """The limit; None if there is none."""
        return self._rate_limit.calls

    # -- attempts ----------------------------------------------------------------------------------------------------

    def _attempts(self, prepared: _Prepared, token: str | None) -> tuple[Any, Answer]:
        failures = 0
        fresh_tried = False
        login, longest = not prepared.endpoint.authorized, sum(prepared.options.timeouts)
        while True:
            try:
                with self._rate_limit.slot(prepared.until, self._closing, login=login, longest=longest):
                    self.check_open()
                    result = self._attempt(prepared, token)
                self._quota.give_back()
                return result
            except AttemptFailed as failed:
                failures += 1
                error = failed.error
                prepared.unknown = prepared.unknown or failed.outcome is Outcome.UNKNOWN
                if not self._may_repeat(prepared, failed, failures):
                    raise error from failed.__cause__
                if failed.reused and not fresh_tried:
                    fresh_tried, delay = True, 0.0
                else:
                    delay = self._backoff.delay(failures, error.retry_after)
                too_late = prepared.until is not None and self._clock.monotonic() + delay >= prepared.until
                if too_late or delay > LONGEST_PAUSE:
                    raise error from failed.__cause__
                notify(
                    self._hooks.on_retry,
                    RetryEvent(
                        prepared.endpoint.name, prepared.attempts, delay, f"{failed.outcome.value}: {error.error_code}"
                    ),
                    prepared.until,
                )
                log.debug("%s: attempt %d failed, again in %.2f s", prepared.endpoint.name, prepared.attempts, delay)
                self._clock.sleep(delay, self._closing)

    def _may_repeat(self, prepared: _Prepared, failed: AttemptFailed, failures: int) -> bool:
        if failed.outcome is Outcome.FINAL or failures >= prepared.options.max_attempts:
            return False
        if failed.outcome is Outcome.UNKNOWN and not prepared.endpoint.repeatable:
            return False
        return self._quota.take()

    def _attempt(self, prepared: _Prepared, token: str | None) -> tuple[Any, Answer]:
        endpoint = prepared.endpoint
        prepared.attempts += 1
        headers = self._headers.copy()
        if token is not None:
            headers["app_key"] = self._app_id
            headers["Authorization"] = f"Bearer {token}"
        if prepared.body is not None:
            headers["Content-Type"] = prepared.content_type
            headers["Content-Length"] = str(len(prepared.body))
        elif endpoint.method != "GET":
            headers["Content-Length"] = "0"
        notify(self._hooks.before_request, RequestEvent(endpoint.name, prepared.attempts), prepared.until)
        started = self._clock.monotonic()
        status: int | None = None
        code: str | None = None
        try:
            timeouts = self._timeouts(prepared, started)
            answer = self.transport.send(
                endpoint.method, prepared.target, headers, prepared.body, timeouts, prepared.until
            )
            status = answer.status
            if log.isEnabledFor(logging.DEBUG):
                self._log_bodies(prepared, answer, self._secrets(prepared, token))
            return read_answer(answer, self._clock.now, lambda: self._secrets(prepared, token)), answer
        except AttemptFailed as failed:
            status, code = failed.error.http_status_code, failed.error.error_code
            if failed.error.http_reason_phrase:
                secrets = self._secrets(prepared, token)
                failed.error.http_reason_phrase = cleared(failed.error.http_reason_phrase, secrets)
            raise
        except NorthApiException as error:
            code = error.error_code
            raise AttemptFailed(error, outcome_of(error)) from None
        finally:
            if self._hooks.after_response is not None:
                elapsed = self._clock.monotonic() - started
                notify(
                    self._hooks.after_response,
                    ResponseEvent(endpoint.name, prepared.attempts, status, code, elapsed),
                    prepared.until,
                )

    def _timeouts(self, prepared: _Prepared, now: float) -> Timeouts:
        timeouts = prepared.options.timeouts
        if prepared.until is None:
            return timeouts
        left = max(prepared.until - now, 0.001)
        if left >= timeouts.connect and left >= timeouts.read:
            return timeouts
        return Timeouts(min(timeouts.connect, left), min(timeouts.read, left))

    # -- the answer --------------------------------------------------------------------------------------------------

    def _decode(self, prepared: _Prepared, endpoint: Endpoint[T], value: Any, answer: Answer) -> T:
        if endpoint.result is type(None):
            return None
        if value is None:
            if endpoint.may_be_empty:
                return endpoint.result()
            self._unreadable(prepared, answer, f"a success came without its {endpoint.result.__name__}")
        try:
            return wire.structure(value, endpoint.result)
        except wire.ShapeError as error:
            self._unreadable(prepared, answer, f"in the answer, {error}")

    def _unreadable(self, prepared: _Prepared, answer: Answer, desc: str) -> NoReturn:
        prepared.unknown = True
        secrets = self._secrets(prepared, None)
        raise UnreadableAnswerError(
            SdkCode.UNREADABLE,
            desc,
            http_status_code=answer.status,
            http_reason_phrase=cleared(answer.reason, secrets),
            http_message=shown(answer, secrets),
        )

    def _log_bodies(self, prepared: _Prepared, answer: Answer, secrets: tuple[str, ...]) -> None:
        sent = redact(prepared.body.decode(), secrets) if prepared.body else ""
        got = shown(answer, secrets, 20000) or ""
        request = f"{prepared.endpoint.method} {redact(prepared.target, secrets)}"
        words = f"sent {one_line(sent)}, answered" if sent else "answered"
        thread = threading.current_thread().name
        log.debug("%s [%s] %s %d %s", request, thread, words, answer.status, one_line(got))
