"""Subscribing, querying and unsubscribing (reference 1.6.1 to 1.6.6)."""

from __future__ import annotations

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Shape, integer, may, must, one_of, text
from iot_northbound.emulator.rules import admission, applications, notifications, subscriptions
from iot_northbound.emulator.rules.notification_bodies import ALL_KINDS, MANAGEMENT_KINDS, SERVICE_KINDS
from iot_northbound.emulator.rules.notifications import SUBSCRIPTIONS

INPUT = (400, "100022")
"""The platform's general code for a bad parameter; it is not in the tables of this service."""

BAD_URL = (400, "100222")
LIST_LIMIT = 1000
"""The most subscriptions a query without paging returns (100224)."""


SERVICE = Shape(
    must("callbackUrl", subscriptions.callback_url, BAD_URL),
    must("notifyType", one_of(*SERVICE_KINDS)),
    may("appId", text(1, 256)),
    may("channel", one_of("HTTP", "MQTT")),
    invalid=INPUT,
)

OWNER = Shape(may("ownerFlag", one_of("true", "false")), invalid=INPUT)

MANAGEMENT = Shape(
    must("notifyType", one_of(*MANAGEMENT_KINDS)),
    # The vendor's Java SDK writes the second name.
    may("callbackUrl", subscriptions.callback_url, BAD_URL),
    may("callbackurl", subscriptions.callback_url, BAD_URL),
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
    owner_flag = OWNER.read(call.query).get("ownerFlag", "false")
    given = SERVICE.read(call.body)
    app_id = applications.permitted(platform, call, given.get("appId") or call.app_id)
    # With ownerFlag true the URL belongs to the caller, which may have another subscription than the devices' owner.
    owner = call.caller if owner_flag == "true" else app_id
    channel = given.get("channel", "HTTP")
    if subscriptions.find(platform, app_id, owner, given["notifyType"], channel) is not None:
        raise Refusal(409, "100227")
    row = subscriptions.add(platform, app_id, owner, given["notifyType"], given["callbackUrl"], channel)
    if channel == "HTTP":
        subscriptions.hint_apart(platform, owner, given["callbackUrl"])
    clients = {"clientIds": [row["clientId"]]} if channel == "MQTT" else {}
    return Answer(201, {**_public(row), **clients})


@route("1.6.2", "POST", "/iodm/app/sub/v1.1.0/subscribe", removed_app=(403, "100203"))
def subscribe_management(platform: Platform, call: Call) -> Answer:
    """Subscribe an application to one kind of management data; a second subscription moves it to the new URL."""
    given = MANAGEMENT.read(call.body)
    url = given.get("callbackUrl") or given.get("callbackurl")
    if url is None:
        raise Refusal(*BAD_URL)
    row = subscriptions.find(platform, call.app_id, call.app_id, given["notifyType"], "HTTP")
    if row is None:
        subscriptions.add(platform, call.app_id, call.app_id, given["notifyType"], url, "HTTP")
    else:
        platform.table(SUBSCRIPTIONS).change(row["subscriptionId"], callbackUrl=url)
        notifications.move(platform, row["subscriptionId"], url)
    subscriptions.hint_apart(platform, call.app_id, url)
    return Answer(200)


@route("1.6.3", "GET", "/iocm/app/sub/v1.2.0/subscriptions/{subscriptionId}")
def query_one(platform: Platform, call: Call) -> Answer:
    """Return one subscription."""
    return Answer(200, _public(_owned(platform, call)))


@route("1.6.4", "GET", "/iocm/app/sub/v1.2.0/subscriptions")
def query_all(platform: Platform, call: Call) -> Answer:
    """Return an application's subscriptions, all of them or a page, oldest first."""
    given = LIST.read(call.query)
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
    subscriptions.delete(platform, _owned(platform, call))
    return Answer(204)


@route("1.6.6", "DELETE", "/iocm/app/sub/v1.2.0/subscriptions")
def unsubscribe_many(platform: Platform, call: Call) -> Answer:
    """Delete the subscriptions that match all the filters, with what is queued for them; by default those on HTTP."""
    given = DELETE_BATCH.read(call.query)
    given.setdefault("channel", "HTTP")
    found = list(platform.table(SUBSCRIPTIONS).where(appId=call.app_id, **given))
    if not found:
        raise Refusal(404, "100225")
    for row in found:
        subscriptions.delete(platform, row)
    return Answer(204)


def _owned(platform: Platform, call: Call) -> Row:
    row = platform.table(SUBSCRIPTIONS).get(call.ids[0])
    if row is None or call.app_id not in (row["appId"], row["owner"]):
        raise Refusal(404, "100225")
    return row


def _public(row: Row) -> Row:
    return {name: row[name] for name in ("subscriptionId", "notifyType", "callbackUrl")}


_UNAUTHORISED = {"100217": admission.APPLICATION["100217"]}
_URL = {"100222": "callbackUrl is not an http or https URL with a host"}
_UNKNOWN = {"100225": "no such subscription"}
CODES = {
    **codes([f"1.6.{number}" for number in range(1, 7)], admission.TOKEN),
    **codes("1.6.1", _UNAUTHORISED, _URL, {"100227": "the notification type has been subscribed to"}),
    **codes(
        "1.6.2",
        _URL,
        {
            "100203": "the token's application has been removed since its login",
            "100228": "notifyType is missing, or is not one of the management kinds",
            "100229": "fault: the gateway refuses a call without app_key before it gets here",
            "100244": "fault: the emulator has no routes inside a platform",
        },
    ),
    **codes("1.6.4", _UNAUTHORISED, {"100224": "more than 1000 subscriptions match and pageNo is absent"}),
    **codes("1.6.5", _UNAUTHORISED, _UNKNOWN),
    **codes("1.6.6", _UNAUTHORISED, {"100225": "nothing matches the filters"}),
}
