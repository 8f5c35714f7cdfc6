"""Every error code: what it means, why it comes, what to do about it.

`ERROR_CODES` holds the platform's 91 codes, `SDK_CODES` the SDK's own twelve; `explain` looks in both. The catalogue is
loaded with the first question, since a program that meets no error needs none of it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from iot_northbound.error_codes.model import ErrorCode, Kind

if TYPE_CHECKING:
    ERROR_CODES: Mapping[str, ErrorCode]
    """The platform's codes, keyed by the code as text. Both spellings of 1010005 and 1010009 are in it."""

    SDK_CODES: Mapping[str, ErrorCode]
    """The SDK's own codes, 1001 to 1012, with the meanings the Java SDK gave them."""


def explain(code: str) -> ErrorCode | None:
    """Return what is known about a code, the platform's or the SDK's; None for an unknown one."""
    from iot_northbound.error_codes import catalogue

    return catalogue.ERROR_CODES.get(code) or catalogue.SDK_CODES.get(code)


def __getattr__(name: str) -> Mapping[str, ErrorCode]:
    if name not in ("ERROR_CODES", "SDK_CODES"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from iot_northbound.error_codes import catalogue

    found: Mapping[str, ErrorCode] = getattr(catalogue, name)
    return found


__all__ = ["ERROR_CODES", "SDK_CODES", "ErrorCode", "Kind", "explain"]
