"""The applications of the examples, each in its framework, on a platform that pushes to them."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import NorthApiClient
from iot_northbound.dto import RegDirectDeviceInDTO2
from iot_northbound.emulator import Emulator
from iot_northbound.testing.messages import push_body
from tests.clock import eventually
from tests.push.test_examples import ROUTE, asgi, ask, comes_to_show, example, is_released, push_out_of_order

__all__ = ["example"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("platform")) as emulator:
        yield emulator


@pytest.fixture
def meter(platform: Emulator) -> str:
    """A meter whose valve turns."""
    platform.control.reset()
    with NorthApiClient.from_profile(platform.profile_path) as client:
        device = RegDirectDeviceInDTO2(node_id="meter", product_id="water-meter-nb")
        device_id = client.device_management.reg_direct_device(device).device_id
    platform.control.script(device_id, result={"position": 7})
    return device_id


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class Threads(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    """A request that waits for a push must not keep the push away."""


@contextmanager
def wsgi(make: Callable[[str], Any]) -> Iterator[tuple[str, int]]:
    """Serve the application that is made for a URL."""
    with Threads(("127.0.0.1", 0), Quiet) as server:
        server.set_app(make(f"http://127.0.0.1:{server.server_port}{ROUTE}"))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


def turns_the_valve(platform: Emulator, address: tuple[str, int], meter: str) -> None:
    """Turn the valve: the answer comes with the push, and nobody looks at the platform."""
    platform.control.clear_journal()
    status, text = ask(address, "POST", f"/meters/{meter}/valve?state=CLOSED", b"")
    assert status == 200, text
    answer = json.loads(text)
    assert (answer["status"], answer["result"]["resultDetail"]) == ("SUCCESSFUL", {"position": 7})
    calls = [each["endpoint"] for each in platform.control.journal(kind="call")]
    assert calls == ["POST /iocm/app/cmd/v1.4.0/deviceCommands"]
    assert ask(address, "POST", "/meters/no-such-meter/valve?state=CLOSED", b"")[0] == 502


def shows_the_newest_readings(address: tuple[str, int], route: str) -> None:
    push_out_of_order(address, route, "meter-7")
    comes_to_show(address, "/readings", b"Battery")
    shown = json.loads(ask(address, "GET", "/readings")[1])
    assert shown == {"meter-7": {"Meter": {"reading": 1234.5, "unit": "l"}, "Battery": {"level": 2}}}


def test_flask(example: Callable[[str], Any], platform: Emulator, meter: str, tmp_path: Path) -> None:
    made: list[Any] = []

    def make(url: str) -> Any:
        made.append(example("na_flask").create_app(str(platform.profile_path), url, str(tmp_path / "inbox")))
        return made[0]

    with wsgi(make) as address, made[0].extensions["client"], made[0].extensions["pushes"]:
        shows_the_newest_readings(address, ROUTE)
        turns_the_valve(platform, address, meter)
        assert ask(address, "GET", ROUTE)[0] == 405
        assert ask(address, "GET", "/nothing")[0] == 404
    is_released(tmp_path / "inbox", is_empty=False)  # a push may have come during the stop


def test_django(example: Callable[[str], Any], platform: Emulator, meter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def make(url: str) -> Any:
        monkeypatch.setenv("NA_URL", url)
        monkeypatch.setenv("NA_PROFILE", str(platform.profile_path))
        made.append(example("na_django"))
        return made[0].application

    with wsgi(make) as address, made[0].client, made[0].receiver:
        turns_the_valve(platform, address, meter)
        assert ask(address, "GET", f"/meters/{meter}/valve")[0] == 405
        with NorthApiClient.from_profile(platform.profile_path) as client:
            client.device_management.delete_direct_device(meter)
        assert ask(address, "POST", ROUTE, push_body("deviceAdded", deviceId="meter-7")) == (200, b"ok")
        comes_to_show(address, "/devices", b'"meter-7"')
        assert ask(address, "POST", ROUTE, push_body("deviceDeleted", deviceId="meter-7")) == (200, b"ok")
        eventually(lambda: ask(address, "GET", "/devices") == (200, b'{"devices": []}'))
        late = push_body("deviceAdded", deviceId="meter-7", gatewayId="one-that-was-late")
        assert ask(address, "POST", ROUTE, late) == (200, b"ok")
    assert made[0].devices == set()  # the end of the receiver waited for its handlers


def test_fastapi(example: Callable[[str], Any], platform: Emulator, meter: str, tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/iot{ROUTE}"
        application = example("na_fastapi").create_app(str(platform.profile_path), url, str(tmp_path / "inbox"))
        with asgi(application, listening) as address:
            shows_the_newest_readings(address, f"/iot{ROUTE}")
            turns_the_valve(platform, address, meter)
            assert ask(address, "POST", f"/iot{ROUTE}", b"[]")[0] == 400
            platform.control.script(meter, answer="never")
            late = ask(address, "POST", f"/meters/{meter}/valve?state=OPEN&timeout=0.05", b"")
            assert late == (504, b'{"detail":"the valve has not turned in 0.05 s: DELIVERED"}')
    is_released(tmp_path / "inbox", is_empty=False)  # a push may have come during the stop
