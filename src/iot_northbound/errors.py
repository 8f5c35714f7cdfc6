"""NorthApiException and its subclasses: what went wrong, for people and for programs."""

from enum import StrEnum
from typing import Any, ClassVar, Self

from iot_northbound.error_codes import Kind, explain


class SdkCode:
    """The SDK's own four-digit codes, with the meanings of the Java SDK."""

    CLIENT_INTERNAL = "1001"
    METHOD_INVALID = "1002"
    NO_ANSWER = "1003"
    UNREADABLE = "1004"
    JSON_WITHOUT_CODE = "1005"
    TLS = "1006"
    INVALID_ARGUMENT = "1007"
    CLIENT_INFO = "1008"
    NO_TOKEN = "1009"  # noqa: S105 - a code, not a credential
    BLANK_IN_CREDENTIALS = "1010"
    NOT_JSON = "1011"
    FORBIDDEN_WITHOUT_CODE = "1012"
    DEVICE_REFUSED = "1013"  # from here on, the device side's: the Java SDK has none
    QUEUE = "1014"


_SELF_EXPLANATORY = frozenset(
    {SdkCode.TLS, SdkCode.INVALID_ARGUMENT, SdkCode.CLIENT_INFO, SdkCode.BLANK_IN_CREDENTIALS}
)
"""Codes whose descriptions say what to do, more exactly than a general remedy could."""


class NorthApiException(Exception):
    """A call failed: on the platform, on the way to it, or before it left.

    Attributes:
        error_code: the platform's code (mostly six digits) or the SDK's own (four digits).
        error_desc: the description of the platform or of the SDK.
        http_status_code: the answer's status; None if no answer came.
        http_reason_phrase: the phrase after the status.
        http_message: the answer's body if it has no error code, or a code without a description; cut to 2,000
            characters.
        endpoint: the call as method and path template, never with ids.
        attempts: how often the call was tried.
        elapsed: seconds from the call's start to its failure, including waits.
        outcome_unknown: True if the request may have had an effect although the call failed.
        retry_after: how many seconds the platform asks to wait; None if it does not ask.
    """

    def __init__(
        self,
        error_code: str,
        error_desc: str,
        *,
        http_status_code: int | None = None,
        http_reason_phrase: str | None = None,
        http_message: str | None = None,
        endpoint: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        outcome_unknown: bool = False,
        retry_after: float | None = None,
        likely: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(error_code, error_desc)
        self.error_code = error_code
        self.error_desc = error_desc
        self.http_status_code = http_status_code
        self.http_reason_phrase = http_reason_phrase
        self.http_message = http_message
        self.endpoint = endpoint
        self.attempts = attempts
        self.elapsed = elapsed
        self.outcome_unknown = outcome_unknown
        self.retry_after = retry_after
        self._known = likely

    _likely: ClassVar[tuple[str, str] | None] = None
    """Cause and remedy, if the class says more than the code, which other failures have too."""
    _self_explanatory: ClassVar[bool] = False
    """Whether descriptions say what to do, unless the error was given its own cause and remedy."""
    _spent: ClassVar[str] = "Given up after {attempts} attempts in {elapsed:.1f} s."

    @property
    def cause(self) -> str:
        """The likely cause; empty if the code is unknown."""
        return self._explained[0]

    @property
    def remedy(self) -> str:
        """What to do; empty if the code is unknown. The text of the exception contains it.

        If the description itself says what to do, it is the description.
        """
        if self._known is None and (self._self_explanatory or self.error_code in _SELF_EXPLANATORY):
            return self._description
        return self._explained[1]

    @property
    def _description(self) -> str:
        desc = self.error_desc.rstrip(".")
        return f"{desc}{'' if desc.endswith('?') else '.'}"

    @property
    def _explained(self) -> tuple[str, str]:
        likely = self._known or self._likely
        if likely is not None:
            return likely
        known = explain(self.error_code)
        return (known.cause, known.remedy) if known else ("", "")

    def __str__(self) -> str:
        where = f" on {self.endpoint}" if self.endpoint else ""
        status = f" (HTTP {self.http_status_code})" if self.http_status_code is not None else ""
        parts = [f"{self.error_code}{where}{status}: {self._description}"]
        if self.attempts > 1:
            parts.append(self._spent.format(attempts=self.attempts, elapsed=self.elapsed))
        if self.outcome_unknown:
            parts.append("The request may have had an effect: check this before you repeat it.")
        if self.remedy not in self._description:
            parts.append(self.remedy)
        return " ".join(parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.error_code!r}, {self.error_desc!r}, status={self.http_status_code})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.error_code, self.error_desc), self.__dict__


