"""Secrets taken out of text."""

import base64
import html
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.core.redact import one_line, redact

SECRET = "hush-Hush-77"
KEYS = ["accessToken", "refreshToken", "secret", "psk", "verifyCode", "password", "Authorization", "deviceSecret"]
KEYS += ["PSK", "access_token", "app-secret", "verify code", "VERIFY_CODE", "verificationCode", "privateKey", "pwd"]
KEYS += [
    "passwd",
    "passphrase",
    "X-Auth-Token",
    "apiKey",
    "secretKey",
    "a" * 100 + "Token",
    "tokens",
    "psk2",
    "pskValue",
]


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


VALUES: list[Any] = [
    SECRET,
    {"value": SECRET},
    {"deep": {"deeper": [{"at": SECRET}]}, "brace": "}" + SECRET, "quote": '"}' + SECRET},
    [SECRET, [SECRET], {"a": "]" + SECRET}],
    'with "quotes" and \\ before ' + SECRET,
    json.dumps({"inner": SECRET, "list": [SECRET]}),
]


def notations(value: dict[str, Any]) -> dict[str, str]:
    """Return an object as text, as text within text, and as what else carries it."""
    once = json.dumps(value)
    twice = json.dumps({"error_desc": once})
    thrice = json.dumps({"output": twice})
    return {
        "JSON": once,
        "indented": json.dumps(value, indent=2),
        "text in JSON": twice,
        "text in text in JSON": thrice,
        "repr": repr(value),
        "repr of JSON": repr(once),
        "percent-encoded": quote(once),
        "percent-encoded, safe": quote(once, safe="{}:,[]"),
        "HTML": html.escape(once),
        "text in JSON in HTML": html.escape(twice),
        "cut off": once[: once.rindex("77") + 1],
        "text, cut off": twice[: twice.rindex("77") + 1],
        "text in text, cut off": thrice[: thrice.rindex("77") + 1],
        "form": f"x=1&{next(iter(value))}={quote(json.dumps(next(iter(value.values()))))}&y=2",
        "toString": f"Device{{{next(iter(value))}={json.dumps(next(iter(value.values())))}, id=d-1}}",
    }


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("key", ["psk", "deviceSecret"])
def test_a_value_of_any_shape_goes_whole_in_every_notation(key: str, value: Any) -> None:
    for name, text in notations({key: value, "deviceId": "d-1"}).items():
        cleared = redact(text)
        assert "ush-Hush" not in cleared, (name, cleared)
        assert "d-1" in cleared or "d-1" not in text, (name, cleared)


@settings(max_examples=150)
@given(
    st.recursive(
        st.text(max_size=4).map(lambda text: SECRET + text) | st.text(max_size=4).map(lambda text: text + SECRET),
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.text(max_size=3), inner, min_size=1),
        max_leaves=6,
    ),
    st.integers(0, 3),
    st.booleans(),
)
def test_no_shape_of_a_value_lets_a_part_of_it_out(value: Any, depth: int, ascii_only: bool) -> None:
    text = json.dumps({"before": 1, "psk": value, "after": 2}, ensure_ascii=ascii_only)
    for _ in range(depth):
        text = json.dumps({"told": text}, ensure_ascii=ascii_only)
    assert SECRET not in redact(text)
    assert "before" in redact(text)
    assert "after" in redact(text) or "\\" in text  # where backslashes make the end doubtful, more may go
    for cut in range(0, len(text), 11):
        assert "ush-Hush" not in redact(text[:cut])


NOTATIONS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "text in JSON": lambda text: json.dumps({"told": text}),
    "text in text in JSON": lambda text: json.dumps({"told": json.dumps({"inner": text})}),
    "repr": repr,
    "percent-encoded": lambda text: quote(text, safe=""),
    "HTML": html.escape,
    "JSON for HTML": lambda text: json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e"),
}


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize(
    "text",
    [
        f"<psk><value>{SECRET}</value></psk>",
        f'<psk type="x">{SECRET}</psk>',
        f"<ns:psk><a><b>{SECRET}</b></a><a>{SECRET}</a></ns:psk>",
        f"<psk>1<psk>2</psk>{SECRET}</psk>",
        f'<psk value="{SECRET}"/>',
        f"<psk>\n  <value>{SECRET}",
        f'<entry key="psk">{SECRET}</entry>',
        f'<param name="psk" value="{SECRET}"/>',
        f'<param value="{SECRET}" name="psk"/>',
        f'{{"name": "psk", "value": "{SECRET}"}}',
        f'{{"name":"psk","type":"string","value":"{SECRET}"}}',
        f'{{"value":"{SECRET}","name":"psk"}}',
        f'[{{"key":"accessToken","value":{{"x":["{SECRET}"]}}}}]',
        f'{{"paramName":"PSK","paramValue":"{SECRET}"}}',
        f"{{'name': 'psk', 'value': '{SECRET}'}}",
        f"- name: PSK\n  value: {SECRET}\n- name: other",
        f"name=psk&value={SECRET}",
        f'{{"p\\u0073k":"{SECRET}"}}',
        f'{{"\\u0070\\u0073\\u006B":"{SECRET}"}}',
        f"%70sk={SECRET}",
        f'{{"privateKeyPem":"{SECRET}"}}',
        f'{{"secretKeyBase64":"{SECRET}"}}',
        f'{{"pskHexString":"{SECRET}"}}',
        f"psk:\n  - {SECRET}\n  - {SECRET}\nid: d-1",
        f"psk:\n- {SECRET}\nid: d-1",
        f"psk: |\n  line\n  {SECRET}\n\n  {SECRET}\nid: d-1",
        f"psk: >-\n  {SECRET}",
        f"a:\n  psk:\n    value: {SECRET}\n  id: d-1",
        f"psk:\r\n  - {SECRET}\r\nid: d-1",
    ],
)
def test_a_secret_goes_however_its_name_is_told(text: str, notation: str) -> None:
    assert "ush-Hush" not in redact(NOTATIONS[notation](text))


