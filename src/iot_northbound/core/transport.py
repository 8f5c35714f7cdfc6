"""One request over the pool: prepared by hand, sent by requests' adapter, read to its end within a deadline.

`Session.request` spends two thirds of a kept-alive call on merging settings that this SDK never changes. So only
requests' adapter is used. Every failure becomes an `AttemptFailed`, with what is known about the request.
"""

import ssl
import sys
from collections.abc import Mapping
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any, NamedTuple

from requests import PreparedRequest, Response
from requests import exceptions as requests_errors
from urllib3 import exceptions as urllib3_errors

from iot_northbound.core.answers import Answer
from iot_northbound.core.causes import chain_of
from iot_northbound.core.framing import UnclearConnection
from iot_northbound.core.retry import AttemptFailed, Outcome
from iot_northbound.core.sockets import CallState, DeadlineSocket, here
from iot_northbound.core.tls import PinnedAdapter, TlsPolicy
from iot_northbound.errors import (
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    RequestTimeoutError,
    SdkCode,
    TlsError,
    UnreadableAnswerError,
)

MAX_ANSWER = 64 * 1024 * 1024
"""The largest body of an answer, decompressed, in bytes."""
_CHUNK = 262144


class _Request(PreparedRequest):
    """A prepared request that already knows its path."""

    target: str

    @property
    def path_url(self) -> str:
        return self.target


class _Response(Response):
    """A response without a cookie jar, which is not used."""

    def __init__(self) -> None:
        self._content_consumed = False


class _Adapter(PinnedAdapter):
    """The pinned adapter for one platform: its pool is looked up once, and answers have no cookies."""

    pool: Any = None

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        pool = self.pool  # read only once: another thread's close() may remove it in the meantime
        if pool is None:
            pool = self.pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        return request.path_url  # type: ignore[no-any-return]  # text

    def build_response(self, req: Any, resp: Any) -> Response:
        response = _Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.reason = resp.reason
        response.raw = resp
        response.url = req.url
        response.request = req
        return response


class Timeouts(NamedTuple):
    """Seconds for one attempt."""

    connect: float
    read: float


