from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.calls import Request
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications
from tests.emulator.calling import Caller, code_of

REFRESH = "/iocm/app/sec/v1.1.0/refreshToken"
SOMETHING = ("GET", "/iocm/app/reg/v1.1.0/deviceCredentials/none")
SERVED = (404, "100403")


def login(platform: Platform, **form: str) -> tuple[int, str | None]:
    return code_of(platform.handle(Request("POST", "/iocm/app/sec/v1.1.0/login", form=form)))


def test_a_login_answers_what_the_reference_lists(platform: Platform) -> None:
    form = {"appId": "app-one", "secret": "secret-one"}
    body = platform.handle(Request("POST", "/iocm/app/sec/v1.1.0/login", form=form)).body
    assert set(body) == {"scope", "tokenType", "expiresIn", "accessToken", "refreshToken"}
    assert (body["scope"], body["tokenType"].lower(), body["expiresIn"]) == ("default", "bearer", 3600)
    assert len(body["accessToken"]) == len(body["refreshToken"]) == 32


def test_a_login_may_also_come_as_json(platform: Platform) -> None:
    body = {"appId": "app-one", "secret": "secret-one"}
    assert platform.handle(Request("POST", "/iocm/app/sec/v1.1.0/login", body=body)).status == 200


def test_the_newest_login_ends_the_older_token_of_its_application_only(
    platform: Platform, app: Caller, other: Caller
) -> None:
    newer = Caller(platform).login()
    assert code_of(app.call(*SOMETHING)) == (403, "1010005")
    assert "resultmsg" in app.last.body
    assert code_of(newer.call(*SOMETHING)) == SERVED
    assert code_of(other.call(*SOMETHING)) == SERVED


def test_a_token_expires_when_its_lifetime_is_over(platform: Platform, app: Caller) -> None:
    platform.advance(3599)
    assert code_of(app.call(*SOMETHING)) == SERVED
    platform.advance(1)
    assert code_of(app.call(*SOMETHING)) == (403, "1010005")


def test_the_lifetime_of_tokens_is_settable(platform: Platform, app: Caller) -> None:
    platform.settings.token_lifetime = 5
    app.login()
    platform.advance(5)
    assert code_of(app.call(*SOMETHING)) == (403, "1010005")


@pytest.mark.parametrize(
    ("token", "app_key"), [(None, "app-one"), ("wrong", "app-one"), ("right", "app-two"), ("right", None)]
)
def test_token_and_app_key_must_fit(app: Caller, token: str | None, app_key: str | None) -> None:
    token = app.token if token == "right" else token
    answer = app.platform.handle(Request(*SOMETHING, token=token, app_key=app_key))
    assert code_of(answer) == (403, "1010005")


def refreshed(platform: Platform, token: str, secret: str = "secret-one") -> tuple[int, str | None, dict[str, str]]:
    body = {"appId": "app-one", "secret": secret, "refreshToken": token}
    answer = platform.handle(Request("POST", REFRESH, body=body))
    return (*code_of(answer), answer.body)


def test_a_refresh_token_gives_a_new_pair_once_and_ends_the_old_token(platform: Platform) -> None:
    form = {"appId": "app-one", "secret": "secret-one"}
    first = platform.handle(Request("POST", "/iocm/app/sec/v1.1.0/login", form=form)).body
    platform.advance(4000)
    status, _, second = refreshed(platform, first["refreshToken"])
    assert status == 200
    assert code_of(Caller(platform, token=first["accessToken"]).call(*SOMETHING)) == (403, "1010005")
    assert code_of(Caller(platform, token=second["accessToken"]).call(*SOMETHING)) == SERVED
    assert refreshed(platform, first["refreshToken"])[:2] == (401, "100208")
    platform.advance(30 * 86400)
    assert refreshed(platform, second["refreshToken"])[:2] == (401, "100208")


def test_a_refresh_token_belongs_to_its_application(platform: Platform) -> None:
    form = {"appId": "app-two", "secret": "secret-two"}
    foreign = platform.handle(Request("POST", "/iocm/app/sec/v1.1.0/login", form=form)).body["refreshToken"]
    assert refreshed(platform, foreign)[:2] == (401, "100208")


def test_a_wrong_secret_and_an_unknown_application_look_alike(platform: Platform) -> None:
    assert login(platform, appId="app-one", secret="wrong") == (401, "100208")
    assert login(platform, appId="nobody", secret="wrong") == (401, "100208")
    assert login(platform, appId="app-one", secret="sécret") == (401, "100208")


def test_an_application_acts_for_another_only_while_authorised(platform: Platform, app: Caller, other: Caller) -> None:
    device_id = other.register("n")
    assert code_of(app.device(device_id)) == (404, "100418")
    assert code_of(app.device(device_id, appId="app-two")) == (403, "100217")
    assert code_of(app.device(device_id, appId="nobody")) == (403, "100203")
    applications.authorise_application(platform, "app-two", "app-one")
    assert app.device(device_id, appId="app-two").status == 200
    applications.authorise_application(platform, "app-two", "app-one", allowed=False)
    assert code_of(app.device(device_id, appId="app-two")) == (403, "100217")
    assert code_of(app.device(device_id, appId="app-one")) == (404, "100418")


def test_expired_refresh_tokens_are_cleared_away(platform: Platform) -> None:
    for _ in range(3):
        Caller(platform).login()
    platform.advance(31 * 86400)
    Caller(platform).login()
    assert len(platform.table(applications.REFRESH_TOKENS)) == 1
    assert len(platform.table(applications.TOKENS)) == 1
