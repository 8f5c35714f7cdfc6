"""``iot-northbound commands``, `batch` and `upgrades`, on the embedded platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator

from .conftest import Run, file_with, registered

OPEN = ("WaterMeter.SET_VALVE", "state=OPEN")


def test_a_command_is_sent_with_values_of_json(run: Run, device: str) -> None:
    sent = run("commands", "send", device, "WaterMeter.SET_REPORT_INTERVAL", "seconds=600", "-o", "json")
    assert sent.json["command"]["paras"] == {"seconds": 600}
    assert run("commands", "send", device, *OPEN, "-o", "json").json["command"]["paras"] == {"state": "OPEN"}


def test_waiting_ends_with_the_state_of_the_command(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.script(device, answer="success", result={"result": 0})
    done = run("commands", "send", device, *OPEN, "--wait", "30", "-o", "json")
    assert (done.status, done.json["status"]) == (0, "SUCCESSFUL")
    emulator.control.script(device, answer="fail")
    failed = run("commands", "send", device, *OPEN, "--wait", "30", "-o", "json")
    assert (failed.status, failed.json["status"]) == (1, "FAILED")


def test_a_wait_that_is_over_has_a_status_of_its_own(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.script(device, answer="never", acknowledge=False)
    late = run("commands", "send", device, *OPEN, "--wait", "0")
    assert late.status == 13
    told = [line for line in late.err.splitlines() if line.startswith("command ")]
    assert len(set(told)) == len(told) > 0, "a state is told once"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send", "d", "WaterMeter"), "'WaterMeter' is not SERVICE.METHOD"),
        (("send", "d", "A.B", "x"), "'x' is not key=value"),
        (("send", "d", "A.B", "x=1", "x=2"), "x is given twice"),
        (("send", "d", "A.B", "--paras", "[1]"), "--paras: this must be a JSON object"),
        (("send", "d" * 65, "A.B"), "device id"),
        (("cancel",), "give ids of commands, or --all-of DEVICE"),
        (("cancel", "a", "b"), "add --yes"),
        (("cancel", "--all-of", "d"), "add --yes"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(run: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = run("commands", *arguments)
    assert refused.status == 2
    assert words in refused.err


def test_commands_are_listed_watched_and_revoked(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.set_online(device, False)
    first, second = (run("commands", "send", device, *OPEN, "-o", "json").json["commandId"] for _ in range(2))
    assert {each["commandId"] for each in run("commands", "list", "--device-id", device, "-o", "jsonl").lines} == {
        first,
        second,
    }
    late = run("commands", "watch", device, first, "--timeout", "0", "-o", "jsonl")
    assert (late.status, [each["status"] for each in late.lines]) == (13, ["PENDING"])
    (revoked,) = run("commands", "cancel", first, "-o", "json").json
    assert revoked["status"] == "CANCELED"
    task = run("commands", "cancel", "--all-of", device, "--yes", "-o", "json")
    assert (task.json["status"], task.json["totalCount"]) == ("SUCCESS", 1)
    assert len(run("commands", "cancel-tasks", "-o", "json").json) == 1
    ended = run("commands", "watch", device)
    assert ended.status == 1  # they were revoked
    assert len(ended.out.splitlines()) == 2
    assert run("commands", "watch", "nobody").status == 7


def test_commands_come_from_a_file(emulator: Emulator, run: Run, device: str, tmp_path: Path) -> None:
    emulator.control.script(device, answer="success")
    lines = f'deviceId,serviceId,method,paras\n{device},WaterMeter,SET_VALVE,"{{""state"":""OPEN""}}"\n'
    file = file_with(tmp_path, "commands.csv", lines + lines.splitlines()[1] + "\n")
    sent = run("commands", "send-many", file, "-o", "json")
    assert (sent.status, sent.json["done"]) == (0, 2)
    assert run("commands", "watch", device).status == 0


def test_a_service_of_a_device_is_called(run: Run, device: str) -> None:
    called = run("commands", "invoke", device, *OPEN, "-o", "json")
    assert (called.status, called.json["status"]) == (0, "sent")
    assert run("commands", "invoke", device, "WaterMeter.NOTHING").status == 9


def test_a_batch_is_created_and_watched(emulator: Emulator, run: Run, device: str) -> None:
    other = registered(emulator, run, "860000000000002")
    emulator.control.script(device, answer="success")
    emulator.control.script(other, answer="success")
    made = run("batch", "create", "night", *OPEN, "--device", device, "--device", other, "-o", "json")
    task = made.json["taskID"]
    ended = run("batch", "watch", task)
    assert ended.status == 0
    assert ended.out.splitlines()[0] == "night: Complete, 2 of 2 devices successful"
    assert {line.split()[0] for line in ended.out.splitlines()[1:]} == {device, other}
    assert run("batch", "show", task, "-o", "json").json["successCnt"] == 2
    assert len(run("batch", "details", task, "-o", "jsonl").lines) == 2
    assert run("batch", "create", "night", *OPEN, "--device", device).status == 8
    assert run("batch", "watch", "nothing").status == 7


def test_a_batch_with_a_failure_has_another_status(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.script(device, answer="fail")
    run("groups", "create", "west", "--device-ids", device)
    task = run("batch", "create", "day", *OPEN, "--group", "west", "-o", "json").json["taskID"]
    assert run("batch", "watch", task).status == 1


def test_a_batch_takes_a_group_by_its_name_or_by_its_id_and_help_says_which(run: Run, device: str) -> None:
    made = run("groups", "create", "west", "--device-ids", device, "-o", "json").json["id"]
    for number, choice in enumerate((("--group", "west"), ("--group-id", made))):
        task = run("batch", "create", f"task{number}", *OPEN, *choice, "-o", "json").json["taskID"]
        assert run("batch", "show", task, "-o", "json").json["totalCnt"] == 1
    assert "take its name" in " ".join(run("groups", "--help").out.split())
    for command in (("batch", "create"), ("upgrades", "start")):
        assert "the group with this name" in " ".join(run(*command, "--help").out.split())


@pytest.mark.parametrize("choice", [(), ("--all", "--device", "x")])
def test_a_batch_chooses_its_devices_in_one_way(run: Run, choice: tuple[str, ...]) -> None:
    refused = run("batch", "create", "night", *OPEN, *choice)
    assert (refused.status, "give one of --device, --group" in refused.err) == (2, True)


def package(emulator: Emulator, kind: str) -> str:
    made = emulator.control.add_package(
        {
            "fileType": kind,
            "name": "meter",
            "version": "2.0",
            "deviceType": "WaterMeter",
            "model": "HM20",
            "manufacturerName": "Hydralis Metering",
        }
    )
    return str(made["fileId"])


@pytest.mark.parametrize("kind", ["firmwarePackage", "softwarePackage"])
def test_an_upgrade_is_started_and_watched(emulator: Emulator, run: Run, device: str, kind: str) -> None:
    emulator.control.script(device, answer="success")
    started = run("upgrades", "start", package(emulator, kind), "--device", device, "-o", "json")
    assert started.status == 0, started.err
    operation = started.json["operationId"]
    ended = run("upgrades", "watch", operation)
    assert ended.status == 0
    assert f"{device}  success" in ended.out
    (listed,) = run("upgrades", "list", "-o", "json").json
    assert listed["operateType"].startswith(kind.removesuffix("Package"))
    assert len(run("upgrades", "details", operation, "-o", "json").json) == 1
    assert run("upgrades", "show", operation, "-o", "json").json["status"] == "success"


def test_an_upgrade_that_fails_has_another_status(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.script(device, answer="fail")
    file_id = package(emulator, "firmwarePackage")
    operation = run("upgrades", "start", file_id, "--device", device, "-o", "json").json["operationId"]
    assert run("upgrades", "watch", operation, "-o", "jsonl").status == 1
    assert run("upgrades", "start", "nothing", "--device", device).status == 7
    assert run("upgrades", "start", file_id, "--device", device, "--retries", "9").status == 2
    assert run("upgrades", "start", file_id, "--from", "soon").status == 2


def test_packages_are_listed_shown_and_deleted(emulator: Emulator, run: Run) -> None:
    ids = {package(emulator, "firmwarePackage"), package(emulator, "softwarePackage")}
    assert {each["fileId"] for each in run("packages", "list", "-o", "json").json} == ids
    (only,) = run("packages", "list", "--file-type", "firmwarePackage", "-o", "json").json
    assert run("packages", "show", only["fileId"], "-o", "json").json == only
    assert run("packages", "delete", *ids).status == 2
    deleted = run("packages", "delete", *ids, "--yes")
    assert (deleted.status, len(deleted.err.split("is deleted"))) == (0, 3)
    assert run("packages", "list", "-o", "json").json == []
