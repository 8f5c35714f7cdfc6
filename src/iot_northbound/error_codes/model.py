"""An error code and its explanation."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Kind(StrEnum):
    """What an error means to a program; each kind has its own exception class."""

    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    NOT_AUTHORIZED = "not_authorized"
    BAD_TOKEN = "bad_token"  # noqa: S105 - a kind of error, no credential
    THROTTLED = "throttled"
    INVALID_ARGUMENT = "invalid_argument"
    DEVICE_OFFLINE = "device_offline"
    QUOTA_REACHED = "quota_reached"
    PLATFORM_FAILURE = "platform_failure"
    OTHER = "other"


class ErrorCode(NamedTuple):
    """An error code: its meaning, its likely cause, what to do, and the HTTP statuses it is documented with."""

    code: str
    kind: Kind
    statuses: tuple[int, ...]
    """The HTTP statuses that the reference lists for it; empty for the SDK's own codes."""
    meaning: str
    cause: str
    remedy: str


def by_code(*entries: ErrorCode) -> Mapping[str, ErrorCode]:
    """Return the entries by their codes."""
    return MappingProxyType({entry.code: entry for entry in entries})
