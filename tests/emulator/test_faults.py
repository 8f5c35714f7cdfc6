from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.faults import CALL_KINDS, PUSH_KINDS, Fault, FaultPlan

CALL = "GET /things/{id}"


def test_a_fault_strikes_as_often_as_its_count_and_is_then_removed() -> None:
    plan = FaultPlan()
    plan.add(Fault("reset", count=2))
    assert [plan.for_call(CALL) is not None for _ in range(4)] == [True, True, False, False]
    assert plan.list_() == []


@pytest.mark.parametrize("endpoint", ["*", CALL, "/things/{id}", "GET *"])
def test_a_call_is_named_by_route_or_path_or_star(endpoint: str) -> None:
    plan = FaultPlan()
    plan.add(Fault("reset", endpoint=endpoint))
    assert plan.for_call(CALL) is not None
    assert (plan.for_call("GET /other") is not None) == endpoint.endswith("*")
    assert (plan.for_call("PUT /other") is not None) == (endpoint == "*")


def test_probability_is_repeatable_with_a_seed() -> None:
    def run() -> list[bool]:
        plan = FaultPlan(seed=7)
        plan.add(Fault("reset", probability=0.3))
        return [plan.for_call(CALL) is not None for _ in range(1000)]

    assert run() == run()
    assert 200 < sum(run()) < 400


def test_call_faults_and_push_faults_do_not_mix() -> None:
    plan = FaultPlan()
    plan.add(Fault("push_lost", notify_type="deviceAdded", url="/here"))
    assert plan.for_call(CALL) is None
    assert plan.for_push("deviceDeleted", "https://x/here") is None
    assert plan.for_push("deviceAdded", "https://x/there") is None
    assert plan.for_push("deviceAdded", "https://x/here") is not None


def test_the_first_fault_that_fits_strikes() -> None:
    plan = FaultPlan()
    plan.add(Fault("reset", count=1))
    plan.add(Fault("stall"))
    struck = [plan.for_call(CALL) for _ in range(2)]
    assert [fault.kind for fault in struck if fault] == ["reset", "stall"]


def test_a_fault_can_be_removed() -> None:
    plan = FaultPlan()
    first, second = plan.add(Fault("reset")), plan.add(Fault("stall"))
    assert plan.remove(first.id)
    assert not plan.remove(first.id)
    assert [one["id"] for one in plan.list_()] == [second.id]
    plan.clear()
    assert plan.for_call(CALL) is None


@pytest.mark.parametrize("kind", [*CALL_KINDS, *PUSH_KINDS])
def test_every_kind_can_be_described_as_json(kind: str) -> None:
    assert Fault(kind).describe()["kind"] == kind


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_the_answers_length_is_the_servers_to_set(name: str) -> None:
    with pytest.raises(ValueError, match="use the kind wrong_length"):
        Fault("answer", headers={name: "1"})


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "push_lost", "endpoint": CALL}, "endpoint: push_lost has no such option; it goes with latency"),
        ({"kind": "push_lost", "when": "after"}, "when: push_lost has no such option"),
        ({"kind": "push_double", "seconds": 2}, "seconds: push_double has no such option; .*push_delay"),
        ({"kind": "reset", "notify_type": "deviceAdded"}, "notify_type: reset has no such option"),
        ({"kind": "reset", "url": "/in"}, "url: reset has no such option"),
        ({"kind": "stall", "status": 503}, "status: stall has no such option; it goes with answer"),
        ({"kind": "garbage", "body": {}}, "body: garbage has no such option; it goes with answer"),
        ({"kind": "drip", "delta": 3}, "delta: drip has no such option; it goes with wrong_length"),
    ],
)
def test_an_option_that_the_kind_does_not_have_is_refused(fault: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Fault(**fault)
