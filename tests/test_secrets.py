"""No secret reaches a log, an exception, a repr or a pickle, whatever the platform echoes."""

import json
import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from threading import Event
from typing import Any

import attrs
import pytest

from iot_northbound import Hooks, NorthApiClient, NorthApiException
from iot_northbound.core.fields import specs
from iot_northbound.core.wire import secrets_in
from iot_northbound.dto import AuthRefreshInDTO, RefreshDeviceKeyInDTO, RegDeviceWithSecretInDTO, RegDirectDeviceInDTO2
from tests.dto.examples import CLASSES
from tests.faulty_server import LOGIN, REFRESH, SECRET, Desk, Hangup, Seen, Wire

PSK, CODE, DEVICE, GIVEN, AGAIN = (f"{name}-7f3a9c51e2" for name in ("psk", "code", "device", "given", "again"))
ALL = (SECRET, PSK, CODE, DEVICE, GIVEN, AGAIN, "x" * 20, "y" * 20)
"""The last two are what every token of `Desk` ends in."""


def calls(client: NorthApiClient) -> Iterator[Any]:
    """Yield calls that carry every kind of secret."""
    devices = client.device_management
    yield lambda: devices.reg_direct_device(RegDirectDeviceInDTO2(node_id="n-1", psk=PSK, verify_code=CODE))
    yield lambda: devices.reg_device_with_secret(RegDeviceWithSecretInDTO(product_id="p-1", secret=DEVICE))
    yield lambda: devices.refresh_device_key(RefreshDeviceKeyInDTO(verify_code=CODE), "d-1")
    yield lambda: devices.query_device_status("d-1", access_token=GIVEN)
    yield client.authentication.get_auth_token
    yield lambda: client.authentication.refresh_auth_token(
        AuthRefreshInDTO(app_id="app-0042", secret=SECRET, refresh_token=AGAIN)
    )


def everything_of(error: BaseException | None) -> str:
    """Return all the text that could come of an exception and what is chained to it."""
    text = ""
    while error is not None:
        text += f"{error}\n{error!r}\n{error.args}\n{vars(error)}\n"
        text += "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return text


def echo(form: str) -> Any:
    """Return a handler that sends back all it was told, as a platform or a proxy may."""

    def answer(seen: Seen, wire: Wire) -> Any:
        told = f"{seen.headers} {seen.target} {seen.body.decode()}"
        shapes = {"psk": {"value": PSK}, "secret": [DEVICE], "verifyCode": {"deep": [CODE, {"v": PSK}]}, "echo": told}
        bodies: dict[str, tuple[int, Any]] = {
            "page": (502, f"<html><pre>{told}</pre></html>".encode()),
            "unreadable": (200, f"not json: {told}".encode()),
            "code": (400, {"error_code": "50400", "error_desc": f"bad request: {told}"}),
            "no code": (500, {"request": told}),
            "forbidden": (403, {"resultcode": "1010005", "resultmsg": told}),
            "object": (
                400,
                {"error_code": "50400", "error_msg": {"psk": {"value": PSK}, "secret": [DEVICE], "e": told}},
            ),
            "wordless": (400, {"error_code": "50400", **shapes}),
            "sound": (200, json.loads(seen.body) if seen.body.startswith(b"{") else {}),
            "wrong": (200, {"deviceId": 5, "psk": PSK, "secret": DEVICE, "echo": told, "accessToken": 1}),
        }
        return bodies[form]

    return answer


FORMS = ["page", "unreadable", "code", "no code", "forbidden", "object", "wordless", "sound", "wrong"]


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_gets_out(serve: Any, connect: Any, caplog: pytest.LogCaptureFixture, form: str) -> None:
    ours = Event()
    desk = Desk(echo(form), refresh=True)
    server = serve(lambda seen, wire: echo(form)(seen, wire) if ours.is_set() else desk(seen, wire))
    told = ""
    with caplog.at_level(logging.DEBUG), connect(server, max_attempts=2) as client:
        client.authentication.get_auth_token()
        ours.set()
        for call in calls(client):
            try:
                told += repr(call())
            except NorthApiException as error:
                told += everything_of(error)
                told += repr(pickle.dumps(error))
        told += f"{client!r} {client.token_status!r} {client.client_info!r}"
    assert told
    for secret in ALL:
        assert secret not in told, f"{secret} in an exception or repr"
        assert secret not in caplog.text, f"{secret} in the log"
    assert "n-1" in caplog.text, "bodies should be there, without their secrets"


