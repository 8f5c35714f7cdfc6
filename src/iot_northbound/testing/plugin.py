"""The pytest plugin: a platform, clients, devices and receivers as fixtures; faults and settings as markers.

pytest finds it by itself if the package is installed. A run that uses none of it loads no more than this module.
``-p no:iot_northbound`` switches it off.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from iot_northbound.client import NorthApiClient
    from iot_northbound.emulator import Emulator
    from iot_northbound.testing.devices import IotDevices
    from iot_northbound.testing.platform import IotApplication, IotPlatform
    from iot_northbound.testing.receiving import PushReceiver
    from iot_northbound.testing.serving import ServeApp

MARKERS = {
    "iot_settings": "iot_settings(name=value, ...): settings of the platform for this test and its fixtures.",
    "iot_faults": "iot_faults(kind, ...): a fault for this test, but not for its fixtures; see control.add_fault.",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for line in MARKERS.values():
        config.addinivalue_line("markers", line)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker that would change nothing."""
    used = getattr(item, "fixturenames", ())
    for name in MARKERS:
        if item.get_closest_marker(name) is not None and "iot_platform" not in used:
            rule = "but the test has no platform to change; let it use iot_platform, or a fixture that does"
            pytest.fail(f"{item.nodeid} is marked with {name}, {rule}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let the marked faults strike from here on: not before, at the calls of the fixtures."""
    platform = getattr(item, "funcargs", {}).get("iot_platform")
    if platform is not None:
        for marker in reversed(list(item.iter_markers("iot_faults"))):
            _apply(item, marker, platform.control.add_fault)
    return (yield)


def _apply(item: pytest.Item, marker: pytest.Mark, operation: Any) -> None:
    """Do what a marker says; a mistake in it fails the test with one line instead of a traceback."""
    said = None
    try:
        operation(*marker.args, **marker.kwargs)
    except (TypeError, ValueError) as error:
        said = str(error).removeprefix(f"{operation.__qualname__}() ")
    if said is not None:
        pytest.fail(f"{item.nodeid}: the marker {marker.name} cannot be used: {said}", pytrace=False)


@pytest.fixture(scope="session")
def iot_platform_options() -> Mapping[str, Any]:
    """Arguments of the session's `Emulator`; override it in your conftest.py for other settings, a codec and so on."""
    return {}


@pytest.fixture(scope="session")
def iot_emulator(
    tmp_path_factory: pytest.TempPathFactory, iot_platform_options: Mapping[str, Any]
) -> Iterator[Emulator]:
    """The emulator of the session, or of one worker of pytest-xdist; `iot_platform` keeps its tests apart."""
    try:
        from iot_northbound.testing.platform import emulator_for
    except ModuleNotFoundError as error:
        missing = str(error)
    else:
        missing = ""
    if missing:
        pytest.fail(f"the test kit runs a platform: {missing}", pytrace=False)
    with emulator_for(tmp_path_factory.mktemp("iot-platform"), iot_platform_options) as emulator:
        yield emulator


@pytest.fixture
def iot_platform(request: pytest.FixtureRequest, iot_emulator: Emulator) -> Iterator[IotPlatform]:
    """An empty platform with an application for this test. Nothing that the test does to it reaches the next test."""
    from iot_northbound.testing.platform import IotPlatform

    with IotPlatform(iot_emulator) as platform:
        for marker in reversed(list(request.node.iter_markers("iot_settings"))):
            _apply(request.node, marker, platform.control.change_settings)
        yield platform


@pytest.fixture
def north_client(iot_platform: IotPlatform) -> Iterator[NorthApiClient]:
    """A client that is logged in to `iot_platform` as the test's own application."""
    with iot_platform.application.client() as client:
        yield client


@pytest.fixture
def iot_application(iot_platform: IotPlatform) -> IotApplication:
    """Another application, for the program under test: its logins do not end the token of `north_client`.

    The test's own application may act for it: pass ``app_id=iot_application.app_id`` to calls of `north_client`.
    """
    return iot_platform.add_application()


@pytest.fixture
def iot_device(iot_platform: IotPlatform) -> Iterator[IotDevices]:
    """Makes devices: ``iot_device()`` a scripted one, ``iot_device.mqtt()`` one that is connected over MQTT."""
    from iot_northbound.testing.devices import IotDevices

    with IotDevices(iot_platform) as devices:
        yield devices


@pytest.fixture
def push_receiver(iot_platform: IotPlatform) -> Iterator[PushReceiver]:
    """A receiver for pushes over HTTPS that keeps what comes; subscribe its `url`, then `wait_for` a kind."""
    from iot_northbound.testing.receiving import PushReceiver

    with PushReceiver(iot_platform) as receiver:
        yield receiver


@pytest.fixture
def serve_app(iot_platform: IotPlatform) -> Iterator[ServeApp]:
    """Serves ASGI and WSGI applications on real ports of this machine until the test ends."""
    from iot_northbound.testing.serving import ServeApp

    with ServeApp(iot_platform.server_context) as serve:
        yield serve
