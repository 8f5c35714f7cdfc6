"""Read devices, and what they have reported."""

import json
from collections.abc import Hashable, Iterator

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.dto.common import SelectIn
from iot_northbound.dto.data_collection import (
    DeviceDataHistoryDTO,
    DeviceDesiredHistoryDTO,
    QueryBatchDevicesInfoInDTO,
    QueryBatchDevicesInfoOutDTO,
    QueryDeviceDataHistoryInDTO,
    QueryDeviceDataHistoryOutDTO,
    QueryDeviceDesiredHistoryInDTO,
    QueryDeviceDesiredHistoryOutDTO,
    QuerySingleDeviceInfoOutDTO,
)
from iot_northbound.dto.device_capabilities import QueryDeviceCapabilitiesInDTO, QueryDeviceCapabilitiesOutDTO
from iot_northbound.services.base import Service
from iot_northbound.services.paging import Paged

QUERY_DEVICE = Endpoint("GET", "/iocm/app/dm/v1.4.0/devices/{device_id}", QuerySingleDeviceInfoOutDTO, section="1.5.1")
QUERY_DEVICES = Endpoint(
    "GET", "/iocm/app/dm/v1.4.0/devices", QueryBatchDevicesInfoOutDTO, takes=QueryBatchDevicesInfoInDTO, section="1.5.2"
)
QUERY_DATA_HISTORY = Endpoint(
    "GET",
    "/iocm/app/data/v1.2.0/deviceDataHistory",
    QueryDeviceDataHistoryOutDTO,
    takes=QueryDeviceDataHistoryInDTO,
    section="1.5.3",
)
QUERY_DESIRED_HISTORY = Endpoint(
    "GET",
    "/iocm/app/shadow/v1.5.0/deviceDesiredHistory",
    QueryDeviceDesiredHistoryOutDTO,
    takes=QueryDeviceDesiredHistoryInDTO,
    section="1.5.4",
)
QUERY_CAPABILITIES = Endpoint(
    "GET",
    "/iocm/app/data/v1.1.0/deviceCapabilities",
    QueryDeviceCapabilitiesOutDTO,
    takes=QueryDeviceCapabilitiesInDTO,
    section="1.5.5",
)


def _row(service_id: str | None, timestamp: str | None, content: object) -> Hashable:
    """Return a key that equal history rows share, small enough to keep for many rows."""
    return hash((service_id, timestamp, json.dumps(content, sort_keys=True)))


DEVICES = Paged[QueryBatchDevicesInfoOutDTO, QuerySingleDeviceInfoOutDTO](
    items=lambda answer: answer.devices,
    total=lambda answer: answer.total_count,
    key=lambda device: device.device_id,
    page_size=250,
)
# The platform answers with at most 16 MB: with 500 rows, each can have 32 kB of data.
DATA_HISTORY = Paged[QueryDeviceDataHistoryOutDTO, DeviceDataHistoryDTO](
    items=lambda answer: answer.device_data_history_dtos,
    total=lambda answer: answer.total_count,
    key=lambda row: _row(row.service_id, row.timestamp, row.data),
    unique=False,
    page_size=500,
)
DESIRED_HISTORY = Paged[QueryDeviceDesiredHistoryOutDTO, DeviceDesiredHistoryDTO](
    items=lambda answer: answer.device_desired_history_dto,
    total=lambda answer: answer.total_count,
    key=lambda row: _row(row.service_id, row.timestamp, row.desired),
    unique=False,
    page_size=250,
)


