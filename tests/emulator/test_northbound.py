from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from typing import Any

import pytest

from iot_northbound.emulator.kernel.calls import MALFORMED
from iot_northbound.emulator.northbound import decode
from iot_northbound.emulator.server import Emulator
from tests.clock import eventually

from .conftest import Wire

REGISTER = "/iocm/app/reg/v1.1.0/deviceCredentials"
DEVICES = "/iocm/app/dm/v1.4.0/devices"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"NaN",
        b"[1e999]",
        b"-Infinity",
        b'{"a": "\\ud800"}',
        b"[" * 5_000,
        b"[" * 200 + b"]" * 200,
        b"1" * 5_000,
    ],
    ids=lambda body: repr(body[:16]),
)
def test_invalid_json_is_malformed(body: bytes) -> None:
    assert decode(body) is MALFORMED


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", None),
        (b"null", None),
        (b'\xef\xbb\xbf{"a": 1.0}', {"a": 1.0}),
        ('{"a": "\\ud83d\\ude00ü\\u0000"}'.encode(), {"a": "😀ü\x00"}),
        (b"[" * 90 + b"]" * 90, None),
        (b"12345678901234567890", 12345678901234567890),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_valid_json_is_read(body: bytes, value: Any) -> None:
    assert decode(body) == (json.loads(body) if body.startswith(b"[") else value)


@pytest.mark.parametrize("body", [b"{", b"[" * 5_000, b'"\\ud800"', b"\xff"])
def test_malformed_bodies_are_answered_in_the_platforms_shape(wire: Wire, body: bytes) -> None:
    status, answer = wire.raw("POST", REGISTER, body, wire.headers)
    assert status == 400
    assert set(answer) == {"error_code", "error_desc"}


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("PATCH", DEVICES, 405), ("GET", "/%00/%ff", 404)]
)
def test_no_path_gets_a_frameworks_error_page(wire: Wire, method: str, path: str, status: int) -> None:
    told, answer = wire.call(method, path)
    assert told == status
    assert set(answer) == {"error_code", "error_desc"}


def test_a_bad_token_gets_the_gateways_shape(wire: Wire) -> None:
    wire.headers["Authorization"] = "Bearer wrong"
    status, answer = wire.call("GET", DEVICES)
    assert (status, answer["resultcode"]) == (403, "1010005")


def test_a_body_beyond_the_cap_is_refused_in_the_platforms_shape(wire: Wire) -> None:
    status, answer = wire.raw("POST", REGISTER, b"a", {**wire.headers, "Content-Length": "99999999"})
    assert status == 413
    assert set(answer) == {"error_code", "error_desc"}


def test_percent_encoded_ids_reach_the_rules_decoded(wire: Wire) -> None:
    status, answer = wire.call("GET", f"{DEVICES}/no%2Fsuch%20device")
    assert status == 404
    assert answer["error_code"] == "100403"


# --- faults on the wire ---


def strike(emulator: Emulator, kind: str, **fields: Any) -> None:
    emulator.control.add_fault(kind, endpoint=f"POST {REGISTER}", count=1, **fields)


def registered(wire: Wire) -> int:
    """The number of devices, queried over a connection without faults."""
    fresh = Wire(wire.emulator)
    fresh.headers = wire.headers
    return len(fresh.devices())


@pytest.mark.parametrize("when", ["before", "after"])
def test_latency_delays_the_answer(emulator: Emulator, wire: Wire, when: str) -> None:
    strike(emulator, "latency", seconds=0.2, when=when)
    started = time.monotonic()
    wire.register("a")
    assert time.monotonic() - started >= 0.2
    assert emulator.control.journal(kind="call")[-1]["fault"] == "latency"


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_reset_comes_before_or_after_the_work(emulator: Emulator, wire: Wire, when: str, made: int) -> None:
    strike(emulator, "reset", when=when)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        wire.register("a")
    assert registered(wire) == made


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_stall_gives_no_answer(emulator: Emulator, wire: Wire, when: str, made: int) -> None:
    strike(emulator, "stall", when=when)
    wire.connection.request("POST", REGISTER, b'{"nodeId":"a","timeout":0}', wire.headers)
    eventually(lambda: not emulator.control.faults())  # it is removed once it has struck
    wire.connection.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        wire.connection.getresponse()
    assert registered(wire) == made


def test_a_stall_does_not_delay_the_end(emulator: Emulator, wire: Wire) -> None:
    strike(emulator, "stall")
    wire.connection.request("POST", REGISTER, b'{"nodeId":"a"}', wire.headers)
    eventually(lambda: not emulator.control.faults())  # it is removed once it has struck
    started = time.monotonic()
    emulator.stop()
    assert time.monotonic() - started < 30


def test_a_truncated_answer_breaks_off(emulator: Emulator, wire: Wire) -> None:
    strike(emulator, "truncate")
    with pytest.raises(http.client.IncompleteRead) as caught:
        wire.register("a")
    assert caught.value.partial.startswith(b"{")
    assert registered(wire) == 1


def test_garbage_is_not_http(emulator: Emulator, wire: Wire) -> None:
    strike(emulator, "garbage")
    with pytest.raises(http.client.BadStatusLine):
        wire.register("a")
    assert registered(wire) == 0


