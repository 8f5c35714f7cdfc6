from __future__ import annotations

import pytest

from iot_northbound.emulator.mqtt.authenticate import Login
from iot_northbound.emulator.mqtt.topics import Topics

LOGIN = Login("id-1", "node-1", "node-1")


@pytest.mark.parametrize(
    ("topic", "foreign"),
    [
        ("/huawei/v1/devices/other/data/json", True),
        ("huawei/v1/devices/other/command/binary", True),
        ("/huawei/v1/devices/node-1/data/json", False),
        ("/huawei/v1/devices/id-1/data/json", False),
        ("/huawei/v1/devices//data/json", False),
        ("/huawei/v1/devices/other/data/json/more", False),
        ("/huawei/v1/devices/other", False),
    ],
)
def test_the_topics_of_another_device_are_known_by_their_form(topic: str, foreign: bool) -> None:
    assert Topics(LOGIN, "json").is_foreign(topic) is foreign


def test_topics_have_the_id_that_the_device_has_logged_in_with() -> None:
    topics = Topics(LOGIN, "binary")
    assert topics.up["/huawei/v1/devices/node-1/data/binary"] == "data"
    assert topics.down["/huawei/v1/devices/node-1/command/binary"] == "binary"
    assert topics.down["/gws/id-1/signaltrans/v2/categories/#"] == "gateway"


def test_a_topic_of_the_wrong_direction_is_named_as_such() -> None:
    topics = Topics(LOGIN, "json")
    assert "for messages of the device" in topics.mistake_in_subscribe("/huawei/v1/devices/node-1/data/json")
    assert "for messages to the device" in topics.mistake_in_publish("/huawei/v1/devices/node-1/command/json")


def test_only_some_mistakes_of_a_session_are_compared_and_only_in_part() -> None:
    topics = Topics(LOGIN, "json")
    told = [topics.mistake_in_publish(f"huawei/v1/devices/node-1/data/json{number}") for number in range(30)]
    assert ["most similar" in each for each in told] == [True] * 20 + [False] * 10
    assert len(topics.mistake_in_publish("x" * 60_000)) < 400
