"""The page in a real browser, with real clicks. `CONSOLE_PICTURES=1` writes the pictures of docs/console.md."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire

playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PICTURES = Path(__file__).parents[3] / "docs" / "console" if os.environ.get("CONSOLE_PICTURES") else None
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; .ci/servers installs it")

NOW = 1_900_000_000
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, emulator: Emulator) -> Iterator[Open]:
    """Open the page in a new browser; nothing may go wrong in it, and nothing may be loaded from elsewhere."""
    contexts, mistakes, refused = [], [], "status of 400"  # a form with a mistake

    def opened(path: str = "", **options: Any) -> Any:
        context = chromium.new_context(base_url=f"{emulator.control_url}/console/", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on(
            "console",
            lambda told: mistakes.append(told.text) if told.type == "error" and refused not in told.text else None,
        )
        page.on("dialog", lambda dialog: (mistakes.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda sent: sent.url.startswith(f"{emulator.control_url}/") or mistakes.append(sent.url))
        page.goto(emulator.console_link())
        if path:
            page.goto(path)
        return page

    yield opened
    for each in contexts:
        each.close()
    assert mistakes == []


@pytest.fixture
def lamp(emulator: Emulator, wire: Wire) -> str:
    """A street with lamps: one of them has reported for a while, has commands, and somebody subscribed."""
    control = emulator.control
    control.freeze(NOW)
    wire.login()
    control.add_devices(120, prefix="meter")
    control.add_devices(8, prefix="lamp", product_id="street-lamp-nb")
    assert emulator._runtime is not None
    device_id = str(next(emulator._runtime.platform.table("devices").newest())["deviceId"])
    subscription = {"notifyType": "deviceDataChanged", "callbackUrl": "http://127.0.0.1:9/hook"}
    status, made = wire.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", subscription)
    assert status == 201, made
    for step in range(40):
        control.advance(600)
        brightness = 20 + (step * step * 7) % 61
        control.report(device_id, "Lamp", {"brightness": brightness, "power": round(3 + brightness * 0.41, 1)})
    wire.login()
    return device_id


def test_the_link_opens_the_page_and_it_is_live(open_page: Open, emulator: Emulator) -> None:
    page = open_page()
    assert page.url == f"{emulator.control_url}/console/"
    page.get_by_role("status").filter(has_text="Live").wait_for()
    emulator.control.add_devices(12, prefix="new")
    page.locator("#live_numbers dd").first.filter(has_text="12").wait_for()


def test_devices_are_added_found_and_made_to_report_by_clicks(open_page: Open, emulator: Emulator) -> None:
    page = open_page()
    page.get_by_label("Add devices").fill("3")
    page.get_by_label("named").fill("pump")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("Done: Add devices.").wait_for()
    page.get_by_role("link", name="Devices").first.click()
    page.get_by_label("Find").fill("pump-000001")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="pump-000001").click()
    page.get_by_label("Service").fill("WaterMeter")
    page.get_by_label("Data (JSON)").fill('{"speed": 12}')
    page.get_by_role("button", name="Report").click()
    page.get_by_text("Done: Report.").wait_for()
    page.get_by_role("img", name="WaterMeter · speed: 1 values").wait_for()
    device_id = page.url.rpartition("/")[2]
    emulator.control.report(device_id, "WaterMeter", {"speed": 15})
    page.get_by_role("img", name="the last one 15").wait_for()
    page.get_by_role("button", name="Offline").click()
    page.locator("#live_head").get_by_text("OFFLINE").wait_for()


def test_a_command_is_seen_on_its_way(open_page: Open, emulator: Emulator, wire: Wire, lamp: str) -> None:
    page = open_page("commands")
    command = {"serviceId": "Lamp", "method": "SET_BRIGHTNESS", "paras": {"value": 40}}
    status, made = wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", {"deviceId": lamp, "command": command})
    assert status == 201, made
    page.locator("#live_commands").get_by_text("PENDING").wait_for()
    emulator.control.report(lamp, "Lamp", {"brightness": 30})  # now it listens
    page.locator("#live_commands").get_by_text("SENT", exact=True).wait_for()
    page.get_by_role("link", name="Answer it").click()
    page.get_by_role("button", name="Answer command").click()
    page.locator("#live_commands").get_by_text("SUCCESSFUL", exact=True).wait_for()


def test_a_push_attempt_and_a_call_appear_while_one_looks(open_page: Open, emulator: Emulator, lamp: str) -> None:
    page = open_page("pushes")
    page.locator("#live_subscriptions").get_by_text("deviceDataChanged").wait_for()
    page.locator("#live_attempts").get_by_text("http://127.0.0.1:9/hook").first.wait_for()
    page.goto("journal?kind=call")
    page.locator("#live_entries").get_by_text("/iocm/app/sub/v1.2.0/subscriptions").wait_for()


def test_a_fault_is_added_and_removed_by_clicks(open_page: Open, emulator: Emulator) -> None:
    page = open_page("control")
    page.get_by_role("link", name="Add a fault").click()
    page.get_by_label("kind").select_option("latency")
    page.get_by_label("seconds").fill("two")
    page.get_by_role("button", name="Add fault").click()
    assert page.get_by_role("alert").text_content() == "Seconds must be a number."
    page.get_by_label("seconds").fill("2")
    page.get_by_role("button", name="Add fault").click()
    page.locator("#live_faults").get_by_text("latency").wait_for()
    assert emulator.control.faults()[0]["seconds"] == 2
    page.get_by_role("link", name="Remove", exact=True).click()
    page.get_by_role("button", name="Remove fault").click()
    page.get_by_text("Nothing fails on purpose.").wait_for()


def test_the_keyboard_is_enough(open_page: Open, emulator: Emulator) -> None:
    emulator.control.add_devices(2, prefix="key")
    page = open_page("devices")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.type("key-000001")
    page.keyboard.press("Enter")
    page.get_by_text("1 device that fits.").wait_for()
    link = page.get_by_role("link", name="key-000001")
    link.focus()
    emulator.control.report(str(link.get_attribute("title")), "WaterMeter", {"flow": 1})
    page.locator("#live_devices").get_by_text("ONLINE").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "key-000001"  # its row was replaced meanwhile
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="key-000001").wait_for()


def test_a_pause_stops_the_changes_until_it_ends(open_page: Open, emulator: Emulator) -> None:
    page = open_page("devices")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused").wait_for()
    emulator.control.add_devices(1, prefix="late")
    assert page.get_by_role("link", name="late-000000").count() == 0
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="late-000000").wait_for()


def test_without_script_everything_is_readable_and_forms_work(open_page: Open, emulator: Emulator) -> None:
    page = open_page(java_script_enabled=False)
    page.get_by_text("Not live").wait_for()
    page.get_by_role("button", name="Freeze time").click()
    page.get_by_text("Done: Freeze.").wait_for()
    assert emulator.control.clock()["frozen"]


def test_hostile_values_do_nothing_even_when_they_arrive_live(open_page: Open, emulator: Emulator) -> None:
    page = open_page("devices")
    page.get_by_role("status").filter(has_text="Live").wait_for()
    emulator.control.add_devices(1, prefix="<img src=x onerror=alert(1)><b id=b>")
    page.get_by_text("<img src=x onerror=alert(1)>").first.wait_for()
    assert page.locator("#b, main img").count() == 0  # and no dialog came: see open_page


def test_a_page_of_another_server_cannot_send_its_form(chromium: Any, emulator: Emulator) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(emulator.console_link())
    emulator.control.add_devices(1)
    page.route("http://page.example/", lambda route: route.fulfill(
        content_type="text/html",
        body=f'<form method="post" action="{emulator.control_url}/console/do/reset"><button>Win</button></form>',
    ))  # fmt: skip
    page.goto("http://page.example/")
    page.get_by_role("button").click()
    page.wait_for_load_state()
    assert emulator.control.health()["rows"]["devices"] == 1
    context.close()


SIZES = {
    "wide": {"width": 1400, "height": 900},
    "picture": {"width": 1120, "height": 720},
    "phone": {"width": 420, "height": 880},
}


@pytest.mark.parametrize(("size", "scheme"), [("wide", "dark"), ("phone", "light")])
def test_every_page_fits_and_is_readable(open_page: Open, lamp: str, size: str, scheme: str) -> None:
    page = open_page(viewport=SIZES[size], color_scheme=scheme)
    paths = ["", "devices", f"device/{lamp}", "data", "commands", "pushes", "journal", "mqtt", "control", "settings",
             "do/add_fault"]  # fmt: skip
    for path in paths:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} scrolls sideways"
        assert page.evaluate(POOR_CONTRAST) == [], path
        assert page.evaluate(NAMELESS) == [], path


@pytest.mark.skipif(PICTURES is None, reason="CONSOLE_PICTURES=1 writes the pictures of docs/console.md")
def test_the_pictures_of_the_documentation_are_made(open_page: Open, lamp: str) -> None:
    assert PICTURES is not None
    PICTURES.mkdir(exist_ok=True)
    pictures = {
        "overview": ("", "picture", "light"),
        "device": (f"device/{lamp}", "picture", "light"),
        "phone-light": ("devices?q=lamp", "phone", "light"),
        "phone-dark": (f"device/{lamp}", "phone", "dark"),
    }
    for name, (path, size, scheme) in pictures.items():
        page = open_page(viewport=SIZES[size], color_scheme=scheme)
        page.goto(path)
        page.get_by_role("status").filter(has_text="Live").wait_for()
        if name == "phone-dark":
            page.locator("#h-charts").scroll_into_view_if_needed()
            page.mouse.wheel(0, 600)
            page.wait_for_function("scrollY > 500")
        page.screenshot(path=PICTURES / f"{name}.png")
        assert (PICTURES / f"{name}.png").stat().st_size < 150 * 1024


POOR_CONTRAST = """() => {
  const parsed = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (each) => { for (; each; each = each.parentElement) {
    const colour = parsed(getComputedStyle(each).backgroundColor); if (colour[3] === 1) return colour; }
    throw Error("no background"); };
  const poor = [];
  for (const each of document.querySelectorAll("body *")) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !each.checkVisibility()) continue;
    const [a, b] = [light(parsed(getComputedStyle(each).color)), light(behind(each))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${each.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
NAMELESS = """() =>
  [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href], img, svg")]
  .filter((each) => each.checkVisibility())
  .filter((each) => !(each.labels?.length || each.textContent.trim() || each.hasAttribute("alt") || each.ariaLabel))
  .map((each) => each.outerHTML.slice(0, 80))"""
