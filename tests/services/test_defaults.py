"""What calls send when an argument is left out."""

from iot_northbound.services import DataCollection, DeviceManagement, DeviceUpgrade
from tests.services.fake import FakeClient


def test_a_batch_query_without_a_query_asks_for_the_first_page_since_the_platform_wants_one() -> None:
    client = FakeClient()
    DataCollection(client).query_batch_devices_info()
    assert client.sent[0].query.page_no == 0


def test_subtasks_without_a_query_are_those_of_the_task() -> None:
    client = FakeClient()
    DeviceUpgrade(client).query_upgrade_sub_task(None, "o-1")
    assert client.sent[0].ids == {"operation_id": "o-1"}
    assert client.sent[0].query.page_no is None


def test_an_argument_left_out_is_none_for_the_wire_to_drop() -> None:
    client = FakeClient()
    DeviceManagement(client).delete_direct_device("d-1")
    assert client.sent[0].query == {"cascade": None, "appId": None}
    assert client.sent[0].access_token is None
