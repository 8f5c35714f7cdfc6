"""The new side of the guides for those who come from another SDK."""

# fmt: off
# Two columns of code stand beside each other on the page: each is narrow.

# --8<-- [start:connect]
from iot_northbound import NorthApiClient

client = NorthApiClient.from_profile(
    "~/.iot-northbound/emulator/profile.toml"
)  # address, application, certificates
client.start_timer()  # logs in, stays logged in
# --8<-- [end:connect]

# --8<-- [start:register]
from iot_northbound.dto import RegDirectDeviceInDTO2

meter = RegDirectDeviceInDTO2(
    node_id="meter-0001",
    product_id="water-meter-nb",
    timeout=0,
)
management = client.device_management
device = management.reg_direct_device(meter)
print(device.device_id)
# --8<-- [end:register]

# --8<-- [start:errors]
from iot_northbound import NorthApiException

try:
    management.query_device_status("nobody")
except NorthApiException as error:
    print(error.error_code, error.error_desc)
    print(error.remedy)
# --8<-- [end:errors]

client.close()

# --8<-- [start:pushes]
from iot_northbound.dto import NotifyDeviceAddedDTO
from iot_northbound.push import PushMessageReceiver


class Receiver(PushMessageReceiver):
    def handle_device_added(
        self, body: NotifyDeviceAddedDTO
    ) -> None:
        print("new:", body.device_id)


if __name__ == "__main__":
    Receiver().serve("127.0.0.1", 8686)
# --8<-- [end:pushes]
