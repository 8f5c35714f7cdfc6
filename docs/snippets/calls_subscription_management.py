"""An example per method of client.subscription_management, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    DeleteBatchSubInDTO,
    QueryBatchSubInDTO,
    SubDeviceDataInDTO,
    SubDeviceManagementDataInDTO,
)
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    # --8<-- [start:sub_device_data]
    url = "https://your.host:8686/v1.0.0/messageReceiver"
    made = client.subscription_management.sub_device_data(
        SubDeviceDataInDTO(notify_type="deviceAdded", callback_url=url)
    )
    client.subscription_management.sub_device_data(  # a kind of upgrade pushes
        SubDeviceManagementDataInDTO(
            notify_type="fwUpgradeResultNotify", callback_url=url
        )
    )
    # --8<-- [end:sub_device_data]

    # --8<-- [start:query_single_subscription]
    assert made
    assert made.subscription_id
    one = client.subscription_management.query_single_subscription(made.subscription_id)
    print(one.notify_type, one.callback_url)
    # --8<-- [end:query_single_subscription]

    # --8<-- [start:query_batch_subscriptions]
    page = client.subscription_management.query_batch_subscriptions(
        QueryBatchSubInDTO(notify_type="deviceAdded")
    )
    print(page.total_count)
    # --8<-- [end:query_batch_subscriptions]

    # --8<-- [start:iter_subscriptions]
    for each in client.subscription_management.iter_subscriptions():
        print(each.notify_type, each.callback_url)
    # --8<-- [end:iter_subscriptions]

    # --8<-- [start:delete_single_subscription]
    client.subscription_management.delete_single_subscription(made.subscription_id)
    # --8<-- [end:delete_single_subscription]

    # --8<-- [start:delete_batch_subscriptions]
    client.subscription_management.delete_batch_subscriptions(
        DeleteBatchSubInDTO(callback_url=url)
    )
    # --8<-- [end:delete_batch_subscriptions]

    # --8<-- [start:ensure]
    changes = client.subscription_management.ensure(
        url, ["deviceAdded", "deviceDeleted"]
    )
    print(changes)
    # --8<-- [end:ensure]
