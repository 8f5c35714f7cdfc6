"""The plain text by which some platforms test a callback."""

import logging

import pytest

from iot_northbound.push import Event, MemoryInbox, SqliteInbox
from iot_northbound.push.parse import NotAMessageError, parse
from iot_northbound.testing.messages import push_body
from tests.clock import eventually
from tests.push.helpers import Log, Recorder

PROBES = [
    b"push success.",
    b"  push success.\r\n",
    b"PUSH SUCCESS.",
    b"Push Success",
    b"\xef\xbb\xbfpush success.",
    b'"push success."',
    "push success.".encode("utf-16"),
]


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("body", PROBES)
def test_a_probe_is_answered_logged_and_handed_to_handle_body_alone(tmp_path, caplog, durable, body):
    caplog.set_level(logging.INFO, "iot_northbound.push")
    receiver = Recorder(SqliteInbox(tmp_path / "inbox") if durable else MemoryInbox())
    unknown = Log()
    receiver.on_unknown(unknown.add)
    with receiver:
        for _ in range(2):
            assert receiver.receive(body, {"content-type": "text/plain"}).status == 200
        assert {text.strip(' \r\n"').lower().rstrip(".") for text in receiver.log.wait_for(2)} == {"push success"}
        eventually(lambda: receiver.metrics().handled == 2)
    assert caplog.text.count("the platform tests the callback") == 2
    assert unknown.items == []


def test_a_probe_has_an_event():
    event = Event.of(parse(b"push success.", 1.0), 1, 1)
    assert (event.is_probe, event.kind, event.body, event.raw, event.problem) == (True, "push success.", None, {}, None)


@pytest.mark.parametrize("kind", ["push success.", "push  success.", "pushsuccess."])
def test_a_message_of_that_name_is_a_message(kind):
    event = Event.of(parse(push_body("deviceAdded").replace(b"deviceAdded", kind.encode()), 1.0), 1, 1)
    assert not event.is_probe
    assert event.problem


@pytest.mark.parametrize(
    "body", [b"push", b"push success. now", b"pushsuccess.", b"success.", b'{"push success."}', b"."]
)
def test_other_text_is_no_probe(body):
    with pytest.raises(NotAMessageError):
        parse(body, 1.0)
