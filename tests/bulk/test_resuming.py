"""What a job knows of earlier runs, and tells when it cannot go on."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import InvalidArgumentError, NorthApiClient
from iot_northbound.bulk import BulkStoppedError
from iot_northbound.bulk.journal import Journal
from iot_northbound.emulator import Emulator
from iot_northbound.services.device_management import REGISTER
from tests.bulk.test_jobs import calls, ids, lamps, lose
from tests.clock import FakeClock


def test_failed_rows_may_change_their_places(client: NorthApiClient, journal: Path) -> None:
    wrong = [{"nodeId": node_id, "productId": "no-such-product"} for node_id in ("A1", "B2", "C3")]
    assert len(client.bulk.register(wrong, journal=journal).failed) == 3
    right = [{"nodeId": node_id} for node_id in ("C3", "A1", "B2", "A1")]
    report = client.bulk.register(right, journal=journal)
    assert [result.key for result in report.done] == ["C3", "A1", "B2"]
    assert "it is in row 2 already" in str(next(iter(report.failed)).error)


def test_the_journal_of_another_owner_is_refused(client: NorthApiClient, platform: Emulator, journal: Path) -> None:
    client.bulk.register(lamps(2), journal=journal)
    with pytest.raises(InvalidArgumentError, match="choose another file"):
        client.bulk.register(lamps(2), journal=journal, app_id="another-application")


@pytest.mark.parametrize(
    "change",
    [
        "job SET name = x'ff'",
        "job SET application = CAST(x'ff' AS TEXT)",
        "rows SET digest = 'text'",
        "rows SET key = CAST(x'ff' AS TEXT)",
        "rows SET input = '{'",
        "rows SET input = '[]'",
        "rows SET input = '" + "[" * 60_000 + "'",
        "outcomes SET state = 7",
        "outcomes SET state = 'done'",
        "outcomes SET value = x'7b7d'",
        "outcomes SET value = 'no JSON'",
        "outcomes SET error = '[1]'",
        "outcomes SET error = ''",
        "outcomes SET seconds = 'long'",
    ],
    ids=lambda each: each[:40],
)
def test_a_journal_with_wrong_values_is_refused_before_the_first_call(
    client: NorthApiClient, platform: Emulator, journal: Path, change: str
) -> None:
    client.bulk.register([*lamps(2), {"nodeId": "X", "productId": "no-such-product"}], journal=journal)
    with sqlite3.connect(journal, isolation_level=None) as db:
        db.execute(f"UPDATE {change}")
    db.close()
    before, sent = journal.read_bytes(), calls(platform, REGISTER)
    with pytest.raises(InvalidArgumentError, match=r"damaged.*left as it is"):
        client.bulk.register(lamps(5), journal=journal)
    assert (journal.read_bytes(), calls(platform, REGISTER)) == (before, sent)


def test_a_lookup_that_is_throttled_is_made_again(
    connect: Callable[..., NorthApiClient], platform: Emulator, journal: Path
) -> None:
    clock = FakeClock()
    lose(platform, REGISTER, "after", 3)
    body = {"error_code": "1010009", "error_desc": "too many"}
    devices = "GET /iocm/app/dm/v1.4.0/devices"
    platform.control.add_fault("answer", endpoint=devices, status=429, body=body, count=2)
    assert len(connect(clock=clock).bulk.register(lamps(9), journal=journal).done) == 9
    assert clock.slept == [5.0, 10.0]
    assert calls(platform, REGISTER) == 9


def test_rows_whose_outcome_cannot_be_written_are_told_as_unknown_and_settled_later(
    client: NorthApiClient, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Journal._insert

    def full(self: Journal, table: str, rows: list[Any]) -> None:
        if table == "outcomes" and rows:
            raise sqlite3.OperationalError("database or disk is full")
        write(self, table, rows)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "_insert", full)
        with pytest.raises(BulkStoppedError, match="disk is full") as caught:
            client.bulk.register(lamps(9), journal=journal)
    report = caught.value.report
    assert not report.done
    assert set(ids(client)) <= {result.key for result in report.failed}
    assert len(report) == len(list(report)) == len(report.failed)
    assert all(result.error is not None and result.error.outcome_unknown for result in report.failed)
    assert len(client.bulk.register(lamps(9), journal=journal).done) == 9
    assert len(ids(client)) == 9
