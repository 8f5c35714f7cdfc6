"""Every error code: what it means, why it comes, what to do about it.

`ERROR_CODES` holds the platform's 91 codes, `SDK_CODES` the SDK's own twelve; `explain` looks in both.
"""

from collections.abc import Mapping
from types import MappingProxyType

from iot_northbound.error_codes import access, commands, devices, groups, sdk, upgrades
from iot_northbound.error_codes.model import ErrorCode, Kind

ERROR_CODES: Mapping[str, ErrorCode] = MappingProxyType(
    {**access.CODES, **devices.CODES, **commands.CODES, **groups.CODES, **upgrades.CODES}
)
"""The platform's codes, keyed by the code as text. Both spellings of 1010005 and 1010009 are in it."""

SDK_CODES: Mapping[str, ErrorCode] = sdk.CODES
"""The SDK's own codes, 1001 to 1012, with the meanings the Java SDK gave them."""


def explain(code: str) -> ErrorCode | None:
    """Return what is known about a code, the platform's or the SDK's; None for an unknown one."""
    return ERROR_CODES.get(code) or SDK_CODES.get(code)


__all__ = ["ERROR_CODES", "SDK_CODES", "ErrorCode", "Kind", "explain"]
