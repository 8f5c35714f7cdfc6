"""A receiver that hands its messages over to Kafka."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import InboxError, KafkaSink, PushMessageReceiver, open_inbox
from tests.push.helpers import data_body
from tests.push.sinks.test_kafka import IMPATIENT, consumed
from tests.servers.kafka import KafkaServer, run_kafka

ROUTE = "/v1.0.0/messageReceiver"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with run_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def topic() -> str:
    return uuid.uuid4().hex


def post(address: tuple[str, int], body: bytes) -> int:
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request("POST", ROUTE, body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_what_is_posted_is_in_the_topic(kafka: KafkaServer, topic: str) -> None:
    receiver = PushMessageReceiver(KafkaSink(kafka.brokers, topic))
    with receiver.server(port=0) as server:
        assert [post(server.address, data_body(f"d{n % 3}", n)) for n in range(9)] == [200] * 9
        assert post(server.address, data_body("d0", 0)) == 200  # the platform repeats it
        assert post(server.address, b"no message") == 400
        metrics = receiver.metrics()
    assert (metrics.accepted, metrics.duplicates, metrics.depth, metrics.refused) == (9, 1, 0, {400: 1})
    assert {each.value() for each in consumed(kafka, topic, 9)} == {data_body(f"d{n % 3}", n) for n in range(9)}


def test_the_answer_is_503_while_no_broker_confirms(tmp_path_factory: pytest.TempPathFactory, topic: str) -> None:
    with run_kafka(tmp_path_factory.mktemp("kafka")) as own:
        receiver = PushMessageReceiver(KafkaSink(own.brokers, topic, IMPATIENT)).start()
        own.kill()
        reply = receiver.receive(data_body())
        assert reply.status == 503
        assert receiver.metrics().refused == {503: 1}
        assert receiver.stop()
        assert receiver.receive(data_body()).status == 503


def test_a_topic_can_be_named_by_a_url(kafka: KafkaServer, topic: str) -> None:
    sink = open_inbox(f"kafka://{kafka.brokers}/{topic}?linger.ms=1&client.id=na")
    assert repr(sink) == f"KafkaSink('{kafka.brokers}', '{topic}')"
    with PushMessageReceiver(sink) as receiver:
        assert receiver.receive(data_body("by-url")).status == 200
    assert consumed(kafka, topic, 1)[0].key() == b"by-url"


@pytest.mark.parametrize("query", ["acks=1", "acsk=1"])
def test_a_setting_in_a_url_that_cannot_be_used_is_refused(query: str) -> None:
    with pytest.raises(InvalidArgumentError):
        open_inbox(f"kafka://127.0.0.1:9092/pushes?{query}")


class WithHandler(PushMessageReceiver):
    """It has a handler, which would never be called."""

    def handle_body(self, body: str) -> None:
        raise AssertionError


def test_a_handler_is_refused_because_none_runs_here() -> None:
    sink = KafkaSink("127.0.0.1:9092", "pushes")
    with pytest.raises(InvalidArgumentError, match="no handler runs in this receiver"):
        WithHandler(sink)
    receiver = PushMessageReceiver(sink)
    register: Any
    for register in (receiver.on_body, receiver.on_unknown):
        with pytest.raises(InvalidArgumentError, match="no handler runs in this receiver"):
            register(print)
    receiver.start()
    with pytest.raises(InboxError, match="has no dead letters"):
        receiver.dead_letters()
    receiver.stop()
