"""The README shows what a reader gets: its first picture is the output of a real run."""

import re
from pathlib import Path

import pytest

from iot_northbound.cli import main
from iot_northbound.emulator import Emulator

ROOT = Path(__file__).parents[1]
PICTURE = re.compile(r"```text\n\$ iot-northbound ([^\n]*)\n(.*?)```", re.DOTALL)


def test_the_first_picture_is_what_basic_test_prints_with_a_wrong_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = PICTURE.search((ROOT / "README.md").read_text("utf-8"))
    assert shown
    with Emulator(folder=tmp_path) as emulator:
        profile = tmp_path / "iot.toml"
        emulator.profile_path.rename(profile)
        profile.write_text(profile.read_text().replace(emulator.secret, "not-the-secret"))
        monkeypatch.chdir(tmp_path)
        assert main(shown[1].split()) == 1
        assert as_shown(capsys.readouterr().out) == as_shown(shown[2])


def as_shown(text: str) -> str:
    """Return an output without what differs from run to run."""
    return re.sub(r" +\d+ ms", " 0 ms", re.sub(r":\d{4,5}\b", ":8743", text))
