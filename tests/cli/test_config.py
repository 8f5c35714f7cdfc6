"""``iot-northbound config``: profiles that it makes, and where a configuration comes from."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from iot_northbound import load_profile
from iot_northbound.cli import main
from iot_northbound.emulator import Emulator
from iot_northbound.errors import InvalidArgumentError


class InMemory(KeyringBackend):
    """A keyring that keeps its entries in memory."""

    priority = 5
    name = "a keyring of the tests"
    locked = False

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise RuntimeError("sesame: no access")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise RuntimeError("sesame: no access")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the settings of a user who has none yet."""
    for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(tmp_path / "no-emulator"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config" / "iot-northbound"


@pytest.fixture
def entries() -> Iterator[InMemory]:
    before = keyring.get_keyring()
    backend = InMemory()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def options(platform: Emulator, tmp_path: Path) -> list[str]:
    (tmp_path / "secret").write_text(platform.secret)
    return [
        *("--platform-ip", "127.0.0.1", "--platform-port", str(platform.address[1]), "--app-id", platform.app_id),
        *("--secret-file", "secret", "--ca", str(platform.home.ca), "--cert", str(platform.home.client_p12)),
        *("--cert-password-file", str(platform.home.folder / "client.p12.password")),
    ]


def password(platform: Emulator) -> str:
    return (platform.home.folder / "client.p12.password").read_text().strip()


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, str]]:
    capsys.readouterr()
    assert main(["config", "show", "-o", "json", *arguments]) == 0
    return {each["key"]: each for each in json.loads(capsys.readouterr().out)}


def test_a_profile_is_tried_and_written_for_its_owner_only(
    platform: Emulator, home: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "init", *options]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("[Y]") == 8
    assert platform.secret not in told.err
    assert password(platform) not in told.err
    file = home / "profile.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [each.name for each in home.iterdir()] == ["profile.toml"]
    assert tomllib.loads(file.read_text()) == {
        "default": {
            "platform_ip": "127.0.0.1",
            "platform_port": platform.address[1],
            "app_id": platform.app_id,
            "secret": platform.secret,
            "self_cert_path": str(platform.home.client_p12),
            "self_cert_pwd": password(platform),
            "trust_ca_path": str(platform.home.ca),
        }
    }
    assert main(["basic-test"]) == 0  # the default file is used without being named
    assert "embedded" not in capsys.readouterr().err


def test_secrets_can_be_in_the_keyring(
    platform: Emulator, home: Path, options: list[str], entries: InMemory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "init", "--store", "keyring", *options]) == 0
    text = (home / "profile.toml").read_text()
    assert platform.secret not in text
    assert password(platform) not in text
    assert set(entries.entries.values()) == {platform.secret, password(platform)}
    assert load_profile(home / "profile.toml").client_info.secret == platform.secret
    found = shown(capsys)
    assert found["secret"]["value"] == found["self_cert_pwd"]["value"] == "***"
    assert "of the keyring" in found["secret"]["from"]
    assert main(["basic-test"]) == 0


def test_a_keyring_that_fails_is_a_sentence(
    platform: Emulator, home: Path, options: list[str], entries: InMemory, capsys: pytest.CaptureFixture[str]
) -> None:
    entries.locked = True
    assert main(["config", "init", "--no-test", "--store", "keyring", *options]) == 3
    assert not (home / "profile.toml").exists()
    entries.locked = False
    assert main(["config", "init", "--no-test", "--store", "keyring", *options]) == 0
    entries.locked = True
    assert main(["basic-test"]) == 3
    entries.locked = False
    entries.entries.clear()
    assert main(["basic-test"]) == 3
    told = capsys.readouterr().err
    assert "the keyring cannot be used (RuntimeError)" in told
    assert "secret_keyring: the keyring cannot be read (RuntimeError)" in told
    assert "secret_keyring: the keyring has no entry '127.0.0.1:" in told
    assert "sesame" not in told


def test_a_secret_in_two_places_is_refused(tmp_path: Path, entries: InMemory) -> None:
    (tmp_path / "p.toml").write_text(
        '[default]\nplatform_ip = "h"\napp_id = "a"\nsecret = "s"\nsecret_keyring = "entry"\n'
    )
    with pytest.raises(InvalidArgumentError, match="secret_keyring: secret is given too"):
        load_profile(tmp_path / "p.toml")


