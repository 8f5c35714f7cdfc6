"""Logging in and renewing a token (reference 1.3)."""

from __future__ import annotations

import hmac

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Shape, must, refuse, text
from iot_northbound.emulator.rules import admission
from iot_northbound.emulator.rules.applications import APPLICATIONS, REFRESH_TOKENS, TOKENS

CREDENTIALS = (must("appId", text()), must("secret", text()))

LOGIN = Shape(*CREDENTIALS, invalid=(401, "100208"), missing=(400, "102202"), malformed=(400, "102202"))

REFRESH = Shape(
    *CREDENTIALS, must("refreshToken", text()), invalid=(400, "50400"), missing=(400, "102202")
)  # fmt: skip


@route("1.3.1", "POST", "/iocm/app/sec/v1.1.0/login", guarded=False)
def login(platform: Platform, call: Call) -> Answer:
    """Return a new token and end the older token of the application."""
    given = LOGIN.read(call.body if call.request.form is None else call.request.form)
    return _grant(platform, _application(platform, given))


@route("1.3.2", "POST", "/iocm/app/sec/v1.1.0/refreshToken", guarded=False)
def refresh(platform: Platform, call: Call) -> Answer:
    """Return a new pair of tokens for a refresh token, which then is used up."""
    given = REFRESH.read(call.body if call.request.form is None else call.request.form)
    application = _application(platform, given)
    tokens = platform.table(REFRESH_TOKENS)
    token = tokens.get(given["refreshToken"])
    if token is None or token["appId"] != application["appId"] or token["expires"] <= platform.now():
        raise Refusal(401, "100208", "The refresh token is unknown, used up or expired; log in again.")
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


CODES = {
    **codes(
        ("1.3.1", "1.3.2"),
        admission.INTERNAL,
        {
            "100208": "a secret that is not the application's, or no such application",
            "100449": "the application is frozen by the control plane",
            "102202": "appId or secret is missing or empty",
        },
    ),
    **codes("1.3.2", {"50400": "a field is not a string, or too long"}),
}
