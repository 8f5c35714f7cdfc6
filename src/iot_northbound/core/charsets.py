"""Bytes of a peer as text: the charsets it may name, and no others.

A Content-Type can name any codec that Python knows, and some of those take minutes for a megabyte (punycode, idna) or
are no text encodings at all (zip, uu). So there is a fixed list. All of it decodes in time proportional to the body.
"""

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
"""Python's codec, and the names that stand for it. GB2312 is a part of GBK."""

ACCEPTED = "UTF-8, UTF-16, UTF-32, ISO-8859-1, US-ASCII, GBK and GB18030"

_LONGEST = 1000
"""Characters of a Content-Type that are looked at."""
_PARAMETER = re.compile(r""";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,]*))""")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_CODECS = {_plain(name): codec for codec, names in _NAMES.items() for name in names}


class NotTextError(ValueError):
    """Bytes are not text in the charset they have to be in; the message says which was tried."""


def named_charset(content_type: str) -> str:
    """Return the charset that a Content-Type names, as it is written there; empty if it names none.

    The parameter's name may be in either letter case, its value in quotes, and other parameters may stand before it.
    """
    for found in _PARAMETER.finditer(content_type[:_LONGEST]):
        if found[1].lower() == "charset":
            return (found[2] or found[3] or "").strip(" \t'\"")
    return ""


def codec_of(content_type: str) -> str | None:
    """Return Python's codec for the charset that a Content-Type names; None if it names none, or none of ours."""
    return _CODECS.get(_plain(named_charset(content_type)))


def json_text(body: bytes, content_type: str) -> str:
    """Return a JSON body as text: in JSON's own encodings, else in the charset that the header names.

    JSON's encodings come first, since Java senders are known to name ISO-8859-1 above bodies that are UTF-8.

    Raises:
        NotTextError: it is neither.
    """
    try:
        return body.decode(json.detect_encoding(body))
    except UnicodeDecodeError:
        pass
    named = named_charset(content_type)
    codec = codec_of(content_type)
    if codec is None:
        other = f", and the charset {named[:40]!a} is not accepted (accepted are {ACCEPTED})" if named else ""
        raise NotTextError(f"the body is not UTF-8 text{other}")
    try:
        return body.decode(codec)
    except UnicodeDecodeError:
        raise NotTextError(f"the body is neither UTF-8 text nor {codec.upper()}, which its header names") from None


def any_text(body: bytes, content_type: str) -> str:
    """Return bytes as text to look at: in the charset the header names, else UTF-8; what is neither is replaced."""
    return body.decode(codec_of(content_type) or "utf-8", "replace")
