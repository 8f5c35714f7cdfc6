from __future__ import annotations

from .fuzzing import fuzz


def test_no_odd_packet_raises_or_touches_a_bystander() -> None:
    run, _ = fuzz(8_000)
    assert run.escaped == []
    assert {"PUBLISH: taken", "PUBLISH: dropped", "PUBLISH: unrouted", "close: protocol error"} <= set(run.outcomes)
