"""The emulator and its clients look for one folder, however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from iot_northbound import NorthApiClient
from iot_northbound.cli import main
from iot_northbound.emulator import Emulator
from iot_northbound.emulator.home import prepare
from iot_northbound.emulator_home import EMULATOR_HOME, emulator_home
from iot_northbound.errors import TlsError
from iot_northbound.ssl_config import SSLConfig


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv(EMULATOR_HOME, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "variable", "folder"),
    [
        (None, None, ".iot-northbound/emulator"),
        (None, "", ".iot-northbound/emulator"),
        (None, "~/mine", "mine"),
        (None, "{home}/mine", "mine"),
        ("~/other", "~/mine", "other"),
        (Path("~/other"), None, "other"),
        ("", "~/mine", "mine"),
    ],
)
def test_the_folder_is_the_given_one_or_the_variables_or_the_default(
    monkeypatch: pytest.MonkeyPatch, home: Path, given: str | Path | None, variable: str | None, folder: str
) -> None:
    if variable is not None:
        monkeypatch.setenv(EMULATOR_HOME, variable.format(home=home))
    assert emulator_home(given) == home / folder


def test_a_variable_with_a_tilde_is_one_folder_to_the_emulator_and_to_its_client(
    monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(EMULATOR_HOME, "~/platform")
    with Emulator(folder=emulator_home()) as platform:
        assert platform.home.folder == home / "platform"
        assert SSLConfig.emulator().trust_ca_path == home / "platform" / "ca.pem"
        with NorthApiClient.from_profile(platform.profile_path) as client:
            assert client.data_collection.query_batch_devices_info().total_count == 0
        assert main(["basic-test", "--emulator"]) == 0
    assert not (home / "~").exists()
    assert "no platform" not in capsys.readouterr().err


def test_the_command_takes_a_tilde_wherever_the_shell_leaves_one(
    monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Emulator, "serve_forever", lambda self, ready: made.append(self))
    made: list[Emulator] = []
    assert main(["emulator", "--port", "0", "--home=~/platform", "--data-dir=~/state"]) == 0
    assert (made[0]._folder, made[0]._data_dir) == (home / "platform", home / "state")


@pytest.mark.parametrize("name", ["folder", "data_dir"])
def test_the_object_takes_a_tilde_too(home: Path, name: str) -> None:
    with Emulator(**{name: "~/here"}):  # type: ignore[arg-type]
        assert (home / "here").is_dir()
    assert not (home / "~").exists()


NOBODY = "~no-such-user-here/platform"


def test_the_home_of_an_unknown_user_is_named_in_every_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="no such user"):
        emulator_home(NOBODY)
    with pytest.raises(ValueError, match="no such user"):
        Emulator(folder=NOBODY)
    with pytest.raises(TlsError, match="no such user"):
        SSLConfig.emulator(NOBODY)
    assert main(["emulator", "--port", "0", f"--home={NOBODY}"]) == 1
    monkeypatch.setenv(EMULATOR_HOME, NOBODY)
    assert main(["basic-test", "--emulator"]) == 2
    assert capsys.readouterr().err.count("no such user") == 2


def test_the_default_is_the_folder_with_the_certificates(home: Path) -> None:
    prepare(emulator_home())
    assert SSLConfig.emulator().trust_ca_path == home / ".iot-northbound" / "emulator" / "ca.pem"
