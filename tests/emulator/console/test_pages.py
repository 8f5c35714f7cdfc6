from __future__ import annotations

import re
from typing import Any

import pytest

from iot_northbound.emulator.console.pages import PAGES, Rendering, iso, json_text, prose
from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire
from tests.emulator.console.browsing import Browser

HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"
LAMP = {"nodeId": "lamp-1", "name": "Lamp", "deviceType": "StreetLamp"}


@pytest.mark.parametrize("name", [name for name in PAGES if name != "device"])
def test_every_page_is_shown_for_an_empty_platform(browser: Browser, name: str) -> None:
    shown = browser.get("" if name == "overview" else name)
    assert shown.status == 200
    assert f"<title>{PAGES[name].title} –" in shown.text


def test_a_device_has_charts_shadow_reports_and_information(emulator: Emulator, wire: Wire, browser: Browser) -> None:
    device_id = wire.register("meter-7")
    for value in (5, 9, 7):
        emulator.control.report(device_id, "Meter", {"flow": value, "note": "dry"})
    shown = browser.get(f"device/{device_id}")
    assert shown.status == 200
    assert 'aria-label="Meter · flow: 3 values from 5 to 9, the last one 7"' in shown.text
    assert "Meter · note" not in shown.text
    assert '{"flow": 7, "note": "dry"}' in shown.plain


def test_a_device_that_has_reported_nothing_shows_what_is_desired_of_it(
    emulator: Emulator, wire: Wire, browser: Browser
) -> None:
    device_id = emulator.control.add_device("lamp", product_id="street-lamp-nb")["deviceId"]
    emulator.control.script(device_id, follows_desired=False)
    body = {"serviceDesireds": [{"serviceId": "Schedule", "desired": {"latitude": 7}}]}
    assert wire.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{device_id}", body)[0] == 200
    shown = browser.get(f"device/{device_id}")
    assert shown.status == 200
    assert '{"latitude": 7}' in shown.plain


@pytest.mark.parametrize(
    "command", [{}, {"serviceId": "s", "method": "m"}, {"serviceId": "s", "method": "m", "paras": 1}]
)
def test_a_command_of_another_shape_breaks_no_page(wire: Wire, browser: Browser, command: dict[str, Any]) -> None:
    device_id = wire.register("meter-7")
    wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", {"deviceId": device_id, "command": command})
    assert [browser.get(path).status for path in ("commands", "", f"device/{device_id}", "journal")] == [200] * 4


def test_a_device_that_is_not_there_is_a_page_that_says_so(browser: Browser) -> None:
    shown = browser.get("device/%3Cb%3Ex")
    assert shown.status == 404
    assert "There is no device '<b>x'" in shown.plain


@pytest.mark.parametrize(
    "path", ["nothing", "device", "device/a/b", "do/nothing", "do/device_credentials", "../health"]
)
def test_an_unknown_address_is_a_page_that_says_so(browser: Browser, path: str) -> None:
    assert browser.get(path).status == 404


@pytest.mark.parametrize(
    "query", ["name=x&self=y", "page=-1", "page=99999999999", "n=x", "a" * 5_000, "%ff=%ff", "&&&"]
)
@pytest.mark.parametrize("name", ["devices", "journal"])
def test_a_strange_query_is_no_failure(browser: Browser, name: str, query: str) -> None:
    assert browser.get(f"{name}?{query}").status == 200


def test_the_list_is_paged_and_filtered(emulator: Emulator, browser: Browser) -> None:
    emulator.control.add_devices(120, prefix="meter")
    emulator.control.add_devices(3, prefix="lamp")
    first, last = browser.get("devices"), browser.get("devices?page=3")
    assert "Page 3 of 3" in browser.get("devices?page=9999999").plain
    assert "123 devices." in first.plain
    assert first.text.count("<tr>") == 51
    assert first.plain.index("lamp-000002") < first.plain.index("meter-000119")
    assert "Page 3 of 3" in last.plain
    assert last.text.count("<tr>") == 24
    found = browser.get("devices?q=LAMP-00&status=OFFLINE")
    assert "3 devices that fit." in found.plain
    device_id = re.findall(r"/console/device/([\w-]+)", found.text)[0]
    assert "1 device that fits." in browser.get(f"devices?q={device_id}").plain
    assert "No device fits." in browser.get("devices?q=nothing").plain


