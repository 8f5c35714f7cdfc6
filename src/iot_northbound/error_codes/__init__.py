"""Every error code: what it means, the likely cause, and what to do.

`ERROR_CODES` contains the platform's codes, `SDK_CODES` the SDK's own; `explain` looks in both. The catalogue is loaded
on first use, because a program without errors does not need it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names
from iot_northbound.error_codes.model import ErrorCode, Kind

if TYPE_CHECKING:
    ERROR_CODES: Mapping[str, ErrorCode]
    """The platform's codes, by the code as text. It contains both spellings of 1010005 and 1010009."""

    SDK_CODES: Mapping[str, ErrorCode]
    """The SDK's own codes, by the code as text, with the meanings of the Java SDK."""


def explain(code: str) -> ErrorCode | None:
    """Return the explanation of a code of the platform or of the SDK; None if the code is unknown."""
    from iot_northbound.error_codes import catalogue

    return catalogue.ERROR_CODES.get(code) or catalogue.SDK_CODES.get(code)


__all__ = ["ERROR_CODES", "SDK_CODES", "ErrorCode", "Kind", "explain"]

if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, {"ERROR_CODES": "catalogue", "SDK_CODES": "catalogue"})
