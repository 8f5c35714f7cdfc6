"""The push queue: who gets a push, when it is due, what becomes of it."""

from __future__ import annotations

import pytest

from iot_northbound.emulator.state import devices, notifications
from iot_northbound.emulator.state.clock import Clock
from iot_northbound.emulator.state.kernel import Platform
from iot_northbound.emulator.state.notifications import due, next_due, push, record_attempt, totals
from tests.emulator.state.calling import START, Caller
from tests.emulator.state.scene import meter, pushed, settle, subscribe

ONE = "https://one.example:9443/a"
TWO = "https://two.example/b"


def ids(platform: Platform, now: float | None = None, limit: int = 100, per_destination: int = 100) -> list[str]:
    return [row["pushId"] for row in due(platform, platform.now() if now is None else now, limit, per_destination)]


def fail(platform: Platform, push_id: str) -> str:
    return record_attempt(platform, push_id, ok=False, status=500, error="refused", now=platform.now())


def test_a_change_is_pushed_to_its_subscribers_only(app: Caller, other: Caller) -> None:
    subscribe(app, "deviceAdded", ONE)
    subscribe(app, "deviceDeleted", TWO)
    subscribe(other, "deviceAdded", TWO)
    device_id = meter(app, "m")
    rows = due(app.platform, START, 10, 10)
    assert [(row["url"], row["body"]["deviceId"]) for row in rows] == [(ONE, device_id)]


def test_an_mqtt_subscription_is_not_posted_to(app: Caller) -> None:
    subscribe(app, "deviceAdded", ONE, channel="MQTT")
    meter(app, "m")
    assert pushed(app.platform) == []


def test_a_report_is_pushed_as_single_and_as_batch_change(app: Caller) -> None:
    device_id = meter(app, "m", online=True)
    for kind in ("deviceDataChanged", "deviceDatasChanged"):
        subscribe(app, kind, ONE)
    devices.report(app.platform, device_id, "Battery", {"batteryLevel": 80})
    single, batch = pushed(app.platform)
    assert single["service"]["data"] == {"batteryLevel": 80}
    assert batch["services"] == [single["service"]]


def test_due_keeps_order_and_the_share_of_each_destination(platform: Platform) -> None:
    first = [push(platform, "app-one", ONE, {"n": n})["pushId"] for n in range(5)]
    second = [push(platform, "app-one", TWO, {"n": n})["pushId"] for n in range(2)]
    assert ids(platform) == first + second
    assert ids(platform, per_destination=3) == first[:3] + second
    assert ids(platform, limit=2) == first[:2]
    rest = due(platform, START, 100, 3, busy={first[0], second[0]})
    assert [row["pushId"] for row in rest] == [*first[1:3], second[1]]


def test_what_is_under_way_hides_no_other_receivers_next_time(platform: Platform) -> None:
    slow = [push(platform, "app-one", ONE, {"n": n})["pushId"] for n in range(3)]
    other = push(platform, "app-one", TWO, {})["pushId"]
    fail(platform, other)
    assert next_due(platform, 2, busy=slow[:1]) == START
    assert next_due(platform, 2, busy=slow[:2]) == START + notifications.RETRY_SECONDS[0]
    assert next_due(platform, 2, busy=[*slow[:2], other]) is None


def test_a_failing_destination_is_tried_by_one_push_and_takes_no_others_place(platform: Platform) -> None:
    slow = [push(platform, "app-one", ONE, {"n": n})["pushId"] for n in range(3)]
    other = push(platform, "app-one", TWO, {})["pushId"]
    destination = platform.table(notifications.PUSHES)[slow[0]]["destination"]

    def now_due(busy: set[str]) -> list[str]:
        return [row["pushId"] for row in due(platform, START, 2, 3, busy, {destination})]

    assert now_due(set()) == [slow[0], other]
    assert now_due({slow[0]}) == [other]
    assert next_due(platform, 3, {slow[0]}, {destination}) == START
    assert next_due(platform, 3, {slow[0], other}, {destination}) is None


