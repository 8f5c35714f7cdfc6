"""Bytes of a peer as text, in a charset from a fixed list.

A Content-Type can name any codec that Python knows, and some of those take minutes for a megabyte (punycode, idna) or
are not text encodings (zip, uu). So there is a fixed list. Its codecs take time in proportion to the body.
"""

import codecs
import json
import re
from collections.abc import Mapping

_NAMES: Mapping[str, tuple[str, ...]] = {
    "utf-8": ("UTF-8", "utf8", "unicode-1-1-utf-8"),
    "utf-16": ("UTF-16", "ISO-10646-UCS-2", "unicode"),
    "utf-16-le": ("UTF-16LE",),
    "utf-16-be": ("UTF-16BE",),
    "utf-32": ("UTF-32",),
    "utf-32-le": ("UTF-32LE",),
    "utf-32-be": ("UTF-32BE",),
    "latin-1": ("ISO-8859-1", "latin1", "l1", "ISO_8859-1:1987", "iso-ir-100", "IBM819", "CP819"),
    "ascii": ("US-ASCII", "ASCII", "ANSI_X3.4-1968", "ISO646-US", "us"),
    "gbk": ("GBK", "GB2312", "CP936", "MS936", "windows-936", "EUC-CN", "GB_2312-80", "x-gbk"),
    "gb18030": ("GB18030", "GB18030-2000", "GB18030-2005", "GB18030-2022"),
}
"""Python's codecs with the names that mean them. GB2312 is a part of GBK."""

ACCEPTED = "UTF-8, UTF-16, UTF-32, ISO-8859-1, US-ASCII, GBK and GB18030"

_LONGEST = 1000
"""How many characters of a Content-Type are read."""
_PARAMETER = re.compile(r""";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,]*))""")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_CODECS = {_plain(name): codec for codec, names in _NAMES.items() for name in names}


class NotTextError(ValueError):
    """Bytes are not text in their charset; the message says which one was tried."""


def named_charset(content_type: str) -> str:
    """Return the charset in a Content-Type, as it is written there; empty if there is no charset.

    The parameter's name can be in upper or lower case, its value in quotes, and other parameters can come before it.
    """
    for found in _PARAMETER.finditer(content_type[:_LONGEST]):
        if found[1].lower() == "charset":
            return (found[2] or found[3] or "").strip(" \t'\"")
    return ""


def codec_of(content_type: str) -> str | None:
    """Return Python's codec for the charset in a Content-Type; None if there is no charset or an unknown one."""
    return _CODECS.get(_plain(named_charset(content_type)))


def json_text(body: bytes, content_type: str) -> str:
    """Return a JSON body as text: in one of JSON's own encodings, otherwise in the charset of the header.

    JSON's encodings come first, because Java senders sometimes declare ISO-8859-1 for bodies that are UTF-8.

    Raises:
        NotTextError: the body is in none of them.
    """
    try:
        return body.decode(json.detect_encoding(body))
    except UnicodeDecodeError:
        pass
    named = named_charset(content_type)
    codec = codec_of(content_type)
    if codec is None:
        other = f", and the charset {named[:40]!a} is not accepted (the accepted ones are {ACCEPTED})" if named else ""
        raise NotTextError(f"the body is not UTF-8 text{other}")
    try:
        return body.decode(codec)
    except UnicodeDecodeError:
        raise NotTextError(f"the body is neither UTF-8 text nor {codec.upper()}, the charset of its header") from None


def any_text(body: bytes, content_type: str) -> str:
    """Return bytes, perhaps cut off, as text for reading: in the same encoding in which `json_text` would read them.

    In a wrong encoding a secret could not be found. So zeros are left out: they are half the bytes of a UTF-16 text. If
    no encoding fits, the other bytes are replaced.
    """
    try:
        text = codecs.getincrementaldecoder(json.detect_encoding(body))().decode(body)
    except UnicodeDecodeError:
        text = body.decode(codec_of(content_type) or "utf-8", "replace")
    return text.replace("\0", "")
