from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from iot_northbound.emulator.console import live
from iot_northbound.emulator.console.door import Door
from iot_northbound.emulator.server import Emulator
from tests.clock import eventually
from tests.emulator.console.browsing import Browser


class Stream:
    """The events of a page, read from a socket."""

    def __init__(self, browser: Browser, path: str, buffer: int | None = None) -> None:
        host, _, port = browser.host.rpartition(":")
        self.socket = socket.socket()
        self.socket.settimeout(60)
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect((host, int(port)))
        head = f"GET /console/live/{path} HTTP/1.1\r\nHost: {browser.host}\r\nCookie: {browser.cookie}\r\n\r\n"
        self.socket.sendall(head.encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = dict(line.decode().strip().lower().split(": ", 1) for line in iter(self.file.readline, b"\r\n"))

    def event(self) -> tuple[str, Any]:
        """Return the next event."""
        name = ""
        for line in self.file:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                return name, json.loads(line[6:])
        raise EOFError

    def region(self, wanted: str, text: str) -> str:
        """Return a region as soon as it has a text."""
        while True:
            _, regions = self.event()
            if text in regions.get(wanted, ""):
                return str(regions[wanted])

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextmanager
def stream(browser: Browser, path: str = "devices", buffer: int | None = None) -> Iterator[Stream]:
    opened = Stream(browser, path, buffer)
    yield opened
    opened.close()


def live_of(emulator: Emulator) -> live.Live:
    door = emulator._apps["control_port"]
    assert isinstance(door, Door)
    page: Any = door._page
    found: live.Live = page.live
    return found


def test_a_change_comes_as_the_region_that_it_is_in(emulator: Emulator, browser: Browser) -> None:
    with stream(browser) as events:
        assert events.status == 200
        assert events.headers["content-type"] == "text/event-stream; charset=utf-8"
        name, regions = events.event()
        assert name == "regions"
        assert regions.keys() == {"live_devices", "live_clock"}
        emulator.control.add_devices(1, prefix="late")
        assert "late-000000" in events.region("live_devices", "late-")


def test_what_does_not_change_is_not_sent_again(emulator: Emulator, browser: Browser) -> None:
    emulator.control.freeze()
    with stream(browser, "") as events:
        assert len(events.event()[1]) == 5
        emulator.control.advance(60)
        assert events.event()[1].keys() == {"live_clock"}


def test_a_hostile_value_is_text_in_an_event(emulator: Emulator, browser: Browser) -> None:
    emulator.control.add_devices(1, prefix="x\n\nevent: gone\n<script>")
    with stream(browser) as events:
        html = events.region("live_devices", "event: gone")
        assert "&lt;script&gt;" in html
        assert "<script>" not in html


def test_a_page_about_something_that_goes_is_told_so(emulator: Emulator, browser: Browser) -> None:
    emulator.control.add_devices(1)
    runtime = emulator._runtime
    assert runtime is not None
    (device_id,) = runtime.platform.table("devices").rows
    with stream(browser, f"device/{device_id}") as events:
        events.event()
        emulator.control.reset()
        while (told := events.event())[0] != "gone":
            pass
        assert "There is no device" in told[1]
    with stream(browser, f"device/{device_id}") as events:
        assert events.status == 404


def test_streams_are_bounded_and_their_places_come_back(emulator: Emulator, browser: Browser) -> None:
    browser.get()
    counted = live_of(emulator)
    eventually(lambda: counted.open == 0)
    opened = [Stream(browser, "mqtt") for _ in range(live.STREAMS)]
    assert {each.status for each in opened} == {200}
    for each in opened:
        each.event()
    with stream(browser) as refused:
        assert refused.status == 503
    for each in opened:
        each.close()
    eventually(lambda: counted.open == 0)


def test_a_browser_that_does_not_read_is_cut(
    emulator: Emulator, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SHARE", 0)  # on a slow machine, the pauses would last twenty times as long as its looks
    monkeypatch.setattr(live, "TICK", 0.05)
    browser.get()
    counted, runtime = live_of(emulator), emulator._runtime
    assert runtime is not None
    eventually(lambda: counted.open == 0)
    numbers = count()

    def note(number: int) -> None:
        for _ in range(number):
            path = f"/{next(numbers)}" * 200
            runtime.journal.note({"kind": "call", "at": 0.0, "method": "GET", "path": path, "status": 200})

    def is_cut() -> bool:
        runtime.from_any_thread(lambda: note(1))  # so that each look finds a change
        return counted.open == 0

    runtime.from_any_thread(lambda: note(1_000))
    counted.slow = 0.05
    try:
        with stream(browser, "journal?n=1000", buffer=4_096):
            eventually(lambda: counted.open == 1)
            eventually(is_cut)
    finally:
        counted.slow = live.SLOW


def test_an_emulator_that_stops_ends_its_streams(home_folder: Any) -> None:
    with Emulator(folder=home_folder) as emulator:
        browser = Browser(emulator).login()
        opened = Stream(browser, "")
        opened.event()
    while opened.file.readline():
        pass
    opened.close()


def test_a_stream_that_fails_tells_the_page_so_and_frees_its_place(
    emulator: Emulator, browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    browser.get()

    def fail(*_: object) -> Any:
        raise KeyError("a reason that no page shows")

    monkeypatch.setattr(live_of(emulator)._rendering, "regions", fail)
    with stream(browser) as events:
        name, text = events.event()
        assert (name, text) == ("gone", "Something failed: the emulator's log says more")
    eventually(lambda: live_of(emulator).open == 0)
    assert [each.getMessage() for each in caplog.records if each.exc_info] == [
        "the console page could not be kept up to date at /console/live/devices"
    ]
