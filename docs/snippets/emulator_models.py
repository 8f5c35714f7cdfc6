"""The programs of docs/emulator-models.md."""

# --8<-- [start:a-model-of-your-own]
from iot_northbound import NorthApiClient
from iot_northbound.dto import QueryDeviceCapabilitiesInDTO, RegDirectDeviceInDTO2
from iot_northbound.emulator import Emulator

DOOR = {
    "productId": "door-nb",
    "manufacturerId": "TORWERK",
    "manufacturerName": "Torwerk Doors",
    "deviceType": "Door",
    "model": "TW-1",
    "protocolType": "CoAP",
    "services": [
        {
            "serviceId": "Lock",
            "properties": [
                {
                    "propertyName": "locked",
                    "dataType": "boolean",
                    "required": True,
                    "method": "RE",
                },
                {
                    "propertyName": "holdOpen",
                    "dataType": "int",
                    "min": 0,
                    "max": 60,
                    "unit": "s",
                    "method": "RWE",
                },
            ],
            "commands": [
                {
                    "commandName": "UNLOCK",
                    "paras": [
                        {
                            "paraName": "seconds",
                            "dataType": "int",
                            "required": True,
                            "min": 1,
                            "max": 60,
                        }
                    ],
                    "responses": [
                        {
                            "responseName": "UNLOCK_RSP",
                            "paras": [{"paraName": "result", "dataType": "int"}],
                        }
                    ],
                }
            ],
        }
    ],
}

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    platform.control.add_model(DOOR)
    door = client.device_management.reg_direct_device(
        RegDirectDeviceInDTO2(node_id="door-1", product_id="door-nb", timeout=0)
    )
    platform.control.report(door.device_id, "Lock", {"locked": True})
    asked = QueryDeviceCapabilitiesInDTO(device_id=door.device_id)
    can = (
        client.data_collection.query_device_capabilities(asked).device_capabilities
        or []
    )
    print(
        [
            service.service_id
            for device in can
            for service in device.service_capabilities or []
        ]
    )
# --8<-- [end:a-model-of-your-own]
