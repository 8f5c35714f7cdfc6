"""The XML of hubs: h2s is read in one pass, s2h is written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.parsers import expat

from iot_northbound.emulator.rules.hub_values import Value
from iot_northbound.emulator.rules.hubs import Measure, Posted

LONGEST: Final = 65_536
DEEPEST: Final = 8
MOST_ELEMENTS: Final = 1_000
MOST_ATTRIBUTES: Final = 256
"""The most attributes of one element."""

_KNOWN: Final[Mapping[tuple[str, ...], frozenset[str]]] = {
    ("h2s",): frozenset(("ver", "hubId", "proxyId", "seq")),
    ("h2s", "measure"): frozenset(("deviceId", "timestamp")),
    ("h2s", "measure", "param"): frozenset(("name", "index")),
    ("h2s", "add"): frozenset(("deviceId", "deviceType")),
    ("h2s", "response"): frozenset(("cmdId", "result")),
}
_SEQ = re.compile("[0-9]{1,20}")
_RESULT = re.compile("-?[0-9]{1,9}")


class Malformed(ValueError):
    """Raised when a message is not in the right format; the text says why.

    Attributes:
        seq: its number, if it could be read.
    """

    seq: str | None = None


def read(content: bytes) -> tuple[Posted, int]:
    """Return a hub's message, and how many of its elements and attributes are not known.

    Raises:
        Malformed: It is not well-formed, goes beyond a limit, lacks an attribute that is needed, or has a document type
            or a processing instruction.
    """
    reading = _Reading()
    try:
        if len(content) > LONGEST:
            raise Malformed(f"it has more than {LONGEST} bytes")
        if b"\0" in content:  # expat would read UTF-16, whatever it is told
            raise Malformed("it has a NUL byte, and so is not UTF-8")
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.XmlDeclHandler = reading.declaration
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reading.document_type
        parser.ProcessingInstructionHandler = reading.instruction
        parser.StartElementHandler = reading.start
        parser.EndElementHandler = reading.end
        parser.CharacterDataHandler = reading.characters
        parser.Parse(content, True)
        digest = hashlib.blake2b(content, digest_size=8).hexdigest()
        return reading.posted(digest), reading.skipped
    except expat.ExpatError as error:
        malformed = Malformed(f"it is not well-formed XML: {error}")
    except Malformed as error:
        malformed = error
    malformed.seq = reading.seq
    raise malformed


class _Reading:
    """What was read so far of a message."""

    def __init__(self) -> None:
        self.skipped = 0
        self.seq: str | None = None
        self._hub_id = ""
        self._measures: list[Measure] = []
        self._adds: list[tuple[str, str | None]] = []
        self._responses: list[tuple[str, int]] = []
        self._path: tuple[str, ...] = ()
        self._elements = 0
        self._values: list[Value] = []
        self._param: tuple[str, str | None] | None = None
        self._text: list[str] = []

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.upper() not in ("UTF-8", "UTF8"):
            raise Malformed("its encoding is not UTF-8")

    def document_type(self, *_: Any) -> None:
        raise Malformed("a document type is not allowed")

    def instruction(self, *_: Any) -> None:
        raise Malformed("a processing instruction is not allowed")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise Malformed(f"it has more than {MOST_ELEMENTS} elements")
        if len(attributes) > MOST_ATTRIBUTES:
            raise Malformed(f"an element has more than {MOST_ATTRIBUTES} attributes")
        self._path = (*self._path, name)
        if len(self._path) > DEEPEST:
            raise Malformed(f"its elements are more than {DEEPEST} deep")
        known = _KNOWN.get(self._path)
        if known is None:
            if len(self._path) == 1:
                raise Malformed("its root element is not h2s")
            self.skipped += 1
            return
        self.skipped += sum(each not in known for each in attributes)
        match name:
            case "h2s":
                self._begin(attributes)
            case "measure":
                self._values = []
                self._measures.append(
                    Measure(_needed(name, attributes, "deviceId"), _given(name, attributes, "timestamp"), self._values)
                )
            case "param":
                self._param = _needed(name, attributes, "name"), _given(name, attributes, "index")
                self._text = []
            case "add":
                self._adds.append((_needed(name, attributes, "deviceId"), _given(name, attributes, "deviceType")))
            case _:
                result = _needed(name, attributes, "result").strip()
                if _RESULT.fullmatch(result) is None:
                    raise Malformed("the result of a response is not a whole number")
                self._responses.append((_needed(name, attributes, "cmdId"), int(result)))

    def _begin(self, attributes: Mapping[str, str]) -> None:
        seq = attributes.get("seq")
        if seq is not None:
            if _SEQ.fullmatch(seq) is None:
                raise Malformed("seq is not a whole number of at most 20 digits")
            self.seq = seq
        self._hub_id = _given("h2s", attributes, "hubId") or _given("h2s", attributes, "proxyId") or ""  # of old hubs
        if not self._hub_id:
            raise Malformed("h2s has no hubId")

    def end(self, name: str) -> None:
        if self._param is not None and len(self._path) == 3:
            key, index = self._param
            self._values.append(Value(key, "".join(self._text), index))
            self._param = None
        self._path = self._path[:-1]

    def characters(self, text: str) -> None:
        if self._param is not None and len(self._path) == 3:
            self._text.append(text)

    def posted(self, digest: str) -> Posted:
        return Posted(self._hub_id, self.seq, digest, self._measures, self._adds, self._responses)


def _needed(element: str, attributes: Mapping[str, str], name: str) -> str:
    value = _given(element, attributes, name)
    if not value:
        raise Malformed(f"an element {element} has no {name}")
    return value


def _given(element: str, attributes: Mapping[str, str], name: str) -> str | None:
    value = attributes.get(name)
    if value is not None and len(value) > 256:
        raise Malformed(f"the {name} of an element {element} has more than 256 characters")
    return value


def write(
    status: str, seq: str | None = None, commands: Sequence[Mapping[str, Any]] = (), unknown: Sequence[str] = ()
) -> bytes:
    """Return an answer. Characters that XML does not have become U+FFFD."""
    number = "" if seq is None else f'seq="{_quoted(seq)}" '
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<s2h {number}status="{status}" ver="2"'
    if not commands and not unknown:
        return f"{head}/>".encode()
    pieces = [head, ">"]
    for command in commands:
        named = [(name, command[name]) for name in ("cmdId", "type", "service", "deviceId")]
        pieces.append("<command" + "".join(f' {name}="{_quoted(value)}"' for name, value in named) + ">")
        for name, value in command["params"].items():
            pieces.append(f'<param name="{_quoted(name)}">{_quoted(value)}</param>')
        pieces.append("</command>")
    pieces.extend(f"<unknown>{_quoted(each)}</unknown>" for each in unknown)
    pieces.append("</s2h>")
    return "".join(pieces).encode()


_NEEDS_CARE = re.compile("[^ !#-%'-;=?-~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WRITTEN: Final[Mapping[str, str]] = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",
}  # fmt: skip


def _quoted(text: str) -> str:
    return _NEEDS_CARE.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    character = found[0]
    if "\x7f" <= character <= "\x9f":
        return f"&#{ord(character)};"
    return _WRITTEN.get(character, "\ufffd")
