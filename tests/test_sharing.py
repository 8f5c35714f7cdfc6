"""One application in several processes: the settings of a client, and real processes on one platform."""

import logging
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iot_northbound import (
    BadTokenError,
    InvalidArgumentError,
    MemoryTokenStore,
    SharedConfig,
    load_env,
    load_profile,
)
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.emulator import Emulator
from tests.clock import FakeClock
from tests.faulty_server import APP_ID, BAD_TOKEN, SECRET, Desk
from tests.shared import fleet

READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="test")
ENVIRON = {"IOT_NORTHBOUND_PLATFORM_IP": "platform.example", "IOT_NORTHBOUND_APP_ID": "app"}
PASSWORD = "invented-password"
NOWHERE = SimpleNamespace(host="127.0.0.1", port=1)


def grants(calls: dict[str, dict[str, int]]) -> int:
    """Return how many tokens the platform gave out."""
    return sum(calls.get(endpoint, {}).get("200", 0) for endpoint in (fleet.LOGIN, fleet.REFRESH))


def logins(calls: dict[str, dict[str, int]]) -> int:
    """Return how many logins there were, refused ones included."""
    return sum(calls.get(fleet.LOGIN, {}).values())


@pytest.fixture
def platform() -> Iterator[Emulator]:
    with Emulator(token_lifetime=5) as running:
        running.control.clear_journal()
        yield running


class TestSettings:
    def test_a_store_of_ones_own_and_a_shared_one_are_refused_together(self, connect: Any, tmp_path: Path) -> None:
        with pytest.raises(InvalidArgumentError, match="token_store is given too"):
            connect(NOWHERE, shared=f"file:{tmp_path}/x", token_store=MemoryTokenStore())

    def test_from_the_environment(self, tmp_path: Path) -> None:
        file = tmp_path / "url"
        file.write_text(f"redis://:{PASSWORD}@cache/0\n")
        file.chmod(0o600)
        environ = {
            **ENVIRON,
            "IOT_NORTHBOUND_SECRET": "s",
            "IOT_NORTHBOUND_SHARED_FILE": str(file),
            "IOT_NORTHBOUND_SHARED_AWAY": "alone",
        }
        shared = load_env(environ).shared
        assert shared == SharedConfig(f"redis://:{PASSWORD}@cache/0", shared_away="alone")
        assert PASSWORD not in repr(shared)

    def test_a_relative_path_in_a_profile_begins_at_its_folder(self, tmp_path: Path) -> None:
        profile = tmp_path / "iot.toml"
        profile.write_text('[default]\nplatform_ip="h"\napp_id="a"\nsecret="s"\nshared="file:shared.sqlite3"\n')
        profile.chmod(0o600)
        shared = load_profile(profile).shared
        assert shared is not None
        assert shared.shared == f"file:{tmp_path}/shared.sqlite3"

    def test_nothing_is_shared_by_default(self) -> None:
        assert load_env({**ENVIRON, "IOT_NORTHBOUND_SECRET": "s"}).shared is None

    @pytest.mark.parametrize(
        ("settings", "rule"),
        [
            ({"SHARED": "http://x"}, "it must begin as file:/path"),
            ({"SHARED": "file:/x", "SHARED_AWAY": "perhaps"}, "it must be 'fail' or 'alone'"),
            ({"SHARED_AWAY": "alone"}, "shared is missing"),
        ],
    )
    def test_what_cannot_be_used_is_named(self, settings: dict[str, str], rule: str) -> None:
        given = {f"IOT_NORTHBOUND_{name}": value for name, value in settings.items()}
        with pytest.raises(InvalidArgumentError, match=rule):
            load_env({**ENVIRON, "IOT_NORTHBOUND_SECRET": "s", **given})

    def test_a_client_shows_no_password(self, connect: Any) -> None:
        client = connect(NOWHERE, shared=f"redis://:{PASSWORD}@127.0.0.1:1/0?lease=0.5")
        with pytest.raises(Exception, match="the shared state") as caught:
            client.start_timer()
        assert PASSWORD not in str(caught.value) + repr(caught.value) + repr(client)


