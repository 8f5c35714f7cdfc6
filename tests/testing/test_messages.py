import json

import pytest

from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.testing.messages import PUSH_KINDS, push_body, push_message


@pytest.mark.parametrize("kind", PUSH_KINDS)
def test_every_field_of_an_example_can_be_changed(kind: str) -> None:
    example = push_message(kind)
    for name in example:
        assert push_message(kind, **{name: "other"}) == {**example, name: "other"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("device_id", "deviceDataChanged has no such field .* did you mean deviceId\\?$"),
        ("deviceID", "did you mean deviceId"),
        ("nothingLikeIt", "deviceDataChanged has no such field"),
    ],
)
def test_a_field_the_kind_does_not_have_is_refused(name: str, told: str) -> None:
    for kind in ("deviceDataChanged", NotifyDeviceDataChangedDTO):
        for make in (push_message, push_body):
            with pytest.raises(InvalidArgumentError, match=told) as caught:
                make(kind, **{name: "lamp-7"})
            assert caught.value.error_code == "1007"


def test_a_field_of_a_newer_platform_is_added_by_a_dict() -> None:
    body = push_body("deviceAdded", {"device_id": 1}, deviceId="lamp-7")
    assert json.loads(body) == {**push_message("deviceAdded"), "device_id": 1, "deviceId": "lamp-7"}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="deviceAdded") as caught:
        push_body("deviceAded")
    assert caught.value.error_code == "1007"
