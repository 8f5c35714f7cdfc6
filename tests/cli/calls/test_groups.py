"""``iot-northbound groups`` and `subscriptions`, on the embedded platform."""

from __future__ import annotations

import pytest

from .conftest import Run

URL = "http://127.0.0.1:8686/v1.0.0/messageReceiver"


def test_a_group_is_made_changed_filled_emptied_and_deleted(run: Run, device: str) -> None:
    made = run("groups", "create", "west", "--max-dev-num", "5", "-o", "json").json
    assert run("groups", "add", made["id"], device).status == 0
    (member,) = run("groups", "members", made["id"], "-o", "json").json
    assert member == {"deviceId": device}
    assert run("groups", "modify", made["id"], "--name", "east", "-o", "json").json["name"] == "east"
    (listed,) = run("groups", "list", "-o", "json").json
    assert (listed["name"], listed["curDevNum"]) == ("east", 1)
    removed = run("groups", "remove", made["id"], device)
    assert f"the devices are no longer in {made['id']}" in removed.err
    assert run("groups", "members", made["id"], "-o", "json").json == []
    assert run("groups", "delete", made["id"]).status == 0
    assert run("groups", "show", made["id"]).status == 7


def test_a_deletion_of_several_is_not_done_without_an_answer(run: Run) -> None:
    ids = [run("groups", "create", name, "-o", "json").json["id"] for name in ("a", "b")]
    asked = run("groups", "delete", *ids)
    assert asked.status == 2
    assert "nobody can be asked whether to delete 2 groups: add --yes" in asked.err
    assert len(run("groups", "list", "-o", "json").json) == 2
    assert run("groups", "delete", *ids, "--yes").status == 0


def test_subscriptions_become_the_wanted_ones(run: Run) -> None:
    made = run("subscriptions", "ensure", URL, "deviceAdded", "deviceDeleted", "-o", "json")
    assert made.json["added"] == ["deviceAdded", "deviceDeleted"]
    again = run("subscriptions", "ensure", URL, "deviceAdded", "-o", "json")
    assert (again.json["kept"], again.json["removed"]) == (["deviceAdded"], ["deviceDeleted"])
    (listed,) = run("subscriptions", "list", "-o", "json").json
    assert run("subscriptions", "show", listed["subscriptionId"], "-o", "json").json == listed
    assert run("subscriptions", "delete", listed["subscriptionId"]).status == 0
    assert run("subscriptions", "ensure", URL, "--all", "-o", "json").json["added"][0] == "bindDevice"
    assert run("subscriptions", "ensure", URL, "--none").status == 0
    assert run("subscriptions", "list", "-o", "json").json == []


def test_all_subscriptions_of_a_kind_are_deleted(run: Run) -> None:
    run("subscriptions", "ensure", URL, "deviceAdded", "deviceDeleted")
    assert run("subscriptions", "delete", "--notify-type", "deviceAdded").status == 2
    assert run("subscriptions", "delete", "--notify-type", "deviceAdded", "--yes").status == 0
    (left,) = run("subscriptions", "list", "-o", "json").json
    assert left["notifyType"] == "deviceDeleted"
    assert run("subscriptions", "delete", "--all", "--yes").status == 0
    assert run("subscriptions", "delete", "--all", "--yes").status == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ensure", URL), "give KINDS, --all or --none"),
        (("ensure", URL, "deviceAded"), "there is no kind 'deviceAded'; did you mean deviceAdded"),
        (("delete",), "give ids of subscriptions"),
        (("delete", "x", "--all"), "give ids of subscriptions"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(run: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = run("subscriptions", *arguments)
    assert (refused.status, words in refused.err) == (2, True)
