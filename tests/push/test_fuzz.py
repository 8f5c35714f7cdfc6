"""Any body, any headers: an answer, never an exception; what was taken is handled."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.push import DuplicateWindow, MemoryInbox, Reply
from iot_northbound.push.events import Event
from iot_northbound.push.parse import NotAMessageError, parse
from iot_northbound.testing.messages import PUSH_KINDS, push_body, push_message
from tests.clock import eventually
from tests.push.helpers import Recorder

ANSWERS = {200, 400}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
fields = sorted({key for kind in PUSH_KINDS for key in push_message(kind)} | {"commandId", "header", "notifyType "})
messages = st.builds(
    lambda kind, changes: {**push_message(kind), **changes},
    st.sampled_from(PUSH_KINDS),
    st.dictionaries(st.sampled_from(fields), json_values, max_size=4),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A right body, cut, doubled or with bytes changed."""
    body = bytearray(push_body(draw(st.sampled_from(PUSH_KINDS))))
    for _ in range(draw(st.integers(1, 4))):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body[: draw(st.integers(0, len(body)))])


bodies = (
    st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
    | messages.map(lambda value: json.dumps(value).encode())
    | messages.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | damaged()
)
headers = st.none() | st.dictionaries(
    st.sampled_from(["content-type", "Content-Type", "x"]), st.text(max_size=40) | st.just("a/b; charset=utf-7")
)


def test_no_body_makes_receive_raise_and_accepted_messages_are_handled() -> None:
    with Recorder(MemoryInbox(duplicates=None)) as receiver:

        @settings(max_examples=500, deadline=None)
        @given(bodies, headers)
        def fuzz(body: bytes, head: dict[str, str] | None) -> None:
            answer = receiver.receive(body, head)
            assert isinstance(answer, Reply)
            assert answer.status in ANSWERS
            assert answer.body

        fuzz()
        eventually(lambda: receiver.metrics().depth == 0)
        metrics = receiver.metrics()
        assert metrics.failures == metrics.dead == 0
        assert metrics.handled == metrics.accepted > 0


@settings(max_examples=400, deadline=None)
@given(messages)
def test_each_object_becomes_a_dto_or_has_a_problem(message: Any) -> None:
    try:
        parsed = parse(json.dumps(message).encode(), 1.0)
    except NotAMessageError:
        return
    event = Event.of(parsed, 1, 1)
    assert (event.body is None) == (event.problem is not None)
    assert event.kind.encode() is not None
    assert event.device.encode() is not None


def test_memory_stays_flat() -> None:
    with Recorder(MemoryInbox(duplicates=DuplicateWindow(messages=100))) as receiver:
        receiver.log.add = lambda item: None  # type: ignore[method-assign]

        def send(numbers: range) -> None:
            for number in numbers:
                receiver.receive(push_body("deviceDataChanged", requestId=f"r{number}"))
                receiver.receive(b'{"a":' + str(number).encode())
            eventually(lambda: receiver.metrics().depth == 0)

        def kept() -> int:
            gc.collect()  # the collector looks the more rarely, the more objects other tests have left
            return tracemalloc.get_traced_memory()[0]

        send(range(500))
        tracemalloc.start()
        send(range(500, 1_000))
        before = kept()
        send(range(1_000, 4_000))
        after = kept()
        tracemalloc.stop()
    assert after - before < 50_000
