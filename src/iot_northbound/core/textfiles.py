"""Text files that people write with editors, which may begin with a byte order mark."""

import codecs
from pathlib import Path

from iot_northbound.input_files import MOST, read_bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path, most: int = MOST) -> str:
    """Return a file's text: in UTF-8, or as its byte order mark says. The mark itself is not part of the text.

    Raises:
        OSError: the file cannot be read, or has more than `most` bytes.
        UnicodeDecodeError: it is not text in this encoding.
    """
    return decoded(read_bytes(path, most)).replace("\r\n", "\n")


def decoded(data: bytes) -> str:
    """Return bytes as text: in UTF-8, or as their byte order mark says.

    Raises:
        UnicodeDecodeError: they are not text in this encoding.
    """
    return data.decode(encoding_of(data))


def encoding_of(start: bytes) -> str:
    """Return the encoding that the first bytes of a file say; UTF-8 if they say nothing."""
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "utf-8")
