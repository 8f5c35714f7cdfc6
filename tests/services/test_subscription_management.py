from typing import Any

import pytest

from iot_northbound.dto.subscription_management import (
    DeleteBatchSubInDTO,
    SubDeviceDataInDTO,
    SubDeviceManagementDataInDTO,
    SubscriptionDTO,
)
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.services import SubscriptionManagement
from tests.services.fake import FakeClient

URL = "https://app.example:9443/pushed"


def test_the_type_of_the_dto_tells_the_two_subscriptions_apart() -> None:
    client = FakeClient(SubscriptionDTO(subscription_id="s-1"), None)
    service = SubscriptionManagement(client)
    data = SubDeviceDataInDTO(notify_type="deviceAdded", callback_url=URL)
    management = SubDeviceManagementDataInDTO(notify_type="swUpgradeResultNotify", callback_url=URL)
    made = service.sub_device_data(data, owner_flag="true")
    assert made is not None
    assert made.subscription_id == "s-1"
    assert service.sub_device_data(management) is None
    assert [(sent.endpoint.section, sent.body, sent.query) for sent in client.sent] == [
        ("1.6.1", data, {"ownerFlag": "true"}),
        ("1.6.2", management, None),
    ]


def test_management_data_take_no_owner_flag() -> None:
    client = FakeClient()
    management: Any = SubDeviceManagementDataInDTO(notify_type="swUpgradeResultNotify", callback_url=URL)
    with pytest.raises(InvalidArgumentError, match="owner_flag"):
        SubscriptionManagement(client).sub_device_data(management, owner_flag="true")
    assert client.sent == []


@pytest.mark.parametrize("wrong", [None, {"notifyType": "deviceAdded"}, "deviceAdded"])
def test_anything_else_is_refused_before_it_is_sent(wrong: Any) -> None:
    client = FakeClient()
    with pytest.raises(InvalidArgumentError, match="sdd_in_dto") as caught:
        SubscriptionManagement(client).sub_device_data(wrong)
    assert caught.value.error_code == "1007"
    assert client.sent == []


def test_many_are_deleted_by_query_and_not_by_body() -> None:
    client = FakeClient()
    query = DeleteBatchSubInDTO(notify_type="deviceAdded", channel="MQTT")
    SubscriptionManagement(client).delete_batch_subscriptions(query)
    SubscriptionManagement(client).delete_batch_subscriptions()
    assert [(sent.query, sent.body) for sent in client.sent] == [(query, None), (DeleteBatchSubInDTO(), None)]
