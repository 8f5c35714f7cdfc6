"""A test of a Django project: `serve_app(get_wsgi_application())`."""

import django
import requests
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from iot_northbound import NorthApiClient
from iot_northbound.testing.platform import IotApplication
from iot_northbound.testing.serving import ServeApp


def count_devices(request: HttpRequest) -> HttpResponse:
    with NorthApiClient.from_profile(settings.IOT_PROFILE) as client:
        return HttpResponse(len(list(client.data_collection.iter_devices())))


urlpatterns = [path("devices/count", count_devices)]


def test_a_view_asks_the_platform(
    iot_application: IotApplication, serve_app: ServeApp
) -> None:
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["127.0.0.1"],
        IOT_PROFILE=str(iot_application.profile_path),
    )
    django.setup()
    iot_application.control.add_devices(3)
    app = serve_app(get_wsgi_application())
    assert requests.get(f"{app.url}/devices/count", timeout=30).text == "3"
