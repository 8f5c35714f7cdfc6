"""Finds devices by the ids that they report themselves: the API has no filter for these, so all pages are read."""

from collections.abc import Collection, Iterator

from iot_northbound.dto.data_collection import (
    QueryBatchDevicesInfoInDTO,
    QueryBatchDevicesInfoOutDTO,
    QuerySingleDeviceInfoOutDTO,
)
from iot_northbound.services.base import Caller
from iot_northbound.services.data_collection import DEVICES, QUERY_DEVICES


def walk(
    client: Caller, *, app_id: str | None = None, gateway_id: str | None = None, access_token: str | None = None
) -> Iterator[QuerySingleDeviceInfoOutDTO]:
    """Yield all devices of an application or of one gateway, the newest first."""

    def ask(page: QueryBatchDevicesInfoInDTO) -> QueryBatchDevicesInfoOutDTO:
        return client.call(QUERY_DEVICES, {}, query=page, access_token=access_token)

    return DEVICES.walk(ask, QueryBatchDevicesInfoInDTO(app_id=app_id, gateway_id=gateway_id))


def node_id_of(device: QuerySingleDeviceInfoOutDTO) -> str | None:
    """Return the id that the device reports."""
    return device.device_info.node_id if device.device_info else None


def registered(
    devices: Iterator[QuerySingleDeviceInfoOutDTO], node_ids: Collection[str]
) -> Iterator[tuple[str, QuerySingleDeviceInfoOutDTO]]:
    """Yield each of these node ids that a directly connected device has, with the device; end when all are found.

    A device behind a gateway can have the node id of a directly connected one, and is not what was registered.
    """
    wanted = set(node_ids)
    for device in devices:
        node_id = node_id_of(device)
        if node_id in wanted and device.gateway_id in (None, "", device.device_id):
            wanted.discard(node_id)
            yield node_id, device
        if not wanted:
            return