class DataCollection(Service):
    """Devices: one, many, their history, and their capabilities.

    Page numbers start at 0. `access_token` replaces the client's token.
    """

    def query_single_device_info(
        self,
        device_id: str,
        select: SelectIn | None = None,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> QuerySingleDeviceInfoOutDTO:
        """Return everything that the platform knows about one device, with the last data of each of its services.

        With `select="imsi"` the IMSI is returned too. `app_id` names the application that authorised this one.

        Raises:
            NotFoundError: no such device (100403, 100418).
            InvalidArgumentError: the platform refuses `select` (100405).

        Reference: section 1.5.1.
        """
        return self._call(
            QUERY_DEVICE, query={"select": select, "appId": app_id}, access_token=access_token, device_id=device_id
        )

    def query_batch_devices_info(
        self, qbdi_in_dto: QueryBatchDevicesInfoInDTO | None = None, *, access_token: str | None = None
    ) -> QueryBatchDevicesInfoOutDTO:
        """Return one page of the devices that fit the query, the newest first unless `sort` says ASC.

        The platform needs a `page_no` or a `gateway_id`. Without an argument the first page is read. A page has up to
        250 devices, 25 if no size is given. `iter_devices` reads all pages.

        Raises:
            InvalidArgumentError: neither page nor gateway is given (100218), or the platform refuses a page or filter
                (100216, 100405).

        Reference: section 1.5.2.
        """
        query = QueryBatchDevicesInfoInDTO(page_no=0) if qbdi_in_dto is None else qbdi_in_dto
        return self._call(QUERY_DEVICES, query=query, access_token=access_token)

    def iter_devices(
        self, qbdi_in_dto: QueryBatchDevicesInfoInDTO | None = None, *, access_token: str | None = None
    ) -> Iterator[QuerySingleDeviceInfoOutDTO]:
        """Yield every device that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (250). Devices that are registered in the meantime
        may be left out. You may delete the devices that you get. See `iot_northbound.services.paging` for lists that
        change.

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.5.2.
        """
        return DEVICES.walk(
            lambda page: self.query_batch_devices_info(page, access_token=access_token),
            QueryBatchDevicesInfoInDTO() if qbdi_in_dto is None else qbdi_in_dto,
        )

    def query_device_data_history(
        self, qddh_in_dto: QueryDeviceDataHistoryInDTO, *, access_token: str | None = None
    ) -> QueryDeviceDataHistoryOutDTO:
        """Return one page of what a device has reported.

        A page has up to 2,000 rows, 1 if no size is given, and at most 16 MB: choose the size by the size of the data.
        A directly connected device is its own gateway. `iter_device_data_history` reads all rows.

        Raises:
            NotFoundError: there is no data of this device (100418).
            InvalidArgumentError: the platform refuses the query (100216, 100419).

        Reference: section 1.5.3.
        """
        return self._call(QUERY_DATA_HISTORY, query=qddh_in_dto, access_token=access_token)

    def iter_device_data_history(
        self, qddh_in_dto: QueryDeviceDataHistoryInDTO, *, access_token: str | None = None
    ) -> Iterator[DeviceDataHistoryDTO]:
        """Yield every row that a device has reported. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (500). All equal rows are kept. A row is left out
        only if new rows have moved it to the next page. With an `end_time` in the past the result does not change.

        Reference: section 1.5.3.
        """
        return DATA_HISTORY.walk(
            lambda page: self.query_device_data_history(page, access_token=access_token), qddh_in_dto
        )

    def query_device_desired_history(
        self, qddh_in_dto: QueryDeviceDesiredHistoryInDTO, *, access_token: str | None = None
    ) -> QueryDeviceDesiredHistoryOutDTO:
        """Return one page of the history of a device's desired values.

        A page has up to 250 rows, 25 if no size is given. `iter_device_desired_history` reads all rows.

        Raises:
            InvalidArgumentError: the platform refuses the query (100216, 100419).

        Reference: section 1.5.4.
        """
        return self._call(QUERY_DESIRED_HISTORY, query=qddh_in_dto, access_token=access_token)

    def iter_device_desired_history(
        self, qddh_in_dto: QueryDeviceDesiredHistoryInDTO, *, access_token: str | None = None
    ) -> Iterator[DeviceDesiredHistoryDTO]:
        """Yield every row of the history of a device's desired values. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (250). Equal rows are treated as in
        `iter_device_data_history`.

        Reference: section 1.5.4.
        """
        return DESIRED_HISTORY.walk(
            lambda page: self.query_device_desired_history(page, access_token=access_token), qddh_in_dto
        )

    def query_device_capabilities(
        self, qdc_in_dto: QueryDeviceCapabilitiesInDTO | None = None, *, access_token: str | None = None
    ) -> QueryDeviceCapabilitiesOutDTO:
        """Return the capabilities of devices: their services with properties and commands.

        Without a `device_id` or `gateway_id` the platform answers for all devices of the application. The limits of
        numbers (`min`, `max`) are texts, `step` is a number. Any list can be null.

        Raises:
            InvalidArgumentError: the platform refuses the query (100022).

        Reference: section 1.5.5.
        """
        return self._call(
            QUERY_CAPABILITIES,
            query=QueryDeviceCapabilitiesInDTO() if qdc_in_dto is None else qdc_in_dto,
            access_token=access_token,
        )