def _rebuild(cls: type[NorthApiException], code: str, desc: str) -> NorthApiException:
    return cls(code, desc)


class NotFoundError(NorthApiException):
    """Something that the call names does not exist on the platform."""


class AlreadyExistsError(NorthApiException):
    """The thing that the call would create exists already."""


class NotAuthorizedError(NorthApiException):
    """The application may not do this, or its id or secret is wrong."""


class BadTokenError(NotAuthorizedError):
    """The token is missing, wrong or expired, and a renewal did not help."""


class ThrottledError(NorthApiException):
    """The platform, or the client's own rate limit, allows no more calls at the moment."""


class InvalidArgumentError(NorthApiException):
    """The SDK (1007) or the platform does not accept a value."""

    @classmethod
    def of(cls, where: str, shown: str, rule: str) -> Self:
        """Return the SDK's own error (1007) for one value."""
        return cls(SdkCode.INVALID_ARGUMENT, f"{where} = {shown}: {rule}")


class DeviceOfflineError(NorthApiException):
    """The device is not reachable now."""


class QuotaReachedError(NorthApiException):
    """A limit of the platform or the application is used up."""


class PlatformFailureError(NorthApiException):
    """The platform itself has a fault."""


class TlsReason(StrEnum):
    """Why TLS failed, for programs. `error_desc` says it in words."""

    SETTINGS = "settings"
    """The values of an SSLConfig cannot be used together, or one of them cannot be used."""
    FILE_MISSING = "file_missing"
    """A file does not exist."""
    FILE_UNREADABLE = "file_unreadable"
    """This user may not read a file."""
    FILE_IS_A_FOLDER = "file_is_a_folder"
    FILE_UNUSABLE = "file_unusable"
    """A file has another content than expected, or is damaged."""
    PASSWORD_MISSING = "password_missing"  # noqa: S105 - no credential
    """A file is encrypted and no password is given."""
    PASSWORD_WRONG = "password_wrong"  # noqa: S105 - no credential
    KEY_MISSING = "key_missing"
    """A file has no private key."""
    KEY_MISMATCH = "key_mismatch"
    """The private key does not belong to the certificate."""
    KEY_AMBIGUOUS = "key_ambiguous"
    """A file has several private keys, or has none with the given alias."""
    CERTIFICATE_EXPIRED = "certificate_expired"
    """A certificate in one of the files has expired."""
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    SERVER_UNTRUSTED = "server_untrusted"
    """The server's certificate does not come from a CA that the client trusts."""
    SERVER_WRONG_NAME = "server_wrong_name"
    """The server's certificate is made out to another name, or the `hostname_verifier` refused it."""
    SERVER_EXPIRED = "server_expired"
    SERVER_NOT_YET_VALID = "server_not_yet_valid"
    SERVER_CERTIFICATE_REFUSED = "server_certificate_refused"
    """The client refused the server's certificate for another reason."""
    CLIENT_CERTIFICATE_MISSING = "client_certificate_missing"
    """The server requires a client certificate, or probably does, and none was sent."""
    CLIENT_CERTIFICATE_REFUSED = "client_certificate_refused"
    """The server did not accept the client's certificate."""
    NO_COMMON_PROTOCOL = "no_common_protocol"
    """Client and server have no TLS version or cipher in common."""
    NOT_TLS = "not_tls"
    """Plain HTTP or another service answers on this port."""
    NO_HANDSHAKE = "no_handshake"
    """The server accepted the connection and never answered the handshake."""
    CLOSED = "closed"
    """The server closed the connection and gave no reason."""
    OTHER = "other"


class TlsError(NorthApiException):
    """Certificates, keys or the TLS handshake failed: code 1006 from files, 1003 from the connection.

    Attributes:
        reason: why, for programs.
    """

    _likely = (
        "A certificate, key, password or host name is not right, on our side or on the server's.",
        "Correct the certificate or setting that the message names.",
    )
    _self_explanatory = True

    def __init__(
        self,
        error_code: str,
        error_desc: str,
        *,
        reason: TlsReason = TlsReason.OTHER,
        **rest: Any,
    ) -> None:
        super().__init__(error_code, error_desc, **rest)
        self.reason = reason


