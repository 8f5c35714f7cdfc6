from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from iot_northbound.emulator.kernel import routing
from iot_northbound.emulator.kernel.calls import MALFORMED, Call, Refusal, Request
from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import DUE_AT_ONCE, Platform
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.rules import devices
from tests.emulator.calling import START, Caller, code_of


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    ran: list[Any] = []
    monkeypatch.setitem(routing.TIMERS, "note", lambda platform, **args: ran.append((platform.now() - START, args)))

    def again(platform: Platform) -> None:
        ran.append(platform.now() - START)
        platform.after(10, "again")

    def broken(platform: Platform) -> None:
        platform.table("devices").put("half", {"created": 0, "seq": 0, "deviceId": "half"})
        raise RuntimeError("boom")

    monkeypatch.setitem(routing.TIMERS, "again", again)
    monkeypatch.setitem(routing.TIMERS, "broken", broken)
    return ran


def test_unknown_paths_and_methods_get_the_platforms_own_errors(platform: Platform) -> None:
    for method, path, status in [("GET", "/nowhere", 404), ("PATCH", "/iocm/app/sec/v1.1.0/login", 405)]:
        answer = platform.handle(Request(method, path))
        assert answer.status == status
        assert set(answer.body) == {"error_code", "error_desc"}


def test_timers_run_in_order_of_their_due_times_and_see_their_own_moment(platform: Platform, timers: list[Any]) -> None:
    platform.after(60, "note", n=2)
    platform.after(30, "note", n=1)
    platform.cancel(platform.after(45, "note", n=9))
    platform.cancel(None)
    assert platform.next_due() == START + 30
    platform.advance(59)
    assert timers == [(30.0, {"n": 1})]
    platform.advance(172800)
    assert timers[1:] == [(60.0, {"n": 2})]
    assert platform.now() == START + 59 + 172800


def test_a_timer_that_sets_itself_again_runs_at_each_of_its_times(platform: Platform, timers: list[Any]) -> None:
    platform.after(10, "again")
    platform.advance(35)
    assert timers == [10.0, 20.0, 30.0]


def test_a_timer_that_always_renews_itself_for_now_cannot_hang_a_call(
    platform: Platform, timers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(routing.TIMERS, "note", lambda platform: platform.after(0, "note"))
    platform.after(0, "note")
    assert platform.run_due() == 1


def test_timers_that_renew_themselves_for_now_cannot_hang_an_advance(
    platform: Platform, timers: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("iot_northbound.emulator.kernel.platform.ROUNDS", 50)
    ran: list[float] = []

    def renew(platform: Platform) -> None:
        ran.append(platform.now())
        platform.after(0, "note")

    monkeypatch.setitem(routing.TIMERS, "note", renew)
    platform.after(3, "note")
    with caplog.at_level(logging.ERROR):
        platform.advance(5)
    assert ran == [START + 3] * 51
    assert platform.now() == START + 5
    assert "without end" in caplog.text


def test_a_long_chain_at_one_moment_is_run_to_its_end(
    platform: Platform, timers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(2_000))
    monkeypatch.setitem(
        routing.TIMERS, "note", lambda platform: platform.after(0, "note") if next(left, None) is not None else None
    )
    platform.after(0, "note")
    platform.advance(0)
    assert next(left, "all") == "all"
    assert platform.next_due() is None


def test_a_failing_timer_leaves_no_trace_and_time_goes_on(
    platform: Platform, timers: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    platform.after(1, "broken")
    platform.after(2, "note")
    with caplog.at_level(logging.ERROR):
        platform.advance(3)
    assert "timer broken failed" in caplog.text
    assert devices.find(platform, "half") is None
    assert timers == [(2.0, {})]


def test_a_timer_needs_a_rule_and_time_never_runs_backwards(platform: Platform) -> None:
    with pytest.raises(ValueError, match="no rule"):
        platform.after(1, "no such kind")
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="only be advanced"):
            platform.advance(seconds)


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyError("y"), RecursionError()])
def test_a_failure_inside_becomes_the_internal_error_and_undoes_the_call(
    platform: Platform, app: Caller, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setitem(routing.HOOKS, "device_added", [broken])
    before = len(platform.table("devices"))
    answer = app.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "n"})
    assert code_of(answer) == (500, "50252")
    assert len(platform.table("devices")) == before


