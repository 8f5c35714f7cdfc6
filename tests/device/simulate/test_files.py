import stat
from pathlib import Path

import pytest

from iot_northbound.device import DeviceCredentials
from iot_northbound.device.simulate import Answer, read_credentials, read_scenario, write_credentials
from iot_northbound.device.simulate.scenario import Outcome, read_ramp
from iot_northbound.errors import InvalidArgumentError


def test_credentials_that_are_written_can_be_read_and_only_by_their_owner(tmp_path: Path) -> None:
    given = [DeviceCredentials("pump,1", 's3"cret'), DeviceCredentials("pump-2", "ä b")]
    with write_credentials(tmp_path / "c.csv") as write:
        for each in given:
            write(each)
    assert read_credentials(tmp_path / "c.csv") == given
    assert stat.S_IMODE((tmp_path / "c.csv").stat().st_mode) == 0o600


def test_what_was_written_is_in_the_file_at_once(tmp_path: Path) -> None:
    with write_credentials(tmp_path / "c.csv") as write:
        write(DeviceCredentials("pump-1", "x"))
        # The file is complete while it is open: nothing waits in a buffer that a crash would lose.
        assert [each.id for each in read_credentials(tmp_path / "c.csv")] == ["pump-1"]


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("deviceId,secret\na,b\n")
    with pytest.raises(InvalidArgumentError, match="exists already"), write_credentials(tmp_path / "c.csv"):
        pass
    assert (tmp_path / "c.csv").read_text() == "deviceId,secret\na,b\n"


def test_devices_may_log_in_by_node_id(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("name,nodeId,secret\nfirst,860000000000017,s3cret\n\n")
    assert read_credentials(tmp_path / "c.csv") == [DeviceCredentials.by_node_id("860000000000017", "s3cret")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must begin with the line"),
        ("id,secret\na,hidden\n", "must begin with the line"),
        ("deviceId,nodeId,secret\na,b,hidden\n", "must begin with the line"),
        ("deviceId,secret\n", "no credentials"),
        ("deviceId,secret\nhidden\n", "too few columns in line 2"),
        ("deviceId,secret\na,hidden\na,hidden\n", "twice, the second time in line 3"),
        ("deviceId,secret\na#,hidden\n", "line 2"),
    ],
)
def test_a_wrong_file_says_what_is_wrong_and_no_secret(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(InvalidArgumentError, match=says) as error:
        read_credentials(tmp_path / "c.csv")
    assert "hidden" not in str(error.value)


def test_a_file_that_is_missing_or_no_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        read_credentials(tmp_path / "c.csv")
    (tmp_path / "c.csv").write_bytes(b"deviceId,secret\n\xff\xfe")
    with pytest.raises(InvalidArgumentError, match="not a CSV file"):
        read_credentials(tmp_path / "c.csv")


def test_a_scenario_is_read_from_toml(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'devices = 3\nmodel = "water-meter-nb"\ninterval = 0.5\nramp = "200/s"\nanswer = "slow:2"\nseconds = 9\n'
        "[services.Meter]\nflow = { increment = 2 }\nleak = false\n"
    )
    scenario = read_scenario(tmp_path / "s.toml")
    assert (scenario.devices, scenario.model, scenario.interval, scenario.seconds) == (3, "water-meter-nb", 0.5, 9)
    assert (scenario.ramp, scenario.answer) == (200, Answer(Outcome.SUCCESS, 2.0))
    assert set(scenario.services["Meter"]) == {"flow", "leak"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("intervul = 5", "did you mean interval"),
        ("interval = 0", "above 0"),
        ("interval = true", "above 0"),
        ("devices = 1.5", "whole number"),
        ("model = 7", "must be text"),
        ('answer = "perhaps"', "give success"),
        ("ramp = 0", "above 0"),
        ("services = 3", "not tables"),
        ("[services.Meter]\nflow = { random = [1] }", "services.Meter.flow"),
        ("devices = ", "is not TOML"),
    ],
)
def test_a_wrong_scenario_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InvalidArgumentError, match=says):
        read_scenario(tmp_path / "s.toml")


@pytest.mark.parametrize("text", ["slow", "slow:", "slow:x", "SUCCESS", ""])
def test_an_unknown_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an answer"):
        Answer.read(text)


def test_a_ramp_may_have_its_unit() -> None:
    assert read_ramp("200/s") == read_ramp("200") == 200
