"""The platform's XML of hubs: what is read, what is refused, what is written."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.emulator.hub.xml import Malformed, read, write
from iot_northbound.emulator.rules.hub_values import Value
from iot_northbound.emulator.rules.hubs import Measure


def test_a_message_is_read() -> None:
    posted, skipped = read(
        b'<?xml version="1.0" encoding="UTF-8"?><h2s ver="2" hubId="hub-1" seq="007">'
        b'<add deviceId="d-1" deviceType="11"/><add deviceId="d-2"/>'
        b'<measure deviceId="d-1" timestamp="2026-03-01T12:00:00Z"><param name="a">1 &lt; 2</param>'
        b'<param name="b" index="2"><![CDATA[<x>]]></param></measure><measure deviceId="d-2"/>'
        b'<response cmdId="5" result="0" /></h2s>'
    )
    assert (posted.hub_id, posted.seq, skipped) == ("hub-1", "007", 0)
    assert posted.adds == [("d-1", "11"), ("d-2", None)]
    values = [Value("a", "1 < 2"), Value("b", "<x>", "2")]
    assert posted.measures == [Measure("d-1", "2026-03-01T12:00:00Z", values), Measure("d-2", None, [])]
    assert posted.responses == [("5", 0)]


def test_the_pages_own_sample_is_read() -> None:
    posted, skipped = read(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<h2s ver="2" hubId="0123456ABCDEF">\n'
        b'<response cmdId="5" result="0" />\n</h2s>'
    )
    assert (posted.hub_id, posted.seq, posted.responses, skipped) == ("0123456ABCDEF", None, [("5", 0)], 0)


def test_an_old_hub_calls_itself_proxy() -> None:
    assert read(b'<h2s proxyId="old"/>')[0].hub_id == "old"


def test_what_is_not_known_is_skipped_and_counted() -> None:
    posted, skipped = read(
        b'<h2s hubId="h" mood="good"><alert type="x"><param name="a">1</param></alert>'
        b'<measure deviceId="d"><param name="a" unit="W">1<more>2</more></param><x/></measure>'
        b"<measures><measure/></measures></h2s>"
    )
    assert posted.measures == [Measure("d", None, [Value("a", "1")])]
    # mood, alert and its param, unit, more, x, measures and the measure in it
    assert skipped == 8


REFUSED = {
    "a bomb of entities": (b'<!DOCTYPE x [<!ENTITY a "h"><!ENTITY b "&a;&a;">]><h2s hubId="&b;"/>', "document type"),
    "an outer entity": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><h2s hubId="h"/>', "document type"),
    "an entity that is not known": (b'<h2s hubId="&a;"/>', "not well-formed"),
    "a processing instruction": (b'<?php x?><h2s hubId="h"/>', "processing instruction"),
    "another encoding": (b'<?xml version="1.0" encoding="latin-1"?><h2s hubId="h"/>', "encoding"),
    "UTF-16": ('<h2s hubId="h"/>'.encode("utf-16"), "not UTF-8"),
    "bytes that are not UTF-8": (b'<h2s hubId="h">\xff</h2s>', "not well-formed"),
    "nothing": (b"", "not well-formed"),
    "a half": (b'<h2s hubId="h"', "not well-formed"),
    "two roots": (b'<h2s hubId="h"/><h2s hubId="h"/>', "not well-formed"),
    "another root": (b"<html/>", "not h2s"),
    "no hub": (b"<h2s/>", "no hubId"),
    "an empty hub": (b'<h2s hubId=""/>', "no hubId"),
    "a number that is none": (b'<h2s hubId="h" seq="one"/>', "seq is not a whole number"),
    "a number that is too long": (b'<h2s hubId="h" seq="123456789012345678901"/>', "at most 20 digits"),
    "a measure of nothing": (b'<h2s hubId="h"><measure/></h2s>', "measure has no deviceId"),
    "a value without a name": (b'<h2s hubId="h"><measure deviceId="d"><param/></measure></h2s>', "param has no name"),
    "a device without a name": (b'<h2s hubId="h"><add deviceType="1"/></h2s>', "add has no deviceId"),
    "a name that is too long": (
        b'<h2s hubId="h"><add deviceId="%b"/></h2s>' % (b"x" * 257),
        "more than 256 characters",
    ),
    "a response without a result": (b'<h2s hubId="h"><response cmdId="1"/></h2s>', "response has no result"),
    "a response to nothing": (b'<h2s hubId="h"><response result="1"/></h2s>', "response has no cmdId"),
    "a result that is none": (b'<h2s hubId="h"><response cmdId="1" result="ok"/></h2s>', "not a whole number"),
    "too long": (b'<h2s hubId="h">' + b" " * 65_536 + b"</h2s>", "65536 bytes"),
    "too deep": (b'<h2s hubId="h">' + b"<a>" * 8 + b"</a>" * 8 + b"</h2s>", "8 deep"),
    "too many elements": (b'<h2s hubId="h">' + b"<a/>" * 1_000 + b"</h2s>", "1000 elements"),
    "too many attributes": (b"<h2s " + b" ".join(b'a%d=""' % each for each in range(257)) + b"/>", "256 attributes"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_document_is_refused(kind: str) -> None:
    content, why = REFUSED[kind]
    with pytest.raises(Malformed, match=why):
        read(content)


def test_a_refusal_has_the_number_if_it_could_be_read() -> None:
    with pytest.raises(Malformed) as caught:
        read(b'<h2s hubId="h" seq="12"><measure></h2s>')
    assert caught.value.seq == "12"


def test_the_pages_answer_is_written() -> None:
    assert write("ACK", "1021") == b'<?xml version="1.0" encoding="UTF-8"?>\n<s2h seq="1021" status="ACK" ver="2"/>'
    assert write("ERR") == b'<?xml version="1.0" encoding="UTF-8"?>\n<s2h status="ERR" ver="2"/>'


def test_commands_and_unknown_devices_are_written() -> None:
    command = {"cmdId": "5", "type": "SET", "service": "Lamp", "deviceId": "d", "params": {"level": "40", "plan": ""}}
    assert write("CONT", "1", [command], ["d-9", "a&b"]).decode().partition("\n")[2] == (
        '<s2h seq="1" status="CONT" ver="2"><command cmdId="5" type="SET" service="Lamp" deviceId="d">'
        '<param name="level">40</param><param name="plan"></param></command>'
        "<unknown>d-9</unknown><unknown>a&amp;b</unknown></s2h>"
    )


@given(st.text(), st.text())
def test_any_text_comes_through_another_parser(name: str, value: str) -> None:
    command = {"cmdId": "1", "type": name, "service": "s", "deviceId": "d", "params": {name: value}}
    [found] = ElementTree.fromstring(write("ACK", None, [command]))

    def allowed(text: str) -> str:
        return "".join(
            each if each in "\t\n\r" or (each >= " " and each not in "\ufffe\uffff") else "\ufffd" for each in text
        )

    assert found.get("type") == allowed(name)
    assert (found[0].get("name"), found[0].text or "") == (allowed(name), allowed(value))
