"""The application of examples/na_gunicorn: reloaded, recycled and killed under load, with a token of seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator
from tests.push.na_gunicorn import USERS, Application, running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc for gunicorn's workers")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(port=0, folder=tmp_path / "platform", token_lifetime=5) as emulator:
        yield emulator


def no_request_failed_but_those_of_killed_workers(application: Application, kills: int) -> None:
    """A connection that breaks was held by the killed worker; an answer that is not a 200 is nobody's due."""
    assert [each for each in application.users if each[0].isdigit() and each != "200"] == [], application.log
    assert application.users.total() - application.users["200"] <= kills * USERS, application.users


def test_reloaded_recycled_and_killed_workers_fail_no_request_of_others_and_strand_no_push(
    tmp_path: Path, platform: Emulator
) -> None:
    with running(tmp_path, platform, max_requests=40) as application:
        application.served(60)
        application.reload()
        application.served(60)
        no_request_failed_but_those_of_killed_workers(application, 0)
        assert set(application.pushes) == {"200"}, application.log
        application.kill()
        application.served(20)
        assert application.lost() == set(), application.log
        no_request_failed_but_those_of_killed_workers(application, 1)
        assert len(application.workers) > 8


@pytest.mark.chaos
def test_an_hour_of_trouble_in_a_minute(tmp_path: Path, platform: Emulator) -> None:
    with running(tmp_path, platform, max_requests=500) as application:
        for _ in range(10):
            application.served(300)
            application.reload()
            application.served(300)
            application.kill()
        assert application.lost() == set(), application.log
        no_request_failed_but_those_of_killed_workers(application, 10)
        figures = (
            f"users {dict(application.users)}, pushes {dict(application.pushes)}, calls {platform.control.calls()}"
        )
        sys.stderr.write(f"{figures}, {len(application.workers)} workers\n")
