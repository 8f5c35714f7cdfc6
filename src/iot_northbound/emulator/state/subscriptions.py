"""Subscriptions to what the platform pushes (reference 1.6.1 to 1.6.6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from iot_northbound.emulator.state import auth, notifications
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.notification_bodies import ALL_KINDS, MANAGEMENT_KINDS, SERVICE_KINDS
from iot_northbound.emulator.state.notifications import SUBSCRIPTIONS
from iot_northbound.emulator.state.routing import on, route
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.values import Bad, Shape, boolean, integer, may, must, one_of, text

INPUT = (400, "100022")
"""Not in this service's tables; the platform's general code for a bad parameter."""
BAD_URL = (400, "100222")
LIST_LIMIT = 1000
"""The most subscriptions a query without paging returns (100224)."""

_EVERYWHERE = {
    "1010005": "no token, an expired one, one ended by a newer login, or a foreign app_key",
    "1010009": "flow control switched on and its calls a minute used up",
}
_UNAUTHORISED = "appId names an application that has not authorised the caller"
CODES: dict[tuple[str, str], str] = {
    **{(f"1.6.{number}", code): how for number in range(1, 7) for code, how in _EVERYWHERE.items()},
    **{(section, "100217"): _UNAUTHORISED for section in ("1.6.1", "1.6.4", "1.6.5", "1.6.6")},
    ("1.6.1", "100222"): "callbackUrl is no http or https URL with a host",
    ("1.6.1", "100227"): "the notification type has been subscribed to",
    ("1.6.2", "100222"): "callbackUrl is no http or https URL with a host",
    ("1.6.2", "100228"): "notifyType missing or none of the management kinds",
    ("1.6.2", "100203"): "the token's application has been removed since its login",
    ("1.6.2", "100229"): "fault: the gateway turns a call without app_key away before it gets here",
    ("1.6.2", "100244"): "fault: routes inside the platform have no counterpart here",
    ("1.6.4", "100224"): "more than 1000 subscriptions match and pageNo is absent",
    ("1.6.5", "100225"): "no such subscription",
    ("1.6.6", "100225"): "nothing matches the filters",
}


def callback_url(value: Any) -> str:
    """Check a callback URL: http or https, with a host, at most 1024 characters."""
    if not isinstance(value, str) or len(value) > 1024 or any(ord(letter) <= 32 for letter in value):
        raise Bad("must be a URL of at most 1024 characters without blanks")
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise Bad("must be an http or https URL with a host, and a port from 1 to 65535 where it names one")
    return value


SERVICE = Shape(
    must("callbackUrl", callback_url, BAD_URL),
    must("notifyType", one_of(*SERVICE_KINDS)),
    may("appId", text(1, 256)),
    may("channel", one_of("HTTP", "MQTT")),
    invalid=INPUT,
)
OWNER = Shape(may("ownerFlag", boolean), invalid=INPUT)
MANAGEMENT = Shape(
    must("notifyType", one_of(*MANAGEMENT_KINDS)),
    # The vendor's Java SDK writes the second name.
    may("callbackUrl", callback_url, BAD_URL),
    may("callbackurl", callback_url, BAD_URL),
    invalid=(400, "100228"),
)
LIST = Shape(
    may("notifyType", one_of(*ALL_KINDS)),
    may("pageNo", integer(0)),
    may("pageSize", integer(1, LIST_LIMIT)),
    invalid=INPUT,
)
DELETE_BATCH = Shape(
    may("notifyType", one_of(*ALL_KINDS)),
    may("callbackUrl", text(1, 1024)),
    may("channel", text(0, 32)),
    invalid=INPUT,
)


@route("1.6.1", "POST", "/iocm/app/sub/v1.2.0/subscriptions")
def subscribe(platform: Platform, call: Call) -> Answer:
    """Subscribe an application to one kind of service data."""
    owned_by_caller = OWNER.read_query(call.query).get("ownerFlag", False)
    given = SERVICE.read(call.body)
    app_id = auth.permitted(platform, call, given.get("appId") or call.app_id)
    # With ownerFlag true the URL belongs to the caller, which may have another subscription than the devices' owner.
    owner = call.caller if owned_by_caller else app_id
    channel = given.get("channel", "HTTP")
    if _find(platform, app_id, owner, given["notifyType"], channel) is not None:
        raise Refusal(409, "100227")
    row = _add(platform, app_id, owner, given["notifyType"], given["callbackUrl"], channel)
    if channel == "HTTP":
        hint_apart(platform, owner, given["callbackUrl"])
    clients = {"clientIds": [row["clientId"]]} if channel == "MQTT" else {}
    return Answer(201, {**_public(row), **clients})


@route("1.6.2", "POST", "/iodm/app/sub/v1.1.0/subscribe", removed_app=(403, "100203"))
def subscribe_management(platform: Platform, call: Call) -> Answer:
    """Subscribe an application to one kind of management data; a second subscription moves it to the new URL."""
    given = MANAGEMENT.read(call.body)
    url = given.get("callbackUrl") or given.get("callbackurl")
    if url is None:
        raise Refusal(*BAD_URL)
    row = _find(platform, call.app_id, call.app_id, given["notifyType"], "HTTP")
    if row is None:
        _add(platform, call.app_id, call.app_id, given["notifyType"], url, "HTTP")
    else:
        platform.table(SUBSCRIPTIONS).change(row["subscriptionId"], callbackUrl=url)
        notifications.move(platform, row["subscriptionId"], url)
    hint_apart(platform, call.app_id, url)
    return Answer(200)


@route("1.6.3", "GET", "/iocm/app/sub/v1.2.0/subscriptions/{subscriptionId}")
def query_one(platform: Platform, call: Call) -> Answer:
    """Return one subscription."""
    return Answer(200, _public(_owned(platform, call)))


@route("1.6.4", "GET", "/iocm/app/sub/v1.2.0/subscriptions")
def query_all(platform: Platform, call: Call) -> Answer:
    """Return an application's subscriptions, all of them or a page, oldest first."""
    given = LIST.read_query(call.query)
    equal = {name: given[name] for name in ("notifyType",) if name in given}
    found = platform.table(SUBSCRIPTIONS).where(appId=call.app_id, **equal)
    page_no, page_size = given.get("pageNo"), given.get("pageSize", 10)
    if page_no is None:
        if len(found) > LIST_LIMIT:
            raise Refusal(400, "100224")
        page_no, page_size = 0, len(found)
    rows = found.slice(page_no * page_size, page_size)
    return Answer(
        200,
        {
            "totalCount": len(found),
            "pageNo": page_no,
            "pageSize": page_size,
            "subscriptions": [_public(row) for row in rows],
        },
    )


