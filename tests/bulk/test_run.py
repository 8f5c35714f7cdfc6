"""Journals, ends and limits of a job."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import Hooks, InvalidArgumentError, NorthApiClient, RequestEvent, ResponseEvent, dto
from iot_northbound.bulk import BulkInterrupted, BulkProgress, BulkStoppedError
from iot_northbound.emulator import Emulator
from iot_northbound.services.device_management import DELETE, REGISTER
from tests.bulk.test_jobs import calls, command, ids, lamps, lose


class Enough(Exception):
    """What a callback of a test raises."""


def after(count: int, action: Callable[[], object]) -> Callable[[BulkProgress], None]:
    def progress(now: BulkProgress) -> None:
        if now.done >= count:
            action()

    return progress


def stop() -> None:
    raise Enough("that is enough")


# -- the journal -----------------------------------------------------------------------------------------------------


def test_a_job_goes_on_where_it_stopped_and_has_every_result(
    client: NorthApiClient, platform: Emulator, journal: Path
) -> None:
    rows = lamps(40, verifyCode="hush-hush")
    with pytest.raises(BulkStoppedError, match="Enough: that is enough") as caught:
        client.bulk.register(rows, journal=journal, progress=after(10, stop))
    assert isinstance(caught.value.__cause__, Enough)
    done = {result.key: result.value.device_id for result in caught.value.report.done}
    assert 10 <= len(done) < 40
    report = client.bulk.register(rows, journal=journal)
    assert (len(report), len(report.done), report.resumed) == (40, 40, len(done))
    assert {result.key: result.value.device_id for result in report} == ids(client)
    assert calls(platform, REGISTER) == 40
    assert {result.value.verify_code for result in report} == {"hush-hush"}
    again = client.bulk.register(rows, journal=journal)
    assert (again.resumed, calls(platform, REGISTER)) == (40, 40)


def test_only_the_user_can_read_the_journal_and_it_has_no_secret_of_a_row(
    client: NorthApiClient, journal: Path
) -> None:
    (result,) = client.bulk.modify([("gone", dto.ModifyDeviceInforInDTO(psk="5ec2e75ec2e7"))], journal=journal)
    assert not result.ok
    assert b"5ec2e75ec2e7" not in journal.read_bytes()
    if os.name == "posix":
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600


def test_rows_that_failed_are_tried_again_and_may_be_corrected(
    client: NorthApiClient, platform: Emulator, journal: Path
) -> None:
    rows: list[Any] = [*lamps(3), {"nodeId": "bad", "productId": "none"}, {"nodid": "typo"}]
    assert [result.row for result in client.bulk.register(rows, journal=journal).failed] == [4, 5]
    rows[3:] = [{"nodeId": "good"}, {"nodeId": "typo"}, {"nodeId": "one more"}]
    report = client.bulk.register(rows, journal=journal)
    assert (len(report.done), len(report.failed), report.resumed) == (6, 0, 3)
    assert set(ids(client)) == {"lamp-0", "lamp-1", "lamp-2", "good", "typo", "one more"}


def test_a_row_that_is_missing_at_the_end_stays_as_it_was(client: NorthApiClient, journal: Path) -> None:
    rows: list[Any] = [*lamps(2), {"nodeId": "bad", "productId": "none"}]
    client.bulk.register(rows, journal=journal)
    report = client.bulk.register(rows[:2], journal=journal)
    assert [result.row for result in report.done] == [1, 2]
    assert [result.key for result in report.failed] == ["bad"]


def test_a_row_that_was_done_with_other_values_stops_the_job(
    client: NorthApiClient, platform: Emulator, journal: Path
) -> None:
    client.bulk.register(lamps(3), journal=journal)
    rows = [{"nodeId": "new", "timeout": 0}, *lamps(3)]
    with pytest.raises(BulkStoppedError, match="row 1 = other values: the journal has another row there"):
        client.bulk.register(rows, journal=journal)
    assert calls(platform, REGISTER) == 3


def test_the_journal_of_another_job_or_kind_is_refused(client: NorthApiClient, journal: Path, tmp_path: Path) -> None:
    client.bulk.register(lamps(1), journal=journal)
    with pytest.raises(InvalidArgumentError, match=r"it is the journal of register on .*: choose another file"):
        client.bulk.delete([], journal=journal)
    with pytest.raises(InvalidArgumentError, match="journal of register on"):
        client.bulk.register([], mode="secret", journal=journal)
    other = tmp_path / "other"
    other.write_text("no journal")
    with pytest.raises(InvalidArgumentError, match=r"journal = .*damaged, or no SQLite file"):
        client.bulk.register([], journal=other)
    assert other.read_text() == "no journal"
    with pytest.raises(InvalidArgumentError, match="journal"):
        client.bulk.register([], journal=tmp_path / "no" / "folder")


def test_two_jobs_cannot_write_one_journal(client: NorthApiClient, journal: Path) -> None:
    refused: list[str] = []

    def other(_: BulkProgress) -> None:
        try:
            client.bulk.register([], journal=journal)
        except InvalidArgumentError as error:
            refused.append(str(error))

    client.bulk.register(lamps(2), journal=journal, progress=other)
    assert refused
    assert "this process has it open" in refused[0]


def test_a_report_says_when_its_journal_is_gone(client: NorthApiClient, journal: Path) -> None:
    report = client.bulk.register(lamps(2), journal=journal)
    journal.unlink()
    with pytest.raises(InvalidArgumentError, match="it was deleted, and the results with it"):
        list(report)


def test_a_report_whose_journal_goes_at_this_very_moment_says_so_too(
    client: NorthApiClient, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, connect = client.bulk.register(lamps(2), journal=journal), sqlite3.connect

    def late(*arguments: Any, **named: Any) -> sqlite3.Connection:
        journal.unlink(missing_ok=True)
        return connect(*arguments, **named)

    monkeypatch.setattr(sqlite3, "connect", late)
    with pytest.raises(InvalidArgumentError, match="it was deleted, and the results with it"):
        list(report)


def test_results_can_be_read_side_by_side(client: NorthApiClient) -> None:
    report = client.bulk.register(lamps(3))
    assert [(a.row, b.row) for a in report for b in report.done] == [(a, b) for a in (1, 2, 3) for b in (1, 2, 3)]


def test_a_journal_is_no_way_to_make_other_objects(client: NorthApiClient, journal: Path) -> None:
    client.bulk.register([{"nodeId": "bad", "productId": "none"}], journal=journal)
    with sqlite3.connect(journal) as connection:
        connection.execute(
            """UPDATE outcomes SET error = '{"class": "SdkCode", "error_code": "7", "error_desc": "x"}'"""
        )
    connection.close()
    (result,) = client.bulk.register([], journal=journal)
    assert str(result.error) == "7: x."


def killed(platform: Emulator, journal: Path, job: str, rows: list[Any], after: int) -> int:
    arguments = [str(platform.profile_path), str(journal), job, repr(rows), str(after)]
    done = subprocess.run([sys.executable, "-m", "tests.bulk.killed", *arguments], timeout=100, check=False)
    return done.returncode


def test_a_process_that_is_killed_again_and_again_does_no_row_twice(
    client: NorthApiClient, platform: Emulator, journal: Path
) -> None:
    rows = lamps(60)
    for count in (3, 35):
        assert killed(platform, journal, "register", rows, count) == -signal.SIGKILL
    report = client.bulk.register(rows, journal=journal)
    assert len(report.done) == 60, [result.error for result in report.failed]
    assert {result.key: result.value.device_id for result in report} == ids(client)
    assert 35 <= report.resumed < 60


def test_commands_of_a_killed_process_are_sent_once_or_told(
    client: NorthApiClient, platform: Emulator, journal: Path
) -> None:
    platform.control.add_devices(30, product_id="street-lamp-nb")
    rows = [command(each) for each in sorted(ids(client).values())]
    assert killed(platform, journal, "send_commands", rows, 5) == -signal.SIGKILL
    report = client.bulk.send_commands(rows, journal=journal)
    unknown = [result for result in report.failed if result.error.outcome_unknown]
    assert 0 < len(unknown) == len(report.failed) <= 8
    assert len(report.done) == 30 - len(unknown)
    sent = [each.device_id for each in client.signal_delivery.iter_device_commands(dto.QueryDeviceCommandInDTO2())]
    assert len(sent) == len(set(sent)) <= 30
    report = client.bulk.send_commands(rows, journal=journal, resend_unknown=True)
    assert len(report.done) == 30


def test_a_deletion_whose_run_ended_before_its_answer_is_done(
    connect: Callable[..., NorthApiClient], client: NorthApiClient, journal: Path
) -> None:
    def hook(event: ResponseEvent) -> None:
        if event.endpoint == DELETE.name:
            raise SystemExit

    rows = [result.value.device_id for result in client.bulk.register(lamps(3))]
    with pytest.raises(SystemExit):
        connect(hooks=Hooks(after_response=hook)).bulk.delete(rows, journal=journal, threads=1)
    assert len(ids(client)) < 3
    report = connect().bulk.delete(rows, journal=journal)
    assert (len(report.done), len(report.failed)) == (3, 0)


# -- the end of a job ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_lets_the_calls_in_hand_end(client: NorthApiClient, platform: Emulator, journal: Path) -> None:
    with pytest.raises(BulkInterrupted) as caught:
        client.bulk.register(
            lamps(400), journal=journal, progress=after(10, lambda: signal.raise_signal(signal.SIGINT))
        )
    report = caught.value.report
    assert isinstance(caught.value, KeyboardInterrupt)
    assert 10 <= len(report.done) < 60
    assert {result.key: result.value.device_id for result in report.done} == ids(client)
    assert not list(report.failed)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert client.bulk.register(lamps(80), journal=journal).resumed == len(report.done)
    assert calls(platform, REGISTER) == 80


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_second_ctrl_c_ends_the_job_at_once(client: NorthApiClient) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        client.bulk.register(lamps(400), progress=after(10, twice))
    assert not isinstance(caught.value, BulkInterrupted)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_exit_lets_the_calls_in_hand_end_too(client: NorthApiClient, journal: Path) -> None:
    with pytest.raises(SystemExit):
        client.bulk.register(lamps(400), journal=journal, progress=after(10, lambda: sys.exit(7)))
    made = len(ids(client))
    assert made >= 10
    assert client.bulk.register(lamps(60), journal=journal).resumed == made


def test_rows_that_cannot_be_read_any_more_end_the_job(client: NorthApiClient) -> None:
    def broken() -> Iterator[Any]:
        yield from lamps(5)
        raise Enough("the file is gone")

    with pytest.raises(BulkStoppedError, match="Enough: the file is gone") as caught:
        client.bulk.register(broken())
    assert {result.key for result in caught.value.report.done} <= set(ids(client))


def test_a_hook_that_raises_ends_the_job_and_its_row_is_not_lost(
    connect: Callable[..., NorthApiClient], platform: Emulator, journal: Path
) -> None:
    def hook(event: RequestEvent) -> None:
        if event.endpoint == REGISTER.name:
            raise SystemExit

    with pytest.raises(SystemExit):
        connect(hooks=Hooks(before_request=hook)).bulk.register(lamps(5), journal=journal, threads=1)
    report = connect().bulk.register(lamps(5), journal=journal)
    assert len(report.done) == 5


def test_a_row_whose_lookup_fails_stays_unknown_and_is_settled_by_the_next_run(
    client: NorthApiClient, platform: Emulator, journal: Path
) -> None:
    lose(platform, REGISTER, "after", 3)
    platform.control.add_fault("answer", endpoint="GET /iocm/app/dm/v1.4.0/devices", status=500, count=1)
    with pytest.raises(BulkStoppedError) as caught:
        client.bulk.register(lamps(9), journal=journal)
    report = caught.value.report
    assert (len(report.done), len(report.failed)) == (6, 3)
    assert all(result.error.outcome_unknown for result in report.failed)
    report = client.bulk.register(lamps(9), journal=journal)
    assert (len(report.done), report.resumed) == (9, 6)
    assert calls(platform, REGISTER) == 9


def test_a_platform_that_cannot_be_reached_ends_the_job(tmp_path: Path, platform: Emulator) -> None:
    with Emulator(port=0, control_port=None, folder=tmp_path) as other:
        client = NorthApiClient.from_profile(other.profile_path)
        client.start_timer()
    with client, pytest.raises(BulkStoppedError) as caught:
        client.with_options(max_attempts=1).bulk.register(lamps(400))
    assert len(caught.value.report) <= 16


def test_many_threads_share_one_client(client: NorthApiClient) -> None:
    reports: list[int] = []

    def work(name: str) -> None:
        rows = [{"nodeId": f"{name}-{number}", "timeout": 0} for number in range(20)]
        reports.append(len(client.bulk.register(rows, threads=3).done))

    threads = [threading.Thread(target=work, args=(f"job{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reports == [20] * 4
    assert len(ids(client)) == 80
    assert not [each for each in threading.enumerate() if each.name.startswith("iot-bulk")]
