"""The programs of docs/receiver/kafka.md."""

# --8<-- [start:kafka]
from pathlib import Path

from iot_northbound.push import KafkaSink, PushMessageReceiver


def main() -> None:
    settings = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "na",
        "sasl.password": Path("/run/secrets/kafka-password").read_text().strip(),
    }
    brokers = "kafka-1.example:9093,kafka-2.example:9093"
    receiver = PushMessageReceiver(KafkaSink(brokers, "pushes", settings))
    receiver.serve("127.0.0.1", 8686)


if __name__ == "__main__":
    main()
# --8<-- [end:kafka]
