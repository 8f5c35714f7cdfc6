"""Applications, what they allow one another, and their tokens (reference 1.3)."""

from __future__ import annotations

import hmac

from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import codes, route, table
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.values import Shape, must, refuse, text

APPLICATIONS = table("applications")
TOKENS = table("tokens")
REFRESH_TOKENS = table("refresh_tokens")

CREDENTIALS = (must("appId", text()), must("secret", text()))
LOGIN = Shape(*CREDENTIALS, invalid=(401, "100208"), missing=(400, "102202"), malformed=(400, "102202"))
REFRESH = Shape(
    *CREDENTIALS, must("refreshToken", text()), invalid=(400, "50400"), missing=(400, "102202")
)  # fmt: skip


def add_application(platform: Platform, app_id: str | None = None, secret: str | None = None) -> Row:
    """Add an application, or give an existing one another secret, and return its row (appId, secret, …)."""
    app_id = app_id or platform.ids.hex(28)
    known = platform.table(APPLICATIONS).get(app_id)
    row = known or {"appId": app_id, "seq": platform.next_seq(), "authorised": [], "frozen": False}
    return platform.table(APPLICATIONS).put(app_id, {**row, "secret": secret or platform.ids.hex(28)})


def remove_application(platform: Platform, app_id: str) -> None:
    """Remove an application with its subscriptions and what others allowed it.

    Its token stays good, for calls that then find no application.
    """
    platform.table(APPLICATIONS).delete(app_id)
    for owner in list(platform.table(APPLICATIONS).where()):
        if app_id in owner["authorised"]:
            authorise_application(platform, owner["appId"], app_id, allowed=False)
    platform.emit("application_removed", app_id)


def authorise_application(platform: Platform, owner: str, guest: str, *, allowed: bool = True) -> None:
    """Let one application act for another (`appId` in its queries), or end that.

    With the permission end the guest's subscriptions to the owner's devices.

    Raises:
        KeyError: The owner is unknown.
    """
    row = platform.table(APPLICATIONS)[owner]
    others = [app_id for app_id in row["authorised"] if app_id != guest]
    platform.table(APPLICATIONS).change(owner, authorised=[*others, guest] if allowed else others)
    if not allowed:
        platform.emit("authorisation_ended", owner, guest)


def freeze_application(platform: Platform, app_id: str, *, frozen: bool = True) -> None:
    """Take from an application the permission to log in, or give it back (100449).

    Raises:
        KeyError: The application is unknown.
    """
    platform.table(APPLICATIONS).change(app_id, frozen=frozen)


@route("1.3.1", "POST", "/iocm/app/sec/v1.1.0/login", guarded=False)
def login(platform: Platform, call: Call) -> Answer:
    """Give a new token and end the older one of the whole application."""
    given = LOGIN.read(call.body if call.request.form is None else call.request.form)
    return _grant(platform, _application(platform, given))


@route("1.3.2", "POST", "/iocm/app/sec/v1.1.0/refreshToken", guarded=False)
def refresh(platform: Platform, call: Call) -> Answer:
    """Give a new pair of tokens for a refresh token, which is used up by it."""
    given = REFRESH.read(call.body if call.request.form is None else call.request.form)
    application = _application(platform, given)
    tokens = platform.table(REFRESH_TOKENS)
    token = tokens.get(given["refreshToken"])
    if token is None or token["appId"] != application["appId"] or token["expires"] <= platform.now():
        raise Refusal(401, "100208", "The refresh token is unknown, used up or expired; log in anew.")
    tokens.delete(given["refreshToken"])
    return _grant(platform, application)


def _application(platform: Platform, given: Row) -> Row:
    if empty := [name for name, value in given.items() if not value]:
        raise refuse((400, "102202"), f"{empty[0]} is empty")
    application = platform.table(APPLICATIONS).get(given["appId"])
    # Compared as bytes: compare_digest refuses text beyond ASCII.
    if application is None or not hmac.compare_digest(application["secret"].encode(), given["secret"].encode()):
        raise Refusal(401, "100208")
    if application["frozen"]:
        raise Refusal(400, "100449")
    return application


def _grant(platform: Platform, application: Row) -> Answer:
    app_id, now = application["appId"], platform.now()
    tokens, refresh_tokens = platform.table(TOKENS), platform.table(REFRESH_TOKENS)
    for row in tokens.where(appId=app_id):
        tokens.delete(row["token"])
    for row in refresh_tokens.where(appId=app_id):
        if row["expires"] <= now:
            refresh_tokens.delete(row["token"])
    access, renewal = platform.ids.token(), platform.ids.token()
    lifetime = platform.settings.token_lifetime
    seq = platform.next_seq()
    tokens.put(access, {"token": access, "appId": app_id, "expires": now + lifetime, "seq": seq})
    expires = now + platform.settings.refresh_token_lifetime
    refresh_tokens.put(renewal, {"token": renewal, "appId": app_id, "expires": expires, "seq": seq})
    return Answer(
        200,
        {
            "scope": "default",
            "tokenType": "bearer",
            "expiresIn": lifetime,
            "accessToken": access,
            "refreshToken": renewal,
        },
    )


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
    """Find the application a call acts for.

    Raises:
        Refusal: As `permitted`.
    """
    call.app_id = permitted(platform, call, call.request.query.get(call.route.app_field))


def permitted(platform: Platform, call: Call, wanted: str | None) -> str:
    """Return the application a call acts for when it names one (None or "": the caller's own).

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


_BOTH = {
    "100208": "a secret that is not the application's, or no such application",
    "100449": "the application is frozen by the control plane",
    "102202": "appId or secret is missing or empty",
    "50252": "fault: the answer to an unexpected failure inside; no input is known to cause one",
}
CODES = {
    **codes("1.3.1", _BOTH, guarded=False),
    **codes("1.3.2", {**_BOTH, "50400": "a field is no string, or too long"}, guarded=False),
}
