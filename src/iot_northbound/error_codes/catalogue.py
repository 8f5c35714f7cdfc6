"""All codes together."""

from collections.abc import Mapping
from types import MappingProxyType

from iot_northbound.error_codes import access, commands, devices, groups, sdk, upgrades
from iot_northbound.error_codes.model import ErrorCode

ERROR_CODES: Mapping[str, ErrorCode] = MappingProxyType(
    {**access.CODES, **devices.CODES, **commands.CODES, **groups.CODES, **upgrades.CODES}
)
SDK_CODES: Mapping[str, ErrorCode] = sdk.CODES