class Transport:
    """The connections to one platform.

    Args:
        base_url: scheme, host and port, without a closing slash.
        policy: certificates and host-name rule.
        pool_size: connections kept open.
        proxy: URL of an HTTP proxy, or None.
    """

    def __init__(
        self,
        base_url: str,
        policy: TlsPolicy,
        *,
        pool_size: int,
        proxy: str | None = None,
    ) -> None:
        self._base_url = base_url
        self._policy = policy
        self._pool_size = pool_size
        self._proxies = {"https": proxy, "http": proxy} if proxy else None
        self._opened_before = 0
        policy.context.sslsocket_class = DeadlineSocket
        self._adapter = self._new_adapter()

    def _new_adapter(self) -> _Adapter:
        return _Adapter(self._policy, pool_connections=1, pool_maxsize=self._pool_size)

    @property
    def connections_opened(self) -> int:
        """How many connections were opened so far."""
        return self._opened_before + self._adapter.opened.value

    def reset(self) -> None:
        """Drop the pool and start with an empty one; a forked child must not speak on its parent's connections."""
        self._opened_before = self.connections_opened
        self._adapter = self._new_adapter()

    def close(self) -> None:
        """Close the idle connections; busy ones close when their call ends."""
        pool, self._adapter.pool = self._adapter.pool, None
        self._adapter.close()
        if pool is not None:
            pool.close()  # the adapter leaves this to the garbage collection, which can take long

    def send(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | None,
        timeouts: Timeouts,
        until: float | None,
    ) -> Answer:
        """Send once and return the whole answer, with any status.

        `until` is the deadline in seconds of the machine's monotonic clock.

        Raises:
            AttemptFailed: no answer came, or only a part of one.
        """
        request = _Request()
        request.method = method
        request.url = self._base_url + target
        request.target = target
        request.headers = headers  # type: ignore[assignment]  # a dict is enough; a copy would be made for each call
        request.body = body
        before, call = here.call, CallState(until, timeouts.read, sys.exc_info()[1])
        response: Response | None = None
        try:
            here.call = call
            response = self._adapter.send(
                request,
                stream=True,
                timeout=(timeouts.connect, timeouts.read),
                proxies=self._proxies,
            )
            answer = Answer(response.status_code, response.reason or "", response.headers, _read(response.raw, call))
            if _fits(call, answer.status):
                return answer
            failed = _too_early(response)
            chain: list[BaseException] = []
        except Exception as error:  # raised below
            if _is_applications(error):
                _drop(response)
                raise
            chain = chain_of(error, call.outer)
            failed = self._failed(call, error, chain) if response is None else self._broken_off(chain, response)
        except BaseException:
            _drop(response)
            raise
        finally:
            here.call = before
        # Not with the libraries' own chain of exceptions, which contains the request's headers and what the server
        # sent.
        raise failed from _cause(chain)

    # -- what went wrong ---------------------------------------------------------------------------------------------

    def _failed(self, call: CallState, error: Exception, chain: list[BaseException]) -> AttemptFailed:
        sent = call.sent
        outcome = Outcome.UNKNOWN if sent else Outcome.NOT_SENT
        tls = _first(chain, ssl.SSLError, ssl.CertificateError)
        hung_up = isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if (isinstance(error, requests_errors.SSLError) or tls) and not (hung_up and sent):
            failure = self._tls_error(error, chain)
            # With TLS 1.3 a server refuses our certificate only when the request is on its way, and does not read it.
            refused = not sent or (call.fresh and "ALERT" in str(getattr(tls, "reason", "")))
            return AttemptFailed(failure, outcome if hung_up or not refused else Outcome.FINAL)
        if isinstance(error, requests_errors.ConnectTimeout):
            told_timeout = RequestTimeoutError(SdkCode.NO_ANSWER, f"no connection to {self._base_url} in time")
            return AttemptFailed(told_timeout, Outcome.NOT_SENT)
        if isinstance(error, requests_errors.Timeout) or _first(chain, TimeoutError):
            unsent = "no TLS connection to" if call.fresh else "nothing could be sent to"
            what = "no answer came in time" if sent else f"{unsent} {self._base_url} in time"
            return AttemptFailed(RequestTimeoutError(SdkCode.NO_ANSWER, what, request_sent=sent), outcome)
        alien = _first(chain, HTTPException)
        if alien and not isinstance(alien, RemoteDisconnected | IncompleteRead):
            what = "its head cannot be read"
            if isinstance(alien, BadStatusLine):
                what = "the received data is not an HTTP answer"
            why = alien if isinstance(alien, UnclearConnection) else f"{what}: {type(alien).__name__}"
            return AttemptFailed(UnreadableAnswerError(SdkCode.UNREADABLE, str(why)), outcome)
        if isinstance(error, OSError | urllib3_errors.HTTPError):  # requests' exceptions are OSErrors
            what = "the connection broke before an answer came" if sent else f"no connection to {self._base_url}"
            # With TLS 1.3 a server that requires a certificate may hang up only when the request is on its way.
            bare = sent and call.fresh and not self._policy.shows_certificate
            broken = ConnectionFailedError(
                SdkCode.NO_ANSWER,
                f"{what}: {_root(chain)}{WANTS_CERTIFICATE if bare else ''}",
                request_sent=sent,
                may_want_certificate=bare,
            )
            return AttemptFailed(broken, outcome, reused=sent and not call.fresh)
        if isinstance(error, ValueError) and sent:
            unreadable = f"what came cannot be read: {type(error).__name__}"
            return AttemptFailed(UnreadableAnswerError(SdkCode.UNREADABLE, unreadable), outcome)
        if isinstance(error, ValueError):
            # http.client has checked the header values. The value itself may be a secret.
            rule = "it contains characters that HTTP does not allow"
            rejected = InvalidArgumentError.of("the request", "a header", rule)
            return AttemptFailed(rejected, Outcome.FINAL)
        unexpected = NorthApiException(SdkCode.CLIENT_INTERNAL, f"sending failed unexpectedly: {type(error).__name__}")
        return AttemptFailed(unexpected, Outcome.UNKNOWN if sent else Outcome.FINAL)

    def _tls_error(self, error: Exception, chain: list[BaseException]) -> TlsError:
        from iot_northbound.core.handshake import explain_handshake  # only a failed handshake needs it

        what = "the TLS connection failed"
        found = explain_handshake(chain, shows_certificate=self._policy.shows_certificate)
        if found is None:
            return TlsError(SdkCode.NO_ANSWER, f"{what}: {type(error).__name__}")
        return TlsError(SdkCode.NO_ANSWER, f"{what}: {found}", reason=found.reason, likely=found[1:])

    def _broken_off(self, chain: list[BaseException], response: Response) -> AttemptFailed:
        details: Mapping[str, Any] = {
            "http_status_code": response.status_code,
            "http_reason_phrase": response.reason,
        }
        _drop(response)
        failure: NorthApiException
        if _first(chain, TimeoutError, urllib3_errors.ReadTimeoutError):
            failure = RequestTimeoutError(SdkCode.UNREADABLE, "the body of the answer did not come in time", **details)
        else:
            failure = UnreadableAnswerError(
                SdkCode.UNREADABLE, f"the body of the answer broke off or cannot be decoded: {_root(chain)}", **details
            )
        return AttemptFailed(failure, Outcome.UNKNOWN)


