"""The programs of docs/emulator.md."""

# --8<-- [start:in-a-test]
from iot_northbound import NorthApiClient
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    platform.control.add_devices(200)
    platform.control.advance(48 * 3600)
    print(client.data_collection.query_batch_devices_info().total_count)
# --8<-- [end:in-a-test]


# --8<-- [start:scripted-devices]
from iot_northbound.dto import (
    CommandDTOV4,
    PostDeviceCommandInDTO2,
    RegDirectDeviceInDTO2,
)

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    meter = client.device_management.reg_direct_device(
        RegDirectDeviceInDTO2(node_id="meter-1", product_id="water-meter-nb", timeout=0)
    )
    platform.control.script(
        meter.device_id,
        answer="success",
        result={"result": 0},
        report_every=3600,
        report={
            "service_id": "WaterMeter",
            "data": {"totalVolume": 17.5, "valveState": "OPEN"},
            "increments": {"totalVolume": 0.25},
        },
    )
    close = CommandDTOV4(
        service_id="WaterMeter",
        method="SET_VALVE",
        paras={"state": "CLOSED"},
    )
    sent = client.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(device_id=meter.device_id, command=close, expire_time=0)
    )
    done = client.signal_delivery.wait_for_device_command(
        sent.command_id,
        meter.device_id,
        timeout=10,
    )
    assert done.status == "SUCCESSFUL"
    platform.control.advance(24 * 3600)
    shadow = client.device_management.query_device_shadow(meter.device_id)
    services = shadow.services or []
    total = next(each for each in services if each.service_id == "WaterMeter")
    # The 24th report:
    assert total.reported_props == {"totalVolume": 23.25, "valveState": "OPEN"}
# --8<-- [end:scripted-devices]


# --8<-- [start:scripted-devices-2]
from iot_northbound.dto import ModifyDeviceShadowInDTO, ServiceDesiredDTO

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    lamp = client.device_management.reg_direct_device(
        RegDirectDeviceInDTO2(node_id="lamp-1", product_id="street-lamp-nb", timeout=0)
    ).device_id
    change = ServiceDesiredDTO(service_id="Lamp", desired={"brightness": 40})
    changes = ModifyDeviceShadowInDTO(service_desireds=[change])
    client.device_management.modify_device_shadow(changes, lamp)
    # The lamp comes online, gets the change that waited, and reports.
    platform.control.script(lamp)
    services = client.device_management.query_device_shadow(lamp).services or []
    has = next(service for service in services if service.service_id == "Lamp")
    assert has.desired_props == {"brightness": 40}
    assert has.reported_props == {"brightness": 40}
# --8<-- [end:scripted-devices-2]


# --8<-- [start:faults]
from iot_northbound import NotFoundError

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    platform.control.add_fault("reset", endpoint="GET *", when="after", count=1)
    # The first answer is lost, the client asks again.
    client.data_collection.query_batch_devices_info()
    assert len(platform.control.journal(endpoint="/iocm/app/dm/v1.4.0/devices")) == 2
    one_device = "GET /iocm/app/dm/v1.4.0/devices/{deviceId}"
    refusal = {"error_code": "100403", "error_desc": "gone"}
    platform.control.add_fault("answer", endpoint=one_device, status=404, body=refusal)
    try:
        client.data_collection.query_single_device_info("any")
    except NotFoundError as error:
        struck = [fault["struck"] for fault in platform.control.faults()]
        print(error.error_code, struck)
# --8<-- [end:faults]
