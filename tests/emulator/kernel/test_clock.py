from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.clock import Clock, parse_time, time_text


def test_a_thawed_clock_goes_on_from_the_frozen_moment() -> None:
    real = [100.0]
    clock = Clock(lambda: real[0])
    clock.freeze()
    real[0] = 150.0
    assert clock.now() == 100.0
    clock.move_to(130.0)
    clock.thaw()
    real[0] = 151.0
    assert clock.now() == 131.0


def test_a_clock_goes_on_from_its_state() -> None:
    clock = Clock(lambda: 100.0)
    clock.move_to(500.0)
    later = Clock(lambda: 110.0)
    later.resume(clock.state())
    assert later.now() == 510.0


@pytest.mark.parametrize(
    ("text", "when"),
    [("20151212T121212Z", 1449922332.0), ("20240219T080517150Z", 1708329917.15), ("19700101T000000Z", 0.0)],
)
def test_time_texts_are_read(text: str, when: float) -> None:
    assert parse_time(text) == when


@pytest.mark.parametrize("text", ["", "20151212", "20151312T121212Z", "2015-12-12T12:12:12Z", "20151212T121212", "20151212T121212Zx"])  # fmt: skip  # noqa: E501
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"form|month|does not match"):
        parse_time(text)


def test_times_are_written_in_whole_seconds() -> None:
    assert time_text(1449922332.987) == "20151212T121212Z"