@pytest.mark.parametrize(
    ("fields", "content_type", "content"),
    [
        ({"status": 503, "body": "<html>busy</html>"}, "text/plain; charset=utf-8", b"<html>busy</html>"),
        ({"status": 200, "body": {"error_code": 7}}, "application/json;charset=UTF-8", b'{"error_code":7}'),
        ({"status": 502, "body": "x", "headers": {"Content-Type": "text/html"}}, "text/html", b"x"),
        ({"status": 204}, None, b""),
        ({"status": 200}, "text/html", b""),
        ({"status": 201, "body": ""}, "text/html", b""),
        ({"status": 202, "headers": {"Content-Type": "application/json"}}, "application/json", b""),
        ({"status": 503}, None, b""),
    ],
)
def test_any_answer_can_be_given(
    emulator: Emulator, wire: Wire, fields: dict[str, Any], content_type: str | None, content: bytes
) -> None:
    strike(emulator, "answer", **fields)
    wire.connection.request("POST", REGISTER, b'{"nodeId":"a"}', wire.headers)
    answer = wire.connection.getresponse()
    assert (answer.status, answer.getheader("content-type"), answer.read()) == (
        fields["status"],
        content_type,
        content,
    )
    assert registered(wire) == 0


SHADOW = "/iocm/app/shadow/v1.5.0/devices/{deviceId}"


@pytest.mark.parametrize(
    ("kind", "options", "length"),
    [
        ("latency", {"seconds": 0}, "0"),
        ("truncate", {}, "0"),
        ("drip", {"seconds": 0}, "0"),
        ("wrong_length", {"delta": 3}, "3"),
    ],
)
def test_an_empty_success_has_a_content_type_with_every_fault(
    emulator: Emulator, wire: Wire, kind: Any, options: dict[str, Any], length: str
) -> None:
    lamp = wire.call("POST", REGISTER, {"nodeId": "lamp", "productId": "street-lamp-nb"})[1]["deviceId"]
    emulator.control.add_fault(kind, endpoint=SHADOW, **options)
    body = json.dumps({"serviceDesireds": [{"serviceId": "Lamp", "desired": {"brightness": 4}}]})
    wire.connection.request("PUT", SHADOW.format(deviceId=lamp), body, wire.headers)
    answer = wire.connection.getresponse()
    told = (answer.status, answer.getheader("content-type"), answer.getheader("content-length"))
    assert told == (200, "text/html", length)


@pytest.mark.parametrize("kind", ["truncate", "drip"])
def test_no_content_stays_without_a_content_type_and_a_length(emulator: Emulator, wire: Wire, kind: Any) -> None:
    device_id = wire.register("a")
    emulator.control.add_fault(kind, endpoint="DELETE *")
    wire.connection.request("DELETE", f"{DEVICES}/{device_id}", headers=wire.headers)
    answer = wire.connection.getresponse()
    told = (answer.status, answer.getheader("content-type"), answer.getheader("content-length"), answer.read())
    assert told == (204, None, None, b"")


@pytest.mark.parametrize("delta", [7, -7])
def test_the_announced_length_can_be_wrong(emulator: Emulator, wire: Wire, delta: int) -> None:
    strike(emulator, "wrong_length", delta=delta)
    wire.connection.request("POST", REGISTER, b'{"nodeId":"a"}', wire.headers)
    answer = wire.connection.getresponse()
    told = int(answer.getheader("content-length") or 0)
    try:
        content = answer.read()
    except http.client.IncompleteRead as error:
        content = error.partial
    if delta > 0:
        assert len(content) == told - delta
        assert json.loads(content)["deviceId"]
    else:
        assert len(content) == told
        with pytest.raises(json.JSONDecodeError):
            json.loads(content)


def test_a_dripping_answer_arrives_whole_in_the_end(emulator: Emulator, wire: Wire) -> None:
    strike(emulator, "drip", seconds=0.001)
    assert wire.register("a")
    assert emulator.control.journal(kind="call")[-1]["fault"] == "drip"


def test_a_fault_strikes_the_endpoint_it_names_and_no_other(emulator: Emulator, wire: Wire) -> None:
    emulator.control.add_fault("answer", endpoint="/iocm/app/dm/v1.4.0/devices/{deviceId}", status=500)
    assert wire.call("GET", f"{DEVICES}/some-device")[0] == 500
    assert wire.call("GET", f"{DEVICES}?pageNo=0")[0] == 200


def test_a_slash_at_the_end_leads_to_the_same_endpoint_for_faults_and_journal(emulator: Emulator, wire: Wire) -> None:
    emulator.control.add_fault("answer", endpoint=f"GET {DEVICES}/", status=500, count=1)
    assert wire.call("GET", f"{DEVICES}/?pageNo=0&pageSize=1")[0] == 500
    assert wire.call("GET", f"{DEVICES}/?pageNo=0&pageSize=1")[0] == 200
    assert [entry["status"] for entry in emulator.control.journal(endpoint=f"{DEVICES}/")] == [None, 200]


def test_the_journal_names_the_route_and_has_no_secret(emulator: Emulator, wire: Wire) -> None:
    emulator.control.clear_journal(bodies=True)
    Wire(emulator).login()
    wire.login()
    wire.call("GET", f"{DEVICES}/unknown?appId={emulator.app_id}")
    login, _, query = emulator.control.journal()
    assert (login["status"], login["request"]["secret"], login["answer"]["accessToken"]) == (200, "***", "***")
    assert query["endpoint"] == "GET /iocm/app/dm/v1.4.0/devices/{deviceId}"
    assert (query["status"], query["errorCode"]) == (404, "100403")
    assert query["answerBytes"] > 0
    assert emulator.secret not in json.dumps(emulator.control.journal())


def test_a_connection_that_sends_nothing_does_not_harm_others(emulator: Emulator, wire: Wire) -> None:
    context = ssl.create_default_context(cafile=str(emulator.home.ca))
    context.load_cert_chain(emulator.home.folder / "client.pem", emulator.home.folder / "client.key")
    silent = [socket.create_connection(emulator.address) for _ in range(20)]
    half = [context.wrap_socket(socket.create_connection(emulator.address), server_hostname="localhost")]
    half[0].sendall(b"POST /iocm")
    assert wire.register("a")
    for one in [*silent, *half]:
        one.close()
