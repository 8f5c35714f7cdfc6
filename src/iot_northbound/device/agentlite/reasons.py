"""Failures of the connections as the numbers of AgentLite."""

import errno
import socket

from iot_northbound.device.agentlite.enums import HubResult, LoginReason
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.failures import (
    DeviceRefusedError,
    PlatformBusyError,
    ReportDroppedError,
    SubscriptionRefusedError,
)
from iot_northbound.device.field_http import NO_SUCH_DEVICE, UndocumentedWireError
from iot_northbound.errors import (
    ClientClosedError,
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    RequestTimeoutError,
    TlsError,
)

_UNSUPPORTED_VERSION = 1
_NO_WAY = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EHOSTDOWN}
)


def reason_of(error: NorthApiException | None) -> LoginReason:
    """Return why the device is not connected."""
    if isinstance(error, DeviceRefusedError):
        return LoginReason.UNKNOWN if error.return_code == _UNSUPPORTED_VERSION else LoginReason.AUTH_FAILED
    if isinstance(error, PlatformBusyError):
        return LoginReason.SERVER_BUSY
    if isinstance(error, ConnectionFailedError):
        return LoginReason.NETWORK_UNAVAILABLE if _cannot_be_reached(error.__cause__) else LoginReason.CONNECTION_ERR
    if error is None or isinstance(error, TlsError | RequestTimeoutError):
        return LoginReason.CONNECTION_ERR
    return LoginReason.UNKNOWN


def _cannot_be_reached(cause: BaseException | None) -> bool:
    return isinstance(cause, socket.gaierror) or (isinstance(cause, OSError) and cause.errno in _NO_WAY)


def hub_result_of(error: NorthApiException) -> HubResult:
    """Return the result of a call about a child device that failed."""
    return HubResult.DEVICE_NOTEXIST if error.error_code == NO_SUCH_DEVICE else HubResult.DEVICE_FAILED


_CODES: tuple[tuple[type[NorthApiException], HwErr], ...] = (
    (ReportDroppedError, HwErr.DROP),
    (DeviceRefusedError, HwErr.AUTH),
    (SubscriptionRefusedError, HwErr.NOTALLOW),
    (UndocumentedWireError, HwErr.NOTSUPPORT),
    (InvalidArgumentError, HwErr.PARA),
    (ClientClosedError, HwErr.NOEND),
    (ConnectionFailedError, HwErr.SOCKET),
    (RequestTimeoutError, HwErr.SOCKET),
    (TlsError, HwErr.SOCKET),
)


def converted(error: NorthApiException) -> AgentLiteError:
    """Return an error of the client below as one with a code of 6.4."""
    if isinstance(error, AgentLiteError):
        return error
    code = HwErr.ID if error.error_code == NO_SUCH_DEVICE else HwErr.ERR
    for kind, known in _CODES:
        if isinstance(error, kind):
            code = known
            break
    result = AgentLiteError(code, f"{error.error_desc} ({error.error_code})")
    result.__cause__ = error
    return result
