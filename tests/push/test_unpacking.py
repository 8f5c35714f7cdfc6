"""Packed bodies and web pages: the same answer by every way into the receiver."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.push import MemoryInbox
from iot_northbound.push.reply import Reply
from iot_northbound.push.unpacking import unpacked
from tests.push.helpers import PATIENCE, Recorder, data_body

ROUTE = "/v1.0.0/messageReceiver"
LIMIT = 10_000


Answer = tuple[int, str, dict[str, str]]
Post = Callable[..., tuple[int, str, dict[str, str], Recorder]]


def bare(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def zipped(data: bytes) -> bytes:
    """Return the same bytes at any time, so that a test has the same name in each process."""
    return gzip.compress(data, mtime=0)


def by_receive(receiver: Recorder, body: bytes, headers: dict[str, str]) -> Answer:
    answer = receiver.receive(body, headers)
    return answer.status, answer.text, dict(answer.headers)


def by_wsgi(receiver: Recorder, body: bytes, headers: dict[str, str]) -> Answer:
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": ROUTE, "CONTENT_LENGTH": str(len(body)), **given}
    answers = []
    text = b"".join(receiver.wsgi({**environ, "wsgi.input": io.BytesIO(body)}, lambda *answer: answers.append(answer)))
    return int(answers[0][0][:3]), text.decode(), dict(answers[0][1])


def by_asgi(receiver: Recorder, body: bytes, headers: dict[str, str]) -> Answer:
    sent = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(receiver.asgi({"type": "http", "method": "POST", "path": ROUTE, "headers": given}, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], sent[1]["body"].decode(), answered


def by_server(receiver: Recorder, body: bytes, headers: dict[str, str]) -> Answer:
    with receiver.server(port=0) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
        connection.request("POST", ROUTE, body, headers)
        answer = connection.getresponse()
        result = answer.status, answer.read().decode(), dict(answer.getheaders())
        connection.close()
    return result


WAYS = [by_receive, by_wsgi, by_asgi, by_server]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def post(request: pytest.FixtureRequest) -> Iterator[Post]:
    receiver = Recorder(MemoryInbox(), body_limit=LIMIT)
    with receiver:
        yield lambda body, **headers: (
            *request.param(receiver, body, {name.replace("_", "-"): value for name, value in headers.items()}),
            receiver,
        )


BODY = data_body()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", zipped(BODY)),
        ("GZip", zipped(BODY)),
        ("x-gzip", zipped(BODY)),
        ("gzip", zipped(BODY[:9]) + zipped(b"") + zipped(BODY[9:])),
        ("gzip", zipped(BODY) + b"\0" * 100),
        ("deflate", zlib.compress(BODY)),
        ("deflate", bare(BODY)),
        ("deflate, gzip", zipped(zlib.compress(BODY))),
        ("identity", BODY),
        ("", BODY),
        (" , identity", BODY),
    ],
)
def test_a_compressed_message_is_accepted(post: Post, encoding: str, packed: bytes) -> None:
    status, text, _, receiver = post(packed, Content_Encoding=encoding)
    assert (status, text) == (200, "ok")
    assert receiver.log.wait_for(1) == [BODY.decode()]


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "aes128gcm", "gzip, br", "gzip," * 4, "x\u00e9 y"])
def test_an_unsupported_encoding_is_named_with_the_supported_ones(post: Post, encoding: str) -> None:
    status, text, headers, receiver = post(BODY, Content_Encoding=encoding)
    assert status == 415
    assert "send the body as gzip or deflate, or not encoded" in text
    assert headers["accept-encoding"] == "gzip, deflate"
    assert receiver.metrics().refused == {415: 1}
    assert receiver.metrics().accepted == 0


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("gzip", BODY, "the body is not gzip"),
        ("gzip", zlib.compress(BODY), "the body is not gzip"),
        ("deflate", b"{" + BODY, "the body is not deflate"),
        ("gzip", zipped(BODY)[:-1], "ends in the middle of its gzip data"),
        ("gzip", zipped(BODY)[:12], "ends in the middle"),
        ("gzip", zipped(BODY) + zipped(BODY)[:-5], "ends in the middle"),
        ("deflate", zlib.compress(BODY)[:-1], "ends in the middle of its deflate data"),
        ("gzip", zipped(BODY)[:-8] + b"\1" * 8, "the body is not gzip"),
        ("gzip", zipped(BODY) + BODY, "the body is not gzip"),
        ("deflate", zlib.compress(BODY) * 2, "the body is not deflate"),
        ("gzip", zipped(b"") * 101, "the body is not gzip"),
    ],
)
def test_a_body_in_another_encoding_than_its_header_says_is_answered_400(
    post: Post, encoding: str, body: bytes, why: str
) -> None:
    status, text, _, receiver = post(body, Content_Encoding=encoding)
    assert status == 400
    assert why in text
    assert receiver.metrics().accepted == 0


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", zipped(b" " * 5_000_000)),
        ("deflate", zlib.compress(b" " * 5_000_000)),
        ("deflate", bare(b" " * 5_000_000)),
        ("gzip", zipped(b" " * (LIMIT + 1))),
        ("gzip", zipped(b" " * (LIMIT // 2 + 1)) * 2),
        ("gzip, gzip", zipped(zipped(b" " * 5_000_000))),
    ],
)
def test_what_unpacks_beyond_the_limit_is_answered_413(post: Post, encoding: str, packed: bytes) -> None:
    assert len(packed) <= LIMIT
    status, text, _, receiver = post(packed, Content_Encoding=encoding)
    assert status == 413
    assert f"{LIMIT} bytes at most" in text
    assert receiver.metrics().refused == {413: 1}


def test_a_bomb_is_never_unpacked_whole() -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    tracemalloc.start()
    try:
        refusal = unpacked(bomb, "gzip", LIMIT)
        assert isinstance(refusal, Reply)
        assert refusal.status == 413
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_message_of_exactly_the_limit_is_unpacked() -> None:
    assert unpacked(gzip.compress(b"x" * LIMIT), "gzip", LIMIT) == b"x" * LIMIT


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "gzip, deflate", "x-gzip,identity"]))
def test_no_bytes_make_it_raise(body: bytes, encoding: str) -> None:
    assert isinstance(unpacked(body, encoding, 100), bytes | Reply)


@given(st.binary(max_size=200), st.lists(st.sampled_from(["gzip", "deflate"]), max_size=3))
def test_what_was_packed_comes_out_again(body: bytes, codings: list[str]) -> None:
    packed = body
    for coding in codings:
        packed = gzip.compress(packed) if coding == "gzip" else zlib.compress(packed)
    assert unpacked(packed, ",".join(codings), 1_000) == body


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://page.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8686"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-origin"},
    ],
)
def test_a_web_page_may_not_post(post: Post, headers: dict[str, str]) -> None:
    status, text, _, receiver = post(BODY, **headers)
    assert status == 403
    assert "web pages may not post here" in text
    assert receiver.metrics().accepted == 0


def test_a_request_from_the_address_bar_gets_a_hint() -> None:
    with Recorder(MemoryInbox()).server(port=0) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
        connection.request("GET", ROUTE, headers={"Sec-Fetch-Site": "none"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (405, b"messages must be sent with POST")
        connection.close()
