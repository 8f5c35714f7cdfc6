"""The README shows what a reader gets: its first picture is the output of a real run."""

import re
from pathlib import Path

import pytest

from iot_northbound.cli import main
from iot_northbound.emulator import Emulator
from tests.snippets import DOCS, SNIPPETS, section

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


def test_the_first_page_shows_the_same_picture_and_the_same_program() -> None:
    readme, page = (ROOT / "README.md").read_text("utf-8"), (DOCS / "index.md").read_text("utf-8")
    picture = PICTURE.search(readme)
    assert picture
    assert picture[0] in page
    program = section(SNIPPETS / "quickstart.py", "quickstart")
    assert re.findall(r"```python\n(.*?)\n```", readme, re.DOTALL) == [program]
    assert '"docs/snippets/quickstart.py:quickstart"' in page


def as_shown(text: str) -> str:
    """Return an output without what differs from run to run."""
    return re.sub(r" +\d+ ms", " 0 ms", re.sub(r":\d{4,5}\b", ":8743", text))
