"""Hubs: who may post, numbers, and watching."""

from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, hubs, links
from iot_northbound.emulator.rules.hub_values import Value
from iot_northbound.emulator.rules.hubs import Measure, Posted
from tests.emulator.calling import Caller
from tests.emulator.rules.posting import TOKEN, Hub
from tests.emulator.scene import pushed, subscribe

# --- who may post ---


def test_a_hub_is_a_registered_gateway_and_its_secret_is_the_token(platform: Platform, hub: Hub) -> None:
    assert hub.post(seq=7) == {"status": "ACK", "seq": "7", "commands": [], "unknown": []}
    row = devices.need(platform, hub.id)
    assert (row["activated"], row["status"]) == (True, "ONLINE")


@pytest.mark.parametrize("token", [None, "", "0123456789abcdef0124", "\xe9"])
def test_another_token_is_refused_and_nothing_is_done(platform: Platform, hub: Hub, token: str | None) -> None:
    assert hub.post(seq=7, token=token, adds=[("d-1", "11")]) == {"status": "UNAUTHORIZED", "seq": "7"}
    assert not platform.table(devices.DEVICES).where(parent=hub.id)
    assert devices.need(platform, hub.id)["status"] == "INACTIVE"


def test_a_hub_that_is_not_registered_is_unknown(platform: Platform) -> None:
    assert hubs.take(platform, Posted("hub-9", "3", ""), TOKEN) == {"status": "UNKNOWN", "seq": "3"}


def test_a_device_without_a_secret_or_behind_a_hub_is_no_hub(platform: Platform, app: Caller, hub: Hub) -> None:
    app.register("by-code", timeout=0)
    assert hubs.take(platform, Posted("by-code", None, ""), "")["status"] == "UNAUTHORIZED"
    hub.add("d-1")
    assert hubs.take(platform, Posted("d-1", None, ""), TOKEN)["status"] == "UNKNOWN"


# --- numbers ---


def test_the_same_number_again_gives_the_same_answer_and_does_nothing(
    platform: Platform, hub: Hub, app: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    child = hub.add("d-1")
    subscribe(app, "deviceDataChanged")
    measures = [Measure("d-1", None, [Value("humidity", "40")]), Measure("d-9", None, [])]
    first = hub.post(seq=5, digest="a", measures=measures)
    assert first["unknown"] == ["d-9"]
    assert hub.post(seq=5, digest="a", measures=measures) == first
    assert len(pushed(platform, "deviceDataChanged")) == 1
    assert "needs a new number" not in caplog.text
    # Another message with this number is a mistake of the hub's, and the log says so.
    assert hub.post(seq=5, digest="b", adds=[("d-2", "11")]) == first
    assert "number 5 of its last one: it was not taken" in caplog.text
    assert [row["deviceId"] for row in devices.sub_devices(platform, hub.id)] == [child["deviceId"]]


def test_a_smaller_number_is_a_hub_that_was_started_again(hub: Hub) -> None:
    hub.add("d-1")
    hub.post(seq=500)
    hub.post(seq=1, measures=[Measure("d-1", None, [Value("humidity", "41")])])
    assert hub.data("d-1")["Climate"] == {"humidity": 41}


def test_messages_without_a_number_are_all_new(hub: Hub) -> None:
    hub.add("d-1")
    for number in (1, 2):
        answer = hub.post(seq=None, measures=[Measure("d-1", None, [Value("humidity", str(number))])])
        assert answer["seq"] is None
        assert hub.data("d-1")["Climate"] == {"humidity": number}


def test_the_number_survives_a_restart(platform: Platform, hub: Hub) -> None:
    first = hub.post(seq=5, adds=[("d-1", "11")], measures=[Measure("d-9", None, [])])
    again = Platform(platform.settings, platform.clock, platform.ids)
    rows = [(name, key, row) for name, table in platform.dump().items() for key, row in table.items()]
    again.load(rows)
    hub.platform = again
    assert hub.post(seq=5, adds=[("d-1", "11")]) == first
    assert devices.need(again, hub.id)["status"] == "ONLINE"


def test_a_deleted_hub_leaves_nothing(platform: Platform, hub: Hub) -> None:
    hub.post(seq=5)
    devices.delete(platform, devices.need(platform, hub.id))
    assert not platform.table(hubs.HUBS).rows
    assert not platform.table(links.LINKS).rows


# --- watching ---


def test_while_a_user_watches_the_answer_is_cont(platform: Platform, hub: Hub) -> None:
    platform.work(hubs.watch, platform, "hub-1", 60)
    assert [hub.post()["status"], hub.post()["status"]] == ["CONT", "CONT"]
    platform.advance(60)
    assert hub.post()["status"] == "ACK"
    hubs.watch(platform, "hub-1", 60)
    hubs.watch(platform, "hub-1", 0)
    assert hub.post()["status"] == "ACK"
    with pytest.raises(LookupError, match="no hub 'hub-9'"):
        hubs.watch(platform, "hub-9", 60)
