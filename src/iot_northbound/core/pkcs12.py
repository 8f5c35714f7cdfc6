"""The private keys in a PKCS#12 file, and their aliases.

The library that opens such files returns only one key, even if there are several. Each key is encrypted by itself,
outside of the part that is encrypted as a whole. So this module finds the keys in the DER data.
"""

from collections.abc import Iterator
from typing import NamedTuple

_DATA = bytes.fromhex("2a864886f70d010701")  # 1.2.840.113549.1.7.1
_KEY_BAG = bytes.fromhex("2a864886f70d010c0a0101")  # 1.2.840.113549.1.12.10.1.1
_SHROUDED_KEY_BAG = bytes.fromhex("2a864886f70d010c0a0102")  # …10.1.2
_FRIENDLY_NAME = bytes.fromhex("2a864886f70d010914")  # 1.2.840.113549.1.9.20

_OCTETS, _CONSTRUCTED = 0x04, 0x20


class KeyBag(NamedTuple):
    """A private key as PKCS#8 DER, encrypted or not, and its alias; empty if it has none."""

    alias: str
    der: bytes


class _Element(NamedTuple):
    tag: int
    content: bytes


def key_bags(data: bytes) -> list[KeyBag]:
    """Return the private keys outside of encrypted parts; an empty list if the file has another structure."""
    try:
        return list(_key_bags(data))
    except (IndexError, ValueError, RecursionError):
        return []


def _key_bags(data: bytes) -> Iterator[KeyBag]:
    (pfx,) = _elements(data)
    _version, safe, *_mac = _elements(pfx.content)
    for info in _elements(_one_element(_octets(safe.content)).content):
        kind, *_content = _elements(info.content)
        if kind.content != _DATA:
            continue
        for bag in _elements(_one_element(_octets(info.content)).content):
            name, value, *attributes = _elements(bag.content)
            if name.content in (_KEY_BAG, _SHROUDED_KEY_BAG):
                yield KeyBag(_alias(attributes), _der(_one_element(value.content)))


def _elements(data: bytes) -> Iterator[_Element]:
    """Yield the elements of DER, or of BER, one after the other.

    Raises:
        IndexError: they are cut off.
        ValueError: a length is not valid.
    """
    at = 0
    while at < len(data):
        start, stop = _extent(data, at)
        if stop is None:
            stop = _end_mark(data, start)
            yield _Element(data[at], data[start:stop])
            at = stop + len(_END)
        else:
            yield _Element(data[at], data[start:stop])
            at = stop


_END = b"\0\0"


def _extent(data: bytes, at: int) -> tuple[int, int | None]:
    """Return where an element's content starts and stops; None if a mark ends it, as in BER."""
    length, start = data[at + 1], at + 2
    if length == 0x80 and data[at] & _CONSTRUCTED:
        return start, None
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4:
            raise ValueError("a length without end")
        length, start = int.from_bytes(data[start : start + octets], "big"), start + octets
    if start + length > len(data):
        raise IndexError
    return start, start + length


def _end_mark(data: bytes, at: int) -> int:
    """Return the position of the mark that ends the content that starts at `at`."""
    level = 1
    while True:
        if data[at : at + 2] == _END:
            level -= 1
            if level == 0:
                return at
            at += len(_END)
            continue
        start, stop = _extent(data, at)
        level, at = (level + 1, start) if stop is None else (level, stop)


def _der(element: _Element) -> bytes:
    """Return an element as DER: the lengths come first, and the octets are in one piece."""
    tag, content = element.tag, element.content
    if tag == _OCTETS | _CONSTRUCTED:
        tag, content = _OCTETS, _joined(element)
    elif tag & _CONSTRUCTED:
        content = b"".join(map(_der, _elements(content)))
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([size]) if size < 0x80 else bytes([0x80 | len(octets)]) + octets) + content


def _joined(element: _Element) -> bytes:
    """Return the bytes of an OCTET STRING, which BER may have in pieces."""
    return b"".join(map(_joined, _elements(element.content))) if element.tag & _CONSTRUCTED else element.content


def _one_element(data: bytes) -> _Element:
    (element,) = _elements(data)
    return element


def _octets(info: bytes) -> bytes:
    """Return the bytes in a ContentInfo of the type data: an OCTET STRING, explicitly tagged."""
    _kind, tagged = _elements(info)
    return _joined(_one_element(tagged.content))


def _alias(attributes: list[_Element]) -> str:
    for attribute in (each for group in attributes for each in _elements(group.content)):
        name, values = _elements(attribute.content)
        if name.content == _FRIENDLY_NAME:
            return _joined(next(_elements(values.content))).decode("utf-16-be", "replace")
    return ""
