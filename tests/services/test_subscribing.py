import pytest

from iot_northbound import (
    AlreadyExistsError,
    InvalidArgumentError,
    NorthApiClient,
    SubscriptionManagement,
    load_profile,
)
from iot_northbound.dto import NotifyType, SubDeviceDataInDTO
from iot_northbound.emulator import Emulator
from iot_northbound.services.subscribing import subscribe
from tests.services.fake import FakeClient

HERE = "https://receiver.example:9443/v1.0.0/messageReceiver"
ELSEWHERE = "https://other.example:9443/v1.0.0/messageReceiver"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with Emulator(port=0, control_port=None, folder=tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def subscriptions(emulator):
    with NorthApiClient(*load_profile(emulator.profile_path)) as client:
        yield client.subscription_management
        for each in list(client.subscription_management.iter_subscriptions()):
            client.subscription_management.delete_single_subscription(each.subscription_id)


def held(subscriptions):
    return {(str(each.notify_type), each.callback_url) for each in subscriptions.iter_subscriptions()}


def test_adds_what_is_missing_and_changes_nothing_the_second_time(subscriptions):
    kinds = [NotifyType.DEVICE_ADDED, "deviceDataChanged", NotifyType.FW_UPGRADE_RESULT_NOTIFY]
    first = subscriptions.ensure(HERE, kinds)
    assert first.added == ("deviceAdded", "deviceDataChanged", "fwUpgradeResultNotify")
    assert held(subscriptions) == {(str(kind), HERE) for kind in kinds}
    ids = {each.subscription_id for each in subscriptions.iter_subscriptions()}
    second = subscriptions.ensure(HERE, kinds)
    assert (second.added, second.removed, second.moved) == ((), (), {})
    assert set(second.kept) == {str(kind) for kind in kinds}
    assert {each.subscription_id for each in subscriptions.iter_subscriptions()} == ids


def test_moves_a_wanted_kind_here_and_leaves_other_receivers_alone(subscriptions):
    for kind in ("deviceAdded", "deviceDeleted"):
        subscriptions.sub_device_data(SubDeviceDataInDTO(notify_type=kind, callback_url=ELSEWHERE))
    changes = subscriptions.ensure(HERE, ["deviceAdded"])
    assert changes.moved == {"deviceAdded": ELSEWHERE}
    assert held(subscriptions) == {("deviceAdded", HERE), ("deviceDeleted", ELSEWHERE)}


def test_a_refused_url_leaves_other_receivers_what_they_had(subscriptions):
    kinds = ("deviceAdded", "swUpgradeResultNotify", "deviceDeleted")
    subscriptions.ensure(ELSEWHERE, kinds)
    with pytest.raises(InvalidArgumentError) as caught:
        subscriptions.ensure("https://", kinds)
    assert caught.value.error_code == "100222"
    assert held(subscriptions) == {(kind, ELSEWHERE) for kind in kinds}


def test_ends_what_nobody_wants_any_more(subscriptions):
    subscriptions.ensure(HERE, ["deviceAdded", "deviceDeleted"])
    changes = subscriptions.ensure(HERE, [])
    assert set(changes.removed) == {"deviceAdded", "deviceDeleted"}
    assert held(subscriptions) == set()


@pytest.mark.parametrize(
    ("url", "kinds"), [("ftp://x", ["deviceAdded"]), (None, []), (HERE, "deviceAdded"), (HERE, None)]
)
def test_refuses_what_cannot_be_meant_before_anything_is_sent(subscriptions, url, kinds):
    before = held(subscriptions)
    with pytest.raises(InvalidArgumentError) as caught:
        subscriptions.ensure(url, kinds)
    assert caught.value.error_code == "1007"
    assert held(subscriptions) == before


def test_a_subscription_that_somebody_else_deletes_at_the_same_time_is_no_error(subscriptions, monkeypatch):
    subscriptions.ensure(HERE, ["deviceAdded"])
    delete = subscriptions.delete_single_subscription

    def delete_twice(subscription_id, **rest):
        delete(subscription_id, **rest)
        delete(subscription_id, **rest)

    monkeypatch.setattr(
        type(subscriptions), "delete_single_subscription", lambda _, *args, **rest: delete_twice(*args, **rest)
    )
    changes = subscriptions.ensure(HERE, ["deviceDeleted"])
    monkeypatch.undo()
    assert (changes.added, changes.removed) == (("deviceDeleted",), ())
    assert held(subscriptions) == {("deviceDeleted", HERE)}


def test_a_management_subscription_that_the_platform_does_not_list_is_moved(subscriptions, monkeypatch):
    subscriptions.ensure(ELSEWHERE, ["swUpgradeResultNotify"])
    monkeypatch.setattr(type(subscriptions), "iter_subscriptions", lambda *_, **__: iter(()))
    subscriptions.ensure(HERE, ["swUpgradeResultNotify"])
    monkeypatch.undo()
    assert held(subscriptions) == {("swUpgradeResultNotify", HERE)}


def test_a_management_subscription_that_is_refused_as_present_is_deleted_and_made_again():
    client = FakeClient(AlreadyExistsError("100227", "The subscription exists."))
    subscribe(SubscriptionManagement(client), "swUpgradeResultNotify", HERE)
    assert [sent.endpoint.method for sent in client.sent] == ["POST", "DELETE", "POST"]
    assert client.sent[0].body == client.sent[2].body