def test_nothing_is_written_if_the_check_fails(
    home: Path, options: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("not-the-secret")
    assert main(["config", "init", *options]) == 1
    assert not home.exists()
    told = capsys.readouterr().err
    assert "[X] login" in told
    assert "\n      what to do: " in told
    assert "Nothing was written" in told
    assert main(["config", "init", "--no-test", *options]) == 0
    assert (home / "profile.toml").exists()


def test_other_tables_comments_and_keys_stay(
    home: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir(parents=True)
    file = home / "profile.toml"
    file.write_text(
        '# mine\n[default]\napp_id = "old"\nsecret_file = "x"\ncalls_per_minute = 60 # ours\n[other]\na = 1\n'
    )
    assert main(["config", "init", "--no-test", *options]) == 2
    assert "give --force to replace it" in capsys.readouterr().err
    assert main(["config", "init", "--no-test", "--force", *options]) == 0
    assert main(["config", "init", "--no-test", "--profile", "city", *options]) == 0
    text = file.read_text()
    tables = tomllib.loads(text)
    assert list(tables) == ["default", "other", "city"]
    assert (tables["default"]["calls_per_minute"], "secret_file" in tables["default"]) == (60, False)
    assert text.startswith("# mine\n")
    assert "# ours" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_stays_a_link_and_a_broken_file_is_not_touched(
    home: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir(parents=True)
    (tmp_path / "dotfiles.toml").touch()
    (home / "profile.toml").symlink_to(tmp_path / "dotfiles.toml")
    assert main(["config", "init", "--no-test", *options]) == 0
    assert (home / "profile.toml").is_symlink()
    (tmp_path / "dotfiles.toml").write_text('[default]\nsecret = "sesame\n')
    assert main(["config", "init", "--no-test", "--force", *options]) == 3
    told = capsys.readouterr().err
    assert "is not valid TOML (line 2)" in told
    assert "sesame" not in told
    assert (tmp_path / "dotfiles.toml").read_text() == '[default]\nsecret = "sesame\n'


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--platform-ip is missing"),
        (["--platform-ip", "h"], "--platform-ip needs --app-id"),
        (["--platform-ip", "h", "--app-id", "a"], "the secret is missing: give --secret-file"),
        (["--emulator"], "the emulator writes a profile by itself"),
        (["--secret", "sesame"], "there is no --secret, because the process list would show it"),
        (["--store", "cloud"], "--store: "),
    ],
)
def test_a_wrong_call_is_named(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", *arguments]) == 2
    told = capsys.readouterr().err
    assert named in told
    assert "sesame" not in told


def test_a_terminal_is_asked_and_does_not_show_secrets(platform: Emulator, home: Path) -> None:
    answers = [
        ("host name", "127.0.0.1"),
        ("port", str(platform.address[1])),
        ("application id", platform.app_id),
        ("secret of", platform.secret),
        ("CAs to trust", str(platform.home.ca)),
        ("client certificate", str(platform.home.client_p12)),
        ("its key", ""),
        ("password of", password(platform)),
        ("host name in the server", ""),
    ]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    command = [sys.executable, "-m", "iot_northbound", "config", "init"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        screen = ""
        for question, answer in answers:
            screen = _until(ours, screen, question)
            os.write(ours, f"{answer}\n".encode())
        screen = _until(ours, screen, "wrote [default] to")
        assert process.wait(60) == 0
    os.close(ours)
    assert platform.secret not in screen
    assert password(platform) not in screen
    assert main(["basic-test"]) == 0


def _until(terminal: int, screen: str, question: str) -> str:
    """Return what the terminal shows once the last line has this text, and a prompt waits."""
    while question not in "".join(screen.splitlines()[-1:]):
        screen += os.read(terminal, 4096).decode()
    return screen


def test_an_interrupted_question_writes_nothing(home: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "iot_northbound", "config", "init"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        os.close(theirs)
        assert process.stderr is not None
        assert process.stderr.read(4) == b"host"
        os.write(ours, b"\x04")  # the end of the input
        assert process.wait(60) == 130
        assert b"Traceback" not in process.stderr.read()
    os.close(ours)
    assert not home.exists()


def test_each_value_is_shown_with_its_source(
    platform: Emulator, home: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    found = shown(capsys, *options)
    assert found["app_id"] == {"key": "app_id", "value": platform.app_id, "from": "--app-id"}
    assert found["secret"]["value"] == "***"
    assert found["read_timeout"] == {"key": "read_timeout", "value": "30.0", "from": "default"}
    lines = ['platform_ip = "h"', 'app_id = "a"', 'secret_file = "secret"', 'proxy = "http://me:sesame@p:1"']
    (tmp_path / "p.toml").write_text("\n".join(["[city]", *lines, 'shared = "redis://:sesame@h/0"']))
    found = shown(capsys, "--profile", "p.toml:city")
    assert found["secret"] == {"key": "secret", "value": "***", "from": "p.toml [city], file secret"}
    assert found["proxy"]["value"] == "http://***@p:1"
    assert "sesame" not in str(found)
    monkeypatch.setenv("IOT_NORTHBOUND_PROFILE", "p.toml:city")
    assert shown(capsys)["app_id"]["value"] == "a"
    monkeypatch.delenv("IOT_NORTHBOUND_PROFILE")
    for name, value in {"PLATFORM_IP": "h", "APP_ID": "b", "SECRET_FILE": "secret"}.items():
        monkeypatch.setenv(f"IOT_NORTHBOUND_{name}", value)
    found = shown(capsys)
    assert found["app_id"] == {"key": "app_id", "value": "b", "from": "IOT_NORTHBOUND_APP_ID"}
    assert found["secret"]["from"] == "IOT_NORTHBOUND_SECRET_FILE"


def test_a_table_of_the_default_file_is_named_alone(
    home: Path, options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["config", "init", "--no-test", "--profile", "city", *options]) == 0
    assert shown(capsys, "--profile", "city")["platform_ip"]["from"] == f"{home / 'profile.toml'} [city]"
    assert main(["config", "show", "--profile", "town"]) == 3
    assert "has no table [town]; it has: city" in capsys.readouterr().err
    monkeypatch.setenv("IOT_NORTHBOUND_PROFILE", "city")
    assert main(["basic-test"]) == 0


def test_without_the_extra_the_keyring_says_what_to_install(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with contextlib.suppress(SystemExit):
        assert main(["config", "init", "--no-test", "--store", "keyring", *options]) == 1
    assert "pip install 'iot-northbound[keyring]'" in capsys.readouterr().err


def test_a_profile_that_cannot_be_written_is_a_sentence(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text("a file where the folder should be")
    assert main(["config", "init", "--no-test", *options]) in (1, 3)
    told: Any = capsys.readouterr().err
    assert told.startswith("iot-northbound: ")
    assert told.count("\n") == 1
