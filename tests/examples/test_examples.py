"""The examples run for real, each as a program of its own, against a platform in this process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(port=0, folder=tmp_path_factory.mktemp("platform")) as emulator:
        yield emulator


def run(example: str, *arguments: str) -> str:
    """Return what the example prints, in a terminal of 200 columns."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example), *arguments],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_quickstart_registers_lists_changes_and_deletes(platform: Emulator) -> None:
    platform.control.add_devices(3, product_id="street-lamp-nb", prefix="theirs")
    platform.control.clear_journal()
    told = run("quickstart.py", str(platform.profile_path), "--devices", "12")
    assert "15 street lamps, 12 of them ours" in told
    assert "shadow of Lamp: wanted {'brightness': 40}, reported nothing yet" in told
    assert told.count("shadow of") == 1
    for error in ("NotFoundError 1004", "InvalidArgumentError 1007", "BadTokenError 1010005"):
        assert error in told
    calls = platform.control.journal(kind="call")
    assert len(re.findall("deviceCredentials'", str([call["endpoint"] for call in calls]))) == 12
    # The login is told among the calls; the last line counts what the platform saw.
    assert f"{len(calls)} calls over 1 connection(s)" in told
    assert platform.control.health()["rows"]["devices"] == 3


def test_the_demo_tells_its_whole_story() -> None:
    told = run("demo.py")
    assert told.count("[Y]") == 8
    assert "[X]" not in told
    assert "200 of them ours" in told
    assert "group 'town' has 20 members" in told
    assert "batch command: 20 of 20 succeeded" in told
    assert "firmware upgrade: success" in told
    assert told.count("reported {'subDevices'") == 12
    assert "answered RESTART with {'result': 0}" in told
    assert "push: it reported {'temperature': 21.5, 'humidity': 48}" in told
    pushes = {kind: int(count) for count, kind in re.findall(r"^ +(\d+) (\w+)$", told, re.MULTILINE)}
    assert pushes["deviceAdded"] == pushes["deviceDeleted"] == pushes["fwUpgradeResultNotify"] == 20
    assert pushes["deviceDataChanged"] >= 20
    assert "done in" in told


def test_the_gateway_binds_adds_a_sensor_reports_and_takes_a_command(tmp_path: Path) -> None:
    with Emulator(folder=tmp_path, mqtt_port=0, agentlite_port=0) as emulator:
        told = run("gateway.py", str(emulator.profile_path))
        assert emulator.control.health()["rows"].get("devices", 0) == 0
    assert "the sensor reported [{'temperature': 21.5}]" in told
    assert "is to report every 60 s" in told
    assert "the command ended as SUCCESSFUL" in told


def test_the_application_turns_on_the_lamp() -> None:
    told = run("lamp.py").splitlines()
    assert told == [
        "sensor: somebody comes",
        "application: somebody is there",
        "lamp: ON",
        "application: the lamp answers {'state': 'ON'}",
    ]


def test_the_import_registers_each_row_and_goes_on_when_it_is_called_again(platform: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text("nodeId,productId,name\nimp-1,street-lamp-nb,路灯\nimp-2,,\nimp-1,,\n", encoding="utf-8-sig")
    arguments = [str(file), "--profile", str(platform.profile_path)]
    with pytest.raises(AssertionError):
        run("bulk_import.py", *arguments)
    lines = (tmp_path / "devices.csv.results.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["1", "imp-1", "true"],
        ["2", "imp-2", "true"],
        ["3", "imp-1", "false"],
    ]
    assert "it is in row 1 already" in lines[3]
    file.write_text("nodeId,productId,name\nimp-1,street-lamp-nb,路灯\nimp-2,,\nimp-3,,\n")
    assert "3 of 3 rows done, 2 of them before; 0 failed" in run("bulk_import.py", *arguments)