WANTS_CERTIFICATE = (
    ". The connection was new, and we sent no client certificate: the server may require one. "
    "Set SSLConfig.self_cert_path"
)
"""The end of the description of an error that has `may_want_certificate`."""
_NO_TUNNEL = "Tunnel connection failed: "
"""The beginning of http.client's error when a proxy refuses; the status follows."""


_NOT_THE_APPLICATIONS = frozenset({"requests", "urllib3", "iot_northbound"}) | sys.stdlib_module_names


class _TooLarge(Exception):
    pass


def _read(raw: Any, call: CallState) -> bytes:
    """Return the whole body, decompressed. `read1` checks the deadline between the pieces of a slow server."""
    first: bytes = raw.read1(_CHUNK, decode_content=True)
    if not first or (raw.length_remaining == 0 and "content-encoding" not in raw.headers):
        return first
    pieces, size = [first], len(first)
    while piece := raw.read1(_CHUNK, decode_content=True):
        call.check()  # decompression takes time without reading from the socket
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise _TooLarge(f"it is longer than {MAX_ANSWER} bytes")
    return b"".join(pieces)


def _is_applications(error: Exception) -> bool:
    """Return whether an exception is one of the application's own, which a signal handler raises."""
    return type(error).__module__.partition(".")[0] not in _NOT_THE_APPLICATIONS


def _drop(response: Response | None) -> None:
    """Close an answer that will not be read, with its connection."""
    if response is not None:
        response.raw.close()


def _fits(call: CallState, status: int) -> bool:
    """Return whether an answer certainly belongs to this call.

    It does if it came after the whole request. An earlier refusal does too, on a connection that no other call has
    used.
    """
    whole = not call.cut and (not call.early or call.interim)
    return whole or (call.fresh and status >= 400)


def _too_early(response: Response) -> AttemptFailed:
    """Return the failure of a request that was answered before it was completely sent."""
    return AttemptFailed(
        UnreadableAnswerError(
            SdkCode.UNREADABLE,
            "the server answered before it had the whole request: the answer may be another call's",
            http_status_code=response.status_code,
        ),
        Outcome.UNKNOWN,
    )


def _cause(chain: list[BaseException]) -> BaseException | None:
    """Return the error of the operating system or of OpenSSL, if there is one."""
    return next((each for each in chain if isinstance(each, OSError) and (each.strerror or each.errno)), None)


def _first(chain: list[BaseException], *kinds: type[BaseException]) -> BaseException | None:
    return next((each for each in chain if isinstance(each, kinds)), None)


def _root(chain: list[BaseException]) -> str:
    """Return the operating system's description, if there is one, and never what a server sent."""
    for each in chain:
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
        if isinstance(each, RemoteDisconnected):
            return "the server closed it without a word"
        if isinstance(each, urllib3_errors.DecodeError):
            return "it is not compressed as its head says"
        if type(each) is OSError and str(each).startswith(_NO_TUNNEL):
            return f"the proxy refused with HTTP {str(each)[len(_NO_TUNNEL) :][:3]}"
        if isinstance(each, IncompleteRead | urllib3_errors.IncompleteRead):
            return f"{len(each.partial) if isinstance(each.partial, bytes) else each.partial} bytes came"
        if isinstance(each, _TooLarge):
            return str(each)
    return type(chain[-1]).__name__