class _NoAnswer(NorthApiException):
    """The platform gave no answer.

    Attributes:
        request_sent: True if a part of the request had been sent when the call failed.
    """

    def __init__(self, error_code: str, error_desc: str, *, request_sent: bool = False, **rest: Any) -> None:
        super().__init__(error_code, error_desc, **rest)
        self.request_sent = request_sent


class RequestTimeoutError(_NoAnswer):
    """No answer came in time.

    Attributes:
        request_sent: True if a part of the request had been sent.
    """

    _likely = (
        "The platform is slow or is not running, or a firewall drops what is sent to it.",
        "If no connection was made, check the address and the port. Otherwise try later, or allow more time "
        "(HttpConfig, with_options).",
    )


class ConnectionFailedError(_NoAnswer):
    """The platform could not be reached, or the connection broke.

    Attributes:
        request_sent: True if a part of the request had been sent.
        may_want_certificate: True if the server perhaps requires a client certificate: it closed a new connection on
            which the client had not sent one.
    """

    _likely = (
        "No service listens there, the address cannot be reached from this machine, or something on the way ended the "
        "connection.",
        "Check the address, the port and the network, and that the platform is running.",
    )

    def __init__(self, error_code: str, error_desc: str, *, may_want_certificate: bool = False, **rest: Any) -> None:
        super().__init__(error_code, error_desc, **rest)
        self.may_want_certificate = may_want_certificate


class ClientClosedError(NorthApiException):
    """The client was closed before the call or during it (1001)."""

    _likely = (
        "close() was called, or the with statement of the client has ended.",
        "Make a new client, or keep this one open as long as calls are made.",
    )


class SharedStateError(NorthApiException):
    """What the processes of the application share cannot be used, and the call needs it (1001)."""

    _likely = (
        "The file, Redis or PostgreSQL that the setting `shared` names is not running or refuses us.",
        "Start it, or correct the setting. With shared_away='alone' a client logs in by itself meanwhile.",
    )


class UnreadableAnswerError(NorthApiException):
    """The answer is not what the API describes."""


class WaitTimeoutError(NorthApiException):
    """The end that a waiter waits for did not come in time.

    Attributes:
        last_state: the last answer seen; None if there was none.
        attempts: how often the waiter looked.
    """

    _likely = (
        "The device, or the platform, needs more time than was given.",
        "Wait again, or longer.",
    )
    _spent = "Looked {attempts} times in {elapsed:.1f} s."

    def __init__(self, error_code: str, error_desc: str, *, last_state: Any = None, **rest: Any) -> None:
        super().__init__(error_code, error_desc, **rest)
        self.last_state = last_state


class WaitStoppedError(NorthApiException):
    """Nobody waits any more: the receiver was stopped, the client was closed, or the process was forked (1001).

    What was waited for goes on.

    Attributes:
        last_state: the last state seen; None if there was none.
    """

    _likely = (
        "stop() or close() was called while something waited, or the process was forked.",
        "Follow the same command or task again, with a receiver and a client that are open.",
    )

    def __init__(self, error_code: str, error_desc: str, *, last_state: Any = None, **rest: Any) -> None:
        super().__init__(error_code, error_desc, **rest)
        self.last_state = last_state


BY_KIND: dict[Kind, type[NorthApiException]] = {
    Kind.NOT_FOUND: NotFoundError,
    Kind.ALREADY_EXISTS: AlreadyExistsError,
    Kind.NOT_AUTHORIZED: NotAuthorizedError,
    Kind.BAD_TOKEN: BadTokenError,
    Kind.THROTTLED: ThrottledError,
    Kind.INVALID_ARGUMENT: InvalidArgumentError,
    Kind.DEVICE_OFFLINE: DeviceOfflineError,
    Kind.QUOTA_REACHED: QuotaReachedError,
    Kind.PLATFORM_FAILURE: PlatformFailureError,
    Kind.OTHER: NorthApiException,
}

_BY_STATUS: dict[int, type[NorthApiException]] = {
    400: InvalidArgumentError,
    401: NotAuthorizedError,
    403: NotAuthorizedError,
    404: NotFoundError,
    409: AlreadyExistsError,
    429: ThrottledError,
}


def class_for(error_code: str, http_status_code: int | None) -> type[NorthApiException]:
    """Return the exception class of an answer. The code decides if it is known, otherwise the status."""
    known = explain(error_code)
    if known is not None and known.kind is not Kind.OTHER:
        return BY_KIND[known.kind]
    if http_status_code is None:
        return NorthApiException
    if http_status_code >= 500:
        return PlatformFailureError
    return _BY_STATUS.get(http_status_code, NorthApiException)
