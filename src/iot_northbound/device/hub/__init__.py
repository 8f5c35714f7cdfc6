"""The hub protocol of the reference's page of device result codes: XML messages of a hub, answered by a server.

It is independent of MQTT. `HubClient` is the hub; the other names are its messages and their result codes.
"""

from iot_northbound.device.hub.client import HubClient
from iot_northbound.device.hub.codes import CommandResult, ServerStatus
from iot_northbound.device.hub.messages import (
    AddDevice,
    CommandResponse,
    HubCommand,
    HubMessage,
    Measure,
    Param,
    ServerMessage,
)

__all__ = [
    "AddDevice",
    "CommandResponse",
    "CommandResult",
    "HubClient",
    "HubCommand",
    "HubMessage",
    "Measure",
    "Param",
    "ServerMessage",
    "ServerStatus",
]
