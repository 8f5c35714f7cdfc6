"""The push queue: which pushes there are, when they are due, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications, devices, notifications
from iot_northbound.emulator.rules.notifications import due, next_due, push, record_attempt, totals
from tests.emulator.calling import START, Caller
from tests.emulator.scene import (
    MANAGEMENT,
    SUBSCRIPTIONS,
    command,
    meter,
    package,
    pushed,
    settle,
    subscribe,
)

ONE = "https://one.example:9443/a"
TWO = "https://two.example/b"


def ids(platform: Platform, now: float | None = None, limit: int = 100, per_destination: int = 100) -> list[str]:
    return [row["pushId"] for row in due(platform, platform.now() if now is None else now, limit, per_destination)]


def fail(platform: Platform, push_id: str, sent: dict[str, Any] | None = None) -> str:
    sent = sent or platform.table(notifications.PUSHES)[push_id]
    return record_attempt(platform, sent, ok=False, status=500, error="refused", now=platform.now())


def succeed(platform: Platform, push_id: str, sent: dict[str, Any] | None = None) -> str:
    sent = sent or platform.table(notifications.PUSHES)[push_id]
    return record_attempt(platform, sent, ok=True, status=200, error=None, now=platform.now())


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


def test_pushes_that_are_being_sent_do_not_hide_the_next_time_of_other_receivers(platform: Platform) -> None:
    slow = [push(platform, "app-one", ONE, {"n": n})["pushId"] for n in range(3)]
    other = push(platform, "app-one", TWO, {})["pushId"]
    fail(platform, other)
    assert next_due(platform, 2, busy=slow[:1]) == START
    assert next_due(platform, 2, busy=slow[:2]) == START + notifications.RETRY_SECONDS[0]
    assert next_due(platform, 2, busy=[*slow[:2], other]) is None


def test_a_failing_destination_is_tried_with_one_push_and_takes_no_room_of_others(platform: Platform) -> None:
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
    sent = push(platform, "app-one", ONE, {})
    assert next_due(platform) == START
    assert succeed(platform, sent["pushId"]) == "delivered"
    assert next_due(platform) is None
    assert totals(platform) == {"queued": 1, "delivered": 1, "dropped": 0, "waiting": 0}
    assert fail(platform, sent["pushId"], sent) == "gone"
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
    succeed(platform, good)
    assert next_due(platform) == START + notifications.REST_SECONDS
    platform.advance(notifications.REST_SECONDS - 1)
    assert ids(platform) == []
    platform.advance(1)
    assert set(ids(platform)) == set(failing)


def test_a_success_ends_the_row_of_failures(platform: Platform) -> None:
    rows = [push(platform, "app-one", ONE, {"n": n})["pushId"] for n in range(20)]
    for push_id in rows[:9]:
        fail(platform, push_id)
    succeed(platform, rows[9])
    for push_id in rows[10:19]:
        fail(platform, push_id)
    assert ids(platform) == [rows[19]]


def test_a_push_that_fails_for_longer_than_the_retention_is_dropped_and_counted(platform: Platform) -> None:
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


class TestSubscriptionsThatEndOrMove:
    """Pushes that wait for a subscription end with it and move with it; pushes of a command stay."""

    KIND = "fwUpgradeResultNotify"

    def manage(self, app: Caller, url: str) -> str:
        """Subscribe to a kind of management data, or move it to another URL; return the subscription's id."""
        assert app.call("POST", MANAGEMENT, {"notifyType": self.KIND, "callbackUrl": url}).status == 200
        rows = app.call("GET", SUBSCRIPTIONS, notifyType=self.KIND).body["subscriptions"]
        return str(rows[0]["subscriptionId"])

    def tell(self, app: Caller) -> dict[str, Any]:
        """Let the platform push one result of an upgrade; return the queued push."""
        known = set(app.platform.table(notifications.PUSHES).rows)
        app.platform.notify(app.app_id, self.KIND, {"notifyType": self.KIND})
        ((_, row),) = [each for each in app.platform.table(notifications.PUSHES).rows.items() if each[0] not in known]
        return dict(row)

    @pytest.mark.parametrize("how", ["by id", "by kind", "by URL", "by channel", "all", "with the application"])
    def test_a_deleted_subscription_drops_its_queue(self, app: Caller, other: Caller, how: str) -> None:
        subscription_id = subscribe(app, "deviceAdded", ONE).body["subscriptionId"]
        subscribe(other, "deviceAdded", ONE)
        meter(app, "m")
        meter(other, "n")
        if how == "with the application":
            applications.remove_application(app.platform, app.app_id)
        elif how == "by id":
            assert app.call("DELETE", f"{SUBSCRIPTIONS}/{subscription_id}").status == 204
        else:
            query = {
                "by kind": {"notifyType": "deviceAdded"},
                "by URL": {"callbackUrl": ONE},
                "by channel": {"channel": "HTTP"},
            }.get(how, {})
            assert app.call("DELETE", SUBSCRIPTIONS, **query).status == 204
        assert [row["appId"] for row in due(app.platform, START, 10, 10)] == ["app-two"]
        assert totals(app.platform) == {"queued": 2, "delivered": 0, "dropped": 1, "waiting": 1}

    def test_a_removed_application_gets_no_more_pushes(self, app: Caller, other: Caller) -> None:
        subscribe(app, "deviceAdded", ONE)
        device_id = meter(other, "foreign", online=True)
        command(other, device_id, callbackUrl=TWO, expireTime=0)
        settle(app.platform)
        assert pushed(app.platform, None, TWO)
        applications.remove_application(app.platform, "app-two")
        assert pushed(app.platform) == []
        meter(app, "m")
        assert len(pushed(app.platform)) == 1

    def test_other_subscriptions_and_commands_keep_what_waits_for_the_same_url(self, app: Caller) -> None:
        doomed = subscribe(app, "deviceAdded", ONE).body["subscriptionId"]
        subscribe(app, "bindDevice", ONE)
        device_id = meter(app, "m", online=True)
        command(app, device_id, callbackUrl=ONE)
        command(app, device_id, callbackUrl=ONE, expireTime=0)
        settle(app.platform)
        app.call("DELETE", f"{SUBSCRIPTIONS}/{doomed}")
        assert [body.get("notifyType") for body in pushed(app.platform)] == ["bindDevice", None]

    def test_the_same_subscription_made_again_does_not_get_what_was_dropped(self, app: Caller) -> None:
        for _ in range(2):
            subscription_id = subscribe(app, "deviceAdded", ONE).body["subscriptionId"]
            device_id = meter(app, "m")
            assert [body["deviceId"] for body in pushed(app.platform)] == [device_id]
            app.call("DELETE", f"{SUBSCRIPTIONS}/{subscription_id}")
            app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
        assert pushed(app.platform) == []

    def test_a_moved_subscription_takes_its_queue_to_the_new_url_at_once(self, app: Caller) -> None:
        self.manage(app, ONE)
        waiting = [self.tell(app)["pushId"] for _ in range(3)]
        for _ in range(3):
            fail(app.platform, waiting[0])
        assert ids(app.platform) == waiting[1:]
        self.manage(app, TWO)
        rows = due(app.platform, START, 10, 10)
        assert [(row["pushId"], row["url"]) for row in rows] == [(push_id, TWO) for push_id in waiting]
        assert {row["destination"] for row in rows} == {"https://two.example"}
        assert list(app.platform.table(notifications.DESTINATIONS).rows) == ["https://two.example"]
        assert fail(app.platform, waiting[0]) == "waiting"
        assert due(app.platform, START + notifications.RETRY_SECONDS[0], 10, 10)[-1]["pushId"] == waiting[0]

    def test_a_move_to_the_same_url_changes_nothing(self, app: Caller) -> None:
        self.manage(app, ONE)
        push_id = self.tell(app)["pushId"]
        fail(app.platform, push_id)
        self.manage(app, ONE)
        assert ids(app.platform) == []

    def test_a_move_within_one_host_changes_the_path_and_keeps_the_hosts_rest(self, app: Caller) -> None:
        self.manage(app, ONE)
        waiting = [self.tell(app)["pushId"] for _ in range(notifications.FAILURES_BEFORE_REST)]
        for push_id in waiting:
            fail(app.platform, push_id)
        self.manage(app, ONE + "/other")
        assert ids(app.platform) == []
        app.platform.advance(notifications.REST_SECONDS)
        assert ids(app.platform) == waiting

    def test_a_move_away_from_a_resting_host_ends_the_wait_and_a_move_back_does_not_wake_it(self, app: Caller) -> None:
        self.manage(app, ONE)
        waiting = [self.tell(app)["pushId"] for _ in range(notifications.FAILURES_BEFORE_REST)]
        for push_id in waiting:
            fail(app.platform, push_id)
        self.manage(app, TWO)
        assert ids(app.platform) == waiting
        self.manage(app, ONE)
        assert ids(app.platform) == []

    def test_deleting_and_subscribing_again_does_not_wake_a_resting_host(self, app: Caller) -> None:
        subscription_id = subscribe(app, "deviceAdded", ONE).body["subscriptionId"]
        for number in range(notifications.FAILURES_BEFORE_REST):
            meter(app, f"m{number}")
        for push_id in ids(app.platform):
            fail(app.platform, push_id)
        app.call("DELETE", f"{SUBSCRIPTIONS}/{subscription_id}")
        subscribe(app, "deviceAdded", ONE)
        meter(app, "new")
        assert ids(app.platform) == []
        assert next_due(app.platform) == START + notifications.REST_SECONDS

    def test_a_push_that_is_being_sent_to_the_old_url_is_repeated_at_the_new_one_if_it_fails(self, app: Caller) -> None:
        self.manage(app, ONE)
        sent = self.tell(app)
        self.manage(app, TWO)
        assert not notifications.still_wanted(app.platform, sent)
        assert fail(app.platform, sent["pushId"], sent) == "waiting"
        (row,) = due(app.platform, START, 10, 10)
        assert (row["url"], row["attempts"], len(row["journal"])) == (TWO, 0, 1)
        # The old receiver failed: the new one has all its attempts.
        assert app.platform.table(notifications.DESTINATIONS)["https://two.example"]["failures"] == 0

    def test_a_push_that_arrives_at_the_old_url_is_not_sent_to_the_new_one(self, app: Caller) -> None:
        self.manage(app, ONE)
        sent = self.tell(app)
        self.manage(app, TWO)
        assert succeed(app.platform, sent["pushId"], sent) == "delivered"
        assert ids(app.platform) == []
        assert len(app.platform.table(notifications.DESTINATIONS)) == 0

    @pytest.mark.parametrize("ok", [True, False])
    def test_a_push_that_is_being_sent_for_a_deleted_subscription_is_not_repeated(self, app: Caller, ok: bool) -> None:
        subscription_id = self.manage(app, ONE)
        sent = self.tell(app)
        app.call("DELETE", f"{SUBSCRIPTIONS}/{subscription_id}")
        assert (succeed if ok else fail)(app.platform, sent["pushId"], sent) == "gone"
        assert ids(app.platform) == []
        assert totals(app.platform) == {"queued": 1, "delivered": 0, "dropped": 1, "waiting": 0}

    def test_a_restart_knows_which_push_belongs_to_which_subscription(self, app: Caller) -> None:
        doomed = subscribe(app, "deviceAdded", ONE).body["subscriptionId"]
        self.manage(app, ONE)
        meter(app, "m")
        self.tell(app)
        package(app)
        again = Platform(clock=app.platform.clock)
        again.load([(table, key, row) for table, key, row in app.platform.take_changes() if row is not None])
        survivor = Caller(again).login()
        survivor.call("DELETE", f"{SUBSCRIPTIONS}/{doomed}")
        self.manage(survivor, TWO)
        assert [(row["notifyType"], row["url"]) for row in due(again, START, 10, 10)] == [(self.KIND, TWO)]
