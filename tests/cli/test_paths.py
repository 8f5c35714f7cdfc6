"""Paths on the command line, for users without a home too."""

import os
from pathlib import Path

import pytest

from iot_northbound.cli import main
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.profiles import load_profile

NOWHERE = "~there-is-no-such-user/x"
ADDRESS = ["--platform-ip", "127.0.0.1", "--app-id", "a"]


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("IOT_NORTHBOUND_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it is without HOME and an entry of the user


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["devices", "list"], "no platform: ~/.iot-northbound/emulator"),
        (["config", "show", "--profile", "city"], "this user has no home"),
        (["config", "init", *ADDRESS], "this user has no home"),
        (["config", "show", "--profile", NOWHERE], f"{NOWHERE}: there is no such user here"),
        (["devices", "import", NOWHERE, *ADDRESS, "--secret-file", NOWHERE], "there is no such user here"),
        (["basic-test", *ADDRESS, "--secret-file", NOWHERE], "there is no such user here"),
        (["call", "POST", "/x", "--body", NOWHERE], "cannot be read"),
    ],
)
@pytest.mark.usefixtures("homeless")
def test_a_home_that_does_not_exist_is_told(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_profile_that_names_such_a_home_is_told(tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text(f'[default]\nplatform_ip = "h"\napp_id = "a"\nsecret_file = "{NOWHERE}"\n')
    with pytest.raises(InvalidArgumentError, match="secret_file: it must be the path of a file"):
        load_profile(profile)
