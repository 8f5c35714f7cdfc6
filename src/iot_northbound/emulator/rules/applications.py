"""Applications, their tokens, and whom they authorise."""

from __future__ import annotations

from iot_northbound.emulator.kernel.calls import Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import table
from iot_northbound.emulator.kernel.store import Row

APPLICATIONS = table("applications")
TOKENS = table("tokens")
REFRESH_TOKENS = table("refresh_tokens")


def add_application(platform: Platform, app_id: str | None = None, secret: str | None = None) -> Row:
    """Add an application, or give an existing one another secret, and return its row (appId, secret, …)."""
    app_id = app_id or platform.ids.hex(28)
    known = platform.table(APPLICATIONS).get(app_id)
    row = known or {"appId": app_id, "seq": platform.next_seq(), "authorised": [], "frozen": False}
    return platform.table(APPLICATIONS).put(app_id, {**row, "secret": secret or platform.ids.hex(28)})


def remove_application(platform: Platform, app_id: str) -> None:
    """Remove an application with its subscriptions. Its token stays valid, but calls with it find no application."""
    platform.table(APPLICATIONS).delete(app_id)
    platform.emit("application_removed", app_id)


def authorise_application(platform: Platform, owner: str, guest: str, *, allowed: bool = True) -> None:
    """Let one application act for another (`appId` in its queries), or end this.

    Raises:
        KeyError: The owner is unknown.
    """
    row = platform.table(APPLICATIONS)[owner]
    others = [app_id for app_id in row["authorised"] if app_id != guest]
    platform.table(APPLICATIONS).change(owner, authorised=[*others, guest] if allowed else others)


def freeze_application(platform: Platform, app_id: str, *, frozen: bool = True) -> None:
    """Stop an application from logging in (100449), or let it log in again.

    Raises:
        KeyError: The application is unknown.
    """
    platform.table(APPLICATIONS).change(app_id, frozen=frozen)


def authenticate(platform: Platform, call: Call) -> None:
    """Find the application behind a call's token and app_key.

    Raises:
        Refusal: 403 1010005 in the gateway's shape; 401 100025 when the application has been removed since its login
            and this endpoint documents that code.
    """
    request = call.request
    token = platform.table(TOKENS).rows.get(request.token or "")
    if token is None or token["expires"] <= platform.now() or request.app_key != token["appId"]:
        raise Refusal(403, "1010005", gateway=True)
    call.caller = token["appId"]
    if call.caller not in platform.table(APPLICATIONS).rows:
        raise Refusal(*call.route.removed_app)


def authorise(platform: Platform, call: Call) -> None:
    """Find the application that a call acts for.

    Raises:
        Refusal: As `permitted`.
    """
    call.app_id = permitted(platform, call, call.request.query.get(call.route.app_field))


def permitted(platform: Platform, call: Call, wanted: str | None) -> str:
    """Return the application that a call acts for, by the id that the call names (None or "": the caller's own).

    Raises:
        Refusal: 100203 for an unknown one, 100217 for one that has not authorised the caller, with the status that
            this endpoint documents for them (403, some 200).
    """
    if not wanted or wanted == call.caller:
        return call.caller
    owner = platform.table(APPLICATIONS).get(wanted)
    if owner is None:
        raise Refusal(call.route.app_status, "100203")
    if call.caller not in owner["authorised"]:
        raise Refusal(call.route.app_status, "100217")
    return wanted
