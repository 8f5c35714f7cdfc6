"""The commands about the shared state: on a file, Redis and PostgreSQL, beside a client that uses it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from iot_northbound.cli import main
from iot_northbound.core.clock import SYSTEM_CLOCK
from iot_northbound.shared import State, open_state, read_url
from iot_northbound.shared.seal import Seal
from iot_northbound.shared.slots import Turn
from iot_northbound.shared.state import Mine

TOKEN, SECRET = "not-a-real-token", "not-a-real-secret"


@attrs.frozen
class Shared:
    """A shared state, with a profile that names it."""

    state: State
    profile: Path
    application: str
    url: str

    def save(self, secret: str = SECRET) -> None:
        """Store a token as a client does."""
        mine = self.state.acquire("worker-1:4711:0badcafe", 5.0, 0)
        assert isinstance(mine, Mine)
        record = Seal(self.application, secret).close(json.dumps({"access": TOKEN, "refresh": None}).encode())
        assert self.state.save(mine.fence, record, 3_600.0, self.state.time() - 1.0) == 1


def profile(folder: Path, application: str, *lines: str) -> Path:
    file = folder / "profile.toml"
    address, _, app_id = application.partition("/")
    host, _, port = address.partition(":")
    file.write_text(
        f'[default]\nplatform_ip = "{host}"\nplatform_port = {port}\napp_id = "{app_id}"\nsecret = "{SECRET}"\n'
        + "\n".join(lines)
    )
    file.chmod(0o600)
    return file


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["file", "redis", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    url = f"file:{tmp_path}/shared.sqlite3"
    if request.param != "file":
        url = request.getfixturevalue(f"{request.param}_server").url
    (tmp_path / "shared.url").write_text(url)
    (tmp_path / "shared.url").chmod(0o600)
    application = f"platform.example:8743/{uuid.uuid4().hex}"
    lines = f'shared_file = "{tmp_path}/shared.url"', "calls_per_minute = 100"
    state = open_state(url, application, clock=SYSTEM_CLOCK)
    yield Shared(state, profile(tmp_path, application, *lines), application, url)
    state.close()


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run a command; return its status and its output."""
    status = main([str(each) for each in arguments])
    found = capsys.readouterr()
    return status, found.out + found.err


def values(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    status, output = told(capsys, *arguments, "--json")
    assert status == 0, output
    found: dict[str, Any] = json.loads(output)
    return found


def test_a_shared_token_is_shown_without_being_told(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    shared.save()
    for options in ((), ("--check",), ("--json",), ("--check", "--json")):
        status, output = told(capsys, "token", "status", "--profile", shared.profile, *options)
        assert status == 0
        assert TOKEN not in output
        assert SECRET not in output
        assert "a-password-of" not in output
        assert read_url(shared.url).shown in output
        assert "worker-1:4711:0badcafe" in output
        assert ("opens" in output) == ("--check" in options)
    found = values(capsys, "token", "status", "--profile", shared.profile)
    assert (found["generation"], found["present"], found["lifetime"]) == (1, True, 3_600.0)
    assert 0 < found["seconds_left"] < 3_600


def test_the_status_of_a_token_changes_nothing(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    shared.save()
    before = shared.state.read()
    assert isinstance(shared.state.acquire("other", 5.0, 1), Mine)
    found = values(capsys, "token", "status", "--profile", shared.profile)
    assert found["last_owner"] == "other"
    assert 0 < found["lease_seconds_left"] <= 5
    assert shared.state.read()[:2] == before[:2]


def test_a_changed_secret_is_noticed_by_the_check(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    shared.save(secret="the secret of yesterday")
    status, output = told(capsys, "token", "status", "--check", "--profile", shared.profile)
    assert status == 1
    assert "does NOT open the token" in output


def test_a_failed_renewal_is_shown_with_its_code(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    mine = shared.state.acquire("me", 5.0, 0)
    assert isinstance(mine, Mine)
    failure = {"by": "x", "class": "AuthError", "code": "100208", "desc": "wrong\x1b[31m secret"}
    shared.state.fail(mine.fence, json.dumps({**failure, "status": 401, "endpoint": "POST /login"}))
    shared.state.forbid("GET /x", 30.0, 1)
    status, output = told(capsys, "token", "status", "--profile", shared.profile)
    assert status == 0
    assert "100208" in output
    assert "GET /x (no login for 30 s)" in output
    assert "\x1b" not in output
    assert "none: the next call logs in" in output
    found = values(capsys, "token", "status", "--profile", shared.profile)
    assert found["failure"]["code"] == "100208"
    assert found["seconds_left"] is None


def test_a_cleared_token_is_gone(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    shared.save()
    status, output = told(capsys, "token", "clear", "--profile", shared.profile)
    assert (status, "removed" in output) == (0, True)
    assert shared.state.read().record is None
    assert values(capsys, "token", "status", "--profile", shared.profile)["present"] is False


def test_the_limit_is_shown(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(3):
        assert shared.state.take("me", Turn.CALL, 100, 60.0, f"id-{n}").granted
    found = values(capsys, "limit", "status", "--profile", shared.profile)
    assert (found["calls_per_minute"], found["taken"], found["free"]) == (100, 3, 97)
    shared.state.pause(20.0)
    status, output = told(capsys, "limit", "status", "--profile", shared.profile)
    assert status == 0
    assert "3, 97 free" in output
    assert "because the platform refused a call" in output


def test_the_url_can_be_given_in_place_of_the_profiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = profile(tmp_path, "platform.example:8743/demo")
    state = open_state(f"file:{tmp_path}/own.sqlite3", "platform.example:8743/demo", clock=SYSTEM_CLOCK)
    state.read()
    state.close()
    found = values(capsys, "token", "status", "--profile", file, "--shared", f"file:{tmp_path}/own.sqlite3")
    assert found["present"] is False


def test_a_status_makes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = profile(tmp_path, "platform.example:8743/demo", f'shared = "file:{tmp_path}/none.sqlite3"')
    status, output = told(capsys, "token", "status", "--profile", file)
    assert status == 3
    assert "no process has shared anything there yet" in output
    assert not (tmp_path / "none.sqlite3").exists()


@pytest.mark.parametrize("url", ["redis://:sesame@127.0.0.1:1/0", "postgresql://na:sesame@127.0.0.1:1/na"])
def test_an_engine_that_is_away_is_named_without_its_password(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = profile(tmp_path, "platform.example:8743/demo")
    for arguments in (("token", "status"), ("token", "clear"), ("limit", "status")):
        status, output = told(capsys, *arguments, "--profile", file, "--shared", url)
        assert status == 4
        assert "does not answer" in output
        assert "127.0.0.1:1" in output
        assert "sesame" not in output


@pytest.mark.parametrize("command", ["token", "limit"])
def test_without_a_shared_state_the_command_says_what_to_give(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = profile(tmp_path, "platform.example:8743/demo")
    assert main([command, "status", "--profile", str(file)]) == 2
    assert "no shared state: give --shared" in capsys.readouterr().err
