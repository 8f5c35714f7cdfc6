"""The programs of docs/receiver/index.md."""

from iot_northbound import NorthApiClient

# --8<-- [start:handlers]
from iot_northbound.dto import NotifyDeviceAddedDTO, NotifyDeviceDataChangedDTO
from iot_northbound.push import PushMessageReceiver, SqliteInbox


class Application(PushMessageReceiver):
    def handle_device_added(self, body: NotifyDeviceAddedDTO) -> None:
        print("new:", body.device_id)


receiver = Application(SqliteInbox("pushes.sqlite3"))


@receiver.on(NotifyDeviceDataChangedDTO)
def store(body: NotifyDeviceDataChangedDTO) -> None:
    print(body.device_id, body.service, receiver.event.received_at)


if __name__ == "__main__":
    receiver.serve("127.0.0.1", 8686)
# --8<-- [end:handlers]


def subscribe(client: NorthApiClient) -> None:
    # --8<-- [start:subscribing]
    client.subscription_management.ensure(
        "https://your.host:8686/v1.0.0/messageReceiver",
        ["deviceAdded", "deviceDataChanged"],
    )
    # --8<-- [end:subscribing]
