"""What is known about one error code."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Kind(StrEnum):
    """What an error means to the program that meets it; each kind has an exception class of its own."""

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
    """One error code: what it says, why it comes, what to do, and under which statuses it is documented."""

    code: str
    kind: Kind
    statuses: tuple[int, ...]
    """The HTTP statuses the reference lists it under; empty for the SDK's own codes."""
    meaning: str
    cause: str
    remedy: str


def by_code(*entries: ErrorCode) -> Mapping[str, ErrorCode]:
    """Return the entries keyed by their codes."""
    return MappingProxyType({entry.code: entry for entry in entries})
