"""Tests of what the platform pushes, with a receiver from the kit."""

import asyncio

import pytest

from iot_northbound import NorthApiClient
from iot_northbound.testing.devices import IotDevices
from iot_northbound.testing.receiving import PushReceiver


# --8<-- [start:sync]
def test_a_report_is_pushed(
    north_client: NorthApiClient, iot_device: IotDevices, push_receiver: PushReceiver
) -> None:
    push_receiver.subscribe(north_client, "deviceDataChanged")
    meter = iot_device()
    meter.report("WaterMeter", {"totalVolume": 12.5})
    event = push_receiver.wait_for("deviceDataChanged")
    assert event.body.device_id == meter.device_id
    assert [each.kind for each in push_receiver.wait_idle()] == [
        "deviceDataChanged"
    ]  # and nothing else


# --8<-- [end:sync]


# --8<-- [start:asyncio]
@pytest.mark.asyncio
async def test_in_an_asyncio_test(
    north_client: NorthApiClient, iot_device: IotDevices, push_receiver: PushReceiver
) -> None:
    await asyncio.to_thread(push_receiver.subscribe, north_client, "deviceDataChanged")
    await asyncio.to_thread(iot_device().report, "WaterMeter", {"totalVolume": 12.5})
    event = await asyncio.to_thread(push_receiver.wait_for, "deviceDataChanged")
    assert event.body.service.data == {"totalVolume": 12.5}


# --8<-- [end:asyncio]
