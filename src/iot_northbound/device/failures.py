"""What can go wrong for a device, as exceptions."""

from typing import Any

from iot_northbound.errors import ConnectionFailedError, NorthApiException, NotAuthorizedError, QuotaReachedError


class DeviceRefusedError(NotAuthorizedError):
    """The platform refuses the device (CONNACK 1, 2, 4 or 5). The client does not try again.

    Attributes:
        return_code: the code of the CONNACK.
    """

    def __init__(self, error_code: str, error_desc: str, *, return_code: int = 0, **rest: Any) -> None:
        super().__init__(error_code, error_desc, **rest)
        self.return_code = return_code


class PlatformBusyError(ConnectionFailedError):
    """The platform has no room for the device now (CONNACK 3). The client tries again."""


class SubscriptionRefusedError(NotAuthorizedError):
    """The platform does not let the device subscribe to a topic."""


class ReportDroppedError(QuotaReachedError):
    """The queue was full, and this report was the oldest in it. It was not sent."""


class QueueError(NorthApiException):
    """The file of a queue cannot be used, or cannot take a report. The text says why, and what to do."""


class QueueInUseError(QueueError):
    """Another client, or another process, has the queue's file open."""
