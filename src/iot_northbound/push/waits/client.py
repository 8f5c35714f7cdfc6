"""What a wait needs from a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from iot_northbound.services.batch_process import BatchProcess
    from iot_northbound.services.device_upgrade import DeviceUpgrade
    from iot_northbound.services.signal_delivery import SignalDelivery


class Client(Protocol):
    """A client: its services, and whether it is closed."""

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        ...

    @property
    def signal_delivery(self) -> SignalDelivery:
        """The service of commands."""
        ...

    @property
    def batch_process(self) -> BatchProcess:
        """The service of batch tasks."""
        ...

    @property
    def device_upgrade(self) -> DeviceUpgrade:
        """The service of upgrades."""
        ...
