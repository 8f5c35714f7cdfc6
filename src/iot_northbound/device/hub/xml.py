"""XML of the hub protocol, read without trust and written without doubt.

A document that could make a reader fetch, expand or run something is refused: document types, entities of its own and
processing instructions. Size, depth, and the numbers of elements and attributes are limited.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.parsers import expat

import attrs

from iot_northbound.errors import InvalidArgumentError, SdkCode, UnreadableAnswerError

MAX_BYTES = 65_536
MAX_DEPTH = 8
MAX_ELEMENTS = 1_000
MAX_ATTRIBUTES = 256
"""The most attributes of one element."""


@attrs.define
class Element:
    """One element: its name, attributes, text and elements inside."""

    name: str
    attributes: Mapping[str, str] = attrs.Factory(dict)
    inside: list["Element"] = attrs.Factory(list)
    text: str = ""


def read(content: bytes) -> Element:
    """Return the root of a document.

    Raises:
        UnreadableAnswerError: it is not well-formed, goes beyond a limit, or has something that is refused (1004).
    """
    if len(content) > MAX_BYTES:
        raise _unreadable(f"it has more than {MAX_BYTES} bytes")
    if b"\0" in content:  # expat finds out UTF-16 by itself; it is UTF-16 or no XML at all
        raise _unreadable("it has a NUL byte; only UTF-8 is read")
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.XmlDeclHandler = reader.declared
    parser.StartElementHandler = reader.started
    parser.EndElementHandler = reader.ended
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refused_type
    parser.ProcessingInstructionHandler = reader.refused_instruction
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise _unreadable(f"it is not well-formed ({error})") from None
    return reader.root


class _Reader:
    root: Element

    def __init__(self) -> None:
        self._open: list[Element] = []
        self._count = 0

    def declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.upper() not in ("UTF-8", "UTF8"):
            raise _unreadable(f"its encoding is {encoding[:40]!r}; only UTF-8 is read")

    def started(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise _unreadable(f"it has more than {MAX_ELEMENTS} elements")
        if len(attributes) > MAX_ATTRIBUTES:
            raise _unreadable(f"an element has more than {MAX_ATTRIBUTES} attributes")
        if len(self._open) >= MAX_DEPTH:
            raise _unreadable(f"its elements are more than {MAX_DEPTH} deep")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].inside.append(element)
        else:
            self.root = element
        self._open.append(element)

    def ended(self, name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].text += text

    def refused_type(self, *_: Any) -> None:
        raise _unreadable("it has a document type, which is refused")

    def refused_instruction(self, *_: Any) -> None:
        raise _unreadable("it has a processing instruction, which is refused")


def _unreadable(why: str) -> UnreadableAnswerError:
    return UnreadableAnswerError(SdkCode.UNREADABLE, f"the XML cannot be used: {why}")


def write(root: Element) -> bytes:
    """Return the document of an element.

    Raises:
        InvalidArgumentError: a text has a character that XML does not have, or the document goes beyond a limit (1007).
    """
    pieces = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    count = _write(root, pieces)
    if count > MAX_ELEMENTS:
        raise InvalidArgumentError.of("the message", f"{count} elements", f"it must have at most {MAX_ELEMENTS}")
    content = "".join(pieces).encode()
    if len(content) > MAX_BYTES:
        raise InvalidArgumentError.of("the message", f"{len(content)} bytes", f"it must have at most {MAX_BYTES}")
    return content


def _write(element: Element, pieces: list[str]) -> int:
    pieces.append(f"<{element.name}")
    pieces.extend(f' {name}="{_escaped(name, value)}"' for name, value in element.attributes.items())
    if not element.inside and not element.text:
        pieces.append("/>")
        return 1
    pieces.append(f">{_escaped(element.name, element.text)}")
    count = 1 + sum(_write(each, pieces) for each in element.inside)
    pieces.append(f"</{element.name}>")
    return count


# A carriage return would come back as a line feed, and in an attribute both and the tab as blanks.
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_SPECIAL = re.compile('[&<>"\t\n\r]')
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _escaped(name: str, text: str) -> str:
    if found := _FORBIDDEN.search(text):
        rule = f"XML has no character U+{ord(found[0]):04X}"
        raise InvalidArgumentError.of(name, "a text", rule)
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


def without_none(attributes: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return the attributes that have a value."""
    return {name: value for name, value in attributes if value is not None}
