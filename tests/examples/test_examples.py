"""The examples run for real, each as a program of its own, against a platform in this process."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as families

from iot_northbound.emulator import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(port=0, folder=tmp_path_factory.mktemp("platform")) as emulator:
        yield emulator


def run(example: str, *arguments: str, ends_with: int = 0) -> str:
    """Return what the example prints, in a terminal of 200 columns."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example), *arguments],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == ends_with, done.stderr
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
    assert "2 of 3 rows done, 0 of them before; 1 failed" in run("bulk_import.py", *arguments, ends_with=1)
    lines = (tmp_path / "devices.csv.results.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["1", "imp-1", "true"],
        ["2", "imp-2", "true"],
        ["3", "imp-1", "false"],
    ]
    assert "it is in row 1 already" in lines[3]
    file.write_text("nodeId,productId,name\nimp-1,street-lamp-nb,路灯\nimp-2,,\nimp-3,,\n")
    assert "3 of 3 rows done, 2 of them before; 0 failed" in run("bulk_import.py", *arguments)


def test_the_rollout_upgrades_one_group_after_the_other() -> None:
    told = run("upgrade_rollout.py", "--lamps", "20")
    assert "group first: success" in told
    assert "group others: success" in told
    assert re.search(r"all 20 lamps have the new firmware; pushed so far: \{'SUCCESS': \d+\}", told)


def test_the_rollout_stops_at_a_group_that_fails() -> None:
    told = run("upgrade_rollout.py", "--lamps", "20", "--stubborn", "1", ends_with=1)
    assert "group first: failed" in told
    assert "the roll-out stops here" in told
    assert "group others" not in told


def test_prometheus_reads_the_figures_of_an_application(platform: Emulator) -> None:
    command = [sys.executable, str(EXAMPLES / "metrics.py"), str(platform.profile_path), "--port", "0"]
    with subprocess.Popen([*command, "--every", "0.05"], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        try:
            address = program.stdout.readline().removeprefix("figures at ").strip()
            assert program.stdout.readline().endswith(" devices\n")
            text = requests.get(address, timeout=10).text
        finally:
            program.send_signal(signal.SIGINT)
    assert program.returncode == 0
    read = {(each.name, each.labels.get("status")): each.value for family in families(text) for each in family.samples}
    assert read["iot_northbound_attempts_total", "200"] >= 1
    assert read["iot_northbound_token_renewals_total", None] == 1
    assert read["iot_northbound_inbox_depth", None] == 0


def test_the_spans_of_calls_are_inside_those_of_the_application(platform: Emulator) -> None:
    told = run("tracing.py", str(platform.profile_path)).splitlines()
    first = told.index("install a meter")
    assert told[first - 2 :] == [
        "  POST /iocm/app/reg/v1.1.0/deviceCredentials 200",
        "  GET /iocm/app/dm/v1.4.0/devices/{device_id} 200",
        "install a meter",
        "  GET /iocm/app/dm/v1.4.0/devices/{device_id} 404 404",
        told[first + 2],
        "look for a meter",
        "DELETE /iocm/app/dm/v1.4.0/devices/{device_id} 204",
    ]
    assert told[first + 2].startswith("100403 on GET /iocm/app/dm/v1.4.0/devices/{device_id} (HTTP 404): ")
