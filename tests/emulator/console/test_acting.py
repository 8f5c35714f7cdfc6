from __future__ import annotations

import contextlib
import json
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.emulator.console.forms import OFFERED, Field, changes, fields_of, read, shown
from iot_northbound.emulator.control.operations import OPERATIONS
from iot_northbound.emulator.control.schema import InvalidArgument
from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire
from tests.emulator.console.browsing import Browser


def test_every_operation_that_does_something_has_a_form(browser: Browser) -> None:
    control = browser.get("control").text
    for one in OPERATIONS:
        if one.method == "GET" or one.name == "console_link":
            assert browser.get(f"do/{one.name}").status == 404
            continue
        assert f"/console/do/{one.name}" in control or one.name == "change_settings"
        shown = browser.get(f"do/{one.name}")
        assert shown.status == 200
        for name in one.call.arguments.schema["properties"]:
            assert f'name="{name}"' in shown.text


def test_every_field_has_a_label(browser: Browser) -> None:
    for name in ("add_fault", "script", "report_info"):
        text = browser.get(f"do/{name}").text
        for field in fields_of(OFFERED[name]):
            assert f'<label for="f-{field.name}">' in text
            assert f'id="f-{field.name}"' in text


def test_an_action_is_done_and_told_on_the_page_that_it_came_from(emulator: Emulator, browser: Browser) -> None:
    answer = browser.post("do/add_devices", count="3", prefix="pump", back="/console/devices?q=pump")
    assert (answer.status, answer.headers["Location"]) == (303, "/console/devices?q=pump")
    page = browser.get("devices?q=pump")
    assert "Done: Add devices." in page.plain
    assert "3 devices that fit." in page.plain
    assert "Done:" not in browser.get("devices").plain


def test_every_kind_of_field_reaches_the_operation(emulator: Emulator, wire: Wire, browser: Browser) -> None:
    device_id = wire.register("pump-1")
    assert browser.post("do/report", device_id=device_id, service_id="Pump", data='{"speed": 4}').status == 303
    assert browser.post("do/set_online", device_id=device_id, online="false", detail="").status == 303
    script = {"answer": "fail", "after": "1.5", "acknowledge": "false", "result": '{"a": [1]}', "report_every": ""}
    assert browser.post("do/script", device_id=device_id, **script).status == 303
    page = browser.get(f"device/{device_id}").plain
    assert '{"speed": 4}' in page
    assert '"answer": "fail", "after": 1.5' in page


WRONG = [
    ("advance", {"seconds": "soon"}, "Seconds must be a number."),
    ("advance", {"seconds": "-1"}, "Seconds must be from 0 to"),
    ("advance", {}, "Seconds is missing."),
    ("advance", {"seconds": "nan"}, "Seconds must be"),
    ("advance", {"seconds": "1e999"}, "Seconds must be"),
    ("report", {"device_id": "x", "service_id": "S", "data": "{"}, "Data must be JSON"),
    ("report", {"device_id": "x", "service_id": "S", "data": "[]"}, "Data must be an object"),
    ("report", {"device_id": "<b>", "service_id": "S", "data": "{}"}, "No device '<b>'."),
    ("add_fault", {"kind": "storm"}, "Kind must be one of"),
    ("restore", {"name": "x"}, "No snapshot 'x'; the snapshots are: none."),
]


@pytest.mark.parametrize(("name", "given", "told"), WRONG)
def test_a_mistake_is_told_on_the_form_which_keeps_what_was_entered(
    browser: Browser, name: str, given: dict[str, str], told: str
) -> None:
    shown = browser.post(f"do/{name}", **given)
    assert shown.status == 400
    assert 'role="alert"' in shown.text
    assert told in shown.plain
    for field, value in given.items():
        assert field == "kind" or value in unescape(shown.text)  # a choice shows its own values only


def test_a_secret_that_was_entered_is_not_shown_again(browser: Browser) -> None:
    shown = browser.post("do/add_application", app_id="x" * 300, secret="my-secret-1")
    assert shown.status == 400
    assert 'type="password"' in shown.text
    assert "my-secret-1" not in shown.text


def test_only_settings_that_were_changed_are_changed(emulator: Emulator, browser: Browser) -> None:
    before = emulator.control.settings()
    fields = {name: shown(value) for name, value in before.items()}
    assert browser.post("settings", **fields).status == 303
    assert "Nothing was changed." in browser.get("settings").plain
    browser.post("settings", **{**fields, "device_limit": "7", "offline_after": "", "flow_control": "true"})
    assert "Changed: flow_control = true, offline_after = null, device_limit = 7." in browser.get("settings").plain
    after = emulator.control.settings()
    assert {name for name in after if after[name] != before[name]} == {"device_limit", "offline_after", "flow_control"}
    emulator.control.change_settings(**before)


def test_a_wrong_setting_is_told_and_changes_nothing(emulator: Emulator, browser: Browser) -> None:
    before = emulator.control.settings()
    wrong = browser.post("settings", calls_per_minute="0")
    assert wrong.status == 400
    assert "Calls_per_minute must be from 1" in wrong.plain
    assert emulator.control.settings() == before


def test_garbage_as_a_form_is_refused(browser: Browser) -> None:
    body = "&".join(f"a{number}=1" for number in range(600))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.send("POST", "/console/do/reset", body, **kind).status == 403
    assert browser.send("POST", "/console/do/reset", "%ff%00=%ff", **kind).status == 403
    assert browser.send("DELETE", "/console/devices").status == 405
    assert browser.post("devices").status == 404


@given(st.text())
def test_any_text_is_a_value_or_a_mistake(text: str) -> None:
    for kind in ("text", "number", "json", "choice"):
        field = Field("name", kind, required=False, nullable=False, text="", default="")
        with contextlib.suppress(InvalidArgument):
            field.value_of(text)


@given(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.lists(st.integers()))
def test_a_value_that_is_shown_and_sent_back_is_no_change(value: Any) -> None:
    field = Field("name", "json", required=False, nullable=True, text="", default="")
    assert changes([field], {"name": shown(value)}, {"name": value}) == {}
    assert read([field], {"name": shown(value)}) == ({} if value is None else {"name": json.loads(shown(value))})


def test_without_the_token_nothing_of_a_form_is_read(browser: Browser) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.send("POST", "/console/do/nothing", urlencode({"a": "b"}), **kind).status == 403
