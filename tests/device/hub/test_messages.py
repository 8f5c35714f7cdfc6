"""The messages of the hub protocol: the page's samples to the byte, round trips, and documents that are refused."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import InvalidArgumentError, UnreadableAnswerError
from iot_northbound.device.hub import (
    AddDevice,
    CommandResponse,
    CommandResult,
    HubCommand,
    HubMessage,
    Measure,
    Param,
    ServerMessage,
    ServerStatus,
)

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
PAGE_ANSWER = b'<?xml version="1.0" encoding="UTF-8"?> <s2h seq="1021" status="ACK" ver="2"/>'
PAGE_RESPONSE = b"""<?xml version="1.0" encoding="UTF-8"?>
<h2s ver="2" hubId="0123456ABCDEF">
<response cmdId="5" result="0" />
</h2s>"""


def test_the_samples_of_the_page_are_read() -> None:
    assert ServerMessage.decode(PAGE_ANSWER) == ServerMessage(ServerStatus.ACK, 1021)
    message = HubMessage.decode(PAGE_RESPONSE)
    assert message == HubMessage("0123456ABCDEF", responses=(CommandResponse("5", CommandResult.RECEIVED),))
    assert message.skipped == 0


def test_the_samples_of_the_page_are_written() -> None:
    assert ServerMessage(ServerStatus.ACK, 1021).encode().decode() == HEAD + '<s2h seq="1021" status="ACK" ver="2"/>'
    message = HubMessage("0123456ABCDEF", responses=(CommandResponse(5, 0),))
    told = '<h2s ver="2" hubId="0123456ABCDEF"><response cmdId="5" result="0"/></h2s>'
    assert message.encode().decode() == HEAD + told


def test_a_message_has_measures_and_devices_as_they_are_seen_in_the_field() -> None:
    when = datetime(2026, 3, 1, 13, 30, tzinfo=timezone(timedelta(hours=2)))
    measure = Measure("meter-1", {"power": 12.5, "on": True}, when)
    plug = Measure("meter-2", [Param("power", "7", 2)])
    told = HubMessage("hub-1", 8, (measure, plug), (AddDevice("meter-1", 11),)).encode().decode()
    assert told == HEAD + (
        '<h2s ver="2" hubId="hub-1" seq="8"><add deviceId="meter-1" deviceType="11"/>'
        '<measure deviceId="meter-1" timestamp="2026-03-01T11:30:00Z"><param name="power">12.5</param>'
        '<param name="on">true</param></measure>'
        '<measure deviceId="meter-2"><param name="power" index="2">7</param></measure></h2s>'
    )


def test_a_hub_of_before_names_itself_proxy() -> None:
    assert HubMessage.decode(b'<h2s ver="2" proxyId="old" seq="1"/>').hub_id == "old"


def test_what_is_not_known_is_skipped_and_counted() -> None:
    message = HubMessage.decode(
        b'<h2s ver="2" hubId="h" seq="one" mood="good"><alert type="x"/><measure><param name="a">1</param></measure>'
        b'<measure deviceId="d" timestamp="noon"><param>2</param><param name="a" unit="W">1</param></measure>'
        b'<response cmdId="5" result="soon"/></h2s>'
    )
    assert message.measures == (Measure("d", {"a": "1"}),)
    assert (message.seq, message.responses) == (None, ())
    # seq, mood, alert, a measure without a device, a timestamp, a param without a name, unit, a response
    assert message.skipped == 8


def test_unknown_codes_survive() -> None:
    answer = ServerMessage.decode(b'<s2h status="LATER" ver="3"/>')
    assert answer.status == "LATER"
    assert not answer.status.is_known
    assert not answer.status.taken
    result = CommandResult(9)
    assert (result, result.is_known, result.name) == (9, False, "RESULT_9")
    assert pickle.loads(pickle.dumps(result)) == 9
    assert ServerMessage.decode(answer.encode()).status == "LATER"


@pytest.mark.parametrize("code", [*ServerStatus, *CommandResult])
def test_every_code_has_a_meaning(code: ServerStatus | CommandResult) -> None:
    assert code.is_known
    assert "does not list" not in code.meaning
    assert code.taken == (code in ("ACK", "CONT")) if isinstance(code, ServerStatus) else True


def test_a_code_that_is_not_listed_says_so() -> None:
    assert "does not list" in CommandResult(2).meaning
    assert "does not list" in ServerStatus("LATER").meaning
    with pytest.raises(ValueError, match="soon"):
        CommandResult("soon")  # type: ignore[arg-type]


# --- round trips ---

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
)
texts = words | st.just("a\tb\r\nc <&\"'> ]]> d")
names = texts.filter(bool)
moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1))
params = st.lists(st.builds(Param, names, texts, st.none() | texts), max_size=4).map(tuple)
numbers = st.none() | st.integers(0, 10**12)
results = st.integers(-99, 99).map(CommandResult)


@given(
    st.builds(
        HubMessage,
        names,
        numbers,
        st.lists(st.builds(Measure, names, params, st.none() | moments), max_size=3).map(tuple),
        st.lists(st.builds(AddDevice, names, texts), max_size=3).map(tuple),
        st.lists(st.builds(CommandResponse, names, results), max_size=3).map(tuple),
    )
)
def test_a_hubs_message_comes_back_as_it_was(message: HubMessage) -> None:
    back = HubMessage.decode(message.encode())
    assert back == message
    assert back.skipped == 0


@given(
    st.builds(
        ServerMessage,
        st.sampled_from(ServerStatus),
        numbers,
        st.lists(
            st.builds(HubCommand, names, st.none() | texts, st.none() | texts, params, st.none() | texts), max_size=3
        ).map(tuple),
        st.lists(names.map(str.strip), max_size=3).map(tuple),
    )
)
def test_a_servers_message_comes_back_as_it_was(message: ServerMessage) -> None:
    assert ServerMessage.decode(message.encode()) == message


# --- what is refused ---


def test_a_text_that_xml_cannot_have_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidArgumentError, match=r"XML has no character U\+0007") as caught:
        HubMessage("hub", 1, (Measure("d", {"a": "secret\x07"}),)).encode()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), [1], b"x"])
def test_a_value_is_a_text_a_number_or_a_boolean(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match="must be a text, a number or a boolean"):
        Param("a", value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="must have a time zone"):
        Measure("d", {}, datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "message",
    [
        HubMessage("hub", 1, (Measure("d", {"a": "x" * 65_536}),)),
        HubMessage("hub", 1, adds=tuple(AddDevice(str(number), 1) for number in range(1_000))),
    ],
)
def test_a_message_that_goes_beyond_a_limit_is_not_written(message: HubMessage) -> None:
    with pytest.raises(InvalidArgumentError, match="it must have at most"):
        message.encode()


BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><s2h status="&b;"/>'
REFUSED = {
    "a bomb of entities": (BOMB, "document type"),
    "a document type": (b'<!DOCTYPE s2h><s2h status="ACK"/>', "document type"),
    "an outer entity": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><s2h status="ACK"/>', "document type"),
    "an unknown entity": (b'<s2h status="&a;"/>', "not well-formed"),
    "a processing instruction": (b'<?php x?><s2h status="ACK"/>', "processing instruction"),
    "an instruction inside": (b'<s2h status="ACK"><?x y?></s2h>', "processing instruction"),
    "another encoding": (b'<?xml version="1.0" encoding="latin-1"?><s2h status="ACK"/>', "only UTF-8"),
    "UTF-16": ('<s2h status="ACK"/>'.encode("utf-16"), "only UTF-8"),
    "UTF-16 without a mark": ('<s2h status="ACK"/>'.encode("utf-16-le"), "only UTF-8"),
    "bytes that are not UTF-8": (b'<s2h status="ACK">\xff</s2h>', "not well-formed"),
    "nothing": (b"", "not well-formed"),
    "half of it": (PAGE_ANSWER[:-2], "not well-formed"),
    "two roots": (PAGE_ANSWER + b"<s2h/>", "not well-formed"),
    "another root": (b"<html/>", "its root is 'html'"),
    "no status": (b'<s2h seq="1"/>', "no status"),
    "too long": (b'<s2h status="ACK">' + b" " * 65_536 + b"</s2h>", "65536 bytes"),
    "too deep": (b"<a>" * 9 + b"</a>" * 9, "8 deep"),
    "too many elements": (b"<s2h>" + b"<a/>" * 1_000 + b"</s2h>", "1000 elements"),
    "too many attributes": (
        b"<s2h " + b" ".join(b'a%d=""' % number for number in range(257)) + b"/>",
        "256 attributes",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_document_is_refused(kind: str) -> None:
    content, why = REFUSED[kind]
    with pytest.raises(UnreadableAnswerError, match=why) as caught:
        ServerMessage.decode(content)
    assert caught.value.error_code == "1004"


def test_a_hubs_message_needs_a_hub() -> None:
    with pytest.raises(UnreadableAnswerError, match="no hubId"):
        HubMessage.decode(b'<h2s ver="2" seq="1"/>')


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda content: b"<s2h status='ACK'>" + content))
def test_no_content_makes_another_exception(content: bytes) -> None:
    for kind in (HubMessage, ServerMessage):
        try:
            kind.decode(content)
        except UnreadableAnswerError:
            continue
