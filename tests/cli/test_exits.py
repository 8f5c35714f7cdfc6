"""The exit status of each family of errors, and the page that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iot_northbound import errors
from iot_northbound.cli.exits import Exit, exit_of
from iot_northbound.error_codes import ERROR_CODES, SDK_CODES

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def test_the_numbers_never_change() -> None:
    assert {each.name: each.value for each in Exit} == {
        "DONE": 0, "FAILED": 1, "USAGE": 2, "CONFIGURATION": 3, "UNREACHABLE": 4, "TLS": 5, "NOT_AUTHORIZED": 6,
        "NOT_FOUND": 7, "EXISTS": 8, "REFUSED": 9, "LIMITED": 10, "OFFLINE": 11, "PLATFORM": 12, "TOO_LATE": 13,
        "UNEXPECTED": 70, "INTERRUPTED": 130, "CLOSED_PIPE": 141,
    }  # fmt: skip


def test_the_page_lists_each_with_its_meaning() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert told == {str(each.value): each.meaning for each in Exit}


@pytest.mark.parametrize(
    ("error", "family"),
    [
        (errors.InvalidArgumentError("1007", "an option"), Exit.CONFIGURATION),
        (errors.InvalidArgumentError("1008", "no address"), Exit.CONFIGURATION),
        (errors.TlsError("1006", "no such file"), Exit.CONFIGURATION),
        (errors.TlsError("1003", "handshake"), Exit.TLS),
        (errors.ConnectionFailedError("1003", "refused"), Exit.UNREACHABLE),
        (errors.RequestTimeoutError("1003", "slow"), Exit.UNREACHABLE),
        (errors.SharedStateError("1001", "away"), Exit.UNREACHABLE),
        (errors.BadTokenError("1010005", "token"), Exit.NOT_AUTHORIZED),
        (errors.NotAuthorizedError("1010009", "no"), Exit.NOT_AUTHORIZED),
        (errors.NotFoundError("100403", "no device"), Exit.NOT_FOUND),
        (errors.AlreadyExistsError("100416", "is there"), Exit.EXISTS),
        (errors.InvalidArgumentError("100022", "a value"), Exit.REFUSED),
        (errors.NorthApiException("999999", "unknown"), Exit.REFUSED),
        (errors.ThrottledError("1010010", "calls"), Exit.LIMITED),
        (errors.QuotaReachedError("100217", "full"), Exit.LIMITED),
        (errors.DeviceOfflineError("100428", "off"), Exit.OFFLINE),
        (errors.PlatformFailureError("50252", "broken"), Exit.PLATFORM),
        (errors.UnreadableAnswerError("1004", "html"), Exit.PLATFORM),
        (errors.WaitTimeoutError("1001", "late"), Exit.TOO_LATE),
        (errors.NorthApiException("1001", "internal"), Exit.FAILED),
        (FileNotFoundError(2, "no"), Exit.FAILED),
        (ValueError("a mistake"), Exit.UNEXPECTED),
    ],
)
def test_each_family_has_its_own(error: Exception, family: Exit) -> None:
    assert exit_of(error) is family


def test_every_code_belongs_to_a_family() -> None:
    for code, known in {**ERROR_CODES, **SDK_CODES}.items():
        status = known.statuses[0] if known.statuses else None
        family = exit_of(errors.class_for(code, status)(code, known.meaning))
        assert family not in (Exit.DONE, Exit.USAGE, Exit.UNEXPECTED)
