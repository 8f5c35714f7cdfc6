"""Items of a page that cannot be read cost none of the others, and no walk ends early because of them."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.core import wire
from iot_northbound.core.fields import specs
from iot_northbound.dto.data_collection import QueryBatchDevicesInfoInDTO, QueryBatchDevicesInfoOutDTO
from iot_northbound.dto.signal_delivery import QueryDeviceCmdCancelTaskOutDTO2, QueryDeviceCommandOutDTO2
from iot_northbound.dto.subscription_management import QueryBatchSubOutDTO
from iot_northbound.errors import UnreadableAnswerError
from iot_northbound.services import SignalDelivery, SubscriptionManagement
from iot_northbound.services.data_collection import DEVICES
from iot_northbound.testing.factories import make
from tests.services.fake import FakeClient
from tests.services.test_iterators import CASES, Paging


class Platform:
    """Pages over raw items; what is not an object cannot be read."""

    def __init__(self, items: list[Any], *, counts: bool = True, name: str = "devices") -> None:
        self.items = items
        self.counts = counts
        self.name = name
        self.asked = 0

    def ask(self, query: Any) -> QueryBatchDevicesInfoOutDTO:
        self.asked += 1
        assert self.asked < 200, "it never ends"
        start = query.page_no * query.page_size
        raw: dict[str, Any] = {self.name: self.items[start : start + query.page_size]}
        return wire.structure(
            raw | ({"totalCount": len(self.items)} if self.counts else {}), QueryBatchDevicesInfoOutDTO
        )


def walk(platform: Platform, size: int) -> list[str | None]:
    return [each.device_id for each in DEVICES.walk(platform.ask, QueryBatchDevicesInfoInDTO(page_size=size))]


def mixed(kinds: list[int]) -> tuple[list[Any], list[str]]:
    """Return raw items, some of which cannot be read, and the ids of those that can."""
    odd: dict[int, Any] = {1: None, 2: "text", 3: 5, 4: []}
    items = [{"deviceId": f"d-{at}"} if kind == 0 else odd[kind] for at, kind in enumerate(kinds)]
    return items, [f"d-{at}" for at, kind in enumerate(kinds) if kind == 0]


@given(kinds=st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4]), max_size=40), size=st.integers(1, 12))
def test_all_that_can_be_read_is_if_the_platform_counts(kinds: list[int], size: int) -> None:
    items, readable = mixed(kinds)
    try:
        assert walk(Platform(items), size) == readable
    except UnreadableAnswerError as error:
        assert "brought nothing new" in error.error_desc  # noqa: PT017  # many equal pages of nulls: told, not hidden


@given(kinds=st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4]), max_size=40), size=st.integers(1, 12))
def test_all_that_can_be_read_is_or_the_walk_fails_if_it_does_not_count(kinds: list[int], size: int) -> None:
    items, readable = mixed(kinds)
    try:
        assert walk(Platform(items, counts=False), size) == readable
    except UnreadableAnswerError as error:
        assert "unreadable items" in error.error_desc  # noqa: PT017


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("name", ["devices", "Devices"])
def test_a_page_without_a_readable_item_is_no_empty_page(
    counts: bool, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    items, readable = mixed([0, 0, 1, 2, 0, 0])
    with caplog.at_level(logging.WARNING, "iot_northbound"):
        assert walk(Platform(items, counts=counts, name=name), 2) == readable
    assert [each.getMessage() for each in caplog.records] == [
        "QueryBatchDevicesInfoInDTO: 2 of a page's 2 items cannot be read: left out"
    ]


def test_costs_no_request_more_than_it_has_pages() -> None:
    platform = Platform(mixed([0, 3, 0, 0, 2, 0])[0])
    walk(platform, 2)
    assert platform.asked == 3


@pytest.mark.parametrize("counts", [True, False])
def test_a_platform_that_repeats_an_unreadable_page_ends_the_walk_with_an_error(counts: bool) -> None:
    platform = Platform([None, None])
    platform.counts = counts

    def ask(query: Any) -> QueryBatchDevicesInfoOutDTO:
        platform.asked += 1
        assert platform.asked < 100, "it never ends"
        return wire.structure({"devices": [None]} | ({"totalCount": 50} if counts else {}), QueryBatchDevicesInfoOutDTO)

    with pytest.raises(UnreadableAnswerError) as caught:
        list(DEVICES.walk(ask, QueryBatchDevicesInfoInDTO(page_size=1)))
    assert caught.value.error_code == "1004"


# -- the list itself ---------------------------------------------------------------------------------------------------


def raw_page(case: Paging, value: Any) -> Any:
    """Return the case's answer as if this had come for its list."""
    answer: Any = case.answer([], 5)
    (listed,) = [spec for spec in specs(type(answer)).values() if getattr(answer, spec.name) == []]
    return wire.structure({listed.wire: value, "totalCount": 5}, type(answer))


MEMBERS = "iter_device_group_members"  # its items are texts


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, value) for name in sorted(CASES) if name != MEMBERS for value in ("x", 5, True)), (MEMBERS, {"a": {}})],
)
def test_every_iterator_fails_if_what_should_be_its_list_is_none(name: str, value: Any) -> None:
    case = CASES[name]
    with pytest.raises(UnreadableAnswerError, match="should be a list") as caught:
        list(case.iterate(FakeClient(raw_page(case, value)), make(case.query)))
    assert caught.value.error_code == "1004"


@pytest.mark.parametrize(
    "wait",
    [
        lambda client: SignalDelivery(client).wait_for_device_command("c-1", "d-1", timeout=0),
        lambda client: SignalDelivery(client).wait_for_device_cmd_cancel_task("t-1", timeout=0),
        lambda client: SubscriptionManagement(client).ensure("https://app.example/push", ["deviceAdded"]),
    ],
    ids=["command", "revocation task", "subscriptions"],
)
def test_what_looks_for_something_in_a_list_fails_rather_than_not_find_it(wait: Any) -> None:
    names = {
        QueryDeviceCommandOutDTO2: "data",
        QueryDeviceCmdCancelTaskOutDTO2: "data",
        QueryBatchSubOutDTO: "subscriptions",
    }

    class Client(FakeClient):
        def call(self, endpoint: Any, *args: Any, **rest: Any) -> Any:
            self.answers = [wire.structure({names[endpoint.result]: "x"}, endpoint.result)]
            return super().call(endpoint, *args, **rest)

    client = Client()
    with pytest.raises(UnreadableAnswerError, match="should be a list"):
        wait(client)
    assert len(client.sent) == 1
