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


class KeyBag(NamedTuple):
    """A private key as PKCS#8 DER, encrypted or not, and its alias; empty if it has none."""

    alias: str
    der: bytes


class _Element(NamedTuple):
    tag: int
    content: bytes
    whole: bytes


def key_bags(data: bytes) -> list[KeyBag]:
    """Return the file's private keys; an empty list if it does not have the structure of DER."""
    try:
        return list(_key_bags(data))
    except (IndexError, ValueError):
        return []


def _key_bags(data: bytes) -> Iterator[KeyBag]:
    (pfx,) = _elements(data)
    _version, safe, *_mac = _elements(pfx.content)
    for info in _elements(_one(_octets(safe.content))):
        kind, *_content = _elements(info.content)
        if kind.content != _DATA:
            continue
        for bag in _elements(_one(_octets(info.content))):
            name, value, *attributes = _elements(bag.content)
            if name.content in (_KEY_BAG, _SHROUDED_KEY_BAG):
                yield KeyBag(_alias(attributes), _one_element(value.content).whole)


def _elements(data: bytes) -> Iterator[_Element]:
    """Yield the elements of DER data one after the other.

    Raises:
        IndexError: they are cut off.
        ValueError: a length is not a valid DER length.
    """
    at = 0
    while at < len(data):
        tag, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4:
                raise ValueError("a length without end")
            length, start = int.from_bytes(data[start : start + octets], "big"), start + octets
        if start + length > len(data):
            raise IndexError
        yield _Element(tag, data[start : start + length], data[at : start + length])
        at = start + length


def _one_element(data: bytes) -> _Element:
    (element,) = _elements(data)
    return element


def _one(data: bytes) -> bytes:
    return _one_element(data).content


def _octets(info: bytes) -> bytes:
    """Return the bytes in a ContentInfo of the type data: an OCTET STRING, explicitly tagged."""
    _kind, tagged = _elements(info)
    return _one(tagged.content)


def _alias(attributes: list[_Element]) -> str:
    for attribute in (each for group in attributes for each in _elements(group.content)):
        name, values = _elements(attribute.content)
        if name.content == _FRIENDLY_NAME:
            return next(_elements(values.content)).content.decode("utf-16-be", "replace")
    return ""
