"""Kafka brokers of one's own: those that librdkafka has for tests, in a process that can be paused and killed."""

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.process import Server

INSTALL = "pip install 'iot-northbound[kafka]'"
_PROGRAM = """
import os, pathlib, signal, sys
from confluent_kafka import Producer
producer = Producer({"test.mock.num.brokers": 3})
brokers = producer.list_topics(timeout=30).brokers.values()
file = pathlib.Path(sys.argv[1]) / f"brokers-{os.getpid()}"
file.with_suffix(".new").write_text(",".join(f"{each.host}:{each.port}" for each in brokers))
file.with_suffix(".new").rename(file)
signal.pause()
"""


class KafkaServer(Server):
    """Three brokers on free ports. They make a topic when it is first named."""

    brokers: str
    """Their addresses, for `bootstrap.servers`."""

    def launch(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "server.log").open("ab") as output:
            return subprocess.Popen([sys.executable, "-c", _PROGRAM, str(self.folder)], stdout=output, stderr=output)

    def answers(self) -> bool:
        file = self.folder / f"brokers-{self.pid}"
        if not file.exists():
            return False
        self.brokers = file.read_text()
        return True


@contextlib.contextmanager
def run_kafka(folder: Path) -> Iterator[KafkaServer]:
    """Run brokers with their files in this folder. Skip where their package is missing."""
    if importlib.util.find_spec("confluent_kafka") is None:
        pytest.skip(f"confluent-kafka is not installed: {INSTALL}")
    server = KafkaServer(folder)
    try:
        yield server.start()
    finally:
        server.kill()
