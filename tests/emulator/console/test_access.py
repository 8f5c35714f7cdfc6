from __future__ import annotations

from urllib.parse import urlencode

import pytest

from iot_northbound.emulator.console.access import Session, Sessions
from iot_northbound.emulator.control.launch import LaunchKeys
from iot_northbound.emulator.server import Emulator
from tests.emulator.console.browsing import FORM, Browser

PATHS = ("", "devices", "journal", "do/reset", "settings", "live/devices", "nothing")


@pytest.mark.parametrize("path", PATHS)
def test_without_a_link_the_page_is_locked_and_says_how_to_open_it(emulator: Emulator, path: str) -> None:
    shown = Browser(emulator).get(path)
    assert shown.status == 401
    assert "Open it with the link" in shown.plain
    assert emulator.app_id not in shown.text


def test_a_link_opens_the_page_once(emulator: Emulator) -> None:
    link = emulator.console_link().removeprefix(emulator.control_url or "")
    first, second = Browser(emulator), Browser(emulator)
    assert first.send("GET", link).headers["Location"] == "/console/"
    assert second.send("GET", link).status == 401


def test_the_cookie_is_for_this_page_alone(emulator: Emulator) -> None:
    link = emulator.console_link().removeprefix(emulator.control_url or "")
    cookie = Browser(emulator).send("GET", link).headers["Set-Cookie"] or ""
    assert {part.strip() for part in cookie.split(";")[1:]} == {"Path=/console/", "HttpOnly", "SameSite=Strict"}
    assert cookie.startswith(f"iot_northbound_console_{(emulator.control_url or '').rpartition(':')[2]}=")


def test_a_link_over_http_comes_from_the_control_plane(emulator: Emulator) -> None:
    made = emulator.control.console_link()["link"]
    assert Browser(emulator).send("GET", made.removeprefix(emulator.control_url or "")).status == 303


@pytest.mark.parametrize("cookie", ["", "a=b", "iot_northbound_console_{port}=x", '"[;;==,', "x" * 9_000])
def test_another_cookie_opens_nothing(emulator: Emulator, cookie: str) -> None:
    browser = Browser(emulator)
    browser.cookie = cookie.format(port=browser.host.rpartition(":")[2])
    assert browser.get().status == 401


def test_odd_cookies_of_other_servers_do_not_hide_its_own(browser: Browser) -> None:
    browser.cookie = f'a={{"b": [1]}}; =; c;"; {browser.cookie}; d=é'.encode().decode("latin-1")
    assert browser.get().status == 200


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_cookie_of_its_name_that_another_port_has_set_locks_nobody_out(browser: Browser, place: str) -> None:
    own = browser.cookie or ""
    tossed = f"{own.partition('=')[0]}=tossed"
    browser.cookie = f"{tossed}; {own}" if place == "before" else f"{own}; {tossed}"
    assert browser.get().status == 200


@pytest.mark.parametrize("csrf", [None, "", "x", "\u00e9"])
def test_a_form_without_the_token_of_its_session_does_nothing(
    emulator: Emulator, browser: Browser, csrf: str | None
) -> None:
    emulator.control.add_devices(2)
    fields = {} if csrf is None else {"csrf": csrf}
    shown = browser.send("POST", "/console/do/reset", urlencode(fields), **FORM)
    assert shown.status == 403
    assert emulator.control.health()["rows"]["devices"] == 2


def test_the_token_of_another_session_does_nothing(emulator: Emulator, browser: Browser) -> None:
    other = Browser(emulator).login()
    shown = browser.send("POST", "/console/do/reset", urlencode({"csrf": other.csrf}), **FORM)
    assert shown.status == 403


def test_a_form_in_another_content_type_does_nothing(emulator: Emulator, browser: Browser) -> None:
    body = urlencode({"csrf": browser.csrf})
    assert browser.send("POST", "/console/do/reset", body, **{"Content-Type": "text/plain"}).status == 403


FOREIGN = {
    "another server": {"Origin": "https://page.example"},
    "a sandbox": {"Origin": "null"},
    "another port of this machine": {"Origin": "http://127.0.0.1:3000"},
    "a page from afar": {"Sec-Fetch-Site": "cross-site"},
    "a page of another port": {"Sec-Fetch-Site": "same-site"},
    "a name that leads here": {"Host": "rebound.example"},
}


@pytest.mark.parametrize("who", list(FOREIGN))
@pytest.mark.parametrize("path", ["", "do/reset", "live/devices", "static/console.js", "open?key=x"])
def test_pages_of_other_servers_get_nothing_even_with_the_cookie(browser: Browser, who: str, path: str) -> None:
    method = "POST" if path == "do/reset" else "GET"
    shown = browser.send(method, f"/console/{path}", **FOREIGN[who])
    assert shown.status == 403
    assert "Set-Cookie" not in shown.headers


def test_every_answer_tells_the_browser_to_load_nothing_from_elsewhere(browser: Browser) -> None:
    for path in ("", "nothing", "static/console.css", "do/reset"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"] or ""
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("back", ["https://page.example/", "//page.example/", "/console/\r\nX: y", "javascript:1", "/"])
def test_an_action_leads_back_to_the_page_only(browser: Browser, back: str) -> None:
    shown = browser.post("do/thaw", back=back)
    assert (shown.status, shown.headers["Location"]) == (303, "/console/")


def test_only_so_many_browsers_are_logged_in_and_keys_are_kept() -> None:
    sessions, keys = Sessions(1), LaunchKeys()
    cookies = [sessions.open().partition(";")[0] for _ in range(40)]
    assert sum(sessions.of([("cookie", each)]) is not None for each in cookies) == 32
    issued = [keys.issue() for _ in range(20)]
    assert [keys.redeem(each) for each in issued] == [False] * 4 + [True] * 16


def test_a_session_shows_none_of_its_tokens() -> None:
    session = Session()
    assert session.token not in repr(session)
    assert session.csrf not in repr(session)
