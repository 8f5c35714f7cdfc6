"""Every error code: what it means, why it comes, what to do about it.

`ERROR_CODES` holds the platform's 91 codes, `SDK_CODES` the SDK's own twelve; `explain` looks in both. The catalogue is
loaded with the first question, since a program that meets no error needs none of it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names
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


__all__ = ["ERROR_CODES", "SDK_CODES", "ErrorCode", "Kind", "explain"]

if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, {"ERROR_CODES": "catalogue", "SDK_CODES": "catalogue"})
