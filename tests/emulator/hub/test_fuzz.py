"""The short form of the fuzzing of the hubs' port; `tests/emulator/hub/fuzz.py` is the long one."""

from __future__ import annotations

import asyncio

from tests.emulator.hub import fuzz


def test_no_exception_escapes_from_damaged_messages() -> None:
    statuses = asyncio.run(fuzz.run(3_000))
    assert not statuses["ERR"]
    assert min(statuses[each] for each in ("ACK", "ERR_FORMAT", "UNKNOWN")) > 10  # all ways were gone
