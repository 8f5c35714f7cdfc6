"""A Flask application that takes the platform's pushes beside its own pages.

    flask --app "examples.receiver_flask:create_app('pushes.sqlite3')" run --port 8686

In production: one process with threads (``gunicorn --workers 1 --threads 16``), since an inbox has one owner.
"""

import os
from typing import Any

from flask import Flask

from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.push import PushMessageReceiver, SqliteInbox


def create_app(inbox: str | os.PathLike[str]) -> Flask:
    """Return the application; its receiver is at ``app.extensions["pushes"]``."""
    app = Flask(__name__)
    readings: dict[str, Any] = {}
    receiver = PushMessageReceiver(SqliteInbox(inbox))

    @receiver.on(NotifyDeviceDataChangedDTO)
    def store(body: NotifyDeviceDataChangedDTO) -> None:
        if body.device_id is not None and body.service is not None:
            readings[body.device_id] = body.service.data

    @app.get("/readings")
    def show() -> dict[str, Any]:
        return readings

    # The receiver takes /v1.0.0/messageReceiver and /v1.0.0/messageReceiver/cmd, Flask all else.
    app.wsgi_app = receiver.wsgi.in_front_of(app.wsgi_app)  # type: ignore[assignment, method-assign]
    app.extensions["pushes"] = receiver.start()  # what waits from last time is handled at once
    return app
