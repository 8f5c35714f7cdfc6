"""A Flask application that receives the platform's pushes and has its own pages.

    flask --app "examples.receiver_flask:create_app('pushes.sqlite3')" run --port 8686

In production: one process with threads (``gunicorn --workers 1 --threads 16``),
because an inbox has one owner.
"""

import os
from datetime import datetime
from typing import Any

from flask import Flask

from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.push import PushMessageReceiver, SqliteInbox


def create_app(inbox: str | os.PathLike[str]) -> Flask:
    """Return the application; its receiver is ``app.extensions["pushes"]``."""
    app = Flask(__name__)
    readings: dict[str, dict[str, Any]] = {}  # device -> service -> data
    newest: dict[tuple[str, str], datetime] = {}
    receiver = PushMessageReceiver(SqliteInbox(inbox))

    @receiver.on(NotifyDeviceDataChangedDTO)
    def store(body: NotifyDeviceDataChangedDTO) -> None:
        service = body.service
        if body.device_id is None or service is None or service.service_id is None:
            return
        # The order of arrival is not the order of the events: a repeated push comes
        # after newer ones.
        made = (
            service.event_time.datetime
            if service.event_time
            else receiver.event.received_at
        )
        key = body.device_id, service.service_id
        if key not in newest or made >= newest[key]:
            newest[key] = made
            readings.setdefault(body.device_id, {})[service.service_id] = service.data

    @app.get("/readings")
    def show() -> dict[str, Any]:
        return readings

    # The receiver answers /v1.0.0/messageReceiver and /v1.0.0/messageReceiver/cmd,
    # Flask all other paths.
    in_front = receiver.wsgi.in_front_of(app.wsgi_app)
    app.wsgi_app = in_front  # type: ignore[assignment, method-assign]
    app.extensions["pushes"] = (
        receiver.start()
    )  # messages from last time are handled at once
    return app
