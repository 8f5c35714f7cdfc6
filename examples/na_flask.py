"""An application with Flask: it receives pushes, shows readings, and turns valves.

    iot-northbound emulator                                     # in another terminal
    flask --app examples.na_flask:create_app run --port 8686
    curl -X POST 'http://127.0.0.1:8686/meters/DEVICE_ID/valve?state=CLOSED'

In production: one process with threads (``gunicorn --workers 1 --threads 16``),
because an inbox has one owner. A request that waits for a valve occupies a thread.
"""

import os
from datetime import datetime
from typing import Any

from flask import Flask, request

from iot_northbound import NorthApiClient, NorthApiException, WaitTimeoutError
from iot_northbound.dto import (
    CommandDTOV4,
    NotifyDeviceDataChangedDTO,
    NotifyType,
    PostDeviceCommandInDTO2,
)
from iot_northbound.push import PushMessageReceiver, SqliteInbox

PROFILE = os.environ.get("NA_PROFILE", "~/.iot-northbound/emulator/profile.toml")
HERE = os.environ.get("NA_URL", "http://127.0.0.1:8686/v1.0.0/messageReceiver")
"""The URL under which the platform reaches this application."""


def create_app(
    profile: str = PROFILE, here: str = HERE, inbox: str = "pushes.sqlite3"
) -> Flask:
    """Return the application; ``extensions["pushes"]`` is its receiver."""
    app = Flask(__name__)
    readings: dict[str, dict[str, Any]] = {}  # device -> service -> data
    newest: dict[tuple[str, str], datetime] = {}
    client = NorthApiClient.from_profile(profile)
    receiver = PushMessageReceiver(SqliteInbox(inbox), callback_url=here)

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

    @app.post("/meters/<device_id>/valve")
    def turn(device_id: str) -> tuple[dict[str, Any], int]:
        command = CommandDTOV4(
            service_id="WaterMeter",
            method="SET_VALVE",
            paras={"state": request.args.get("state", "CLOSED")},
        )
        try:
            done = receiver.commands.send(
                client,
                PostDeviceCommandInDTO2(device_id=device_id, command=command),
                timeout=60,
            )
        except WaitTimeoutError as error:
            text = f"the valve has not turned in 60 s: {error.last_state.status}"
            return {"error": text}, 504
        except NorthApiException as error:
            return {"error": str(error)}, 502
        return {
            "command": done.command_id,
            "status": done.status,
            "result": done.result,
        }, 200

    client.start_timer()
    client.subscription_management.ensure(here, [NotifyType.DEVICE_DATA_CHANGED])
    # The receiver answers /v1.0.0/messageReceiver and /v1.0.0/messageReceiver/cmd,
    # Flask all other paths.
    in_front = receiver.wsgi.in_front_of(app.wsgi_app)
    # This is Flask's own way, of which type checkers do not know.
    app.wsgi_app = in_front  # type: ignore[assignment, method-assign]
    app.extensions["client"] = client
    # Messages from last time are handled at once.
    app.extensions["pushes"] = receiver.start()
    return app
