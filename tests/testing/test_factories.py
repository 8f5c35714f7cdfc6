from __future__ import annotations

from typing import Any

import pytest
from tests.dto.examples import CLASSES, REQUESTS

from iot_northbound import InvalidArgumentError, NorthApiClient
from iot_northbound.core import wire
from iot_northbound.dto import (
    CreateDeviceGroupInDTO,
    DeviceInfoDTO,
    NotifyDeviceDataChangedDTO,
    QuerySingleDeviceInfoOutDTO,
    RegDirectDeviceInDTO2,
)
from iot_northbound.testing.factories import make


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_every_dto_has_a_valid_example_of_its_own(cls: type[Any]) -> None:
    one, other = make(cls), make(cls)
    assert one == other
    assert one is not other
    if cls in REQUESTS.values():
        assert wire.to_json(one)


def test_fields_are_set_by_their_python_names(north_client: NorthApiClient) -> None:
    asked = make(RegDirectDeviceInDTO2, node_id="meter-7", psk=None)
    assert (asked.node_id, asked.psk) == ("meter-7", None)
    asked.device_info.name = "mine"  # type: ignore[union-attr]
    assert make(RegDirectDeviceInDTO2).device_info == make(DeviceInfoDTO)
    assert make(QuerySingleDeviceInfoOutDTO, device_id="d-7").device_id == "d-7"
    assert make(NotifyDeviceDataChangedDTO).service is not None
    device_id = north_client.device_management.reg_direct_device(asked).device_id
    group = make(CreateDeviceGroupInDTO, device_ids=[device_id], app_id=None)
    assert north_client.device_group_management.create_device_group(group).cur_dev_num == 1


@pytest.mark.parametrize(
    ("cls", "changes", "told"),
    [
        (RegDirectDeviceInDTO2, {"nodeid": "x"}, "has no such field.*did you mean node_id"),
        (RegDirectDeviceInDTO2, {"psk": "short"}, "psk"),
        (str, {}, "str: it must be a DTO class"),
        (type("RegDirectDeviceInDTO", (), {}), {}, "did you mean RegDirectDeviceInDTO2"),
    ],
)
def test_a_mistake_is_refused_in_words(cls: type[Any], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        make(cls, **changes)
