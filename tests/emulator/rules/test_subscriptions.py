"""Subscriptions: 1.6.1 to 1.6.6."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications
from iot_northbound.emulator.rules.notification_bodies import ALL_KINDS, MANAGEMENT_KINDS, SERVICE_KINDS
from tests.emulator.calling import Caller, code_of
from tests.emulator.scene import MANAGEMENT, SUBSCRIPTIONS, command, meter, pushed, response_fields, subscribe

URL = "https://na.example:9443/in"


@pytest.mark.parametrize("kind", SERVICE_KINDS)
def test_each_service_kind_can_be_subscribed_to_once(app: Caller, kind: str) -> None:
    answer = subscribe(app, kind)
    assert answer.status == 201
    assert answer.body.keys() == response_fields("1.6.1") - {"clientIds"}
    assert answer.body["callbackUrl"] == URL
    assert code_of(subscribe(app, kind, "https://elsewhere.example/in")) == (409, "100227")


def test_an_mqtt_subscription_exists_beside_the_http_one_and_names_its_client(app: Caller) -> None:
    subscribe(app, "deviceAdded")
    answer = subscribe(app, "deviceAdded", channel="MQTT")
    assert answer.status == 201
    assert len(answer.body["clientIds"]) == 1


@pytest.mark.parametrize("kind", MANAGEMENT_KINDS)
def test_a_repeated_management_subscription_moves_to_the_new_url(app: Caller, kind: str) -> None:
    assert app.call("POST", MANAGEMENT, {"notifyType": kind, "callbackUrl": URL}).status == 200
    # The vendor's SDK writes the URL's name in lower case.
    answer = app.call("POST", MANAGEMENT, {"notifyType": kind, "callbackurl": "http://new.example/in"})
    assert (answer.status, answer.body) == (200, None)
    listed = app.call("GET", SUBSCRIPTIONS, notifyType=kind).body["subscriptions"]
    assert [row["callbackUrl"] for row in listed] == ["http://new.example/in"]


@pytest.mark.parametrize(
    "url",
    ["ftp://na.example/in", "https://", "na.example/in", "https://na.example:0/", "https://a b/", 7, "http://[::1"],
)
def test_a_bad_callback_url_is_refused_by_both(app: Caller, url: Any) -> None:
    assert code_of(subscribe(app, "deviceAdded", url)) == (400, "100222")
    body = {"notifyType": MANAGEMENT_KINDS[0], "callbackUrl": url}
    assert code_of(app.call("POST", MANAGEMENT, body)) == (400, "100222")
    assert app.call("GET", SUBSCRIPTIONS).body["totalCount"] == 0


def test_kinds_of_the_other_table_are_refused(app: Caller) -> None:
    assert subscribe(app, "swUpgradeResultNotify").status == 400
    body = {"notifyType": "deviceAdded", "callbackUrl": URL}
    assert code_of(app.call("POST", MANAGEMENT, body)) == (400, "100228")


def test_one_subscription_is_answered_with_its_three_fields(app: Caller, other: Caller) -> None:
    subscription_id = subscribe(app, "deviceAdded").body["subscriptionId"]
    answer = app.call("GET", f"{SUBSCRIPTIONS}/{subscription_id}")
    assert answer.body == {"subscriptionId": subscription_id, "notifyType": "deviceAdded", "callbackUrl": URL}
    assert other.call("GET", f"{SUBSCRIPTIONS}/{subscription_id}").status == 404


def test_without_a_page_number_all_are_answered_and_with_one_a_page(app: Caller) -> None:
    for kind in SERVICE_KINDS:
        subscribe(app, kind)
    everything = app.call("GET", SUBSCRIPTIONS, pageSize="2").body
    assert [row["notifyType"] for row in everything["subscriptions"]] == list(SERVICE_KINDS)
    page = app.call("GET", SUBSCRIPTIONS, pageNo="1").body
    assert page.keys() == response_fields("1.6.4")
    assert (page["totalCount"], page["pageNo"], page["pageSize"]) == (len(SERVICE_KINDS), 1, 10)
    assert [row["notifyType"] for row in page["subscriptions"]] == list(SERVICE_KINDS[10:])
    assert app.call("GET", SUBSCRIPTIONS, pageNo="9").body["subscriptions"] == []


def test_deleting_in_batches_takes_http_ones_unless_the_channel_is_named(app: Caller) -> None:
    subscribe(app, "deviceAdded")
    subscribe(app, "deviceAdded", channel="MQTT")
    subscribe(app, "deviceDeleted", "https://elsewhere.example/in")
    assert code_of(app.call("DELETE", SUBSCRIPTIONS, channel="carrier pigeon")) == (404, "100225")
    assert app.call("DELETE", SUBSCRIPTIONS, callbackUrl=URL).status == 204
    assert app.call("GET", SUBSCRIPTIONS).body["totalCount"] == 2
    assert app.call("DELETE", SUBSCRIPTIONS, channel="MQTT").status == 204
    assert app.call("DELETE", SUBSCRIPTIONS, notifyType="deviceDeleted").status == 204
    assert code_of(app.call("DELETE", SUBSCRIPTIONS)) == (404, "100225")


def test_a_deleted_subscription_gets_nothing_more(app: Caller) -> None:
    subscription_id = subscribe(app, "deviceAdded").body["subscriptionId"]
    meter(app, "first")
    answer = app.call("DELETE", f"{SUBSCRIPTIONS}/{subscription_id}")
    assert (answer.status, answer.body) == (204, None)
    meter(app, "second")
    assert pushed(app.platform) == []
    assert code_of(app.call("DELETE", f"{SUBSCRIPTIONS}/{subscription_id}")) == (404, "100225")


def test_owner_flag_true_subscribes_the_caller_to_the_other_applications_devices(app: Caller, other: Caller) -> None:
    assert code_of(subscribe(other, "deviceAdded", appId="app-one")) == (403, "100217")
    applications.authorise_application(app.platform, "app-one", "app-two")
    path_body = {"notifyType": "deviceAdded", "callbackUrl": "https://two.example/in", "appId": "app-one"}
    assert other.call("POST", SUBSCRIPTIONS, path_body, ownerFlag="true").status == 201
    assert subscribe(app, "deviceAdded").status == 201
    meter(app, "m")
    assert len(pushed(app.platform, url="https://two.example/in")) == 1
    assert len(pushed(app.platform, url=URL)) == 1
    assert app.call("POST", SUBSCRIPTIONS, path_body, ownerFlag="maybe").status == 400


class SubscriptionsAgainstAModel(RuleBasedStateMachine):
    """The subscriptions are the same as in a dict."""

    def __init__(self) -> None:
        super().__init__()
        platform = Platform(clock=Clock(), ids=Ids("model"))
        applications.add_application(platform, "app-one", "secret-one")
        self.app = Caller(platform).login()
        self.model: dict[str, str] = {}

    @rule(kind=st.sampled_from(SERVICE_KINDS), port=st.integers(1, 3))
    def subscribe(self, kind: str, port: int) -> None:
        url = f"https://na.example:{port}/"
        status = subscribe(self.app, kind, url).status
        assert status == (409 if kind in self.model else 201)
        self.model.setdefault(kind, url)

    @rule(kind=st.sampled_from(MANAGEMENT_KINDS), port=st.integers(1, 3))
    def subscribe_management(self, kind: str, port: int) -> None:
        url = f"https://na.example:{port}/"
        assert self.app.call("POST", MANAGEMENT, {"notifyType": kind, "callbackUrl": url}).status == 200
        self.model[kind] = url

    @rule(kind=st.none() | st.sampled_from(ALL_KINDS), port=st.none() | st.integers(1, 3))
    def delete(self, kind: str | None, port: int | None) -> None:
        url = None if port is None else f"https://na.example:{port}/"
        doomed = [k for k, u in self.model.items() if kind in (None, k) and url in (None, u)]
        query = {name: value for name, value in (("notifyType", kind), ("callbackUrl", url)) if value is not None}
        assert self.app.call("DELETE", SUBSCRIPTIONS, **query).status == (204 if doomed else 404)
        for each in doomed:
            del self.model[each]

    @invariant()
    def the_list_is_the_model(self) -> None:
        rows = self.app.call("GET", SUBSCRIPTIONS).body["subscriptions"]
        assert {row["notifyType"]: row["callbackUrl"] for row in rows} == self.model
        assert len(rows) == len(self.model)


TestSubscriptionsAgainstAModel = SubscriptionsAgainstAModel.TestCase
TestSubscriptionsAgainstAModel.settings = hypothesis_settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_callback_urls_at_two_places_are_taken_with_one_warning(app: Caller, caplog: pytest.LogCaptureFixture) -> None:
    subscribe(app, "deviceAdded", "https://na.example/a")
    subscribe(app, "deviceDeleted", "https://na.example:443/b")
    subscribe(app, "deviceEvent", "https://broker.example/", channel="MQTT")
    assert "host and port" not in caplog.text
    for kind in ("deviceDataChanged", "deviceDatasChanged"):
        assert subscribe(app, kind, "https://na.example:9443/a").status == 201
    told = [record.getMessage() for record in caplog.records if "host and port" in record.getMessage()]
    assert len(told) == 1
    assert "na.example:443 and na.example:9443" in told[0]


def test_a_whole_set_moved_to_a_new_place_gives_no_warning(app: Caller, caplog: pytest.LogCaptureFixture) -> None:
    kinds = ("deviceAdded", "deviceDeleted")
    for kind in kinds:
        subscribe(app, kind, "https://old.example/in")
    for row in app.call("GET", SUBSCRIPTIONS).body["subscriptions"]:
        app.call("DELETE", f"{SUBSCRIPTIONS}/{row['subscriptionId']}")
    for kind in kinds:
        assert subscribe(app, kind, "https://new.example/in").status == 201
    assert "host and port" not in caplog.text


def test_a_commands_callback_url_counts_too(app: Caller, caplog: pytest.LogCaptureFixture) -> None:
    subscribe(app, "deviceAdded", "https://na.example/in")
    command(app, meter(app, "m"), callbackUrl="https://na.example:9443/c")
    assert "na.example:443 and na.example:9443" in caplog.text
