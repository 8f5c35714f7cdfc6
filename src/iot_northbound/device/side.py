"""Where the platform's ports for devices are, from a profile."""

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from iot_northbound.core.suggest import did_you_mean
from iot_northbound.core.textfiles import read_text
from iot_northbound.device.credentials import DeviceCredentials
from iot_northbound.device.field_http import FieldHttp
from iot_northbound.errors import InvalidArgumentError, SdkCode

if TYPE_CHECKING:
    from iot_northbound.device.client import DeviceClient
    from iot_northbound.device.fleet import Fleet
    from iot_northbound.device.gateway import GatewayClient


@attrs.frozen(kw_only=True)
class DeviceSide:
    """The platform as devices see it. The emulator writes it into its profile, as the table `[devices]`.

    Attributes:
        mqtt_host: the host of all ports.
        mqtt_port: the port for MQTT.
        agentlite_port: the port for binding and login of AgentLite; None if it is closed.
        hub_port: the port of the hub protocol; None if it is closed.
        ca_path: the CA that devices check the server with; None: the system's trust store.
    """

    mqtt_host: str
    mqtt_port: int | None = None
    agentlite_port: int | None = None
    hub_port: int | None = None
    ca_path: Path | None = None

    @property
    def hub_url(self) -> str | None:
        """The address for a `HubClient`; None if the platform has no port for hubs."""
        if self.hub_port is None:
            return None
        host = f"[{self.mqtt_host}]" if ":" in self.mqtt_host else self.mqtt_host
        return f"https://{host}:{self.hub_port}"

    @classmethod
    def from_profile(cls, path: str | os.PathLike[str], name: str = "devices") -> Self:
        """Return what one table of a TOML file says. A relative path is relative to the file's folder.

        Raises:
            InvalidArgumentError: the file or the table is missing, or a key or value cannot be used (1007).
        """
        try:
            file = Path(path).expanduser()
            tables = tomllib.loads(read_text(file))
        except (TypeError, RuntimeError) as error:
            raise InvalidArgumentError.of("path", repr(path)[:80], f"it must be the path of a file ({error})") from None
        except OSError as error:
            raise _wrong(f"profile {path}", f"it cannot be read: {error.strerror or error}") from None
        except ValueError as error:  # its message names the line, and not the text, which may contain a secret
            raise _wrong(f"profile {path}", f"it is not valid TOML: {error}") from None
        table = tables.get(name)
        if not isinstance(table, dict):
            raise _wrong(f"profile {file}", f"it has no table [{name}]: start the emulator with a port for devices")
        where = f"profile {file} [{name}]"
        kinds: dict[str, type] = {each.name: int for each in attrs.fields(cls)} | {"mqtt_host": str, "ca_path": str}
        for key, value in table.items():
            if key not in kinds:
                raise _wrong(f"{where}: {key}", f"there is no such key{did_you_mean(key, list(kinds))}")
            if not isinstance(value, kinds[key]) or isinstance(value, bool) or value == "":
                words = "a whole number" if kinds[key] is int else "text, not empty"
                raise _wrong(f"{where}: {key}", f"it must be {words}")
        if "mqtt_host" not in table:
            raise _wrong(where, "the key mqtt_host is missing")
        values: dict[str, Any] = dict(table)
        if "ca_path" in values:
            values["ca_path"] = file.parent / Path(values["ca_path"]).expanduser()
        return cls(**values)

    def device(self, credentials: DeviceCredentials, **options: Any) -> "DeviceClient":
        """Return a `DeviceClient` for this platform; `options` are those of the client.

        Raises:
            InvalidArgumentError: the platform has no port for MQTT, or an option cannot be used (1007).
        """
        from iot_northbound.device.client import DeviceClient

        if self.mqtt_port is None:
            raise _wrong("mqtt_port", "the platform has no port for MQTT")
        return DeviceClient(credentials, self.mqtt_host, self.mqtt_port, **{"ca_path": self.ca_path, **options})

    def gateway(self, credentials: DeviceCredentials, app_id: str, **options: Any) -> "GatewayClient":
        """Return a `GatewayClient` for this platform; `options` are those of the client.

        Raises:
            InvalidArgumentError: the platform lacks one of the two ports, or an option cannot be used (1007).
        """
        from iot_northbound.device.gateway import GatewayClient

        if self.mqtt_port is None or self.agentlite_port is None:
            name = "mqtt_port" if self.mqtt_port is None else "agentlite_port"
            raise _wrong(name, "the platform has no such port, and a gateway needs both")
        ports = {"app_id": app_id, "agentlite_port": self.agentlite_port, "ca_path": self.ca_path}
        return GatewayClient(credentials, self.mqtt_host, self.mqtt_port, **{**ports, **options})

    def fleet(self, **options: Any) -> "Fleet":
        """Return a `Fleet` for this platform; `options` are those of the class.

        Raises:
            InvalidArgumentError: the platform has no port for MQTT, or an option cannot be used (1007).
        """
        from iot_northbound.device.fleet import Fleet

        if self.mqtt_port is None:
            raise _wrong("mqtt_port", "the platform has no port for MQTT")
        return Fleet(self.mqtt_host, self.mqtt_port, **{"ca_path": self.ca_path, **options})

    def field_http(self, **options: Any) -> FieldHttp:
        """Return a `FieldHttp` for this platform, to bind a device; `options` are those of the class.

        Raises:
            InvalidArgumentError: the platform has no AgentLite port, or an option cannot be used (1007).
        """
        if self.agentlite_port is None:
            raise _wrong("agentlite_port", "the platform has no port for AgentLite")
        return FieldHttp(self.mqtt_host, self.agentlite_port, **{"ca_path": self.ca_path, **options})


def _wrong(where: str, rule: str) -> InvalidArgumentError:
    return InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{where}: {rule}")
