"""The charsets that a peer may name: a fixed list, however they are spelled."""

import encodings.aliases
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.core.charsets import NotTextError, any_text, codec_of, json_text, named_charset

TEXT = '{"name":"水表"}'


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json;charset=GBK",
        "application/json; charset=gbk",
        "application/json; CHARSET=GBK",
        'application/json; Charset = "GBK"',
        "application/json; charset='gbk'",
        "application/json ; charset=GBK ; boundary=x",
        "application/json; boundary=x; charset=GBK",
        'application/json; note="a;charset=utf-8"; charset=GBK',
        r'application/json; note="a\";charset=utf-8"; charset=GBK',
        "application/json; x-charset=utf-8; charset=GBK",
        "application/json; charset=GBK; charset=utf-8",
    ],
)
def test_the_charset_is_found_however_the_header_is_written(content_type: str) -> None:
    assert named_charset(content_type).lower() == "gbk"
    assert json_text(TEXT.encode("gbk"), content_type) == TEXT


@pytest.mark.parametrize("content_type", ["", "application/json", "application/json; charset=", "charset=GBK", ";;=;"])
def test_a_header_may_name_none(content_type: str) -> None:
    assert named_charset(content_type) == ""
    assert codec_of(content_type) is None


@pytest.mark.parametrize(
    ("codec", "names"),
    [
        ("utf-8", ["UTF-8", "utf8", "UTF_8", "Utf-8"]),
        ("utf-16", ["UTF-16", "utf16"]),
        ("utf-16-le", ["UTF-16LE", "utf-16-le", "UTF_16LE"]),
        ("utf-16-be", ["UTF-16BE"]),
        ("utf-32", ["UTF-32", "utf32"]),
        ("utf-32-le", ["UTF-32LE"]),
        ("utf-32-be", ["UTF-32BE"]),
        ("latin-1", ["ISO-8859-1", "iso8859-1", "ISO8859_1", "ISO_8859-1", "latin1", "Latin-1", "iso88591"]),
        ("ascii", ["US-ASCII", "ascii", "ANSI_X3.4-1968"]),
        ("gbk", ["GBK", "gb2312", "GB2312", "cp936", "MS936", "EUC-CN"]),
        ("gb18030", ["GB18030", "gb-18030"]),
    ],
)
def test_the_usual_names_of_the_accepted_charsets_are_known(codec: str, names: list[str]) -> None:
    assert {codec_of(f"text/plain; charset={name}") for name in names} == {codec}


FEW = {"utf_8", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be", "latin_1", "ascii"}
FEW |= {"gbk", "gb2312", "gb18030"}


@pytest.mark.parametrize(
    "name",
    sorted(
        (set(encodings.aliases.aliases.values()) - FEW)
        | {"idna", "punycode", "uu", "zip", "bz2", "rot13", "hex", "base64", "unicode_escape", "raw_unicode_escape"}
        | {"utf-7", "utf-8-sig", "undefined", "mbcs", "oem", "x" * 100_000, "../x", "ＵＴＦ"}
    ),
    ids=lambda name: name[:20],
)
def test_no_other_codec_of_python_can_be_named(name: str) -> None:
    header = f"application/json; charset={name}"
    assert codec_of(header) is None
    with pytest.raises(NotTextError) as caught:
        json_text(b'{"a":"\xff"}', header)
    assert len(str(caught.value)) < 300
    assert "UTF-8" in str(caught.value)
    assert any_text(b"a\xff", header) == "a\ufffd"


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16BE"),
        ("utf-16", "utf-16"),
        ("utf-32", ""),
        ("utf-8", "ISO-8859-1"),
        ("utf-8-sig", "GBK"),
        ("gb18030", "GB18030"),
        ("gb2312", "GB2312"),
    ],
)
def test_jsons_own_encodings_come_first_and_the_named_one_next(encoding: str, named: str) -> None:
    assert json_text(TEXT.encode(encoding), f"application/json; charset={named}") == TEXT


def test_a_body_that_is_not_in_its_charset_is_refused_with_its_name() -> None:
    with pytest.raises(NotTextError, match="nor GBK, the charset of its header"):
        json_text(b'{"a":"\xff\xff"}', "application/json; charset=gbk")


@given(st.text(max_size=80), st.binary(max_size=60))
def test_no_header_does_harm(header: str, body: bytes) -> None:
    assert isinstance(any_text(body, f"a/b; charset={header}"), str)
    assert isinstance(any_text(body, header), str)
    with suppress(NotTextError):
        assert isinstance(json_text(body, f"a/b; charset={header}"), str)


@pytest.mark.parametrize(
    "name", ["utf-8", "utf-16", "utf-32", "latin-1", "ascii", "gbk", "gb18030", "punycode", "idna"]
)
@pytest.mark.parametrize("body", [b"\xff" * 1_000_000, b"a-" * 500_000, b"\x81\x30\x81\x30" * 250_000])
def test_a_megabyte_costs_no_more_than_its_length(name: str, body: bytes) -> None:
    started = time.process_time()
    any_text(body, f"text/plain; charset={name}")
    with suppress(NotTextError):
        json_text(b'"\xff' + body, f"text/plain; charset={name}")
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "header", [";" * 1_000_000, "; a" * 300_000, ';a="' + "\\" * 1_000_000, "; " + " " * 1_000_000]
)
def test_a_header_without_end_costs_nothing(header: str) -> None:
    started = time.process_time()
    assert named_charset(header) == ""
    assert time.process_time() - started < 1
