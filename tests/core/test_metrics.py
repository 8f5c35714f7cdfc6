"""What a client counts about its token and its limit."""

from pathlib import Path
from typing import Any

from tests.clock import FakeClock
from tests.faulty_server import Desk

from iot_northbound.core.endpoint import Endpoint

READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="test")


def good(seen: Any, wire: Any) -> tuple[int, Any]:
    return 200, {}


def test_a_client_counts_by_itself(serve: Any, connect: Any) -> None:
    client = connect(serve(Desk(good)))
    assert client.metrics == ((0, 0, 0, 0, 0, 0.0), None)
    client.start_timer()
    client.call(READ, {})
    assert client.metrics == ((1, 0, 0, 0, 0, 0.0), None)


def test_clients_that_share_a_token_count_whose_renewal_it_was(serve: Any, connect: Any, tmp_path: Path) -> None:
    desk = Desk(good)
    server = serve(desk)
    first, second = (connect(server, shared=f"file:{tmp_path}/shared.sqlite3") for _ in range(2))
    first.start_timer()
    second.start_timer()
    second.call(READ, {})
    assert [each.metrics.token[:3] for each in (first, second)] == [(1, 0, 1), (0, 0, 1)]
    desk.revoke()
    first.call(READ, {})
    second.call(READ, {})
    assert [each.metrics.token[:3] for each in (first, second)] == [(2, 0, 2), (0, 1, 2)]
    assert [each.metrics.token.state_away_seconds for each in (first, second)] == [0, 0]


def test_the_limit_is_counted(serve: Any, connect: Any, stopped: FakeClock) -> None:
    client = connect(serve(Desk(good)), calls_per_minute=2, deadline=200, clock=stopped)
    client.start_timer()  # its login counts too
    for _ in range(2):
        client.call(READ, {})
    limit = client.metrics.limit
    assert (limit.taken, limit.refused_by_platform, limit.processes) == (3, 0, 1)
    assert 59 < limit.waited_seconds < 62