def test_hostile_values_are_text_on_every_page(emulator: Emulator, wire: Wire, browser: Browser) -> None:
    emulator.control.clear_journal(bodies=True)
    device_id = wire.register(HOSTILE)
    assert wire.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{device_id}", {"name": HOSTILE})[0] == 204
    emulator.control.report(device_id, HOSTILE, {HOSTILE: 4, "text": HOSTILE})
    command = {"serviceId": HOSTILE, "method": HOSTILE, "paras": {HOSTILE: HOSTILE}}
    wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", {"deviceId": device_id, "command": command})
    wire.call("GET", f"/{HOSTILE.replace(' ', '')}")
    emulator.control.add_fault("push_lost", url=HOSTILE)
    paths = ["", "devices", f"device/{device_id}", "data", "commands", "pushes", "journal", "mqtt", "control"]
    seen = 0
    for path in (
        *paths,
        f"devices?q={HOSTILE.replace(' ', '+').replace('=', '%3D')}",
        "do/report?device_id=%22%3E%3Cscript%3E",
    ):
        text = browser.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert '"><script>' not in text
        seen += text.count("&lt;script&gt;")
    assert seen > 10


def test_no_secret_is_on_any_page(emulator: Emulator, wire: Wire, browser: Browser) -> None:
    emulator.control.clear_journal(bodies=True)
    status, made = wire.call(
        "POST",
        "/iocm/app/reg/v2.0.0/deviceCredentials?appId=" + emulator.app_id,
        {
            "nodeId": "m-1",
            "timeout": 0,
            "deviceInfo": {"nodeId": "m-1"},
            "productId": "water-meter-nb",
            "secret": "dev-secret-5a5a5a5a",
        },
    )
    assert status == 200, made
    emulator.control.report(made["deviceId"], "WaterMeter", {"password": "pass-77", "value": 1})
    wire.call(
        "POST",
        "/iocm/app/sub/v1.2.0/subscriptions",
        {"notifyType": "deviceAdded", "callbackUrl": "https://user:pass-99@127.0.0.1:9/hook?sig=sig-88"},
    )
    wire.register("m-2")
    browser.post("do/add_application", app_id="other", secret="app-secret-66")
    browser.post("do/add_fault", kind="answer", headers='{"Authorization": "bearer-55"}')
    secrets = {
        emulator.secret,
        wire.headers["Authorization"].removeprefix("Bearer "),
        "dev-secret-5a5a5a5a",
        "pass-77",
        "pass-99",
        "sig-88",
        "app-secret-66",
        "bearer-55",
    }
    secrets |= {
        row[name]
        for row in rows(emulator)
        for name in ("secret", "psk", "verifyCode")
        if row.get(name) and row[name] != row.get("nodeId")
    }
    paths = [
        "",
        "devices",
        f"device/{made['deviceId']}",
        "data",
        "commands",
        "pushes",
        "journal?n=1000",
        "mqtt",
        "control",
        "settings",
    ]
    for path in paths:
        text = browser.get(path).text
        assert [each for each in secrets if each in text] == [], path


def rows(emulator: Emulator) -> list[dict[str, Any]]:
    runtime = emulator._runtime
    assert runtime is not None
    return [row for table in ("devices", "applications") for row in runtime.platform.table(table).rows.values()]


def test_a_page_that_fails_says_so_without_the_reason(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Rendering, "page", fails_once(Rendering.page))
    shown = browser.get("devices")
    assert shown.status == 500
    assert "The emulator's log says more." in shown.plain
    assert "a mistake" in caplog.text
    assert "a mistake" not in shown.text


def fails_once(page: Any) -> Any:
    calls = []

    def render(self: Rendering, template: str, values: Any) -> bytes:
        calls.append(template)
        if len(calls) == 1:
            raise ZeroDivisionError("a mistake")
        rendered: bytes = page(self, template, values)
        return rendered

    return render


def test_long_json_is_cut_and_says_so() -> None:
    assert json_text({"a": "é"}) == '{"a": "é"}'
    assert json_text("x" * 5_000).endswith("… (5,002 characters)")


def test_documentation_is_escaped_and_its_code_marked() -> None:
    assert prose("a < `b<c`") == "a &lt; <code>b&lt;c</code>"


@pytest.mark.parametrize("at", [1e300, -1e300, float("inf")])
def test_a_time_beyond_the_calendar_is_a_question_mark(at: float) -> None:
    assert iso(at) == "?"
