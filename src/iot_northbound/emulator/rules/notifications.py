"""The queue of pushes: each notification becomes one row for every subscription to it.

A push sender sends what is in the queue:

- `due` names the pushes to send now, in order, at most so many for a destination at once;
- `begin_attempt` says whether one is still to be sent;
- `record_attempt` says how one went: delivered ones leave the queue, the others wait for growing intervals, and after
  ten failures in a row their destination rests;
- `next_due` says when to look again.

A destination is scheme, host and port of the callback URL, so that one dead receiver does not delay others.

Pushes that wait for a subscription belong to it: `drop` deletes them with the subscription, `move` sends them to the
new URL. Pushes to a command's own URL belong to no subscription and stay.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.rules.notification_bodies import Body, command_status

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

SUBSCRIPTIONS = table("subscriptions")
PUSHES = table("pushes", "nextDue", "seq")
DESTINATIONS = table("push_destinations", "destination")
TOTALS = table("push_totals", "name")
FAILURES_BEFORE_REST = 10
REST_SECONDS = 180.0
RETRY_SECONDS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Pauses after the first, second, … failure of a push; the last one repeats."""
_JOURNAL_LENGTH = 12


def wanted(platform: Platform, app_id: str, notify_type: str) -> bool:
    """Return whether anyone has subscribed to this kind of notification, so that its body has to be made."""
    return len(platform.table(SUBSCRIPTIONS).where(appId=app_id, notifyType=notify_type)) > 0


@on("notify")
def notify(platform: Platform, app_id: str, notify_type: str, body: Body) -> None:
    """Queue a notification about an application's devices for every subscription to it."""
    for subscription in platform.table(SUBSCRIPTIONS).where(appId=app_id, notifyType=notify_type):
        # An MQTT subscriber reads from the platform's broker; nothing is posted to it.
        if subscription["channel"] == "HTTP":
            push(
                platform, subscription["owner"], subscription["callbackUrl"], body, subscription["subscriptionId"]
            )  # fmt: skip


def notify_command(platform: Platform, command: Row) -> None:
    """Queue a command's new status for the command's own URL, if it has one (1.6.7.12)."""
    if command["callbackUrl"]:
        result = command["result"] or {}
        body = command_status(command["deviceId"], command["commandId"], command["status"], result.get("resultDetail"))
        push(platform, command["appId"], command["callbackUrl"], body)


def push(platform: Platform, app_id: str, url: str, body: Body, subscription_id: str | None = None) -> Row:
    """Queue one push of an application to a URL; without a subscription id it belongs to no subscription."""
    now = platform.now()
    destination = _destination(platform, url)
    seq = platform.next_seq()
    _count(platform, "queued")
    return platform.table(PUSHES).put(
        f"{seq:016d}",
        {
            "pushId": f"{seq:016d}",
            "seq": seq,
            "appId": app_id,
            "subscriptionId": subscription_id,
            "notifyType": body.get("notifyType"),
            "url": url,
            "destination": destination,
            "body": body,
            "created": now,
            "nextDue": now,
            "attempts": 0,
            "journal": [],
        },
    )


def drop(platform: Platform, **equal: str) -> None:
    """Forget the queued pushes whose rows have these fields, for example those of a deleted subscription.

    If one is being sent, `record_attempt` decides whether it counts as dropped or delivered.
    """
    for row in platform.table(PUSHES).where(**equal):
        if row["pushId"] in platform.pushes_under_way:
            platform.pushes_under_way[row["pushId"]] = True
            platform.table(PUSHES).delete(row["pushId"])
        else:
            _leave(platform, row, "dropped")


def move(platform: Platform, subscription_id: str, url: str) -> None:
    """Send the queued pushes of a subscription to another URL, at once: the pauses were for the old receiver."""
    now = platform.now()
    for row in platform.table(PUSHES).where(subscriptionId=subscription_id):
        if row["url"] != url:
            destination = _destination(platform, url)
            platform.table(PUSHES).change(row["pushId"], url=url, destination=destination, nextDue=now, attempts=0)
            _forget_if_idle(platform, row["destination"])


def begin_attempt(platform: Platform, sent: Row) -> bool:
    """Return whether a push is still in the queue, and still goes to the same URL.

    If so, it counts as being sent until `record_attempt`.
    """
    row = platform.table(PUSHES).get(sent["pushId"])
    wanted = row is not None and row["url"] == sent["url"]
    if wanted:
        platform.pushes_under_way[sent["pushId"]] = False
    return wanted


def due(
    platform: Platform,
    now: float,
    limit: int,
    per_destination: int,
    busy: Collection[str] = frozenset(),
    failing: Collection[str] = frozenset(),
) -> list[Row]:
    """Return the pushes to send now, oldest first within a destination.

    Args:
        platform: the platform.
        now: the time, in epoch seconds.
        limit: the most to return.
        per_destination: the most that are being sent to one destination, those in `busy` included.
        busy: ids of pushes being sent right now; they are not returned again.
        failing: destinations that are tried with one push at a time.
    """
    found: list[Row] = []
    for destination in platform.table(DESTINATIONS).rows.values():
        if destination["restingUntil"] <= now:
            found += _ready(platform, destination["destination"], per_destination, busy, failing, now)
        if len(found) >= limit:
            break
    return found[:limit]


