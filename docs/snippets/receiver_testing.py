"""The programs of docs/receiver/testing.md."""

# --8<-- [start:testing-your-handlers]
from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.push import MemoryInbox, PushMessageReceiver
from iot_northbound.testing.messages import push_body


class Application(PushMessageReceiver):
    stored: str | None = None

    def handle_device_data_changed(self, body: NotifyDeviceDataChangedDTO) -> None:
        self.stored = body.device_id


def test_a_report_is_stored() -> None:
    with Application(MemoryInbox()) as receiver:
        reply = receiver.receive(push_body("deviceDataChanged", deviceId="meter-7"))
    assert reply.status == 200
    assert receiver.stored == "meter-7"


# --8<-- [end:testing-your-handlers]

test_a_report_is_stored()
