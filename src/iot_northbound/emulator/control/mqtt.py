"""The part of the control plane for devices that speak MQTT."""

from __future__ import annotations

from typing import Annotated, Any

from iot_northbound.emulator.control.base import ControlBase, NotFound, Row, operation
from iot_northbound.emulator.json_bodies import encode
from iot_northbound.emulator.kernel.limits import Length, Range
from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
from iot_northbound.emulator.mqtt.session import MqttConnection
from iot_northbound.emulator.rules import devices, links

Topic = Annotated[str, Length(1, 1024)]


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
            raise NotFound(f"device {device_id!r} has no secret; only a registration with a secret (1.4.2) gives one")
        return {name: row[name] for name in ("deviceId", "nodeId", "secret")}

    @operation()
    def mqtt_sessions(self) -> list[Row]:
        """Return the MQTT sessions: device, since when, keep-alive, what it listens to, packets in flight, in and out.

        `name` is the id that the device has logged in with. `channels` says with which QoS it listens to what: "json"
        or "binary" are its own commands, "gateway" those of the devices behind it.
        """
        return [] if self._mqtt is None else self._mqtt.described()

    @operation()
    def mqtt_kick(self, device_id: str) -> None:
        """End the MQTT session of a device, as the platform would.

        Raises:
            NotFound: The device has no session.
        """
        self._session(device_id)
        links.end(self._platform, device_id)

    @operation()
    def mqtt_publish(
        self, device_id: str, topic: Topic, payload: str | dict[str, Any], qos: Annotated[int, Range(0, 1)] = 1
    ) -> None:
        """Send a device a message on any topic, for tests of devices. Whether it has subscribed makes no difference.

        Args:
            device_id: The device; it must have an MQTT session.
            topic: The topic.
            payload: Text is sent as it is, an object as JSON.
            qos: The QoS.

        Raises:
            NotFound: The device has no session.
        """
        endpoint, connection = self._session(device_id)
        content = payload.encode() if isinstance(payload, str) else encode(payload)
        endpoint.message(connection, topic, content, qos)

    def _session(self, device_id: str) -> tuple[MqttEndpoint, MqttConnection]:
        connection = None if self._mqtt is None else self._mqtt.sessions.get(self._device(device_id))
        if self._mqtt is None or connection is None:
            raise NotFound(f"device {device_id!r} has no MQTT session")
        return self._mqtt, connection
