"""Reports and own messages that a device sends."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from iot_northbound.device import DeviceClient, MemoryQueue, ReportDroppedError
from iot_northbound.errors import InvalidArgumentError
from tests.clock import FakeClock, eventually
from tests.device.conftest import DATA, MakeDevice, values
from tests.device.peer import Peer


def test_a_report_is_done_at_its_puback(peer: Peer, device: DeviceClient) -> None:
    peer.rules.acknowledges = False
    pending = device.report("Battery", {"batteryLevel": 75}, datetime(2016, 5, 3, 12, 15, 40, tzinfo=UTC))
    (published,) = eventually(lambda: peer.published)
    assert not pending.done()
    assert published.topic == DATA
    assert published.payload == (
        b'{"msgType":"deviceReq","data":[{"serviceId":"Battery","serviceData":{"batteryLevel":75},'
        b'"eventTime":"20160503T121540Z"}]}'
    )
    peer.raw(b"\x40\x02\x00\x02")  # mid 1 was the subscription's
    pending.result(30)
    assert device.pending == 0


def test_a_report_of_qos_0_is_done_when_it_is_written(peer: Peer, device: DeviceClient) -> None:
    device.report_batch([("A", {"n": 1}), ("A", {"n": 2})], qos=0).result(30)
    (published,) = eventually(lambda: peer.published)
    assert published.qos == 0
    assert [each["serviceData"]["n"] for each in json.loads(published.payload)["data"]] == [1, 2]


def test_reports_of_an_offline_time_are_sent_in_order(peer: Peer, make_device: MakeDevice) -> None:
    device = make_device()
    results = [device.report("A", {"n": number}) for number in range(50)]
    assert device.pending == 50
    device.start(timeout=30)
    for each in results:
        each.result(30)
    assert values(peer) == [{"n": number} for number in range(50)]


def test_what_was_not_confirmed_before_a_cut_is_sent_again(peer: Peer, device: DeviceClient) -> None:
    peer.rules.acknowledges = False
    results = [device.report("A", {"n": number}) for number in range(30)]
    eventually(lambda: len(peer.published) == 20)  # the window
    peer.rules.acknowledges = True
    peer.cut()
    for each in results:
        each.result(30)
    assert [value["n"] for value in values(peer)[20:]] == [*range(30)]


def test_a_platform_that_confirms_nothing_is_left(peer: Peer, make_device: MakeDevice) -> None:
    clock = FakeClock()
    device = make_device(clock=clock).start(timeout=30)
    peer.rules.acknowledges = False
    pending = device.report("A", {})
    eventually(lambda: peer.published and device._outbox.oldest)  # the time runs from when the device notes it
    peer.rules.acknowledges = True
    clock.advance(61)
    pending.result(30)
    assert len(peer.logins) == 2


def test_a_message_whose_puback_is_lost_is_sent_again_although_others_are_confirmed(
    peer: Peer, make_device: MakeDevice
) -> None:
    clock = FakeClock()
    device = make_device(clock=clock).start(timeout=30)
    peer.rules.forgets = b'"n":0'
    lost = device.report("A", {"n": 0})
    eventually(lambda: peer.published and device._outbox.oldest)
    for number in range(1, 5):
        clock.advance(20)
        device.report("A", {"n": number}).result(30)
        peer.rules.forgets = None if number == 3 else peer.rules.forgets
    lost.result(30)
    assert values(peer).count({"n": 0}) == 2


def test_a_full_queue_announces_what_it_drops(make_device: MakeDevice) -> None:
    device = make_device(queue=MemoryQueue(2))
    announced: list[Any] = []
    device.on_dropped(lambda message: announced.append(json.loads(message.payload)["data"][0]["serviceData"]))
    results = [device.report("A", {"n": number}) for number in range(4)]
    eventually(lambda: announced == [{"n": 0}, {"n": 1}])
    assert (device.dropped, device.pending) == (2, 2)
    with pytest.raises(ReportDroppedError):
        results[0].result(0)


def test_fifty_threads_report_at_the_same_time(peer: Peer, device: DeviceClient) -> None:
    def work(number: int) -> None:
        for each in range(10):
            device.report("A", {"n": number * 100 + each}).result(30)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(value["n"] for value in values(peer)) == sorted(t * 100 + n for t in range(50) for n in range(10))


def test_a_large_report_arrives_whole(peer: Peer, device: DeviceClient) -> None:
    device.publish("/t", b"x" * 3_000_000).result(30)
    assert len(peer.published[0].payload) == 3_000_000


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (("", b""), "topic"),
        (("a/+", b""), "leave out"),
        (("a\0", b""), "NUL"),
        (("\ud800", b""), "UTF-8"),
        (("x" * 65_536, b""), "65535 bytes"),
        (("a", "text"), "payload"),
        (("a", b"", 2), "qos"),
        (("a", b"", True), "qos"),
    ],
)
def test_what_cannot_be_published_is_refused_by_name(device: DeviceClient, values: Any, part: str) -> None:
    with pytest.raises(InvalidArgumentError, match=part):
        device.publish(*values)
