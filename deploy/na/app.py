"""A northbound application in containers: web processes answer the platform, workers handle what it pushed.

Both kinds run this module. They share one token, one limit of calls and one inbox, in PostgreSQL.
"""

import logging
import os
from pathlib import Path
from typing import Any

from flask import Flask

from iot_northbound import NorthApiClient
from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.push import PushMessageReceiver

log = logging.getLogger("na")

# Nothing is connected before a process starts, so gunicorn may import this module before it forks.
client = NorthApiClient.from_env()
inbox = Path(os.environ["IOT_NORTHBOUND_INBOX_FILE"]).read_text().strip()
receiver = PushMessageReceiver(inbox, threads=0)  # `iot-northbound worker app:receiver` brings its own threads

app = Flask(__name__)
app.wsgi_app = receiver.wsgi.in_front_of(app.wsgi_app)  # type: ignore[assignment, method-assign]


@receiver.on(NotifyDeviceDataChangedDTO)
def store(body: NotifyDeviceDataChangedDTO) -> None:
    """Do the real work. It may come twice with the same message."""
    log.info("a reading of %s", body.device_id)


@app.get("/health")
def health() -> tuple[dict[str, Any], int]:
    """Say whether messages are handled: the oldest one waits for no more than five minutes."""
    metrics = receiver.metrics()
    return {"depth": metrics.depth, "age": metrics.age, "dead": metrics.dead}, 200 if metrics.age < 300 else 503
