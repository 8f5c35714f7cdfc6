"""The programs of docs/device/mqtt.md."""

# --8<-- [start:the-mqtt-port]
from iot_northbound.emulator import Emulator

with Emulator(mqtt_port=0) as platform:  # 0 takes a free port
    print(platform.mqtt_url, platform.device_ca)
# --8<-- [end:the-mqtt-port]


# --8<-- [start:binary-messages]
from typing import Any


class MeterCodec:
    def decode(self, payload: bytes) -> dict[str, Any]:
        data = [
            {
                "serviceId": "Battery",
                "serviceData": {"batteryLevel": payload[0]},
            }
        ]
        return {"msgType": "deviceReq", "data": data}

    def encode(self, message: dict[str, Any]) -> bytes:
        return bytes([message["paras"]["seconds"]])


with Emulator(mqtt_port=0, codecs={"water-meter-nb": MeterCodec()}) as platform:
    print(platform.mqtt_url)
# --8<-- [end:binary-messages]
