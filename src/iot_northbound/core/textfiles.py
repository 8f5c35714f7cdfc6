"""Text files that people write by hand, with editors that put a byte order mark in front."""

import codecs
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """Return a file's text: UTF-8, or what its byte order mark says; the mark itself is no part of it.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: it is not such text.
    """
    return decoded(path.read_bytes()).replace("\r\n", "\n")


def decoded(data: bytes) -> str:
    """Return bytes as text: UTF-8, or what their byte order mark says.

    Raises:
        UnicodeDecodeError: they are not.
    """
    return data.decode(next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8"))
