import io
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from iot_northbound import NorthApiClient
from iot_northbound.basic_test import CLEAN_UP, FORGOTTEN, STEPS, BasicTest, Step
from iot_northbound.emulator import Emulator
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.services import DeviceManagement
from tests.checking import BROKEN, CHANGING, DELETING, REGISTERING, Check

REGISTER = "POST /iocm/app/reg/v1.1.0/deviceCredentials"
MODIFY = "PUT /iocm/app/dm/v1.4.0/devices/{deviceId}"
DELETE = "DELETE /iocm/app/dm/v1.4.0/devices/{deviceId}"
DEVICES = "GET /iocm/app/dm/v1.4.0/devices"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def emulator(platform: Emulator) -> Emulator:
    platform.control.reset()
    return platform


@pytest.fixture
def check(emulator: Emulator) -> Check:
    return Check(emulator)


def devices(emulator: Emulator) -> int:
    return int(emulator.control.health()["rows"].get("devices", 0))


def test_it_passes_every_step_and_leaves_no_device(emulator: Emulator, check: Check) -> None:
    report = check.run()
    assert report.passed
    assert [step.name for step in report.steps] == list(STEPS)
    assert [call["endpoint"] for call in emulator.control.journal(kind="call")][-3:] == [REGISTER, MODIFY, DELETE]
    assert devices(emulator) == 0


def test_each_step_is_a_line(check: Check) -> None:
    out = io.StringIO()
    info = attrs.asdict(check.info)
    report = BasicTest.begin_basic_test(**info, ssl_config=check.tls, out=out)
    lines = out.getvalue().splitlines()
    assert [line[:3] for line in lines] == ["[Y]"] * len(STEPS)
    assert all(name in line and " ms" in line for name, line in zip(STEPS, lines, strict=True))
    assert report.as_json()["passed"] is True


def test_without_anything_else_the_lines_go_to_standard_output(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    BasicTest.begin_basic_test(**attrs.asdict(check.info), ssl_config=check.tls)
    assert capsys.readouterr().out.count("[Y]") == len(STEPS)


def test_an_address_that_is_none_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(InvalidArgumentError):
        BasicTest.begin_basic_test("https://platform.example", 8743, "app", "secret")


def test_what_a_server_says_cannot_steer_the_terminal() -> None:
    step = Step(name="login", passed=False, seconds=0.1, detail="\x1b[2Jgone\n", cause="a\rb", remedy="c\x07")
    assert all(each.isprintable() for each in step.line().splitlines())
    assert len(step.line().splitlines()) == 3


def test_an_api_that_is_closed_to_the_application(emulator: Emulator, check: Check) -> None:
    told = {"resultcode": "1010005", "resultmsg": "no"}
    emulator.control.add_fault("answer", endpoint=REGISTER, status=403, body=told)
    step = check.failed_at(REGISTERING)
    assert "may not use this API" in step.cause
    assert check.steps[-1].name != CLEAN_UP  # refused for sure: nothing to look for
    assert DEVICES not in [call["endpoint"] for call in emulator.control.journal()]


def test_a_registration_lost_before_the_platform_did_its_work(emulator: Emulator, check: Check) -> None:
    emulator.control.add_fault("reset", endpoint=REGISTER, when="before")
    check.failed_at(REGISTERING)
    assert check.clean_up.passed
    assert "did not arrive" in check.clean_up.detail


@pytest.mark.parametrize("kind", ["reset", "truncate", "garbage"])
def test_a_registration_whose_answer_is_lost_is_found_and_deleted(emulator: Emulator, check: Check, kind: str) -> None:
    emulator.control.add_devices(120)
    emulator.control.add_fault(kind, endpoint=REGISTER, when="after")
    check.failed_at(REGISTERING)
    assert check.clean_up.passed
    assert devices(emulator) == 120


@pytest.mark.parametrize(("body", "told"), [({}, "$.deviceId should be text"), ({"deviceId": ""}, "no deviceId")])
def test_a_registration_that_says_no_device_id(emulator: Emulator, check: Check, body: Any, told: str) -> None:
    emulator.control.add_fault("answer", endpoint=REGISTER, when="after", status=201, body=body)
    assert told in check.failed_at(REGISTERING).detail
    assert check.clean_up.passed
    assert devices(emulator) == 0


@pytest.mark.parametrize(
    "fault",
    [{"kind": "answer", "status": 500, "body": BROKEN}, {"kind": "reset"}, {"kind": "reset", "when": "after"}],
)
def test_a_change_that_fails_leaves_no_device(emulator: Emulator, check: Check, fault: dict[str, Any]) -> None:
    emulator.control.add_fault(endpoint=MODIFY, **fault)
    check.failed_at(CHANGING)
    assert check.clean_up.passed
    assert devices(emulator) == 0


def test_a_deletion_that_fails_twice_is_done_in_the_clean_up(emulator: Emulator, check: Check) -> None:
    emulator.control.add_fault("answer", endpoint=DELETE, status=500, body=BROKEN, count=2)
    check.failed_at(DELETING)
    assert check.clean_up.passed
    assert check.clock.slept == [1.0]
    assert devices(emulator) == 0


def test_a_deletion_whose_answer_is_lost_is_not_taken_for_a_failure_twice(emulator: Emulator, check: Check) -> None:
    emulator.control.add_fault("reset", endpoint=DELETE, when="after", count=1)
    check.failed_at(DELETING)
    assert check.clean_up.detail == "the test device was deleted already"


def test_a_device_that_cannot_be_deleted_is_named(emulator: Emulator, check: Check) -> None:
    emulator.control.add_fault("answer", endpoint=DELETE, status=500, body=BROKEN)
    check.failed_at(DELETING)
    left = check.clean_up
    assert left.mark == "[X]"
    assert "node id test123" in left.remedy
    assert f"after {FORGOTTEN} s" in left.remedy
    emulator.control.advance(FORGOTTEN + 1)
    assert devices(emulator) == 0  # as the remedy says


def test_a_token_that_another_login_ended_does_not_hinder_the_clean_up(emulator: Emulator, check: Check) -> None:
    def log_in_elsewhere(step: Step) -> None:
        if step.name == REGISTERING:
            with NorthApiClient.from_profile(emulator.profile_path) as other:
                assert other.token_status

    report = check.run(log_in_elsewhere)
    changed = report.steps[STEPS.index(CHANGING)]
    assert "Another login" in changed.cause
    assert check.clean_up.passed
    assert devices(emulator) == 0


@pytest.mark.parametrize("when", [REGISTERING, CHANGING])
def test_an_interruption_between_steps_leaves_no_device(emulator: Emulator, check: Check, when: str) -> None:
    def interrupt(step: Step) -> None:
        if step.name == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check.run(interrupt)
    assert check.clean_up.passed
    assert devices(emulator) == 0


def test_an_interruption_within_the_registration_leaves_no_device(
    emulator: Emulator, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = DeviceManagement.reg_direct_device

    def interrupted(*arguments: Any, **named: Any) -> Any:
        register(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(DeviceManagement, "reg_direct_device", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check.run()
    assert check.clean_up.passed
    assert devices(emulator) == 0


def test_an_interrupted_clean_up_names_what_stays(
    emulator: Emulator, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(DeviceManagement, "delete_direct_device", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check.run()
    assert check.clean_up.mark == "[X]"
    assert "by hand" in check.clean_up.remedy
