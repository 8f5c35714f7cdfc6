"""The sockets under a call: what speaks before the request is whole is not an answer that another call could get."""

import io
from typing import Any

import pytest
from tests.core.faults import FALSE, answering, ask, echo, interim
from tests.faulty_server import Hangup, Wire, message

from iot_northbound import NorthApiException
from iot_northbound.core.sockets import DeadlineSocket, _Stream

LONG = "x" * 8_000_000


class Hasty:
    """Answers the head of a long request, and reads the rest only then; other requests it answers as they come."""

    def __init__(self, pki: Any, answer: bytes, reads_on: bool = True) -> None:
        self.context = pki.context
        self.answer = answer
        self.reads_on = reads_on
        self.heads: list[tuple[int, bytes]] = []

    def __call__(self, wire: Wire) -> None:
        wire.socket = self.context.wrap_socket(wire.socket, server_side=True)
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (byte := wire.socket.recv(1)):
                    raise Hangup
                head += byte
            self.heads.append((wire.number, head))
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            if length > 1_000_000:
                wire.send(self.answer)
                if not self.reads_on:
                    wire.close()
                    raise Hangup
            while length:
                if not (data := wire.socket.recv(min(length, 65536))):
                    raise Hangup
                length -= len(data)
            if b" 1" in self.answer[:10] or not head.startswith(b"POST /long"):
                wire.send(message(200, {"path": head.split(b" ")[1].decode()}))


@pytest.mark.parametrize("used", [False, True], ids=["new connection", "kept connection"])
@pytest.mark.parametrize("reads_on", [True, False])
def test_a_success_before_the_request_is_whole_is_no_answer_to_it(
    serve: Any, connect: Any, pki: Any, used: bool, reads_on: bool
) -> None:
    hasty = Hasty(pki, FALSE, reads_on)
    client = connect(serve(answering(echo), on_connect=hasty), max_attempts=5, deadline=60)
    if used:
        assert ask(client, "first") == "/first"
    with pytest.raises(NorthApiException) as caught:
        ask(client, "long", "POST", text=LONG)
    assert caught.value.outcome_unknown
    assert caught.value.attempts == 1
    assert ask(client, "next") == "/next"
    assert [number for number, _ in hasty.heads] == ([1, 1, 2] if used else [1, 2])


@pytest.mark.parametrize("used", [False, True], ids=["new connection", "kept connection"])
def test_an_early_refusal_is_believed_where_it_cannot_be_another_calls(
    serve: Any, connect: Any, pki: Any, used: bool
) -> None:
    refusal = message(413, {"error_code": "100022", "error_desc": "the body is too long for this platform"})
    client = connect(serve(answering(echo), on_connect=Hasty(pki, refusal)), max_attempts=1, deadline=60)
    if used:
        assert ask(client, "first") == "/first"
    with pytest.raises(NorthApiException) as caught:
        ask(client, "long", "POST", text=LONG)
    assert caught.value.error_code == ("1004" if used else "100022")
    assert caught.value.outcome_unknown is used
    assert ask(client, "next") == "/next"


@pytest.mark.parametrize("used", [False, True], ids=["new connection", "kept connection"])
def test_an_interim_answer_before_the_request_is_whole_does_no_harm(
    serve: Any, connect: Any, pki: Any, used: bool
) -> None:
    hasty = Hasty(pki, interim(102))
    client = connect(serve(answering(echo), on_connect=hasty), max_attempts=1, deadline=60)
    if used:
        assert ask(client, "first") == "/first"
    assert ask(client, "long", "POST", text=LONG) == "/long"
    assert ask(client, "next") == "/next"


class TimedOut(io.RawIOBase):
    """The raw stream of a socket after a timeout: it refuses to be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise OSError("cannot read from timed out object")


def test_the_stream_of_an_answer_closes_its_socket_after_a_timeout_too() -> None:
    raw = TimedOut()
    stream = _Stream(raw)
    stream.source = source = DeadlineSocket.__new__(DeadlineSocket)
    stream.close()
    assert raw.closed
    assert source.spoilt
