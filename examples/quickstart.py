"""A small application: it registers 200 street lamps, lists them, dims them through their shadow, and deletes them.

    python examples/quickstart.py [PROFILE] [--devices N]

PROFILE is a TOML profile. The default is the one of the embedded platform (start it with ``iot-northbound emulator``).
"""

import argparse
import statistics
import uuid
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from iot_northbound import (
    Hooks,
    HttpConfig,
    InvalidArgumentError,
    NorthApiClient,
    NorthApiException,
    NotFoundError,
    ResponseEvent,
    load_profile,
)
from iot_northbound.dto import (
    DeviceInfoDTO,
    ModifyDeviceInforInDTO,
    ModifyDeviceShadowInDTO,
    QueryBatchDevicesInfoInDTO,
    RegDirectDeviceInDTO2,
    ServiceDesiredDTO,
)

DEFAULT_PROFILE = Path("~/.iot-northbound/emulator/profile.toml").expanduser()
LAMP = DeviceInfoDTO(
    manufacturer_id="LUMENFELD",
    manufacturer_name="Lumenfeld Lighting",
    device_type="StreetLamp",
    model="LF-LED60",
    protocol_type="LWM2M",
)
console = Console()


def register(client: NorthApiClient, count: int, progress: Progress) -> list[str]:
    run = uuid.uuid4().hex[:8]
    devices = []
    for number in progress.track(range(count), description="registering"):
        lamp = RegDirectDeviceInDTO2(
            node_id=f"lamp-{run}-{number:04d}", device_info=LAMP, timeout=0
        )
        devices.append(client.device_management.reg_direct_device(lamp).device_id)
    return devices


def list_them(client: NorthApiClient, wanted: set[str]) -> None:
    query = QueryBatchDevicesInfoInDTO(device_type="StreetLamp", page_size=50)
    seen = [device.device_id for device in client.data_collection.iter_devices(query)]
    console.print(
        f"listed page by page: {len(seen)} street lamps, {len(wanted & set(seen))} of them ours"
    )


def dim(client: NorthApiClient, device_id: str) -> None:
    client.device_management.modify_device_info(
        ModifyDeviceInforInDTO(name="Lamp at the gate"), device_id
    )
    wish = ServiceDesiredDTO(service_id="Lamp", desired={"brightness": 40})
    client.device_management.modify_device_shadow(
        ModifyDeviceShadowInDTO(service_desireds=[wish]), device_id
    )
    shadow = client.device_management.query_device_shadow(device_id)
    for service in shadow.services or []:  # one per service of the product model
        wanted, has = service.desired_props, service.reported_props
        if wanted or has:
            console.print(
                f"shadow of {service.service_id}: wanted {wanted or 'nothing'}, reported {has or 'nothing yet'}"
            )


def show_errors(client: NorthApiClient) -> None:
    console.print("three typical errors:")
    try:
        client.data_collection.query_single_device_info("no-such-device")
    except NotFoundError as error:
        console.print(f"  [yellow]NotFoundError[/] {error}", highlight=False)
    try:
        RegDirectDeviceInDTO2(node_id="lamp", psk="short")
    except InvalidArgumentError as error:
        console.print(f"  [yellow]InvalidArgumentError[/] {error}", highlight=False)
    try:
        client.device_management.query_device_status("any", access_token="not-a-token")
    except NorthApiException as error:
        console.print(f"  [yellow]{type(error).__name__}[/] {error}", highlight=False)


def delete(client: NorthApiClient, devices: list[str], progress: Progress) -> None:
    for device_id in progress.track(devices, description="deleting"):
        client.device_management.delete_direct_device(device_id)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", nargs="?", type=Path, default=DEFAULT_PROFILE)
    parser.add_argument("--devices", type=int, default=200)
    arguments = parser.parse_args()

    times: list[float] = []

    def measure(event: ResponseEvent) -> None:
        times.append(event.elapsed * 1000)

    profile = load_profile(arguments.profile)._replace(http=HttpConfig(deadline=30))
    with NorthApiClient(*profile, hooks=Hooks(after_response=measure)) as client:
        with Progress(console=console) as progress:
            devices = register(client, arguments.devices, progress)
        try:
            list_them(client, set(devices))
            dim(client, devices[0])
            show_errors(client)
        finally:
            with Progress(console=console) as progress:
                delete(client, devices, progress)
        cuts = statistics.quantiles(times, n=100)
        console.print(
            f"{len(times)} calls over {client.connections_opened} connection(s), "
            f"latency median {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"
        )


if __name__ == "__main__":
    main()
