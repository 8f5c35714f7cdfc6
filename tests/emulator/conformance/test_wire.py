"""The platform answers every request in its own shape, and answers no peer without a certificate."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path

import pytest

from iot_northbound.emulator.home import prepare
from iot_northbound.emulator.server import Emulator
from iot_northbound.serving import Limits
from tests.facts import ENDPOINTS

from .requests_of import REQUESTS
from .world import World

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")
LOGIN = "/iocm/app/sec/v1.1.0/login"
DEVICES = "/iocm/app/dm/v1.4.0/devices"


def context_of(platform: Emulator, *, certificate: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(platform.home.ca))
    if certificate:
        context.load_cert_chain(platform.home.folder / "client.pem", platform.home.folder / "client.key")
    return context


def exchange(platform: Emulator, request: bytes) -> tuple[int, str, bytes]:
    """Send bytes as they are and read one answer."""
    plain = socket.create_connection(platform.address, timeout=60)
    with context_of(platform).wrap_socket(plain, server_hostname="localhost") as sock:
        sock.sendall(request)
        answer = http.client.HTTPResponse(sock, method=request.split(b" ", 1)[0].decode("latin-1"))
        answer.begin()
        return answer.status, answer.getheader("content-type", ""), answer.read()


def assert_own_shape(kind: str, content: bytes) -> None:
    assert kind.lower().startswith("application/json"), (kind, content)
    value = json.loads(content)
    assert set(value) in ({"error_code", "error_desc"}, {"resultcode", "resultmsg"}), value


@pytest.mark.parametrize(
    "path", ["/", "/iocm", "/docs", "/openapi.json", "/iocm/app/dm/v1.4.0/devices//", "/%00", "/../"]
)
def test_an_unknown_path_is_answered_in_the_platforms_shape(world: World, path: str) -> None:
    world.api.connection.request("GET", path, None, world.headers)
    answer = world.api.connection.getresponse()
    content = answer.read()
    assert answer.status == 404
    assert_own_shape(answer.getheader("content-type", ""), content)


@pytest.mark.parametrize("path", sorted({each["path"] for each in ENDPOINTS}))
def test_a_method_that_a_path_does_not_have_is_answered_in_the_platforms_shape(world: World, path: str) -> None:
    known = {each["http_method"] for each in ENDPOINTS if each["path"] == path}
    for method in METHODS:
        if method in known:
            continue
        world.api.connection.request(method, path.replace("{", "").replace("}", ""), None, world.headers)
        answer = world.api.connection.getresponse()
        content = answer.read()
        assert answer.status == 405, method
        if method != "HEAD":
            assert_own_shape(answer.getheader("content-type", ""), content)


@pytest.mark.parametrize(
    "request_",
    [
        b"rubbish\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" % LOGIN.encode(),
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n" % LOGIN.encode(),
        b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" % LOGIN.encode(),
        b"GET " + b"/a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_an_unreadable_request_is_answered_in_the_platforms_shape(platform: Emulator, request_: bytes) -> None:
    status, kind, content = exchange(platform, request_)
    assert 400 <= status < 500
    assert_own_shape(kind, content)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/json;charset=gbk", "", "x"])
def test_the_content_type_does_not_change_what_json_means(world: World, kind: str) -> None:
    reply = world.call(
        "POST", "/iocm/app/devgroup/v1.3.0/devGroups", REQUESTS["1.9.1"](world), **{"Content-Type": kind}
    )
    assert (reply.status, reply.error) == (200, None)


def test_text_in_another_charset_is_malformed(world: World) -> None:
    content = json.dumps({"nodeId": world.name(), "endUserId": "Müller"}, ensure_ascii=False)
    path = "/iocm/app/reg/v1.1.0/deviceCredentials"
    good = world.api.send("POST", path, content.encode(), world.headers)
    assert good.status == 200
    for charset in ("latin-1", "utf-16"):
        reply = world.api.send("POST", path, content.encode(charset), world.headers)
        assert reply.error == (400, "100007")


def test_a_huge_body_is_refused_in_the_platforms_shape_and_harms_no_other(world: World, platform: Emulator) -> None:
    head = f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"10000\r\n%b\r\n" % (b"a" * 0x10000) * (Limits().body_limit // 0x10000 + 1)
    status, kind, content = exchange(platform, head + chunks)
    assert status == 413
    assert_own_shape(kind, content)
    assert world.get(DEVICES, pageNo=0)["totalCount"] == 0


def asked(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """Send and read: with TLS 1.3 the handshake's refusal is read only after the request was sent."""
    connection.request("POST", LOGIN, b"appId=a&secret=b")
    return connection.getresponse()


def test_without_a_client_certificate_no_request_is_answered(platform: Emulator) -> None:
    context = context_of(platform, certificate=False)
    connection = http.client.HTTPSConnection("localhost", platform.address[1], context=context, timeout=60)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        asked(connection)


def test_a_certificate_of_another_authority_is_refused(platform: Emulator, tmp_path: Path) -> None:
    strangers = prepare(tmp_path / "strangers")
    context = ssl.create_default_context(cafile=str(platform.home.ca))
    context.load_cert_chain(strangers.folder / "client.pem", strangers.folder / "client.key")
    connection = http.client.HTTPSConnection("localhost", platform.address[1], context=context, timeout=60)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        asked(connection)


def test_plain_http_is_not_answered(platform: Emulator) -> None:
    connection = http.client.HTTPConnection("localhost", platform.address[1], timeout=60)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        asked(connection)