@pytest.mark.parametrize("length", [0, 1000])
def test_a_secret_in_the_reason_phrase_does_not_get_out(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    """`length` above 0: the answer's body breaks off, so that only its head is read."""
    told: list[Any] = []

    def phrase(seen: Seen, wire: Wire) -> Any:
        head = f"HTTP/1.1 500 No {seen.token} and {SECRET}\r\nContent-Length: {length}\r\n\r\n"
        wire.send(head.encode())
        raise Hangup

    hooks = Hooks(after_response=told.append, on_retry=told.append)
    client = connect(serve(phrase), hooks=hooks, max_attempts=2, backoff_base=0.0)
    with caplog.at_level(logging.DEBUG), pytest.raises(NorthApiException) as caught:
        client.data_collection.query_batch_devices_info(access_token=GIVEN)
    assert caught.value.http_reason_phrase == "No *** and ***"
    for secret in (GIVEN, SECRET):
        assert secret not in everything_of(caught.value) + caplog.text + repr(told)


def test_at_its_default_level_a_client_that_works_says_nothing(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), connect(serve(Desk(lambda seen, wire: (200, {})))) as client:
        client.device_management.query_device_status("d-1")
    assert caplog.records == []


def test_no_handler_is_installed_and_no_level_set() -> None:
    code = (
        "import logging, iot_northbound as n; [getattr(n, name) for name in n.__all__ if name in ('NorthApiClient',"
        " 'SSLConfig', 'DeviceManagement')]; own = [l for k, l in logging.root.manager.loggerDict.items()"
        " if k.startswith('iot_northbound') and isinstance(l, logging.Logger)];"
        "assert own; assert not logging.root.handlers; assert not any(l.handlers or l.level for l in own)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


NAMES = ("secret", "psk", "verify_code", "password", "access_token", "refresh_token")


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_that_sounds_like_a_secret_is_one(name: str) -> None:
    for spec in specs(CLASSES[name]).values():
        if spec.name in NAMES or spec.name.endswith(("_secret", "_password")):
            assert spec.secret, spec.name


@pytest.mark.parametrize("name", CLASSES)
def test_no_repr_shows_a_secret_field(name: str) -> None:
    secret = [spec for spec in specs(CLASSES[name]).values() if spec.secret]
    if not secret:
        return
    made = CLASSES[name].__new__(CLASSES[name])
    for attribute in attrs.fields(CLASSES[name]):
        object.__setattr__(made, attribute.name, "hush-hush" if attribute.name in {s.name for s in secret} else None)
    assert "hush" not in repr(made)
    assert secrets_in(made) == ("hush-hush",) * len(secret)


def test_a_token_cut_by_the_log_or_the_message_is_not_shown_in_half(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def long(seen: Seen, wire: Wire) -> Any:
        pad = b"-" * (1990 if seen.path.endswith("/a") else 19_990)
        return 500, pad + seen.token.encode() + b"-" * 50_000

    from iot_northbound.core.endpoint import Endpoint

    client = connect(serve(long))
    for path in "ab":
        with caplog.at_level(logging.DEBUG, "iot_northbound"), pytest.raises(NorthApiException) as caught:
            client.call(Endpoint("GET", f"/{path}", type(None), section="test"), {}, access_token=GIVEN)
        told = everything_of(caught.value) + caplog.text
        assert "answered 500" in told
        assert not any(GIVEN[:6] in line for line in told.splitlines()), "half a token is shown"


def test_login_and_refresh_are_the_only_calls_that_send_the_applications_secret(serve: Any, connect: Any) -> None:
    server = serve(Desk(lambda seen, wire: (200, {"deviceId": "d"}), refresh=True))
    with connect(server) as client:
        for call in list(calls(client))[:3]:
            call()
    for seen in server.seen:
        carries = SECRET in f"{seen.target} {seen.headers} {seen.body!r}"
        assert carries == (seen.path in (LOGIN, REFRESH))