@pytest.mark.parametrize(
    ("text", "cleared"),
    [
        ('{"psk": 12345678, "a": 1}', '{"psk": "***", "a": 1}'),
        ('{"psk": null, "isSecret": true}', '{"psk": null, "isSecret": true}'),
        ("<psk>hush</psk><id>d-1</id>", "<psk>***</psk><id>d-1</id>"),
        ("<psk>hush</psk> and more", "<psk>***</psk> and more"),
        ("<psk/><id>d-1</id>", "<psk/><id>d-1</id>"),
        ("<a><psk x='1'><v>hush</v></psk><id>d-1</id></a>", "<a><psk ***>***</psk><id>d-1</id></a>"),
        ("<psk>a</psk><id>d-1</id><psk>b</psk>", "<psk>***</psk><id>d-1</id><psk>***</psk>"),
        ('{"name": "psk", "value": "hush"}', '{"name": "psk", "value": "***"}'),
        (
            '[{"name":"psk","value":7},{"name":"id","value":"d"}]',
            '[{"name":"psk","value":"***"},{"name":"id","value":"d"}]',
        ),
        ('{"name": "pump", "value": "on", "psk": "hush"}', '{"name": "pump", "value": "on", "psk": "***"}'),
        ('{"deviceId": "psk-device-1", "data": {"a": 1}}', '{"deviceId": "psk-device-1", "data": {"a": 1}}'),
        ("psk:\n  - hush\n  - hush\nid: d-1", "psk:\n  ***\nid: d-1"),
        ("a:\n  psk:\n    v: hush\n  id: d-1", "a:\n  psk:\n    ***\n  id: d-1"),
        ("psk: hush\n  id: d-1", "psk: ***\n  id: d-1"),
        ('{"p\\u0073k": "hush", "s": "\\u6c34\\u0022"}', '{"psk": "***", "s": "\\u6c34\\u0022"}'),
        ("Authorization: Basic YXBwOmh1c2g=", "Authorization: Basic ***"),
        ("curl -H 'authorization: bearer hush' x", "curl -H 'authorization: bearer ***' x"),
        ("sent Basic YXBwOmh1c2g= along", "sent Basic *** along"),
        ("Authorization%3A%20Bearer%20hush", "Authorization%3A%20Bearer%20***"),
        ("psk: 00ff00ff and more", "psk: *** and more"),
        ("{psk=hush, id=d-1}", "{psk=***, id=d-1}"),
        ('"psk" => "hush"', '"psk" => "***"'),
        ("App_key or access_token is invalid.", "App_key or access_token is invalid."),
        ('{"psk":"***"}', '{"psk":"***"}'),
    ],
)
def test_notations_one_by_one(text: str, cleared: str) -> None:
    assert redact(text) == cleared


ODD = "p<s>s \"w\\rd/ö+&'=1\U0001f4a7"


@pytest.mark.parametrize(
    "form",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: json.dumps(json.dumps(text)),
        lambda text: json.dumps(text).replace("/", "\\/"),
        lambda text: json.dumps(text).replace("<", "\\u003c").replace("&", "\\u0026").replace("'", "\\u0027"),
        lambda text: quote(text, safe=""),
        lambda text: quote(text, safe="").lower(),
        lambda text: quote(quote(text, safe="")),
        quote_plus,
        html.escape,
        lambda text: "".join(f"&#x{ord(each):x};" if not each.isalnum() else each for each in text),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    ],
)
def test_a_known_secret_goes_in_every_spelling(form: Any) -> None:
    cleared = redact(f"<b>{form(ODD)}</b>", (ODD,))
    assert "***" in cleared
    assert len(cleared) < len("<b></b>***") + 8, cleared


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


@pytest.mark.parametrize(
    "text",
    [
        '"' * 200_000,
        '"secret":"' + "\\" * 200_000,
        "token" * 40_000,
        "secret=" * 30_000,
        '"secret":{' * 20_000,
        '"secret":[' + '{"' * 80_000,
        "secret" + "\\" * 200_000,
        "secret" + " " * 200_000,
        '"psk":"' + '\\"' * 100_000,
        'psk={"a' * 30_000,
        "%5C" * 70_000,
        "&quot;" * 40_000,
        "\\" * 200_000,
        "name:" * 40_000,
        'name:"psk"' * 20_000,
        'name:"psk" value:' * 12_000,
        "<psk>" * 40_000,
        "<psk " * 40_000,
        "&lt;psk&gt;" * 20_000,
        "psk:\n" * 40_000,
        "psk:\n - " * 25_000,
        "psk:\\n" * 30_000,
        "psk:" + "\n" * 200_000,
        "\\r" * 100_000,
        "\\u00" * 40_000,
        "%25" * 66_000,
        "psk" + "value" * 40_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    started = time.process_time()
    redact(text, (SECRET, '"pa\\ss w"'))
    assert time.process_time() - started < 2
