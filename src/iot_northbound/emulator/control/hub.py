"""The part of the control plane for hubs."""

from __future__ import annotations

from typing import Annotated

from iot_northbound.emulator.control.base import ControlBase, Name, operation
from iot_northbound.emulator.kernel.limits import Range
from iot_northbound.emulator.rules import hubs


class HubControl(ControlBase):
    """Operations on hubs."""

    @operation()
    def watch_hub(self, hub_id: Name, seconds: Annotated[float, Range(0, 31 * 86_400)]) -> None:
        """Let a user watch a hub for so long: the answers to its messages say CONT. With 0 nobody watches any more.

        Raises:
            NotFound: There is no such hub.
        """
        hubs.watch(self._platform, hub_id, seconds)
