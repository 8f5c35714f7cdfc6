"""Answers told apart: a value, or the right exception, whatever comes."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import (
    AlreadyExistsError,
    BadTokenError,
    InvalidArgumentError,
    NorthApiException,
    NotAuthorizedError,
    NotFoundError,
    PlatformFailureError,
    ThrottledError,
    UnreadableAnswerError,
)
from iot_northbound.core.answers import Answer, is_bad_token, read_answer, shown

NOW = 1_800_000_000.0
NAMES = ["error_code", "error_desc", "resultcode", "resultmsg", "error", "errors", "message", "code", "x"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
JSON = {"Content-Type": "application/json"}


def answer(status: int, body: Any, headers: Mapping[str, str] = JSON) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, "Word", headers, raw)


def read(status: int, body: Any, headers: Mapping[str, str] = JSON, secrets: tuple[str, ...] = ()) -> Any:
    return read_answer(answer(status, body, headers), lambda: NOW, lambda: secrets)


def error_of(*args: Any, **rest: Any) -> NorthApiException:
    with pytest.raises(NorthApiException) as caught:
        read(*args, **rest)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
@pytest.mark.parametrize("body", [{"a": [1.0, None]}, [], "text", 0, None, {}])
def test_a_success_gives_its_json(status: int, body: Any) -> None:
    assert read(status, body) == body


@pytest.mark.parametrize("body", [b"", b"  \r\n"])
@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/html"}])
def test_a_success_without_a_body_gives_none(body: bytes, headers: dict[str, str]) -> None:
    assert read(204, body, headers) is None


def test_json_is_read_whatever_the_content_type_and_with_a_byte_order_mark() -> None:
    assert read(200, b'\xef\xbb\xbf{"name":"\xc3\xa9"}', {"Content-Type": "text/html"}) == {"name": "é"}
    assert read(200, '{"name":"é"}'.encode(), {}) == {"name": "é"}


@pytest.mark.parametrize("parameter", ["charset=GBK", "CHARSET=gbk", 'x=y; Charset="GB2312"'])
def test_a_declared_charset_that_is_not_utf_8_is_honoured(parameter: str) -> None:
    header = {"Content-Type": f"application/json; {parameter}"}
    assert read(200, '{"name":"水表"}'.encode("gbk"), header) == {"name": "水表"}
    assert "水表" in (error_of(500, "水表".encode("gbk"), header).http_message or "")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_of_json_is_read(encoding: str) -> None:
    assert read(200, '{"name":"水表"}'.encode(encoding), {}) == {"name": "水表"}


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "zip"])
def test_a_charset_outside_the_list_is_not_used(charset: str) -> None:
    body = b'{"a":"\xff"}' + b" " * 1_000_000
    assert type(error_of(200, body, {"Content-Type": f"text/plain; charset={charset}"})) is UnreadableAnswerError


@pytest.mark.parametrize("status", [200, 201, 400, 404, 500])
@pytest.mark.parametrize("code", ["100403", 100403, " 100403 "])
def test_the_platforms_error_is_seen_on_every_status_as_text_or_number(status: int, code: Any) -> None:
    error = error_of(status, {"error_code": code, "error_desc": "The device is not existed."})
    assert (type(error), error.error_code, error.http_status_code) == (NotFoundError, "100403", status)
    assert error.http_reason_phrase == "Word"
    assert error.http_message is None


def test_the_gateways_error_is_seen_too() -> None:
    error = error_of(403, {"resultcode": "1010005", "resultmsg": "Invalid access token"})
    assert (type(error), error.error_code, error.error_desc) == (BadTokenError, "1010005", "Invalid access token")


@pytest.mark.parametrize("code", ["", None, True, 1.5, [], {}])
def test_what_is_no_code_counts_as_none(code: Any) -> None:
    assert read(200, {"error_code": code, "x": 1})["x"] == 1
    assert error_of(400, {"error_code": code}).error_code == "1005"


def test_a_field_of_a_success_that_is_called_resultcode_is_no_error() -> None:
    assert read(200, {"resultcode": "0", "x": 1}) == {"resultcode": "0", "x": 1}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, {"no": "code"}, InvalidArgumentError, "1005"),
        (404, [], NotFoundError, "1005"),
        (500, {}, PlatformFailureError, "1005"),
        (404, b"<html>Not here</html>", NotFoundError, "1011"),
        (502, b"Bad Gateway", PlatformFailureError, "1011"),
        (503, b"", PlatformFailureError, "1011"),
        (301, b"", NorthApiException, "1011"),
        (403, {"no": "code"}, NotAuthorizedError, "1012"),
        (403, b"<html>", NotAuthorizedError, "1012"),
        (403, b"", NotAuthorizedError, "1012"),
        (409, b"?", AlreadyExistsError, "1011"),
        (429, b"slow down", ThrottledError, "1011"),
        (401, b"", BadTokenError, "1005"),
        (401, b"<html>", BadTokenError, "1011"),
        (401, {"no": "code"}, BadTokenError, "1005"),
        (200, b"<html>Welcome</html>", UnreadableAnswerError, "1004"),
        (200, b'{"half":', UnreadableAnswerError, "1004"),
        (200, b"\xff\xfe\x00", UnreadableAnswerError, "1004"),
        (200, b"[" * 100_000, UnreadableAnswerError, "1004"),
        (200, b"1" * 10_000, UnreadableAnswerError, "1004"),
    ],
)
def test_answers_without_a_code_are_told_apart_by_status_and_form(
    status: int, body: Any, kind: type[NorthApiException], code: str
) -> None:
    error = error_of(status, body)
    assert (type(error), error.error_code, error.http_status_code) == (kind, code, status)


def test_the_class_is_chosen_by_code_before_status() -> None:
    assert type(error_of(500, {"error_code": "100403", "error_desc": "x"})) is NotFoundError
    assert type(error_of(404, {"error_code": "999999", "error_desc": "x"})) is NotFoundError


@pytest.mark.parametrize("code", ["1010005", "101005"])
@pytest.mark.parametrize("keys", [("error_code", "error_desc"), ("resultcode", "resultmsg")])
@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_bad_token_is_known_in_both_shapes(code: str, keys: tuple[str, str], status: int) -> None:
    assert is_bad_token(error_of(status, dict(zip(keys, (code, "told"), strict=True))))


def test_a_401_is_a_bad_token_only_where_it_carries_no_other_code() -> None:
    assert is_bad_token(error_of(401, b""))
    assert not is_bad_token(error_of(401, {"error_code": "100208", "error_desc": "wrong secret"}))
    assert not is_bad_token(error_of(403, b""))


@pytest.mark.parametrize(
    "name",
    [
        "error_desc",
        "error_msg",
        "errorMsg",
        "error_message",
        "errorDesc",
        "resultmsg",
        "resultMsg",
        "resultdesc",
        "resultDesc",
        "RESULTDESC",
        "message",
        "msg",
        "description",
        "error_description",
        "detail",
        "reason",
    ],
)
@pytest.mark.parametrize("code", ["error_code", "resultcode", "errorCode", "resultCode"])
def test_the_platforms_words_are_found_whatever_they_are_called(name: str, code: str) -> None:
    error = error_of(404, {code: "100403", name: "There is no such device.", "other": 1})
    assert (type(error), error.error_code, error.error_desc) == (NotFoundError, "100403", "There is no such device.")
    assert error.http_message is None


@pytest.mark.parametrize(
    "body",
    [
        {"error_code": "100403", "error_msg": "gone"},
        {"error_code": "100403", "error_desc": None, "error_msg": "gone"},
        {"error_code": 100403, "error_desc": "  ", "message": "gone"},
        {"resultcode": "100403", "resultdesc": "gone"},
        {"resultCode": "100403", "resultDesc": "gone"},
        {"errorCode": "100403", "errorMsg": "gone"},
    ],
)
def test_an_error_on_http_200_is_seen_with_its_words(body: Any) -> None:
    error = error_of(200, body)
    assert (type(error), error.error_desc, error.http_status_code) == (NotFoundError, "gone", 200)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "100403", "message": "gone"}},
        {"errors": [{"error_code": 100403, "error_msg": "gone"}, {"error_code": 1}]},
        {"fault": {"error": {"errorCode": "100403", "detail": "gone"}}},
        {"error_code": "100403", "error": {"message": "gone"}},
        {"error_code": "100403", "error": "gone"},
        [{"error_code": "100403", "error_desc": "gone"}],
    ],
)
def test_code_and_words_are_found_one_level_below(body: Any) -> None:
    error = error_of(404, body)
    assert (error.error_code, error.error_desc) == ("100403", "gone")


@pytest.mark.parametrize(
    "body",
    [
        *({name: "100403", "error_desc": "gone"} for name in ("ERROR_CODE", "Error_code", "error_code ", "error-code")),
        *({"error_code": code, "error_desc": "gone"} for code in (100403, 100403.0, " 100403 ")),
        *({name: "100403", "errorMsg": "gone"} for name in ("ErrorCode", "RESULTCODE", "result-code", "Errcode")),
        *({name: {"error_code": "100403", "error_msg": "gone"}} for name in ("error", "Error", "errors", "fault")),
        {"error": {"error": {"error_code": 100403, "error_desc": "gone"}}},
        {"errors": [{"error_code": "100403", "error_desc": "gone"}]},
        {"deviceId": "d-1", "error_code": "0", "error": {"error_code": "100403", "error_desc": "gone"}},
        [{"error_code": "100403", "error_desc": "gone"}],
    ],
)
def test_an_error_on_http_200_is_seen_however_it_is_spelled(body: Any) -> None:
    for _ in range(2):  # what was harmless before stays so, and nothing else becomes it
        assert read(200, {"deviceId": "d-1", "error": None}) == {"deviceId": "d-1", "error": None}
        error = error_of(200, body)
        assert (type(error), error.error_code, error.error_desc) == (NotFoundError, "100403", "gone")


@pytest.mark.parametrize(
    ("desc", "words"),
    [
        (5, "5"),
        (False, "false"),
        (["x", {"a": None}], '["x", {"a": null}]'),
        ({"en": "gone", "zh": "没有"}, '{"en": "gone", "zh": "没有"}'),
        ({"psk": {"value": "hush-hush"}, "en": "x"}, '{"psk": "***", "en": "x"}'),
    ],
)
@pytest.mark.parametrize("name", ["error_desc", "resultmsg", "error_msg"])
def test_words_that_are_no_text_are_shown_as_json(name: str, desc: Any, words: str) -> None:
    error = error_of(400, {"error_code": "50400", name: desc})
    assert error.error_desc == words
    assert error_of(400, {"no": "code", name: desc}).error_desc.endswith(f": {words}")


@pytest.mark.parametrize("desc", [None, "", "  ", [], {}])
def test_without_any_words_the_body_is_kept(desc: Any) -> None:
    error = error_of(400, {"error_code": "50400", "error_desc": desc, "trace": "t-1", "psk": {"value": "hush-hush"}})
    assert error.error_desc == "the platform gave no description"
    assert error.http_message is not None
    assert '"trace": "t-1", "psk": "***"' in error.http_message


def test_an_error_without_a_code_has_its_words_and_its_body() -> None:
    for status, code in ((404, "1005"), (401, "1005"), (403, "1012")):
        error = error_of(status, {"timestamp": 17, "error": "Not Found", "message": "No such path", "path": "/x"})
        assert (error.error_code, error.error_desc.rpartition(": ")[2]) == (code, "No such path")
        assert '"path": "/x"' in (error.http_message or "")


@pytest.mark.parametrize(
    "body",
    [
        {"message": "welcome", "code": "7"},
        {"resultCode": "SUCCESSFUL", "deviceId": "d"},
        {"errorCode": "0", "errorMsg": "ok"},
        {"resultcode": 0, "resultdesc": "ok"},
        {"errcode": 5},
        {"Error_Code": 0.0, "error_desc": "ok"},
        {"error_code": True},
        {"error_code": 1.5},
        {"error": "none", "deviceId": "d"},
        {"error": {"code": 5}},
        {"result": {"deviceId": "d"}, "errors": []},
        [],
        [{"deviceId": "d"}],
        [[{"error_code": "100403"}]],
    ],
)
def test_a_success_that_only_looks_like_an_error_is_none(body: Any) -> None:
    assert read(200, body) == body


def test_no_field_of_an_exception_shows_a_secret() -> None:
    hush = "sesame-Open-81"
    for body in (
        {"error_code": "100403", "error_desc": f"no {hush}"},
        {"error_code": f"E-{hush}", "error_msg": {"psk": {"a": [hush]}, "x": hush}},
        {"error_code": "E", "error_desc": None, "echo": {"secret": [hush]}, "x": hush},
        {"message": hush},
        f"<h1>{hush}</h1>".encode(),
    ):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        with pytest.raises(NorthApiException) as caught:
            read_answer(Answer(404, f"Not {hush} Found", JSON, raw), lambda: NOW, lambda: (hush,))
        assert hush not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
        assert caught.value.http_reason_phrase == "Not *** Found"


def test_a_code_or_a_reason_without_end_is_cut() -> None:
    error = error_of(400, {"error_code": "9" * 100_000, "error_desc": "x"})
    assert error.error_code == "9" * 64
    with pytest.raises(NorthApiException) as caught:
        read_answer(Answer(400, "R" * 100_000, JSON, b"{}"), lambda: NOW, lambda: ())
    assert len(caught.value.http_reason_phrase or "") == 2000


@given(JSON_VALUES, st.sampled_from([200, 400, 401, 403, 500]))
def test_no_json_makes_reading_an_error_fail(body: Any, status: int) -> None:
    with suppress(NorthApiException):
        read(status, body)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5),
        (" 5 ", 5),
        ("0", 0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("²", None),
        ("9" * 9, 366 * 86400.0),
        ("9" * 400, 366 * 86400.0),
        ("9" * 5000, 366 * 86400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 366 * 86400.0),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    assert answer(503, b"", {"Retry-After": value}).retry_after(NOW) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_does_harm(value: str) -> None:
    seconds = answer(503, b"", {"Retry-After": value}).retry_after(NOW)
    assert seconds is None or seconds >= 0


@given(st.binary(max_size=60), st.text(max_size=40))
def test_a_body_is_shown_as_text_whatever_its_charset(body: bytes, charset: str) -> None:
    assert isinstance(answer(200, body, {"Content-Type": f"text/plain; charset={charset}"}).text(), str)


@pytest.mark.parametrize("start", ["{", "水{", ""])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("charset", ["", "; charset=UTF-8", "; charset=UTF-16", "; charset=GBK"])
def test_no_encoding_hides_a_secret_from_its_removal(encoding: str, charset: str, start: str) -> None:
    text = f'{start}"psk": "0123456789abcdef", "said": "sesame-Open-81"'
    seen = shown(answer(500, text.encode(encoding), {"Content-Type": f"text/plain{charset}"}), ("sesame-Open-81",))
    assert seen is not None
    letters = re.sub(r"\W", "", seen.encode("utf-16-le").decode("utf-8", "ignore").replace("\0", "") + seen)
    assert "0123" not in letters
    assert "sesame" not in letters


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32"])
def test_a_text_that_is_cut_within_a_character_is_shown_up_to_it(encoding: str) -> None:
    body = ('{"' + "水" * 20).encode(encoding)
    for cut in range(4, len(body)):
        assert re.fullmatch('{?"?水*', answer(500, body[:cut], {}).text())


def test_a_secret_at_the_cut_is_not_shown_in_half() -> None:
    secret = "a-long-secret-" + "s" * 60
    body = b"x" * 1980 + secret.encode() + b"x" * 5000
    text = shown(answer(500, body, {}), (secret,))
    assert text is not None
    assert len(text) <= 2000
    assert "a-long" not in text


def test_a_description_without_end_is_cut_and_still_holds_no_secret() -> None:
    secret = "sesame-Open-81"
    desc = "x" * 1990 + secret + "y" * 1980 + secret + "z" * 10_000_000
    with pytest.raises(NorthApiException) as caught:
        read(404, {"error_code": "100403", "error_desc": desc}, secrets=(secret,))
    assert caught.value.error_desc == "x" * 1990 + "***" + "y" * 7


@pytest.mark.parametrize("zero", [0, "0", "000000"])
def test_a_zero_beside_data_is_a_success_and_an_error_on_an_error_status(zero: Any) -> None:
    body = {"error_code": zero, "deviceId": "d-1"}
    assert read(200, body) == body
    assert error_of(400, body).error_code == str(zero)