def test_a_delivered_push_leaves_the_queue(platform: Platform) -> None:
    push_id = push(platform, "app-one", ONE, {})["pushId"]
    assert next_due(platform) == START
    assert record_attempt(platform, push_id, ok=True, status=200, error=None, now=START) == "delivered"
    assert next_due(platform) is None
    assert totals(platform) == {"queued": 1, "delivered": 1, "dropped": 0, "waiting": 0}
    assert fail(platform, push_id) == "gone"
    assert len(platform.table(notifications.DESTINATIONS)) == 0


def test_a_failed_push_is_tried_again_after_growing_pauses(platform: Platform) -> None:
    push_id = push(platform, "app-one", ONE, {})["pushId"]
    pauses = []
    for _ in range(9):
        assert fail(platform, push_id) == "waiting"
        again = next_due(platform)
        assert again is not None
        pauses.append(again - platform.now())
        assert ids(platform, again - 0.001) == []
        platform.advance(again - platform.now())
        assert ids(platform) == [push_id]
    assert pauses == sorted(pauses)
    assert pauses[:7] == list(notifications.RETRY_SECONDS)
    journal = platform.table(notifications.PUSHES)[push_id]["journal"]
    assert len(journal) == 9
    assert journal[-1]["error"] == "refused"


def test_ten_failures_in_a_row_give_the_destination_a_rest_and_no_other(platform: Platform) -> None:
    failing = [push(platform, "app-one", ONE, {"n": n})["pushId"] for n in range(12)]
    good = push(platform, "app-one", TWO, {})["pushId"]
    for push_id in failing[:9]:
        fail(platform, push_id)
    assert set(failing[9:]) < set(ids(platform))
    fail(platform, failing[9])
    assert ids(platform) == [good]
    record_attempt(platform, good, ok=True, status=200, error=None, now=START)
    assert next_due(platform) == START + notifications.REST_SECONDS
    platform.advance(notifications.REST_SECONDS - 1)
    assert ids(platform) == []
    platform.advance(1)
    assert set(ids(platform)) == set(failing)


def test_a_success_ends_the_row_of_failures(platform: Platform) -> None:
    rows = [push(platform, "app-one", ONE, {"n": n})["pushId"] for n in range(20)]
    for push_id in rows[:9]:
        fail(platform, push_id)
    record_attempt(platform, rows[9], ok=True, status=200, error=None, now=START)
    for push_id in rows[10:19]:
        fail(platform, push_id)
    assert ids(platform) == [rows[19]]


def test_what_fails_for_longer_than_the_retention_is_dropped_and_counted(platform: Platform) -> None:
    platform.settings.push_retention = 1000
    push_id = push(platform, "app-one", ONE, {})["pushId"]
    platform.advance(996)
    assert fail(platform, push_id) == "dropped"
    assert totals(platform) == {"queued": 1, "delivered": 0, "dropped": 1, "waiting": 0}


def test_a_restart_goes_on_with_the_queue(app: Caller) -> None:
    subscribe(app, "deviceAdded", ONE)
    meter(app, "m")
    rows = [(table, key, row) for table, key, row in app.platform.take_changes() if row is not None]
    clock = Clock()
    again = Platform(clock=clock)
    again.load(rows)
    assert [row["body"] for row in due(again, again.now(), 10, 10)] == pushed(app.platform)


@pytest.mark.parametrize("url", ["http://one.example/x", "https://one.example:1/x", "https://TWO.example/x"])
def test_a_destination_is_scheme_host_and_port(platform: Platform, url: str) -> None:
    push(platform, "app-one", ONE, {})
    push(platform, "app-one", url, {})
    push(platform, "app-one", url.replace("/x", "/y").lower(), {})
    settle(platform)
    assert len(platform.table(notifications.DESTINATIONS)) == 2
