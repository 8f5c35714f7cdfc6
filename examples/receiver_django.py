"""A Django application with its own pages that receives the platform's pushes.

In your project, put `receiver` and its handlers into a separate module, and the last
lines into ``wsgi.py``. Serve ``examples.receiver_django:application`` with any WSGI
server: one process, several threads.
"""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from iot_northbound.dto import NotifyDeviceAddedDTO, NotifyDeviceDeletedDTO
from iot_northbound.push import PushMessageReceiver, SqliteInbox

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
receiver = PushMessageReceiver(
    SqliteInbox(os.environ.get("PUSH_INBOX", "pushes.sqlite3"))
)


@receiver.on(NotifyDeviceAddedDTO)
def remember(body: NotifyDeviceAddedDTO) -> None:
    """Note a new device, unless it was deleted.

    Ids are not used twice, but pushes may come late.
    """
    if body.device_id is not None and body.device_id not in gone:
        devices.add(body.device_id)


@receiver.on(NotifyDeviceDeletedDTO)
def forget(body: NotifyDeviceDeletedDTO) -> None:
    """Forget a deleted device forever: these messages have no time to compare."""
    if body.device_id is not None:
        gone.add(body.device_id)
        devices.discard(body.device_id)


def show(request: HttpRequest) -> JsonResponse:
    """Return Django's own page."""
    return JsonResponse({"devices": sorted(devices)})


urlpatterns = [path("devices", show)]

# In front of Django, so that no CSRF check and no session is in the way of the
# platform.
application = receiver.wsgi.in_front_of(get_wsgi_application())
