"""Secrets taken out of text."""

import json
import time

import pytest

from iot_northbound.core.redact import one_line, redact

SECRET = "hush-Hush-77"
KEYS = ["accessToken", "refreshToken", "secret", "psk", "verifyCode", "password", "Authorization", "deviceSecret"]


@pytest.mark.parametrize("key", KEYS)
def test_the_values_of_secret_keys_go_whatever_the_notation(key: str) -> None:
    inner = json.dumps({key: SECRET, "deviceId": "d-1"})
    for text in (
        inner,
        json.dumps({key: SECRET}, indent=2),
        json.dumps({"error_desc": inner}),
        f"{key}={SECRET}&appId=a-1",
        f'{{"{key}": "{SECRET}',  # cut off
        f'{{"{key}": 1234567}}'.replace("1234567", "hush-Hush-77"),
    ):
        assert SECRET not in redact(text), text


def test_other_values_stay() -> None:
    text = '{"deviceId":"d-1","tokenType":"bearer","timeout":5,"verify":"x","isSecure":true}'
    assert redact(text) == text
    assert redact(f'{{"psk":"{SECRET}","nodeId":"n-1"}}') == '{"psk":"***","nodeId":"n-1"}'


def test_quotes_inside_a_secret_do_not_end_it() -> None:
    told = json.dumps({"secret": 'one"two\\three', "after": "x"})
    assert redact(told) == '{"secret": "***", "after": "x"}'


def test_bearer_tokens_go() -> None:
    assert redact(f"sent Authorization: Bearer {SECRET} to") == "sent Authorization: Bearer *** to"


def test_known_secrets_go_wherever_they_stand_in_every_spelling() -> None:
    odd = 'pa"ss wörd/1'
    for text in (f"<b>{odd}</b>", json.dumps({"echo": odd}), "x=pa%22ss%20w%C3%B6rd%2F1"):
        cleared = redact(text, (odd,))
        assert "***" in cleared
        assert "rd/1" not in cleared
        assert "rd%2F1" not in cleared


def test_the_longer_of_two_secrets_goes_whole() -> None:
    assert redact("it is abcdefgh", ("abcd", "abcdefgh")) == "it is ***"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": "b"}', '{"a": "b"}'),
        ("one\r\ntwo\t", r"one\r\ntwo\t"),
        ("\x1b[31mred\u2028\u202e\ud800", r"\x1b[31mred\u2028\u202e\ud800"),
        ("Zähler 水表 \U0001f4a7", "Zähler 水表 \U0001f4a7"),
    ],
)
def test_a_text_becomes_one_line_and_keeps_what_can_be_read(text: str, line: str) -> None:
    assert one_line(text) == line


def test_very_short_secrets_do_not_take_words_apart() -> None:
    assert redact("a bad day", ("a", "", "bad")) == "a bad day"


@pytest.mark.parametrize("text", ['"' * 200_000, '"secret":"' + "\\" * 200_000, "token" * 40_000, "secret=" * 30_000])
def test_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    started = time.process_time()
    redact(text, (SECRET,))
    assert time.process_time() - started < 2
