"""Messages are handed over to Kafka: to real brokers on loopback, which are paused and killed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import InboxError, InboxFullError, KafkaSink
from iot_northbound.push.sinks import kafka as kafka_module
from tests.clock import eventually
from tests.push.helpers import PATIENCE, data_message, taken
from tests.servers.kafka import KafkaServer, run_kafka

library = pytest.importorskip("confluent_kafka")
IMPATIENT = {"message.timeout.ms": 500}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with run_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def topic() -> str:
    return f"pushes-{next(_numbers)}"


@pytest.fixture
def sink_to(topic: str) -> Iterator[Callable[..., KafkaSink]]:
    made: list[KafkaSink] = []

    def make(brokers: str, settings: Mapping[str, Any] | None = None, **options: Any) -> KafkaSink:
        made.append(KafkaSink(brokers, topic, settings, **options))
        return made[-1]

    yield make
    for sink in made:
        sink.stop()


def consumed(server: KafkaServer, topic: str, count: int) -> list[Any]:
    """Return so many records of a topic, as another program gets them."""
    consumer = library.Consumer({"bootstrap.servers": server.brokers, "group.id": "test"})
    partitions = consumer.list_topics(topic, 30).topics[topic].partitions
    consumer.assign([library.TopicPartition(topic, each, library.OFFSET_BEGINNING) for each in partitions])
    found: list[Any] = []
    end = time.monotonic() + PATIENCE
    try:
        while len(found) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} records came"
            found += consumer.consume(1_000, 0.1)
    finally:
        consumer.close()
    assert [each.error() for each in found if each.error()] == []
    return found


def send(sink: KafkaSink, number: int) -> bool:
    """Send a message as often as the platform would; return whether it was new."""

    def answer() -> list[bool]:
        try:
            return [taken(sink.put(data_message(number=number)))]
        except InboxError:
            return []

    return eventually(answer)[0]


def test_a_record_has_the_device_as_its_key_and_the_body_as_its_value(
    kafka: KafkaServer, topic: str, sink_to: Callable[..., KafkaSink]
) -> None:
    message = data_message("d-7", at=1_770_000_000.25)
    assert taken(sink_to(kafka.brokers).put(message))
    (record,) = consumed(kafka, topic, 1)
    assert (record.key(), record.value()) == (b"d-7", message.text.encode())
    assert dict(record.headers()) == {
        "kind": b"deviceDataChanged",
        "received_at": b"1770000000.25",
        "slot": message.recognition.identity.hex().encode(),
        "repeats": message.recognition.repeats.value.encode(),
    }


def test_a_message_without_a_device_has_no_key(
    kafka: KafkaServer, topic: str, sink_to: Callable[..., KafkaSink]
) -> None:
    assert taken(sink_to(kafka.brokers).put(data_message("")))
    assert consumed(kafka, topic, 1)[0].key() is None


def test_the_records_of_each_device_keep_their_order(
    kafka: KafkaServer, topic: str, sink_to: Callable[..., KafkaSink]
) -> None:
    sink = sink_to(kafka.brokers)
    answers = [sink.put(data_message(f"d{n % 50}", n)) for n in range(2_000)]
    assert all(taken(each) for each in answers)
    assert sink.stats().waiting == 0
    by_device: dict[bytes, list[int]] = {}
    partitions: dict[bytes, set[int]] = {}
    for record in consumed(kafka, topic, 2_000):
        number = int(record.value().split(b'"n":')[1].split(b",")[0])
        by_device.setdefault(record.key(), []).append(number)
        partitions.setdefault(record.key(), set()).add(record.partition())
    assert len(by_device) == 50
    assert all(numbers == sorted(numbers) for numbers in by_device.values())
    assert all(len(each) == 1 for each in partitions.values())


def test_a_repetition_is_dropped(kafka: KafkaServer, topic: str, sink_to: Callable[..., KafkaSink]) -> None:
    sink = sink_to(kafka.brokers)
    assert taken(sink.put(data_message(number=1)))
    assert not taken(sink.put(data_message(number=1)))
    assert taken(sink.put(data_message(number=2)))
    assert len(consumed(kafka, topic, 2)) == 2


def test_duplicates_can_be_left_in(kafka: KafkaServer, topic: str, sink_to: Callable[..., KafkaSink]) -> None:
    sink = sink_to(kafka.brokers, duplicates=None)
    assert [taken(sink.put(data_message(number=1))) for _ in range(2)] == [True, True]
    assert len(consumed(kafka, topic, 2)) == 2


def test_a_repetition_is_answered_only_when_its_original_is_safe(
    tmp_path: Path, sink_to: Callable[..., KafkaSink], caplog: pytest.LogCaptureFixture
) -> None:
    with run_kafka(tmp_path) as server:
        sink = sink_to(server.brokers)
        assert taken(sink.put(data_message(number=0)))
        server.pause()
        first, second = sink.put(data_message(number=1)), sink.put(data_message(number=1))
        assert not first.done()
        assert not second.done()
        assert sink.stats().waiting == 1
        server.resume()
        assert (taken(first), taken(second)) == (True, False)


def test_what_is_not_confirmed_in_time_fails_and_can_come_again(
    tmp_path: Path, sink_to: Callable[..., KafkaSink], caplog: pytest.LogCaptureFixture
) -> None:
    with run_kafka(tmp_path) as server:
        sink = sink_to(server.brokers, IMPATIENT)
        assert send(sink, 0)
        caplog.clear()
        server.pause()
        answers = [sink.put(data_message(number=1)) for _ in range(2)]
        for answer in answers:
            with pytest.raises(InboxError, match="timed out"):
                taken(answer)
        assert sink.stats().waiting == 0
        server.resume()
        assert send(sink, 1)
        told = [each.message for each in caplog.records if each.levelname == "WARNING"]
        assert [each.split(",")[0].split(":")[0] for each in told] == ["Kafka is away", "Kafka is back"]


def test_a_sink_without_brokers_answers_all_the_same(
    tmp_path: Path,
    topic: str,
    sink_to: Callable[..., KafkaSink],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put, guarded = threading.Event(), kafka_module._guarded

    def later(*reports: Any) -> None:
        put.wait(PATIENCE)
        guarded(*reports)

    with run_kafka(tmp_path) as server:
        sink = sink_to(server.brokers, IMPATIENT)
        assert send(sink, 0)
        caplog.clear()
        server.kill()
        monkeypatch.setattr(kafka_module, "_guarded", later)
        answers = [sink.put(data_message(f"d{n}", n)) for n in range(100)]
        assert sink.stats().waiting == 100
        assert sink.stats().size > 100 * 50
        put.set()
        for answer in answers:
            with pytest.raises(InboxError, match=f"for {topic} at 127"):
                taken(answer)
        sink.stop()
    assert [each.message.split(",")[0] for each in caplog.records if each.levelname == "WARNING"] == ["Kafka is away"]


def test_stop_waits_for_what_was_put(kafka: KafkaServer, topic: str, sink_to: Callable[..., KafkaSink]) -> None:
    sink = sink_to(kafka.brokers, {"linger.ms": 200})
    answers = [sink.put(data_message(number=n)) for n in range(20)]
    sink.stop()
    assert all(each.done() and each.result() for each in answers)
    assert taken(sink.put(data_message(number=20)))  # it opens again
    assert len(consumed(kafka, topic, 21)) == 21


def test_a_sink_with_too_many_messages_is_full(sink_to: Callable[..., KafkaSink], kafka: KafkaServer) -> None:
    sink = sink_to(kafka.brokers, {"queue.buffering.max.messages": 1})
    kafka.pause()
    try:
        first = sink.put(data_message(number=1))
        with pytest.raises(InboxFullError, match="1 messages wait for Kafka"):
            sink.put(data_message(number=2))
    finally:
        kafka.resume()
    assert taken(first)
    assert send(sink, 2)  # the refused one counts as new


def test_a_message_that_is_too_large_is_refused_with_the_setting_to_change(
    sink_to: Callable[..., KafkaSink], kafka: KafkaServer
) -> None:
    with pytest.raises(InboxError, match=r"larger than message\.max\.bytes"):
        sink_to(kafka.brokers, {"message.max.bytes": 1_000}).put(data_message(extra="x" * 2_000))


def test_threads_put_side_by_side(kafka: KafkaServer, topic: str, sink_to: Callable[..., KafkaSink]) -> None:
    sink = sink_to(kafka.brokers)

    def put_some(thread: int) -> list[bool]:
        return [taken(sink.put(data_message(f"t{thread}", n))) for n in range(10)]

    with ThreadPoolExecutor(50) as threads:
        assert all(all(each) for each in threads.map(put_some, range(50)))
    assert len(consumed(kafka, topic, 500)) == 500


FORKED = """
import os, sys
from iot_northbound.push import KafkaSink
from tests.push.helpers import data_message, taken
sink = KafkaSink(sys.argv[1], sys.argv[2])
assert taken(sink.put(data_message("parent", 1)))
child = os.fork()
if not child:
    assert taken(sink.put(data_message("child", 2)))
    sink.stop()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0, "the child failed"