class TestAnotherProcess:
    """Without a shared store, a process that ends our token is noticed."""

    def test_the_log_names_it_once_with_the_setting_that_helps(
        self, serve: Any, connect: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk = Desk(lambda seen, wire: (200, {}))
        client = connect(serve(desk))
        client.start_timer()
        for _ in range(3):
            desk.revoke()
            client.call(READ, {})
        said = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        assert len(said) == 1
        assert "another process or client probably logs in with the application id" in said[0]
        assert APP_ID in said[0]
        assert "shared='file:/path'" in said[0]
        assert SECRET not in said[0]

    def test_a_forbidden_endpoint_is_no_other_process(
        self, serve: Any, connect: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = connect(serve(Desk(lambda seen, wire: (403, BAD_TOKEN))))
        client.start_timer()
        with pytest.raises(BadTokenError, match="same setting `shared`"):
            client.call(READ, {})
        assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []

    def test_a_token_that_ends_in_time_is_no_other_process(
        self, serve: Any, connect: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = FakeClock()
        desk = Desk(lambda seen, wire: (200, {}))
        client = connect(serve(desk), clock=clock)
        client._pipeline.tokens._running = True
        client._pipeline.tokens._start_timer = lambda: None
        client.call(READ, {})
        clock.advance(3500)
        desk.revoke()
        client.call(READ, {})
        assert desk.logins == 2
        assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def run(platform: Emulator, shared: str, count: int, **settings: Any) -> list[fleet.Told | None]:
    crew = fleet.processes(count, profile=str(platform.profile_path), shared=shared, **settings)
    return [fleet.told(each) for each in crew]


def say(figures: str) -> None:
    """Print figures, which `make chaos` shows."""
    sys.stdout.write(f"{figures}\n")


def file_in(tmp_path: Path) -> str:
    return f"file:{tmp_path}/shared.sqlite3?lease=3"


def due(started: float, lifetime: float) -> float:
    """Return how many tokens an application needs from then to now: the first, and one when 75 % of each are over."""
    return 1 + (time.monotonic() - started) / (0.75 * lifetime)


def test_four_processes_use_one_token_and_lose_no_call(platform: Emulator, tmp_path: Path) -> None:
    platform.control.change_settings(token_lifetime=2)
    started = time.monotonic()
    found = run(platform, file_in(tmp_path), 4, threads=2, seconds=3)
    assert all(each is not None and each.failed == {} and each.good > 0 for each in found), found
    assert 2 <= grants(platform.control.calls()) <= due(started, lifetime=2)


@pytest.mark.chaos
class TestChaos:
    """The figures of the promises, counted at the platform."""

    def test_frozen_past_the_lease(self, platform: Emulator, tmp_path: Path) -> None:
        crew = fleet.processes(4, profile=str(platform.profile_path), shared=file_in(tmp_path), threads=4, seconds=40)
        started = time.monotonic()
        time.sleep(3)
        freezes = 0
        for victim in crew * 2:
            victim.send_signal(signal.SIGSTOP)
            time.sleep(3.5)
            victim.send_signal(signal.SIGCONT)
            time.sleep(0.5)
            freezes += 1
        found = [fleet.told(each) for each in crew]
        calls = platform.control.calls()
        say(f"\n{freezes} freezes: {found} {calls}")
        assert all(each is not None and each.failed == {} for each in found)
        assert grants(calls) <= due(started, lifetime=5) + freezes

    def test_a_secret_that_is_wrong_from_now_on(self, platform: Emulator, tmp_path: Path) -> None:
        info = load_profile(platform.profile_path).client_info
        settings = {"profile": str(platform.profile_path), "shared": file_in(tmp_path), "threads": 16, "seconds": 25}
        crew = fleet.processes(8, **settings)
        time.sleep(8)
        platform.control.add_application(info.app_id, "another-secret")
        time.sleep(5)  # by now the last token has ended
        platform.control.clear_journal()
        time.sleep(10)
        calls = platform.control.calls()
        found = [fleet.told(each) for each in crew]
        say(f"\nwrong secret, 10 s: {found} {calls}")
        assert all(each is not None and set(each.failed) == {"NotAuthorizedError 100208"} for each in found)
        assert 1 <= logins(calls) <= 12

    def test_an_endpoint_that_is_forbidden(self, platform: Emulator, tmp_path: Path) -> None:
        platform.control.change_settings(token_lifetime=3600)
        forbidden = "GET /iocm/app/data/v1.1.0/deviceCapabilities"
        refusal = {"error_code": "1010005", "error_desc": "the token is invalid"}
        platform.control.add_fault("answer", endpoint=forbidden, status=403, body=refusal)
        found = run(platform, file_in(tmp_path), 8, threads=4, seconds=120, pause=0.1, forbidden=True)
        calls = platform.control.calls()
        say(f"\nforbidden endpoint: {found} {calls}")
        assert all(each is not None and each.failed == {} for each in found)
        assert logins(calls) <= 7  # the first, and six for the forbidden endpoint
