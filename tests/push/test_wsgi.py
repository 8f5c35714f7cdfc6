from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound.push import Access, MemoryInbox
from tests.push.helpers import Recorder, data_body

ROUTE = "/v1.0.0/messageReceiver"


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with Recorder(MemoryInbox()) as running:
        yield running


def call(app: Any, body: bytes = b"", **environ: Any) -> Any:
    answers = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": ROUTE,
        "SCRIPT_NAME": "",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    text = b"".join(app(environ, lambda status, headers: answers.append((status, dict(headers)))))
    ((status, headers),) = answers
    assert headers["content-length"] == str(len(text))
    return int(status[:3]), text.decode(), headers


def test_a_message_is_accepted(receiver: Recorder) -> None:
    assert call(receiver.wsgi, data_body())[:2] == (200, "ok")
    assert receiver.log.wait_for(1) == [data_body().decode()]


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"PATH_INFO": "/elsewhere"}, 404),
        ({"REQUEST_METHOD": "GET"}, 405),
        ({"CONTENT_LENGTH": str(2 << 20)}, 413),
        ({"CONTENT_LENGTH": "many"}, 400),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"CONTENT_LENGTH": "9" * 5000}, 413),
        ({"CONTENT_LENGTH": "100000"}, 400),
        ({"CONTENT_LENGTH": ""}, 400),
    ],
)
def test_what_is_refused(receiver: Recorder, environ: dict[str, Any], status: int) -> None:
    assert call(receiver.wsgi, b'{"a":1}', **environ)[0] == status
    assert receiver.metrics().refused == {status: 1}


def test_405_says_what_is_allowed(receiver: Recorder) -> None:
    assert call(receiver.wsgi, REQUEST_METHOD="PUT")[2]["allow"] == "POST"


def test_a_chunked_body_is_read_where_the_server_ends_it(receiver: Recorder) -> None:
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert call(receiver.wsgi, data_body(), **chunked)[0] == 200
    assert call(receiver.wsgi, b" " * (2 << 20), **chunked)[0] == 413


def test_a_chunked_body_that_cannot_be_read_is_refused_in_words(receiver: Recorder) -> None:
    status, text, _ = call(receiver.wsgi, data_body(), HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    assert (status, "Content-Length" in text) == (400, True)


def test_a_body_that_breaks_off_is_refused(receiver: Recorder) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> None:
            raise OSError("Invalid chunk header")

    assert call(receiver.wsgi, data_body(), **{"wsgi.input": Broken()})[0] == 400


def test_nothing_behind_the_body_is_read(receiver: Recorder) -> None:
    body = data_body()
    stream = io.BytesIO(body + b"the next request")
    assert call(receiver.wsgi, body, **{"wsgi.input": stream})[0] == 200
    assert stream.read() == b"the next request"


def test_other_paths_go_to_the_application_behind(receiver: Recorder) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("content-length", "5")])
        return [b"other"]

    app = receiver.wsgi.in_front_of(application)
    assert call(app, PATH_INFO="/orders")[1] == "other"
    assert call(app, data_body())[1] == "ok"


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_S_DN_CN": "push"}, 200),
        ({"SSL_CLIENT_VERIFY": "FAILED", "SSL_CLIENT_S_DN_CN": "push"}, 403),
        ({"SSL_CLIENT_S_DN_CN": "push"}, 403),
        ({"peercert": {"subject": ((("commonName", "push"),),)}}, 200),
        ({"REMOTE_ADDR": "192.0.3.1", "peercert": {"subject": ((("commonName", "push"),),)}}, 403),
        ({}, 403),
    ],
)
def test_the_sender_is_checked_by_what_the_server_says(environ: dict[str, Any], status: int) -> None:
    with Recorder(MemoryInbox(), access=Access(client_names=["push"], networks=["192.0.2.0/24"])) as receiver:
        assert call(receiver.wsgi, data_body(), **environ)[0] == status
