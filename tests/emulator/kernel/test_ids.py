from __future__ import annotations

import re

from iot_northbound.emulator.kernel.ids import Ids


def test_a_seed_repeats_and_a_counter_goes_on() -> None:
    first, second = Ids("s"), Ids("s")
    ids = [first.uuid(), first.token(), first.hex(7), first.integer(10)]
    assert ids == [second.uuid(), second.token(), second.hex(7), second.integer(10)]
    assert Ids("s", first.counter).uuid() == first.uuid()
    assert Ids("other").uuid() != ids[0]


def test_ids_have_their_forms() -> None:
    for ids in (Ids(), Ids("s")):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ids.uuid())
        assert re.fullmatch(r"[0-9a-f]{32}", ids.token())
        assert re.fullmatch(r"[0-9a-f]{7}", ids.hex(7))
    assert len({Ids().uuid() for _ in range(100)}) == 100
