import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.device import Backoff, MemoryQueue, ReportDroppedError
from iot_northbound.device.queue import Message
from iot_northbound.device.session import Outbox
from iot_northbound.errors import ClientClosedError, InvalidArgumentError, SdkCode


def message(number: int, qos: int = 1) -> Message:
    return Message("t", str(number).encode(), qos)


def outbox(limit: int = 1_000, window: int = 20) -> Outbox:
    return Outbox(MemoryQueue(limit), "pump", window)


def taken(box: Outbox) -> list[int]:
    return [int(item.message.payload) for item in iter(box.next, None)]


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_random_up_to_a_limit_that_doubles(failures: int, chance: float) -> None:
    limit = min(60.0, 2.0**failures) if failures < 10 else 60.0
    assert Backoff(random=lambda: chance).delay(failures) == limit * chance


def test_waits_of_many_devices_are_spread_over_the_whole_time() -> None:
    waits = [Backoff().delay(6) for _ in range(2_000)]
    assert all(0 <= wait <= 60 for wait in waits)
    tenths = [sum(at <= wait < at + 6 for wait in waits) for at in range(0, 60, 6)]
    assert min(tenths) > 100


def test_messages_leave_in_the_order_in_which_they_came() -> None:
    box = outbox()
    for number in range(5):
        box.add(message(number))
    assert taken(box) == [0, 1, 2, 3, 4]


def test_no_more_than_the_window_is_under_way() -> None:
    box = outbox(window=2)
    for number in range(4):
        box.add(message(number))
    for mid in (1, 2):
        item = box.next()
        assert item is not None
        box.sent(mid, item, 0)
    assert box.next() is None
    box.confirmed(1)
    assert taken(box)[:1] == [2]


def test_a_confirmed_message_is_done_and_an_unknown_number_is_nothing() -> None:
    box = outbox()
    pending, _ = box.add(message(0))
    item = box.next()
    assert item is not None
    box.sent(7, item, 0)
    assert box.confirmed(8) is None
    assert not pending.done()
    box.confirmed(7)
    assert pending.result(0) is None
    assert len(box) == 0


def test_what_was_under_way_goes_out_again_first_and_in_its_order() -> None:
    box = outbox(window=3)
    for number in range(5):
        box.add(message(number))
    for mid in (11, 12, 13):
        item = box.next()
        assert item is not None
        box.sent(mid, item, 0)
    box.confirmed(12)
    box.lost()
    assert taken(box) == [0, 2, 3, 4]


def test_answers_go_before_reports_also_after_a_cut() -> None:
    box = outbox()
    box.add(message(0))
    box.add_urgent(message(9))
    item = box.next()
    assert item is not None
    assert item.message == message(9)
    box.sent(1, item, 0)
    box.lost()
    assert taken(box) == [9, 0]


def test_a_full_queue_drops_the_oldest_and_says_so() -> None:
    box = outbox(limit=2)
    first, _ = box.add(message(0))
    box.add(message(1))
    _, dropped = box.add(message(2))
    assert [each.message for each in dropped] == [message(0)]
    with pytest.raises(ReportDroppedError, match="full"):
        first.result(0)
    assert (box.dropped, len(box), taken(box)) == (1, 2, [1, 2])


def test_what_is_under_way_is_never_dropped() -> None:
    box = outbox(limit=1)
    first, _ = box.add(message(0))
    item = box.next()
    assert item is not None
    box.sent(1, item, 0)
    box.add(message(1))
    assert box.add(message(2))[1][0].message == message(1)
    assert not first.done()


def test_after_the_end_everything_fails_and_nothing_is_taken() -> None:
    box = outbox()
    pending, _ = box.add(message(0))
    answer = box.add_urgent(message(1))
    box.end(ClientClosedError(SdkCode.CLIENT_INTERNAL, "over"))
    for call in (pending.result, answer.result, lambda: box.add(message(2)), box.add_urgent(message(3)).result):
        with pytest.raises(ClientClosedError, match="over"):
            call()


def test_fifty_threads_keep_the_order_of_each() -> None:
    box = outbox(limit=10_000)

    def add(thread: int) -> None:
        for number in range(40):
            box.add(message(thread * 100 + number))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = taken(box)
    assert sorted(found) == sorted(thread * 100 + number for thread in range(50) for number in range(40))
    for thread in range(50):
        assert [each for each in found if each // 100 == thread] == sorted(
            each for each in found if each // 100 == thread
        )


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "9"])
def test_a_limit_that_is_no_number_from_1_is_refused(limit: int) -> None:
    with pytest.raises(InvalidArgumentError, match=r"MemoryQueue\.limit"):
        MemoryQueue(limit)


def test_a_message_that_was_just_being_sent_when_the_device_was_closed_fails_too() -> None:
    box = outbox()
    pending, _ = box.add(message(0))
    item = box.next()
    assert item is not None
    box.end(ClientClosedError(SdkCode.CLIENT_INTERNAL, "closed"))
    box.sent(1, item, 0)
    with pytest.raises(ClientClosedError, match="closed"):
        pending.result(0)
    assert len(box) == 0