assert taken(sink.put(data_message("parent", 3)))
sink.stop()
"""


def test_a_forked_child_has_a_connection_of_its_own(kafka: KafkaServer, topic: str) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, kafka.brokers, topic]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert sorted(each.key() for each in consumed(kafka, topic, 3)) == [b"child", b"parent", b"parent"]


def test_making_a_sink_connects_to_nothing(topic: str) -> None:
    before = threading.active_count()
    sink = KafkaSink("127.0.0.1:9", topic)
    assert threading.active_count() == before
    assert sink.stats().waiting == 0
    sink.stop()


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"acks": 1}, "acks: this setting is not to be changed"),
        ({"enable.idempotence": False}, "not to be changed"),
        ({"bootstrap.servers": "other"}, "not to be changed"),
        ({"message.timeout.ms": 20_000}, "from 1 to 10000"),
        ({"message.timeout.ms": "soon"}, "from 1 to 10000"),
        ({"acsk": 1}, 'No such configuration property: "acsk"'),
        ({"security.protocol": "ssl", "ssl.ca.location": "/no/such/file"}, "ssl.ca.location failed"),
        ({"max.in.flight": 100}, "max.in.flight"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(settings: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidArgumentError, match=rule) as caught:
        KafkaSink("127.0.0.1:9092", "pushes", settings)
    assert caught.value.error_code == "1007"


@pytest.mark.parametrize(("bootstrap", "topic"), [("", "pushes"), (" ", "pushes"), ("host:9092", "")])
def test_a_sink_needs_brokers_and_a_topic(bootstrap: str, topic: str) -> None:
    with pytest.raises(InvalidArgumentError, match="must not be empty"):
        KafkaSink(bootstrap, topic)


def test_a_password_is_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "na"}
    secret["sasl.password"] = "not-a-real-one"
    with run_kafka(tmp_path) as server:
        sink = KafkaSink(server.brokers, "pushes", {**secret, **IMPATIENT})
        with pytest.raises(InboxError) as caught:
            taken(sink.put(data_message()))
        sink.stop()
    assert "not-a-real-one" not in f"{sink!r} {caught.value} {caplog.text}"
    assert repr(sink) == f"KafkaSink('{server.brokers}', 'pushes')"


def test_the_package_is_imported_only_for_a_sink() -> None:
    code = (
        "import sys, iot_northbound, iot_northbound.push as push\n"
        "push.PushMessageReceiver\nassert 'confluent_kafka' not in sys.modules\n"
        "sys.modules['confluent_kafka'] = None\n"
        "try: push.KafkaSink\nexcept ModuleNotFoundError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert run.stdout == "confluent_kafka is not installed: pip install 'iot-northbound[kafka]'\n", run.stderr
