"""A byte order mark says how a file is encoded, and is no part of its text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.core.textfiles import decoded, read_text

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(st.text().filter(lambda text: not text.startswith(("\ufeff", "\0"))))
def test_text_comes_back_without_its_mark(encoding: str, text: str) -> None:
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize(("mark", "encoding"), [(b"\xfe\xff", "utf-16-be"), (b"\x00\x00\xfe\xff", "utf-32-be")])
def test_the_marks_of_the_other_byte_order_are_known(mark: bytes, encoding: str) -> None:
    assert decoded(mark + "Zähler 水".encode(encoding)) == "Zähler 水"


def test_line_ends_of_windows_are_line_ends(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfa\r\nb\n")
    assert read_text(tmp_path / "x") == "a\nb\n"


@pytest.mark.parametrize("data", [b"\xff", b"a\xe4", b"\xff\xfe\x00", b"\xff\xfe\x00\xd8"])
def test_what_is_no_text_is_an_error(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        decoded(data)
