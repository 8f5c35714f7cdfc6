"""Four gunicorn workers: pages that call the platform, and the receiver of pushes.

    export NA_PROFILE=profile.toml NA_FOLDER=/var/lib/na
    gunicorn --config examples/na_gunicorn/gunicorn.conf.py

The workers share one token and one limit of calls, in a file. Each worker has an inbox
file of its own, and what a killed worker left in its file is handled by another one. So
workers can be reloaded, recycled and killed at any moment.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from iot_northbound import NorthApiClient, NorthApiException, load_profile
from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.push import PushMessageReceiver, SqliteInbox

FOLDER = Path(os.environ["NA_FOLDER"])
READINGS = FOLDER / "readings.sqlite3"

app = Flask(__name__)
info, tls, http = load_profile(os.environ["NA_PROFILE"])[:3]
# Neither is opened yet: with preload_app, gunicorn imports this module before it forks
# the workers.
client = NorthApiClient(info, tls, http, shared=f"file:{FOLDER / 'shared.sqlite3'}")
receiver = PushMessageReceiver(SqliteInbox(FOLDER / "pushes-{n}.sqlite3"))
in_front = receiver.wsgi.in_front_of(app.wsgi_app)
# This is Flask's own way, of which type checkers do not know.
app.wsgi_app = in_front  # type: ignore[assignment, method-assign]


@contextmanager
def readings() -> Iterator[sqlite3.Connection]:
    """Open the database of the readings, for one transaction."""
    with closing(sqlite3.connect(READINGS, timeout=30)) as database, database:
        database.execute("PRAGMA synchronous = NORMAL")
        yield database


with readings() as database:
    database.execute(
        "PRAGMA journal_mode = WAL"
    )  # readers and writers of several workers disturb each other less
    database.execute(
        "CREATE TABLE IF NOT EXISTS readings (device, service, at, data, push UNIQUE)"
    )


def start() -> None:
    """Begin in a worker: gunicorn.conf.py calls it after the fork."""
    receiver.start()
    client.start_timer()


def stop() -> None:
    """End in a worker: handle what it accepted.

    The shared token stays, because the other workers use it.
    """
    receiver.stop(timeout=20)
    client.close()


@receiver.on(NotifyDeviceDataChangedDTO)
def store(body: NotifyDeviceDataChangedDTO) -> None:
    """Keep a reading.

    A push can come twice; its text is the same then, so it is kept once.
    """
    service = body.service
    if service is None:
        return
    # The workers handle pushes side by side: the time of the event says which reading
    # is the newest.
    made = (
        service.event_time.datetime
        if service.event_time
        else receiver.event.received_at
    )
    row = (
        body.device_id,
        service.service_id,
        made.isoformat(),
        str(service.data),
        receiver.event.text,
    )
    with readings() as database:
        database.execute("INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?)", row)


@app.get("/devices/<device_id>")
def show(device_id: str) -> tuple[dict[str, Any], int]:
    """Ask the platform about a device, and add its newest reading."""
    try:
        device = client.data_collection.query_single_device_info(device_id)
    except NorthApiException as error:
        return {"error": error.error_code}, 502
    query = "SELECT data FROM readings WHERE device = ? ORDER BY at DESC LIMIT 1"
    with readings() as database:
        newest = database.execute(query, (device_id,)).fetchone()
    return {
        "device": device.device_id,
        "newest": newest and newest[0],
        "worker": os.getpid(),
    }, 200