def test_a_call_waits_for_some_of_many_due_timers_not_for_all(platform: Platform, app: Caller) -> None:
    for number in range(DUE_AT_ONCE * 2):
        app.register(f"n{number}", timeout=50)
    platform.clock.move_to(START + 60)
    left = [app.call("GET", "/iocm/app/dm/v1.4.0/devices", pageNo="0").body["totalCount"] for _ in range(3)]
    assert left == [DUE_AT_ONCE, 0, 0]


def test_a_refusal_undoes_what_the_call_did(platform: Platform) -> None:
    def act(platform: Platform) -> None:
        devices.create(platform, "app-one", "n")
        raise Refusal(403, "100203")

    before = platform.store.dump()
    with pytest.raises(Refusal):
        platform.work(act, platform)
    assert platform.store.dump() == before


def test_work_within_work_belongs_to_the_outer_one(platform: Platform) -> None:
    def outer() -> None:
        platform.work(devices.create, platform, "app-one", "n")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        platform.work(outer)
    assert len(platform.table("devices")) == 0


def test_a_restart_goes_on_from_the_platforms_state(platform: Platform, app: Caller) -> None:
    kept: dict[tuple[str, str], Any] = {}

    def persist() -> None:
        for table, key, row in platform.take_changes():
            if row is None:
                kept.pop((table, key), None)
            else:
                kept[table, key] = json.loads(json.dumps(row))

    device_id = app.register("n", timeout=100)
    platform.advance(40)
    persist()
    again = Platform(Settings(), Clock(), Ids())
    again.load((table, key, row) for (table, key), row in kept.items())
    assert again.take_changes() == []
    caller = Caller(again, token=app.token)
    assert caller.device(device_id).status == 200
    assert again.now() == START + 40
    assert again.next_due() == START + 100
    assert again.ids.uuid() == platform.ids.uuid()
    again.advance(60)
    assert code_of(caller.device(device_id)) == (404, "100403")


def test_a_first_start_keeps_what_the_platform_begins_with_and_a_restart_adds_nothing() -> None:
    first = Platform()
    first.load([])
    rows = [(table, key, row) for table, key, row in first.take_changes() if row is not None]
    assert "water-meter-nb" in [key for table, key, _ in rows if table == "models"]
    again = Platform()
    again.load(row for row in rows if row[1] != "water-meter-nb")
    assert "water-meter-nb" not in again.table("models")


def test_a_snapshot_restores_state_time_and_ids(platform: Platform, app: Caller) -> None:
    app.register("n1")
    snapshot = json.loads(json.dumps(platform.dump()))
    first = app.register("n2")
    platform.advance(50)
    platform.restore(snapshot)
    assert platform.now() == START
    assert app.register("n2") == first


def test_a_reset_keeps_applications_and_forgets_the_rest(platform: Platform, app: Caller) -> None:
    app.register("n1")
    platform.reset()
    assert code_of(app.call("GET", "/iocm/app/dm/v1.4.0/devices", pageNo="0")) == (403, "1010005")
    app.login()
    assert app.call("GET", "/iocm/app/dm/v1.4.0/devices", pageNo="0").body["totalCount"] == 0
    assert app.register("m", productId="water-meter-nb")


def test_a_call_shows_no_secret_in_its_text() -> None:
    request = Request("POST", "/x", {"q": "hide"}, {"secret": "hide"}, {"secret": "hide"}, token="hide")
    assert "hide" not in repr(request)
    assert "hide" not in repr(Call(request, routing.Route("1", "GET", "/", lambda *_: None), []))  # type: ignore[arg-type, return-value]


def test_bytes_that_are_no_json_get_the_endpoints_own_code(app: Caller) -> None:
    assert code_of(app.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", MALFORMED)) == (400, "100007")
    assert code_of(app.call("PUT", "/iocm/app/dm/v1.4.0/devices/x", MALFORMED)) == (400, "50400")


def test_flow_control_refuses_beyond_its_calls_per_minute_and_forgives(
    platform: Platform, app: Caller, other: Caller
) -> None:
    platform.settings.flow_control, platform.settings.calls_per_minute = True, 3
    path = "/iocm/app/reg/v1.1.0/deviceCredentials/x"
    for _ in range(3):
        assert code_of(app.call("GET", path)) == (404, "100403")
        platform.advance(10)
    assert code_of(app.call("GET", path)) == (403, "1010009")
    assert code_of(other.call("GET", path)) == (404, "100403")
    platform.advance(30)
    assert code_of(app.call("GET", path)) == (404, "100403")
    assert code_of(app.call("GET", path)) == (403, "1010009")
