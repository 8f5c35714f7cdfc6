"""Devices of a test: scripted ones, and ones that are connected over MQTT."""

from __future__ import annotations

import contextlib
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from iot_northbound.device import DeviceClient
    from iot_northbound.emulator.control.control import Control
    from iot_northbound.testing.platform import IotApplication, IotPlatform

METER = "water-meter-nb"
"""The product model that a device has if none is named: the shipped water meter."""


@attrs.frozen(eq=False)
class IotDevice:
    """A device on the platform of a test.

    Attributes:
        device_id: Its id.
        node_id: Its nodeId.
        client: Its `DeviceClient`, if it is connected over MQTT.
    """

    device_id: str
    node_id: str
    _control: Control = attrs.field(repr=False)
    _client: DeviceClient | None = attrs.field(default=None, repr=False)

    @property
    def client(self) -> DeviceClient:
        """What the device itself does, over MQTT.

        Raises:
            RuntimeError: It is not connected over MQTT.
        """
        if self._client is None:
            raise RuntimeError(f"{self.node_id} is not connected over MQTT; make it with iot_device.mqtt()")
        return self._client

    def report(self, service_id: str, data: dict[str, Any], **options: Any) -> None:
        """Let it report data of one service; the options are those of ``control.report``."""
        self._control.report(self.device_id, service_id, data, **options)

    def script(self, **script: Any) -> None:
        """Let it follow another script from now on; see ``control.script``."""
        self._control.script(self.device_id, **script)

    def set_online(self, online: bool = True) -> None:
        """Bring it online, or take it offline."""
        self._control.set_online(self.device_id, online)


class IotDevices:
    """Makes the devices of a test; they are disconnected when it ends."""

    def __init__(self, platform: IotPlatform) -> None:
        self._platform = platform
        self._numbers = count(1)
        self._open = contextlib.ExitStack()

    def __call__(
        self,
        node_id: str | None = None,
        *,
        product_id: str = METER,
        application: IotApplication | None = None,
        **script: Any,
    ) -> IotDevice:
        """Return a new device that is online and follows a script: it executes each command at once.

        Args:
            node_id: Its nodeId; ``device-1``, ``device-2`` and so on by default.
            product_id: Its product model, the shipped water meter by default.
            application: Whose device it is; the test's own application by default.
            script: How it behaves, as in ``control.script``: ``answer="fail"``, ``result={"result": 0}``.

        Raises:
            InvalidArgument: The nodeId is taken, or the script cannot be used.
            NotFound: There is no such product model.
        """
        device = self._register(node_id, product_id, application)
        device.script(**script)
        return device

    def mqtt(
        self,
        node_id: str | None = None,
        *,
        product_id: str = METER,
        application: IotApplication | None = None,
        **options: Any,
    ) -> IotDevice:
        """Return a new device that is connected over MQTT; ``device.client`` reports, and answers commands.

        Args:
            node_id: Its nodeId; ``device-1``, ``device-2`` and so on by default.
            product_id: Its product model, the shipped water meter by default.
            application: Whose device it is; the test's own application by default.
            options: Those of `DeviceClient`.
        """
        from iot_northbound.device import DeviceClient, DeviceCredentials

        device = self._register(node_id, product_id, application)
        secret = device._control.device_credentials(device.device_id)["secret"]
        host, port = self._platform.emulator.mqtt_address
        credentials = DeviceCredentials(device.device_id, secret)
        client = DeviceClient(credentials, host, port, **{"ca_path": self._platform.ca, **options})
        self._open.enter_context(client)
        return attrs.evolve(device, client=client)

    def _register(self, node_id: str | None, product_id: str, application: IotApplication | None) -> IotDevice:
        control = (application or self._platform).control
        row = control.add_device(node_id or f"device-{next(self._numbers)}", product_id=product_id)
        return IotDevice(row["deviceId"], row["nodeId"], control)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
