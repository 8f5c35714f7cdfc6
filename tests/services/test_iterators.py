"""Each iter_… method reads page after page of its own query."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from iot_northbound.core.fields import specs
from iot_northbound.dto import batch_process as batch
from iot_northbound.dto import data_collection as data
from iot_northbound.dto import device_group_management as groups
from iot_northbound.dto import device_upgrade as upgrade
from iot_northbound.dto import signal_delivery as signal
from iot_northbound.dto import subscription_management as subs
from iot_northbound.dto.common import Pagination
from iot_northbound.services import (
    BatchProcess,
    DataCollection,
    DeviceGroupManagement,
    DeviceUpgrade,
    SignalDelivery,
    SubscriptionManagement,
)
from iot_northbound.testing.factories import make
from tests.services.fake import FakeClient


@attrs.frozen
class Paging:
    """An iterator, the item number `i` of its list, an answer that holds items, and the query it takes."""

    iterate: Callable[[FakeClient, Any], Iterator[Any]]
    item: Callable[[int], Any]
    answer: Callable[[list[Any], int], Any]
    query: type
    page_size: int


CASES = {
    "iter_devices": Paging(
        lambda client, query: DataCollection(client).iter_devices(query),
        lambda i: data.QuerySingleDeviceInfoOutDTO(device_id=f"d-{i}"),
        lambda rows, total: data.QueryBatchDevicesInfoOutDTO(devices=rows, total_count=total),
        data.QueryBatchDevicesInfoInDTO,
        250,
    ),
    "iter_device_data_history": Paging(
        lambda client, query: DataCollection(client).iter_device_data_history(query),
        lambda i: data.DeviceDataHistoryDTO(service_id="meter", timestamp=None, data={"value": i // 2}),
        lambda rows, total: data.QueryDeviceDataHistoryOutDTO(device_data_history_dtos=rows, total_count=total),
        data.QueryDeviceDataHistoryInDTO,
        500,
    ),
    "iter_device_desired_history": Paging(
        lambda client, query: DataCollection(client).iter_device_desired_history(query),
        lambda i: data.DeviceDesiredHistoryDTO(service_id="meter", timestamp=None, desired={"value": [i // 2, None]}),
        lambda rows, total: data.QueryDeviceDesiredHistoryOutDTO(device_desired_history_dto=rows, total_count=total),
        data.QueryDeviceDesiredHistoryInDTO,
        250,
    ),
    "iter_device_commands": Paging(
        lambda client, query: SignalDelivery(client).iter_device_commands(query),
        lambda i: signal.DeviceCommandRespV4(command_id=f"c-{i}"),
        lambda rows, total: signal.QueryDeviceCommandOutDTO2(data=rows, pagination=Pagination(total_size=total)),
        signal.QueryDeviceCommandInDTO2,
        1000,
    ),
    "iter_device_cmd_cancel_tasks": Paging(
        lambda client, query: SignalDelivery(client).iter_device_cmd_cancel_tasks(query),
        lambda i: signal.DeviceCommandCancelTaskRespV4(task_id=f"t-{i}"),
        lambda rows, total: signal.QueryDeviceCmdCancelTaskOutDTO2(data=rows, pagination=Pagination(total_size=total)),
        signal.QueryDeviceCmdCancelTaskInDTO2,
        100,
    ),
    "iter_subscriptions": Paging(
        lambda client, query: SubscriptionManagement(client).iter_subscriptions(query),
        lambda i: subs.SubscriptionDTO(subscription_id=f"s-{i}"),
        lambda rows, total: subs.QueryBatchSubOutDTO(subscriptions=rows, total_count=total),
        subs.QueryBatchSubInDTO,
        100,
    ),
    "iter_task_details": Paging(
        lambda client, query: BatchProcess(client).iter_task_details(query),
        lambda i: batch.QueryTaskDetailDTOCloud2NA(param={"deviceId": f"d-{i}", "commandId": None}),
        lambda rows, total: batch.QueryTaskDetailsOutDTO(task_details=rows, total_count=total),
        batch.QueryTaskDetailsInDTO,
        250,
    ),
    "iter_device_groups": Paging(
        lambda client, query: DeviceGroupManagement(client).iter_device_groups(query),
        lambda i: groups.QuerySingleDeviceGroupOutDTO(id=f"g-{i}"),
        lambda rows, total: groups.QueryDeviceGroupsOutDTO(list_=rows, total_count=total),
        groups.QueryDeviceGroupsInDTO,
        100,
    ),
    "iter_device_group_members": Paging(
        lambda client, query: DeviceGroupManagement(client).iter_device_group_members(query),
        lambda i: f"d-{i}",
        lambda rows, total: groups.QueryDeviceGroupMembersOutDTO(device_ids=rows, total_count=total),
        groups.QueryDeviceGroupMembersInDTO,
        1000,
    ),
    "iter_upgrade_packages": Paging(
        lambda client, query: DeviceUpgrade(client).iter_upgrade_packages(query),
        lambda i: upgrade.QueryUpgradePackageOutDTO(file_id=f"f-{i}"),
        lambda rows, total: upgrade.QueryUpgradePackageListOutDTO(data=rows, total_count=total),
        upgrade.QueryUpgradePackageListInDTO,
        100,
    ),
    "iter_upgrade_tasks": Paging(
        lambda client, query: DeviceUpgrade(client).iter_upgrade_tasks(query),
        lambda i: upgrade.OperationInfo(operation_id=f"o-{i}"),
        lambda rows, total: upgrade.QueryUpgradeTaskListOutDTO(data=rows, total_count=total),
        upgrade.QueryUpgradeTaskListInDTO,
        100,
    ),
    "iter_upgrade_sub_tasks": Paging(
        lambda client, query: DeviceUpgrade(client).iter_upgrade_sub_tasks(query, "o-1"),
        lambda i: upgrade.SubOperationInfo(sub_operation_id=f"s-{i}"),
        lambda rows, total: upgrade.QueryUpgradeSubTaskOutDTO(data=rows, total_count=total),
        upgrade.QueryUpgradeSubTaskInDTO,
        100,
    ),
}


class Platform(FakeClient):
    """Serves one list, page by page."""

    def __init__(self, case: Paging, many: int) -> None:
        super().__init__()
        self.case, self.rows = case, [case.item(i) for i in range(many)]

    def call(self, *args: Any, **rest: Any) -> Any:
        query = rest["query"]
        start = query.page_no * query.page_size
        self.answers = [self.case.answer(self.rows[start : start + query.page_size], len(self.rows))]
        return super().call(*args, **rest)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Paging:
    return CASES[request.param]


def test_every_page_is_read_with_a_size_within_the_limits(case: Paging) -> None:
    platform = Platform(case, 2 * case.page_size + 1)
    query = make(case.query, page_no=None, page_size=None)
    before = attrs.evolve(query)
    assert list(case.iterate(platform, query)) == platform.rows
    assert [(sent.query.page_no, sent.query.page_size) for sent in platform.sent] == [
        (page, case.page_size) for page in range(3)
    ]
    assert query == before


def test_rows_that_repeat_on_the_next_page_come_once_where_the_list_has_grown(case: Paging) -> None:
    platform = Platform(case, 8)
    query = make(case.query, page_no=None, page_size=4)
    walk = case.iterate(platform, query)
    found = [next(walk) for _ in range(4)]
    platform.rows[0:0] = [case.item(100), case.item(102)]
    found += walk
    assert found == [case.item(i) for i in range(8)]


def test_a_query_whose_fields_are_all_optional_may_be_left_out(case: Paging) -> None:
    if any(spec.mandatory for spec in specs(case.query).values()):
        with pytest.raises(Exception, match="mandatory"):
            case.query()
    else:
        platform = Platform(case, 3)
        assert list(case.iterate(platform, None)) == platform.rows


def test_a_change_of_a_subtask_from_waiting_to_sent_is_not_a_second_subtask() -> None:
    known = batch.QueryTaskDetailDTOCloud2NA(param={"deviceId": "d-0", "commandId": "c-0"})
    waiting = CASES["iter_task_details"].item(0)
    client = FakeClient(
        batch.QueryTaskDetailsOutDTO(task_details=[waiting], total_count=2),
        batch.QueryTaskDetailsOutDTO(task_details=[known], total_count=2),
        batch.QueryTaskDetailsOutDTO(task_details=[], total_count=2),
    )
    query = batch.QueryTaskDetailsInDTO(task_id="t-1")
    assert list(BatchProcess(client).iter_task_details(query)) == [waiting]