def next_due(
    platform: Platform,
    per_destination: int = 1,
    busy: Collection[str] = frozenset(),
    failing: Collection[str] = frozenset(),
) -> float | None:
    """Return the epoch second at which `due` will have another push; None if waiting alone is not enough.

    Args:
        platform: the platform.
        per_destination: as in `due`; while so many pushes are being sent to a destination, it has no next push.
        busy: ids of pushes being sent right now.
        failing: destinations that are tried with one push at a time.
    """
    times = [
        max(ready[0]["nextDue"], destination["restingUntil"])
        for destination in platform.table(DESTINATIONS).rows.values()
        if (ready := _ready(platform, destination["destination"], per_destination, busy, failing))
    ]
    return min(times, default=None)


def _ready(
    platform: Platform,
    destination: str,
    per_destination: int,
    busy: Collection[str],
    failing: Collection[str],
    now: float | None = None,
) -> list[Row]:
    """Return the next pushes (due now, if a time is given) for a destination, without those that are being sent."""
    waiting = platform.table(PUSHES).where(destination=destination).between(high=now).slice(0, per_destination)
    ready = [row for row in waiting if row["pushId"] not in busy]
    if destination in failing:
        # Receivers that hang must not take the places of all others.
        return ready[:1] if len(ready) == len(waiting) else []
    return ready


def record_attempt(
    platform: Platform, sent: Row, *, ok: bool, status: int | None, error: str | None, now: float
) -> str:
    """Note how an attempt went and decide what follows.

    Args:
        platform: the platform.
        sent: the push as it was when it was sent.
        ok: whether the receiver answered 200 in time.
        status: the answer's status, if an answer came.
        error: what went wrong, in words.
        now: the time, in epoch seconds.

    Returns:
        The result of the push: "delivered"; "waiting" for its next attempt; "dropped", too old for another one, or
        its subscription was deleted meanwhile; "gone", the platform was reset meanwhile.
    """
    was_dropped = platform.pushes_under_way.pop(sent["pushId"], False)
    if ok:
        _note_success(platform, sent["destination"])
    else:
        _note_failure(platform, sent["destination"], now)
    row = platform.table(PUSHES).get(sent["pushId"])
    if row is None and was_dropped:
        outcome = "delivered" if ok else "dropped"
        _count(platform, outcome)
    elif row is None:
        outcome = "gone"
    elif ok:
        outcome = _leave(platform, row, "delivered")
    else:
        outcome = _try_again(platform, row, sent, {"at": now, "status": status, "error": error})
    _forget_if_idle(platform, sent["destination"])
    return outcome


def _try_again(platform: Platform, row: Row, sent: Row, failure: Row) -> str:
    journal = [*row["journal"], failure][-_JOURNAL_LENGTH:]
    if row["url"] != sent["url"]:
        # It moved while it was being sent. The old receiver's answer says nothing about the new one.
        platform.table(PUSHES).change(row["pushId"], journal=journal)
        return "waiting"
    again = failure["at"] + RETRY_SECONDS[min(row["attempts"], len(RETRY_SECONDS) - 1)]
    if again - row["created"] > platform.settings.push_retention:
        return _leave(platform, row, "dropped")
    platform.table(PUSHES).change(row["pushId"], attempts=row["attempts"] + 1, nextDue=again, journal=journal)
    return "waiting"


def totals(platform: Platform) -> dict[str, int]:
    """Return how many pushes were queued, delivered and dropped since the last reset, and how many wait."""
    rows = platform.table(TOTALS).rows
    kept = {name: int(rows[name]["count"]) if name in rows else 0 for name in ("queued", "delivered", "dropped")}
    return {**kept, "waiting": len(platform.table(PUSHES))}


def _leave(platform: Platform, row: Row, outcome: str) -> str:
    platform.table(PUSHES).delete(row["pushId"])
    _count(platform, outcome)
    _forget_if_idle(platform, row["destination"])
    return outcome


@lru_cache(maxsize=1024)
def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _destination(platform: Platform, url: str) -> str:
    destination = _place(url)
    if destination not in platform.table(DESTINATIONS):
        row = {"destination": destination, "failures": 0, "restingUntil": 0.0}
        platform.table(DESTINATIONS).put(destination, row)
    return destination


def _note_success(platform: Platform, destination: str) -> None:
    row = platform.table(DESTINATIONS).get(destination)
    if row is not None and (row["failures"] or row["restingUntil"]):
        platform.table(DESTINATIONS).change(destination, failures=0, restingUntil=0.0)


def _note_failure(platform: Platform, destination: str, now: float) -> None:
    row = platform.table(DESTINATIONS).get(destination)
    if row is None or row["restingUntil"] > now:
        return  # it has no more pushes, or the push had begun before the destination's rest
    failures = row["failures"] + 1
    if failures >= FAILURES_BEFORE_REST:
        # After its rest a destination gets ten new attempts, not one.
        platform.table(DESTINATIONS).change(destination, failures=0, restingUntil=now + REST_SECONDS)
    else:
        platform.table(DESTINATIONS).change(destination, failures=failures)


def _forget_if_idle(platform: Platform, destination: str) -> None:
    row = platform.table(DESTINATIONS).get(destination)
    resting = row is not None and row["restingUntil"] > platform.now()  # its rest is for new pushes, too
    if not resting and not platform.table(PUSHES).where(destination=destination):
        platform.table(DESTINATIONS).delete(destination)


def _count(platform: Platform, name: str) -> None:
    totals_table = platform.table(TOTALS)
    row = totals_table.get(name)
    totals_table.put(name, {"name": name, "count": 1 if row is None else row["count"] + 1})