@route("1.6.5", "DELETE", "/iocm/app/sub/v1.2.0/subscriptions/{subscriptionId}")
def unsubscribe(platform: Platform, call: Call) -> Answer:
    """Delete one subscription, with what is queued for it."""
    _delete(platform, _owned(platform, call))
    return Answer(204)


@route("1.6.6", "DELETE", "/iocm/app/sub/v1.2.0/subscriptions")
def unsubscribe_many(platform: Platform, call: Call) -> Answer:
    """Delete the subscriptions that match all the filters, as `unsubscribe` does; without `channel`, those on HTTP."""
    given = DELETE_BATCH.read_query(call.query)
    given.setdefault("channel", "HTTP")
    found = list(platform.table(SUBSCRIPTIONS).where(appId=call.app_id, **given))
    if not found:
        raise Refusal(404, "100225")
    for row in found:
        _delete(platform, row)
    return Answer(204)


@on("application_removed")
def forget_application(platform: Platform, app_id: str) -> None:
    """End what was pushed to a removed application, and what others heard of its devices."""
    for field in ("owner", "appId"):
        for row in platform.table(SUBSCRIPTIONS).where(**{field: app_id}):
            _delete(platform, row)
    notifications.drop(platform, appId=app_id)


@on("authorisation_ended")
def forget_guest(platform: Platform, owner: str, guest: str) -> None:
    """End what an application heard of the devices of another one that allows it no more."""
    if guest != owner:
        for row in platform.table(SUBSCRIPTIONS).where(appId=owner, owner=guest):
            _delete(platform, row)


def _delete(platform: Platform, row: Row) -> None:
    platform.table(SUBSCRIPTIONS).delete(row["subscriptionId"])
    notifications.drop(platform, subscriptionId=row["subscriptionId"])


def _owned(platform: Platform, call: Call) -> Row:
    row = platform.table(SUBSCRIPTIONS).get(call.ids[0])
    if row is None or call.app_id not in (row["appId"], row["owner"]):
        raise Refusal(404, "100225")
    return row


def _find(platform: Platform, app_id: str, owner: str, kind: str, channel: str) -> Row | None:
    return platform.table(SUBSCRIPTIONS).where(appId=app_id, owner=owner, notifyType=kind, channel=channel).first()


def hint_apart(platform: Platform, owner: str, url: str) -> None:
    """Say in the log, once, that an application's callback URLs lead to more than one host and port.

    The real platform allows one; the reference has no code for it, and an application may be on its way from one
    receiver to another, one kind after the other, so it is no refusal here.
    """
    for row in platform.table(SUBSCRIPTIONS).where(owner=owner, channel="HTTP"):
        other = row["callbackUrl"]
        if _place(other) != _place(url):
            platform.hint(
                f"callbacks of {owner}",
                f"application {owner} has callback URLs at {_place(other)} and {_place(url)};"
                " a real platform wants all of them at one host and port",
            )
            return


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _add(platform: Platform, app_id: str, owner: str, kind: str, url: str, channel: str) -> Row:
    subscription_id = platform.ids.uuid()
    row: Row = {
        "subscriptionId": subscription_id,
        "appId": app_id,
        "owner": owner,
        "notifyType": kind,
        "callbackUrl": url,
        "channel": channel,
        "clientId": platform.ids.uuid() if channel == "MQTT" else None,
        "seq": platform.next_seq(),
    }
    return platform.table(SUBSCRIPTIONS).put(subscription_id, row)


def _public(row: Row) -> Row:
    return {name: row[name] for name in ("subscriptionId", "notifyType", "callbackUrl")}
