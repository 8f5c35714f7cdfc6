"""A test of a FastAPI application, with the real parts around it."""

import requests
from valves_app import create_app

from iot_northbound.testing.devices import IotDevices
from iot_northbound.testing.platform import IotApplication, IotPlatform
from iot_northbound.testing.serving import ServeApp


def test_the_application(
    iot_platform: IotPlatform,
    iot_application: IotApplication,
    iot_device: IotDevices,
    serve_app: ServeApp,
) -> None:
    with iot_application.client() as client:
        app = serve_app(create_app(client), tls=True)
        client.subscription_management.ensure(
            f"{app.url}/iot/v1.0.0/messageReceiver", ["deviceDataChanged"]
        )
        meter = iot_device(application=iot_application)

        answer = requests.post(
            f"{app.url}/valves/{meter.device_id}/close",
            verify=str(iot_platform.ca),
            timeout=30,
        )
        assert answer.json() == {"status": "SUCCESSFUL"}

        meter.report("WaterMeter", {"totalVolume": 12.5})
        iot_platform.wait_idle()  # the push has been answered
        answer = requests.get(
            f"{app.url}/readings", verify=str(iot_platform.ca), timeout=30
        )
    assert answer.json() == {meter.device_id: {"totalVolume": 12.5}}
