"""Tests that need no platform, no port and no thread."""

import pytest
import responses
from valves_app import close_valve

from iot_northbound import NorthApiException
from iot_northbound.dto import (
    CommandStatus,
    DeviceCommandRespV4,
    QueryDeviceCommandOutDTO2,
)
from iot_northbound.services import DataCollection, SignalDelivery
from iot_northbound.testing.factories import make
from iot_northbound.testing.responses import error, offline_client, register


@responses.activate
def test_the_valve_closes() -> None:
    register(SignalDelivery.post_device_command, commandId="command-7")
    ended = make(
        DeviceCommandRespV4, command_id="command-7", status=CommandStatus.SUCCESSFUL
    )
    asked = register(
        SignalDelivery.query_device_command,
        make(QueryDeviceCommandOutDTO2, data=[ended]),
    )
    with offline_client() as client:
        assert close_valve(client, "device-1") == "SUCCESSFUL"
    assert asked.call_count == 1


@responses.activate
@pytest.mark.parametrize("code", ["100418", "100612"])
def test_the_command_is_refused(code: str) -> None:
    error(SignalDelivery.post_device_command, code)
    with offline_client() as client, pytest.raises(NorthApiException) as refused:
        close_valve(client, "device-1")
    assert refused.value.error_code == code


@responses.activate
def test_a_failure_that_passes_is_tried_again() -> None:
    failed = error(DataCollection.query_batch_devices_info, "50252", status=503)
    register(DataCollection.query_batch_devices_info, totalCount=7)
    with offline_client() as client:
        assert client.data_collection.query_batch_devices_info().total_count == 7
    assert failed.call_count == 1
