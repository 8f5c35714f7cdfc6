"""Compressed body -> body: unpacked within the body limit, or refused with the reason."""

from __future__ import annotations

import re
import zlib

from iot_northbound.push import reply
from iot_northbound.push.reply import Reply

_CODINGS_AT_MOST, _MEMBERS_AT_MOST = 3, 100
"""A body with endless empty parts would take endless time; no real sender has more than these."""
_GZIP, _ZLIB, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_READ = ("gzip", "x-gzip", "deflate")


class _Beyond(Exception):
    """The unpacked body is larger than the limit."""


def codings_of(encoding: str) -> list[str]:
    """Return the codings of a Content-Encoding header, in the order in which they were applied."""
    return [name for each in encoding.split(",") if (name := each.strip().lower()) not in ("", "identity")]


def unreadable(encoding: str) -> Reply | None:
    """Return the refusal (415) of an encoding that is not supported; None if it is supported."""
    codings = codings_of(encoding)
    unknown = [each for each in codings if each not in _READ]
    if unknown:
        named = unknown[0] if re.fullmatch(r"[\w.+-]{1,40}", unknown[0], re.ASCII) else "with this name"
        return reply.unknown_encoding(f"Content-Encoding {named} is not supported")
    if len(codings) > _CODINGS_AT_MOST:
        return reply.unknown_encoding(f"more than {_CODINGS_AT_MOST} Content-Encodings are not supported")
    return None


def unpacked(body: bytes, encoding: str, limit: int) -> bytes | Reply:
    """Return the body without its Content-Encoding, or the refusal: 415, 413, or 400 if it is not in that encoding.

    Args:
        body: The body as it came.
        encoding: The header's value; empty if there is no header.
        limit: Size of the largest body in bytes; no more is ever unpacked.
    """
    if not encoding or not body:
        return body
    refusal = unreadable(encoding)
    if refusal is not None:
        return refusal
    for coding in reversed(codings_of(encoding)):
        try:
            body = _inflated(body, limit) if coding == "deflate" else _members(body, _GZIP, limit)
        except _Beyond:
            return reply.too_large(limit)
        except zlib.error:
            return reply.not_a_message(f"the body is not {coding}, though its Content-Encoding says so")
        except EOFError:
            return reply.not_a_message(f"the body ends in the middle of its {coding} data")
    return body


def _inflated(body: bytes, limit: int) -> bytes:
    """Return unpacked deflate data: in zlib's format as the standard says, or bare as some senders send it."""
    try:
        return _members(body, _ZLIB, limit)
    except zlib.error:
        return _members(body, _BARE, limit)


def _members(body: bytes, form: int, limit: int) -> bytes:
    """Return all members of packed data together; gzip data may have several members, and zeros at the end."""
    parts: list[bytes] = []
    room = limit
    rest = body
    for _ in range(_MEMBERS_AT_MOST):
        engine = zlib.decompressobj(form)
        part = engine.decompress(rest, room + 1)
        room -= len(part)
        if room < 0:
            raise _Beyond
        if not engine.eof:
            raise EOFError
        parts.append(part)
        rest = engine.unused_data
        if not rest.strip(b"\0"):
            return b"".join(parts)
        if form != _GZIP:
            break
    raise zlib.error("something else follows the packed data")
