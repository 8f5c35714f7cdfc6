"""An application with Django: it receives pushes, lists meters, and turns valves.

    iot-northbound emulator                                     # in another terminal
    gunicorn --threads 16 --bind 127.0.0.1:8686 examples.na_django:application
    curl -X POST 'http://127.0.0.1:8686/meters/DEVICE_ID/valve?state=CLOSED'

In your project, put `client`, `receiver` and its handlers into a separate module, and
the last lines into ``wsgi.py``. Any WSGI server serves it: one process, several
threads. A request that waits for a valve occupies a thread.
"""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import path

from iot_northbound import NorthApiClient, NorthApiException, WaitTimeoutError
from iot_northbound.dto import (
    CommandDTOV4,
    NotifyDeviceAddedDTO,
    NotifyDeviceDeletedDTO,
    NotifyType,
    PostDeviceCommandInDTO2,
)
from iot_northbound.push import PushMessageReceiver, SqliteInbox

PROFILE = os.environ.get("NA_PROFILE", "~/.iot-northbound/emulator/profile.toml")
HERE = os.environ.get("NA_URL", "http://127.0.0.1:8686/v1.0.0/messageReceiver")
"""The URL under which the platform reaches this application."""

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.urandom(32).hex(),
        DATABASES={},
    )
    django.setup()

devices: set[str] = set()
gone: set[str] = set()
client = NorthApiClient.from_profile(PROFILE)
receiver = PushMessageReceiver(
    SqliteInbox(os.environ.get("PUSH_INBOX", "pushes.sqlite3")), callback_url=HERE
)


@receiver.on(NotifyDeviceAddedDTO)
def remember(body: NotifyDeviceAddedDTO) -> None:
    """Note a new device, unless it was deleted: pushes may come late."""
    if body.device_id is not None and body.device_id not in gone:
        devices.add(body.device_id)


@receiver.on(NotifyDeviceDeletedDTO)
def forget(body: NotifyDeviceDeletedDTO) -> None:
    """Forget a deleted device forever: these messages have no time to compare."""
    if body.device_id is not None:
        gone.add(body.device_id)
        devices.discard(body.device_id)


def show(request: HttpRequest) -> JsonResponse:
    """List the meters."""
    return JsonResponse({"devices": sorted(devices)})


def turn(request: HttpRequest, device_id: str) -> HttpResponse:
    """Turn a valve, and answer when the meter has obeyed."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    state = request.GET.get("state", "CLOSED")
    command = CommandDTOV4(
        service_id="WaterMeter", method="SET_VALVE", paras={"state": state}
    )
    dto = PostDeviceCommandInDTO2(device_id=device_id, command=command)
    try:
        done = receiver.commands.send(client, dto, timeout=60)
    except WaitTimeoutError as error:
        text = f"the valve has not turned in 60 s: {error.last_state.status}"
        return JsonResponse({"error": text}, status=504)
    except NorthApiException as error:
        return JsonResponse({"error": str(error)}, status=502)
    return JsonResponse(
        {"command": done.command_id, "status": done.status, "result": done.result}
    )


urlpatterns = [path("devices", show), path("meters/<device_id>/valve", turn)]

client.start_timer()
receiver.start()
client.subscription_management.ensure(
    HERE, [NotifyType.DEVICE_ADDED, NotifyType.DEVICE_DELETED]
)
# In front of Django, so that no CSRF check and no session is in the platform's way.
application = receiver.wsgi.in_front_of(get_wsgi_application())
