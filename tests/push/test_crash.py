from __future__ import annotations

from pathlib import Path

from tests.push.crash import crash


def test_what_was_answered_is_handled_however_often_the_receiver_is_killed(tmp_path: Path) -> None:
    outcome = crash(tmp_path, messages=4_000, every=700)
    assert outcome.kills >= 3
    assert outcome.lost == 0
    assert outcome.out_of_order == 0
    # A message is handled again only if the kill came before its deletion was written: one batch at most.
    assert outcome.handled_twice <= outcome.kills * 100
