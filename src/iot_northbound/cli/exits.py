"""The exit status of the command: one for each family of errors, the same in every version."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iot_northbound.errors import NorthApiException


class Exit(IntEnum):
    """An exit status. A script may rely on these numbers."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    UNREACHABLE = 4
    TLS = 5
    NOT_AUTHORIZED = 6
    NOT_FOUND = 7
    EXISTS = 8
    REFUSED = 9
    LIMITED = 10
    OFFLINE = 11
    PLATFORM = 12
    TOO_LATE = 13
    UNEXPECTED = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.DONE: "The command did what it was asked for.",
    Exit.FAILED: "Something did not succeed: a step of a check, a row of an import, a file, a port, an inbox.",
    Exit.USAGE: "The arguments are wrong, or one is missing. Nothing was done.",
    Exit.CONFIGURATION: "The configuration cannot be used: a profile, a variable, a certificate file, a value.",
    Exit.UNREACHABLE: "The platform or the shared state gave no answer.",
    Exit.TLS: "TLS failed: one side does not accept the other's certificate, or does not speak TLS.",
    Exit.NOT_AUTHORIZED: "The platform does not accept the application, or the application may not do this.",
    Exit.NOT_FOUND: "What the command names does not exist on the platform.",
    Exit.EXISTS: "What the command would make exists already.",
    Exit.REFUSED: "The platform does not accept the request, for another reason than those in this table.",
    Exit.LIMITED: "A limit is reached: too many calls at the moment, or a quota is used up.",
    Exit.OFFLINE: "The device is not reachable at the moment.",
    Exit.PLATFORM: "The platform itself has a fault, or its answer cannot be read.",
    Exit.TOO_LATE: "What the command waited for did not come in time.",
    Exit.UNEXPECTED: "A mistake in this program. --debug shows its traceback.",
    Exit.INTERRUPTED: "Ctrl-C or the answer no ended the command; so did SIGTERM, if the command had to clean up.",
    Exit.CLOSED_PIPE: "The reader of the output went away.",
}


def exit_of(error: BaseException) -> Exit:
    """Return the exit status of a command that ended with this error."""
    from iot_northbound.errors import NorthApiException

    if isinstance(error, NorthApiException):
        return _of_the_api(error)
    return Exit.FAILED if isinstance(error, OSError | ImportError) else Exit.UNEXPECTED


def _of_the_api(error: NorthApiException) -> Exit:
    from iot_northbound import errors

    own = errors.SdkCode
    if error.error_code in (own.INVALID_ARGUMENT, own.CLIENT_INFO, own.BLANK_IN_CREDENTIALS, own.TLS):
        return Exit.CONFIGURATION
    by_class = {
        errors.ConnectionFailedError: Exit.UNREACHABLE,
        errors.RequestTimeoutError: Exit.UNREACHABLE,
        errors.SharedStateError: Exit.UNREACHABLE,
        errors.TlsError: Exit.TLS,
        errors.NotAuthorizedError: Exit.NOT_AUTHORIZED,
        errors.NotFoundError: Exit.NOT_FOUND,
        errors.AlreadyExistsError: Exit.EXISTS,
        errors.ThrottledError: Exit.LIMITED,
        errors.QuotaReachedError: Exit.LIMITED,
        errors.DeviceOfflineError: Exit.OFFLINE,
        errors.PlatformFailureError: Exit.PLATFORM,
        errors.UnreadableAnswerError: Exit.PLATFORM,
        errors.WaitTimeoutError: Exit.TOO_LATE,
        errors.InvalidArgumentError: Exit.REFUSED,
    }
    for cls, family in by_class.items():
        if isinstance(error, cls):
            return family
    by_code = {
        own.NO_ANSWER: Exit.UNREACHABLE,
        own.UNREADABLE: Exit.PLATFORM,
        own.JSON_WITHOUT_CODE: Exit.PLATFORM,
        own.NOT_JSON: Exit.PLATFORM,
        own.NO_TOKEN: Exit.NOT_AUTHORIZED,
        own.FORBIDDEN_WITHOUT_CODE: Exit.NOT_AUTHORIZED,
    }
    # Codes of four digits are the SDK's own: without an answer, nothing was refused.
    rest = Exit.FAILED if len(error.error_code) == 4 else Exit.REFUSED
    return by_code.get(error.error_code, rest)
