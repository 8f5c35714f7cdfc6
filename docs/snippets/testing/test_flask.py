"""A test of a Flask application that receives pushes."""

from flask import Flask, Response, request

from iot_northbound import NorthApiClient
from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.push import MemoryInbox, PushMessageReceiver
from iot_northbound.testing.devices import IotDevices
from iot_northbound.testing.platform import IotPlatform
from iot_northbound.testing.serving import ServeApp


def create_app(receiver: PushMessageReceiver) -> Flask:
    app = Flask("readings")

    @app.post("/v1.0.0/messageReceiver")
    def receive() -> Response:
        reply = receiver.receive(request.get_data(), dict(request.headers))
        return Response(reply.body, reply.status)

    return app


def test_a_report_is_stored(
    iot_platform: IotPlatform,
    north_client: NorthApiClient,
    iot_device: IotDevices,
    serve_app: ServeApp,
) -> None:
    stored = []
    with PushMessageReceiver(MemoryInbox()) as receiver:
        receiver.on(NotifyDeviceDataChangedDTO)(
            lambda body: stored.append(body.device_id)
        )
        app = serve_app(create_app(receiver))
        north_client.subscription_management.ensure(
            f"{app.url}/v1.0.0/messageReceiver", ["deviceDataChanged"]
        )
        meter = iot_device()
        meter.report("WaterMeter", {"totalVolume": 12.5})
        iot_platform.wait_idle()
    assert stored == [
        meter.device_id
    ]  # the end of the block has waited for the handlers
