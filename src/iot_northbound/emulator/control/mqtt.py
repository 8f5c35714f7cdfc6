"""The part of the control plane for devices that speak MQTT."""

from __future__ import annotations

from iot_northbound.emulator.control.base import ControlBase, NotFound, Row, operation
from iot_northbound.emulator.rules import devices


class MqttControl(ControlBase):
    """Operations on devices that speak MQTT and on their sessions."""

    @operation()
    def device_credentials(self, device_id: str) -> Row:
        """Return what a device logs in with: deviceId, nodeId and secret. Only this operation shows the secret.

        Raises:
            NotFound: There is no such device, or it has no secret.
        """
        row = devices.need(self._platform, self._device(device_id))
        if row.get("secret") is None:
            raise NotFound(f"device {device_id!r} has no secret: registration by 1.4.2 gives one, and so does binding")
        return {name: row[name] for name in ("deviceId", "nodeId", "secret")}
