"""Every documented call of the client on the embedded platform, over real TLS, told as four small stories."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import Hooks, NorthApiClient, NotFoundError, RequestEvent, WaitTimeoutError, dto
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile
from iot_northbound.services.calls import calls
from iot_northbound.services.waiting import Polling

QUICK = Polling(start=0.02, factor=1.2, cap=0.1)
LAMP = dto.DeviceInfoDTO(
    manufacturer_id="LUMENFELD",
    manufacturer_name="Lumenfeld Lighting",
    device_type="StreetLamp",
    model="LF-LED60",
    protocol_type="LWM2M",
)
CALLBACK = "https://127.0.0.1:9/v1.0.0/messageReceiver"
USED: set[str] = set()
"""The endpoints the stories have called; the last test holds it against the reference."""


def note(event: RequestEvent) -> None:
    USED.add(event.endpoint)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder: Path = tmp_path_factory.mktemp("platform")
    with Emulator(port=0, control_port=None, folder=folder, transitions="immediate") as running:
        yield running


@pytest.fixture(scope="module")
def client(platform: Emulator) -> Iterator[NorthApiClient]:
    with NorthApiClient(*load_profile(platform.profile_path), hooks=Hooks(before_request=note)) as running:
        yield running


def lamp(client: NorthApiClient, platform: Emulator, node_id: str, **script: Any) -> str:
    made = client.device_management.reg_direct_device(
        dto.RegDirectDeviceInDTO2(node_id=node_id, device_info=LAMP, timeout=0)
    )
    platform.control.script(made.device_id, **script)
    return made.device_id


def command(value: int = 40) -> dto.CommandDTOV4:
    return dto.CommandDTOV4(service_id="Lamp", method="SET_BRIGHTNESS", paras={"value": value})


def test_a_device_from_registration_to_deletion(client: NorthApiClient, platform: Emulator) -> None:
    devices, data = client.device_management, client.data_collection
    device_id = lamp(client, platform, "life-1")
    devices.modify_device_info(dto.ModifyDeviceInforInDTO(name="Lamp at the gate"), device_id)
    status = devices.query_device_status(device_id)
    assert (status.activated, status.name) == (True, "Lamp at the gate")
    platform.control.report(device_id, "Lamp", {"brightness": 80})
    wish = dto.ServiceDesiredDTO(service_id="Lamp", desired={"brightness": 40})
    devices.modify_device_shadow(dto.ModifyDeviceShadowInDTO(service_desireds=[wish]), device_id)
    services = {each.service_id: each for each in devices.query_device_shadow(device_id).services or []}
    assert services["Lamp"].desired_props == {"brightness": 40}

    assert data.query_single_device_info(device_id).device_id == device_id
    assert device_id in {each.device_id for each in data.iter_devices()}
    query = dto.QueryDeviceDataHistoryInDTO(device_id=device_id, gateway_id=device_id)
    assert {"brightness": 80} in [each.data for each in data.iter_device_data_history(query)]
    wishes = dto.QueryDeviceDesiredHistoryInDTO(device_id=device_id, gateway_id=device_id)
    assert [each.desired for each in data.iter_device_desired_history(wishes)] == [{"brightness": 40}]
    capabilities = data.query_device_capabilities(dto.QueryDeviceCapabilitiesInDTO(device_id=device_id))
    assert len(capabilities.device_capabilities or []) == 1

    mqtt = devices.reg_device_with_secret(
        dto.RegDeviceWithSecretInDTO(
            device_info=dto.MqttDeviceInfoDTO(node_id="life-mqtt", model="NG-2"), mqtt_connect=True
        )
    )
    assert mqtt.secret
    fresh = devices.reg_direct_device(dto.RegDirectDeviceInDTO2(node_id="life-2", verify_code="life-2"))
    platform.control.activate(fresh.device_id)
    assert devices.refresh_device_key(dto.RefreshDeviceKeyInDTO(node_id="life-3"), fresh.device_id).verify_code
    for each in (device_id, mqtt.device_id, fresh.device_id):
        devices.delete_direct_device(each, cascade=True)
    with pytest.raises(NotFoundError):
        data.query_single_device_info(device_id)


def test_commands_one_by_one_and_in_a_batch(client: NorthApiClient, platform: Emulator) -> None:
    signals, batch, groups = client.signal_delivery, client.batch_process, client.device_group_management
    awake = lamp(client, platform, "command-1")
    posted = signals.post_device_command(
        dto.PostDeviceCommandInDTO2(device_id=awake, command=command(), expire_time=3600)
    )
    ended = signals.wait_for_device_command(posted.command_id, awake, timeout=60, polling=QUICK)
    assert ended.status == "SUCCESSFUL"

    silent = lamp(client, platform, "command-2", asleep=True, answer="never")
    platform.control.set_online(silent, online=False)
    waiting = [
        signals.post_device_command(dto.PostDeviceCommandInDTO2(device_id=silent, command=command(n), expire_time=900))
        for n in range(3)
    ]
    with pytest.raises(WaitTimeoutError) as late:
        signals.wait_for_device_command(waiting[0].command_id, silent, timeout=0.05, polling=QUICK)
    assert late.value.last_state.status == "PENDING"
    canceled = signals.update_device_command(dto.UpdateDeviceCommandInDTO(status="CANCELED"), waiting[0].command_id)
    assert canceled.status == "CANCELED"
    task = signals.create_device_cmd_cancel_task(dto.CreateDeviceCmdCancelTaskInDTO(device_id=silent))
    done = signals.wait_for_device_cmd_cancel_task(task.task_id, timeout=60, polling=QUICK)
    assert (done.status, done.total_count) == ("SUCCESS", 2)
    query = dto.QueryDeviceCommandInDTO2(device_id=silent)
    assert [each.status for each in signals.iter_device_commands(query)] == ["CANCELED"] * 3

    header = dto.CommandNA2CloudHeader(mode="NOACK", method="SET_BRIGHTNESS")
    invoked = signals.invoke_device_service(awake, "Lamp", dto.CommandDTO2(header=header, body={"value": 7}))
    assert invoked.status

    groups.create_device_group(dto.CreateDeviceGroupInDTO(name="commands", device_ids=[awake]))
    param = {
        "type": "GroupList",
        "groupList": ["commands"],
        "command": {"serviceId": "Lamp", "method": "SET_BRIGHTNESS", "paras": {"value": 9}},
    }
    made = batch.create_batch_task(
        dto.BatchTaskCreateInDTO2(
            app_id=platform.app_id, task_name="dim", task_type="DeviceCmd", timeout=10, param=param
        )
    )
    result = batch.wait_for_batch_task(made.task_id, timeout=60, polling=QUICK)
    assert (result.success_cnt, result.total_cnt) == (1, 1)
    details = list(batch.iter_task_details(dto.QueryTaskDetailsInDTO(task_id=made.task_id)))
    assert [each.status for each in details] == ["Success"]


def test_groups_from_creation_to_deletion(client: NorthApiClient, platform: Emulator) -> None:
    groups = client.device_group_management
    lamps = [lamp(client, platform, f"group-{number}") for number in range(3)]
    group = groups.create_device_group(dto.CreateDeviceGroupInDTO(name="street", max_dev_num=5)).id
    groups.modify_device_group(dto.ModifyDeviceGroupInDTO(name="avenue"), group)
    assert groups.query_single_device_group(group).name == "avenue"
    assert group in {each.id for each in groups.iter_device_groups()}
    members = dto.DeviceGroupWithDeviceListDTO(dev_group_id=group, device_ids=lamps)
    assert groups.add_devices_to_group(members).device_ids == lamps
    query = dto.QueryDeviceGroupMembersInDTO(dev_group_id=group)
    assert sorted(groups.iter_device_group_members(query)) == sorted(lamps)
    groups.delete_devices_from_group(dto.DeviceGroupWithDeviceListDTO(dev_group_id=group, device_ids=lamps[:2]))
    assert list(groups.iter_device_group_members(query)) == lamps[2:]
    groups.delete_device_group(group)
    with pytest.raises(NotFoundError):
        groups.query_single_device_group(group)


def test_subscriptions_and_upgrades(client: NorthApiClient, platform: Emulator) -> None:
    subscriptions, upgrade = client.subscription_management, client.device_upgrade
    made = subscriptions.sub_device_data(dto.SubDeviceDataInDTO(notify_type="deviceAdded", callback_url=CALLBACK))
    subscriptions.sub_device_data(
        dto.SubDeviceManagementDataInDTO(notify_type="fwUpgradeResultNotify", callback_url=CALLBACK)
    )
    assert made.subscription_id is not None
    assert subscriptions.query_single_subscription(made.subscription_id).callback_url == CALLBACK
    assert len(list(subscriptions.iter_subscriptions())) == 2
    subscriptions.delete_single_subscription(made.subscription_id)
    subscriptions.delete_batch_subscriptions()
    assert list(subscriptions.iter_subscriptions()) == []

    device_id = lamp(client, platform, "upgrade-1")
    for kind, start in (
        ("softwarePackage", upgrade.create_software_upgrade_task),
        ("firmwarePackage", upgrade.create_firmware_upgrade_task),
    ):
        package = platform.control.add_package(
            {
                "name": kind,
                "version": "V2.1",
                "fileType": kind,
                "deviceType": "StreetLamp",
                "model": "LF-LED60",
                "manufacturerName": "Lumenfeld Lighting",
            }
        )
        file_id = package["fileId"]
        assert upgrade.query_upgrade_package(file_id).version == "V2.1"
        assert file_id in {each.file_id for each in upgrade.iter_upgrade_packages()}
        task = start(
            dto.CreateUpgradeTaskInDTO(
                file_id=file_id,
                targets=dto.OperateDevices(devices=[device_id]),
                policy=dto.OperatePolicy(execute_type="now"),
            )
        )
        ended = upgrade.wait_for_upgrade_task(task.operation_id, timeout=60, polling=QUICK)
        assert ended.status == "success"
        assert upgrade.query_upgrade_task(task.operation_id).status == "success"
        subs = list(upgrade.iter_upgrade_sub_tasks(None, task.operation_id))
        assert [(each.device_id, each.status) for each in subs] == [(device_id, "success")]
        assert task.operation_id in {each.operation_id for each in upgrade.iter_upgrade_tasks()}
        upgrade.delete_upgrade_package(file_id)


def test_the_token_is_renewed_by_hand(client: NorthApiClient) -> None:
    granted = client.authentication.get_auth_token()
    app_id, secret = client.credentials()
    assert granted.refresh_token is not None
    renewed = client.authentication.refresh_auth_token(
        dto.AuthRefreshInDTO(app_id=app_id, secret=secret, refresh_token=granted.refresh_token)
    )
    assert renewed.access_token != granted.access_token
    client.data_collection.query_batch_devices_info()


def test_the_stories_leave_no_documented_call_out(client: NorthApiClient) -> None:
    assert {call.endpoint.name for call in calls()} - USED == set()
